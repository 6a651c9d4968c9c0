#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two coordinators, A and B, over one etcd with the limits that it has by
# default: who is heard where, however late one of them learns of it.
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq etcd etcdctl; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
export ETCDCTL_API=3
declare -A pid=()

member() {
	etcd --name one --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
		--initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster one=http://127.0.0.1:2380 \
		>>"$work/etcd.log" 2>&1 &
	pid[etcd]=$!
	disown
	waitfor 20 healthy
}
healthy() { curl -s -m 5 http://127.0.0.1:2379/health | grep -q true; }
# coordinate NAME
declare -A port=([A]=7901 [B]=7902)
coordinate() {
	jq -n --arg listen "127.0.0.1:${port[$1]}" '{listen: $listen, store: "etcd://127.0.0.1:2379/mesh", lease_ms: 600000,
		requests_per_second: 100000,
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/14",
		service_prefix6: "fd77:0:0:ffff::/64"}}' >"$work/$1.json"
	"${coordinator[@]}" --config "$work/$1.json" 2>>"$work/$1.log" &
	pid[$1]=$!
	disown
	waitfor 20 curl -s -m 5 -o /dev/null "http://127.0.0.1:${port[$1]}/v1/status"
}
end() { kill -KILL "${pid[$1]}" 2>/dev/null; pid[$1]=''; }
end_all() { local name; for name in "${!pid[@]}"; do [ -z "${pid[$name]}" ] || end "$name"; done; }
defer end_all

# get NAME PATH FILTER
get() { curl -s -m 20 "http://127.0.0.1:${port[$1]}$2" | jq -r "$3"; }
# req NAME METHOD PATH BODY
req() {
	curl -s -m 20 -o "$work/body" -w '%{http_code}' -X "$2" -H 'Content-Type: application/json' -d "${4:-{\}}" \
		"http://127.0.0.1:${port[$1]}$3"
}
join() { req "$1" POST /v1/nodes "{\"name\": \"$2\", \"underlay\": \"192.0.2.$3\", \"epoch\": 5}"; }
# is_stale NAME NODE WANT
is_stale() { [ "$(get "$1" /v1/nodes ".nodes[] | select(.node == $2) | .stale")" = "$3" ]; }
# Every lease ends, as if the coordinators had been frozen for longer than that.
revoke() {
	local id
	etcdctl lease list | sed 1d | while read -r id; do etcdctl lease revoke "$id" || return; done
}
same() { [ "$(for c in A B; do get $c /v1/mesh '[.nodes, .services, .members] | del(.. | .age_ms?, .stale?, .epoch?, .seq?, .health?, .latency_us?, .output?) | tojson'; done | sort -u | wc -l)" = 1 ]; }

check "an etcd" member
check "coordinator A" coordinate A
check "coordinator B" coordinate B

# --- who is heard where -------------------------------------------------------------

check_is "three nodes at A" '200 200 200' "$(join A host1 11) $(join A host2 12) $(join A host3 13)"
for n in 1 2 3; do check "node $n is fresh at B" waitfor 10 is_stale B $n false; done
kill -STOP "${pid[A]}"
check "A is frozen, and its lease ends" revoke
for n in 1 2 3; do check "node $n is stale at B" waitfor 10 is_stale B $n true; done
kill -CONT "${pid[A]}"
for n in 1 2 3; do check "A goes on, and has node $n: fresh at B" waitfor 10 is_stale B $n false; done
check_is "what B forgets by force, while A has it" 200 "$(req B DELETE '/v1/nodes/3?force=1')"
unknown() { [ "$(get "$1" /v1/nodes "[.nodes[] | select(.node == $2)] | length")" = 0 ]; }
check "goes from A" waitfor 10 unknown A 3
check_is "and A still tells of the next one" 200 "$(join A host4 14)"
check "which is fresh at B" waitfor 10 is_stale B 4 false
[ "$tap_failed" = 0 ] || for c in A B; do tail -n 15 "$work/$c.log" | sed "s/^/# $c: /"; done
