#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
#
# A mesh with TLS and rights: hosts join by tokens, and an agent that serves
# what it was not granted is refused. No kernel anywhere has its member.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

mesh_url=https://$mesh_coordinator:7900
tls=$work/coord/tls
export VNIMESH_COORDINATOR=$mesh_url VNIMESH_TOKEN_FILE=$tls/admin.token VNIMESH_CA_FILE=$tls/ca.pem

mesh_coordinator_config() {
	mkdir -p "$work/coord"
	cat >"$work/coord/config.json" <<-CONF
		{ "listen": "192.0.2.1:7900", "tls_dir": "$tls",
		  "store": "$work/coord/state.db", "lease_ms": $mesh_lease_ms,
		  "mesh": { "id": 77, "prefix4": "10.77.0.0/16", "prefix6": "fd77::/48",
		            "service_prefix4": "10.96.0.0/16",
		            "service_prefix6": "fd77:0:0:ffff::/64" } }
	CONF
	vnimesh-coordinator init --config "$work/coord/config.json" >"$work/coord/join"
}

mesh_api() {
	local args=(-s -f -m 30 --cacert "$tls/ca.pem" -X "$1" -H "Authorization: Bearer $(cat "$tls/admin.token")")
	[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
	in_ns coord curl "${args[@]}" "$mesh_url$2"
}

mesh_agent_config() { mkdir -p "$work/$1/services.d"; }

# The first host by what init printed, the others by tokens of their own.
join() {
	local words=(vnimesh join x x)
	[ "$1" = host1 ] || in_ns coord vnimesh token add "${@:2}" >"$work/coord/join" || return
	read -r -a words <"$work/coord/join"
	in_ns "$1" "${words[@]}" name "$1" config "$work/$1/joined.json" state-dir "$work/$1/state" || return
	jq --arg dir "$work/$1/services.d" --argjson report "$mesh_report_ms" --argjson echo "$mesh_echo_ms" \
		'. + { services_dir: $dir, report_ms: $report, echo_ms: $echo }' \
		"$work/$1/joined.json" >"$work/$1/vnimeshd.json"
}
mesh_agent_start() {
	case $1 in
	host3) join "$1" tag 'web-*' ;;
	*) join "$1" tag '*' ;;
	esac
	mesh_spawn "$1" "$1" vnimeshd --config "$work/$1/vnimeshd.json"
}

check "three hosts join over TLS, each by a token" mesh_up 3
check_is "with the underlay addresses that they reach it from" '192.0.2.11 192.0.2.12 192.0.2.13' \
	"$(mesh_api GET /v1/nodes | jq -r '[.nodes[].underlay] | join(" ")')"
check "containers" mesh_containers host1:c1 host2:srv2 host3:srv3
mesh_echo srv2 7000
mesh_echo srv3 7000
mesh_serve db srv2 "tcp/7000" tcp
mesh_hup host2
check "a member that is granted" waitfor 20 mesh_is_up db srv2
db4=$(mesh_address db 4)
for name in c1 srv3; do
	check "is reached from $name" mesh_probe $name connect -t $((3000 * VNIMESH_SLOW)) "$db4" 7000
done

mesh_serve db srv3 "tcp/7000" tcp
mesh_serve web-a srv3 "tcp/7000" tcp
mesh_hup host3
check "what host3 is granted comes about" waitfor 20 mesh_is_up web-a srv3
refused() { grep -q "refuses db on VNI ${vni[srv3]}: .*node \"host3\" has no grant for \"db\"" "$work/log/host3"; }
check "what it is not is refused, by name" waitfor 20 refused
# Both hosts reported since; the tables had their time.
mesh_leases 1
check_fails "the coordinator has no such member" mesh_registered db srv3
for host in host1 host2 host3; do
	check_fails "nor has the kernel of $host" mesh_member "$host" db srv3
done
check "the service works on" mesh_probe c1 connect -t $((3000 * VNIMESH_SLOW)) "$db4" 7000

check "granted" in_ns coord vnimesh grant set host3 tag db tag 'web-*'
mesh_hup host3
check "it is taken, once the agent asks again" waitfor 20 mesh_is_up db srv3
for host in host1 host3; do
	check "the kernel of $host has it" waitfor 10 mesh_member "$host" db srv3
done
check "taken back" in_ns coord vnimesh grant set host3 tag 'web-*'
mesh_serve db srv3 "tcp/7000" tcp '"weight": 50'
mesh_hup host3
gone() { ! mesh_member "$1" db srv3 >/dev/null 2>&1; }
for host in host1 host2 host3; do
	check "its next word costs it the member in the kernel of $host" waitfor 20 gone "$host"
done

# The whole identity of host3, on another host.
mesh_kill host3
cp -a "$work/host2/state" "$work/host3/copied"
jq --arg dir "$work/host3/copied" '.state_dir = $dir | .node.name = "host2"' "$work/host3/vnimeshd.json" >"$work/host3/copied.json"
jq '.node.underlay = "192.0.2.13"' "$work/host3/copied.json" >"$work/host3/vnimeshd.json"
mesh_spawn host3 host3 vnimeshd --config "$work/host3/vnimeshd.json"
copied() { grep -q 'node 2 "host2" is held by another agent' "$work/log/host3"; }
check "a copied state directory is refused by name" waitfor 20 copied
check "whose node it is keeps it" mesh_probe c1 connect -t $((3000 * VNIMESH_SLOW)) "$db4" 7000
mesh_kill host3
check "a forgotten node" in_ns coord vnimesh node forget host3 force
unknown() { [ "$(mesh host1 node show | wc -l)" = 2 ]; }
check "is gone from the kernels" waitfor 20 unknown
[ "$tap_failed" = 0 ] || mesh_logs 25
