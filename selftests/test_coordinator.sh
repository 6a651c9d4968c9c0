#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# The mesh without its coordinator: killed, restarted, frozen for five leases,
# and back with a store of an earlier time. No member is lost, flows go on,
# identities and addresses are kept, and what was acknowledged is there after a
# kill -9.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client host2:srv2 host3:srv3
mesh_echo srv2 7000
mesh_echo srv3 7000
mesh_serve echo srv2 "tcp/7000 udp/7000" tcp
mesh_serve echo srv3 "tcp/7000 udp/7000" tcp
mesh_serve any srv3 "" none
mesh_hup host2 host3
registered() {
	waitfor 15 mesh_is_up echo srv2 && waitfor 15 mesh_is_up echo srv3 && waitfor 15 mesh_is_up any srv3
}
check "services" registered
echo4=$(mesh_address echo 4) echo6=$(mesh_address echo 6) any4=$(mesh_address any 4)

new_flows() {
	local i
	for i in 1 2 3; do
		mesh_probe client connect -l -t $((3000 * VNIMESH_SLOW)) "$echo4" 7000 &&
			mesh_probe client connect -l -t $((3000 * VNIMESH_SLOW)) "$echo6" 7000 &&
			mesh_probe client connect -u -t $((3000 * VNIMESH_SLOW)) "$echo4" 7000 &&
			mesh_probe client connect -l -t $((3000 * VNIMESH_SLOW)) "$any4" 7000 || return
	done
}
check "both services are used" new_flows
mesh_hold tcp client "$echo4" 7000
mesh_hold tcp6 client "$echo6" 7000
mesh_hold udp client -u "$echo4" 7000
held_go_on() { mesh_hold_goes_on tcp tcp6 udp; }
check "flows are open" held_go_on
check "the kernel of host1 has what the coordinator has" waitfor 10 mesh_exact host1
mesh_watch
mesh_snapshot "$work/before"

kernels_same() {
	mesh_tables "${mesh_hosts[@]}" | diff -u <(grep '^host' "$work/before") -
}

live_on() {
	check "$1: open flows go on" held_go_on
	check "$1: new flows come about" new_flows
	check "$1: no row was removed, on no host" mesh_nothing_deleted
	check "$1: the tables of all hosts are as before" kernels_same
}


mesh_kill coord
mesh_leases 2
live_on "coordinator killed, two leases ago"
# Health moves without it, on the host that checks.
incarnation() { mesh_api GET /v1/status | jq -r .incarnation; }
mesh_coordinator_start
check "restarted" waitfor 10 mesh_coordinator_ready
live_on "coordinator restarted"
check "all agents are back with it" waitfor 20 mesh_fresh
check "node ids, blocks, service addresses and members are what they were" mesh_same "$work/before"

before=$(incarnation)
kill -STOP "${pid[coord]}"
mesh_leases 5
live_on "coordinator frozen for five leases"
kill -CONT "${pid[coord]}"
check "it goes on" waitfor 10 mesh_coordinator_ready
check_is "... as the same run" "$before" "$(incarnation)"
check "the figures are fresh" waitfor 20 mesh_fresh
live_on "coordinator awake again"
check "its table is what it was" mesh_same "$work/before"

# The whole mesh frozen at once, as a suspended machine: leases that lapse
# together say nothing.
kill -STOP "${pid[coord]}" "${pid[host1]}" "${pid[host2]}" "${pid[host3]}"
mesh_leases 2
kill -CONT "${pid[coord]}" "${pid[host1]}" "${pid[host2]}" "${pid[host3]}"
check "everything frozen and awake again: fresh" waitfor 20 mesh_fresh
live_on "everything frozen and awake again"

# Acknowledged is durable. The registration is by hand, so that the moment of
# the reply is known.
join9='{ "name": "host9", "underlay": "192.0.2.19", "epoch": 9 }'
durable() {
	local i=$1 tag=kept-$1 id vni9 a4
	mesh_api POST /v1/nodes "$join9" >"$work/host9" || return
	id=$(jq .node.node "$work/host9")
	vni9=$(($(jq .node.vni "$work/host9") + i))
	a4=10.77.$id.$((10 + i))
	mesh_api POST "/v1/nodes/$id/report" "$(jq -nc --arg tag "$tag" --argjson vni $vni9 --arg a4 "$a4" \
		--argjson seq "$((i * 10))" '{ epoch: 9, seq: $seq, full: true,
			services: [{ tag: $tag, ports: [{ proto: "tcp", port: 80, target: 8080 }] }],
			members: [{ tag: $tag, vni: $vni, address4: $a4, weight: 42, state: "drain" }] }')" || return
	kill -KILL "${pid[coord]}"
	waitfor 5 mesh_gone coord
	mesh_coordinator_start
	waitfor 10 mesh_coordinator_ready || return
	mesh_api GET "/v1/services/$tag" >"$work/kept" || return
	cat "$work/kept"
	[ "$(mesh_api POST /v1/nodes "$join9" | jq .node.node)" = "$id" ] || return
	jq -e --argjson vni "$vni9" --arg a4 "$a4" '.service.address4 != null and .service.ports[0].target == 8080 and
		(.members | length == 1) and (.members[0] |
		.vni == $vni and .address4 == $a4 and .weight == 42 and .state == "drain")' "$work/kept"
}
for i in 1 2 3; do
	check "an acknowledged registration is there after kill -9 ($i)" durable $i
done
check "all agents are back" waitfor 20 eval 'mesh_is_up echo srv2 && mesh_is_up echo srv3 && mesh_is_up any srv3'
check "no flow was lost in all this" held_go_on
check "no row was removed in all this" mesh_nothing_deleted

# --- an old backup -----------------------------------------------------------------

# What came after it was made only those know who go on: a member on a host that the
# backup has, and all of a host that it has not. It stays for a lease and the longest
# pause of an agent, so the lease is what a slow machine has for all the rest.
db=$work/coord/state.db
check "a backup is made" sqlite3 "$db" ".backup $work/backup.db"
before=$(mesh_api GET /v1/services/echo)
check "then a fourth host comes" eval 'mesh_host 4 && mesh_host_start host4'
check "... and containers" mesh_containers host2:srv5 host4:srv4 host3:client3
mesh_echo srv4 7000
mesh_echo srv5 7000
mesh_serve young srv5 tcp/7000 tcp
mesh_serve youngest srv4 tcp/7000 tcp
mesh_serve echo srv4 "tcp/7000 udp/7000" tcp
mesh_serve echo srv2 "tcp/7000 udp/7000" tcp '"weight": 77'
mesh_unserve any srv3
newer() {
	mesh_is_up young srv5 && mesh_is_up youngest srv4 && mesh_is_up echo srv4 &&
		mesh_registered_is echo srv2 weight 77 && ! mesh_registered any srv3
}
check "members come and go, one changes" eval 'mesh_hup host2 host3 host4 && waitfor 15 newer'
check "... and a policy" mesh_api PUT /v1/services/echo '{ "policy": "random" }'
at=("$(mesh_address young)" "$(mesh_address youngest)")
use_young() {
	local from addr
	for from in client client3; do
		for addr in "${at[@]}"; do
			mesh_probe $from connect -l -t $((3000 * VNIMESH_SLOW)) "$addr" 7000 || return
		done
	done
}
check "... all of it is used" waitfor 15 use_young
mesh_hold young client "${at[0]}" 7000
mesh_hold youngest client3 "${at[1]}" 7000
all_go_on() { held_go_on && mesh_hold_goes_on young youngest; }
check "... by open flows, too" all_go_on
mesh_watch_anew
mesh_spawn watch-host4 host4 vnimesh -j monitor config
exact() {
	local host
	for host in "${mesh_hosts[@]}"; do
		waitfor 10 mesh_exact "$host" || return
	done
}
check "... the tables are exact" exact

# Those that know of it are not heard before a user has seen that it is missing. One
# started anew while no coordinator answered: of all that come back it pauses longest.
put_back() {
	mesh_kill coord TERM && mesh_kill host4 && mesh_agent_start host4 || return
	# Its pauses have grown by then.
	nap 16
	mesh_lease_ms=$((mesh_lease_ms + 1000 * VNIMESH_SLOW))
	mesh_coordinator_config
	rm -f "$db"-wal "$db"-shm && cp "$work/backup.db" "$db" && in_ns coord nft -f - <<-NFT || return
		table ip cut {
			chain in {
				type filter hook input priority 0
				ip saddr { 192.0.2.12, 192.0.2.14 } tcp dport 7900 reject with tcp reset
			}
		}
	NFT
	mesh_coordinator_start
}
noticed() { grep -q "does not know [0-9]* members whose hosts are there" "$work"/log/host[13]; }
heard_after() { waitfor 20 noticed && in_ns coord nft delete table ip cut; }
# What went comes back for a moment, as the backup has it.
stays_on() {
	check "... open flows go on" all_go_on
	check "... new ones come about" use_young
	check "... no row was removed, on no host" mesh_nothing_deleted '"tag":"any"'
}
check "the coordinator begins from the backup" put_back
check "... a user notices, then the agents of those hosts reach it" heard_after
stays_on
check "... what they have is registered again, and what went is not" waitfor 20 newer
check "... the policy is that of the backup" eval \
	'[ "$(jq .service.policy <<<"$before")" = "$(mesh_api GET /v1/services/echo | jq .service.policy)" ]'
check "... the tables are exact, on all hosts" exact
stays_on

# As one that was deleted and made anew while nobody looked.
move_young() {
	mesh_kill coord TERM
	sqlite3 "$db" "UPDATE records SET value = json_set(value, '\$.address4', '$1') WHERE key = 'service/young'" &&
		mesh_coordinator_start && waitfor 10 mesh_coordinator_ready
}
check "a service has another address: so it has in all kernels" eval 'move_young 10.96.0.99 && exact'
at[0]=10.96.0.99
check "... where it is used" use_young

# A hand-made member holds the former address on one host: there it stays so, with all
# members, and ends once that member does.
young_at() { mesh "$1" service show young | grep -qw "$2"; }
young_on_others() { young_at host2 10.96.0.98 && young_at host3 10.96.0.98; }
lines_of_young() { grep -cw young <(tail -n +"$((told + 1))" "$work/log/host1"); }
few_lines() { [ "$(lines_of_young)" -le 3 ] || { tail -n +"$((told + 1))" "$work/log/host1"; false; }; }
host1_deletes_nothing() { ! grep '"action":"del"\|overrun' "$work/log/watch-host1"; }
check "an operator adds a member to it on one host" mesh host1 member add young vni "${vni[srv2]}"
mesh_hold moved client 10.96.0.99 7000
check "... a flow is open" mesh_hold_goes_on moved
mesh_watch_anew
told=$(wc -l <"$work/log/host1")
check "it has another address again" move_young 10.96.0.98
check "... so have others" waitfor 20 young_on_others
nap 10
check "... on that host nothing went, in a time of several tries" host1_deletes_nothing
check "... it has its former address there" young_at host1 10.96.0.99
check "... where the flow goes on" mesh_hold_goes_on moved
check "... the log says so, once" few_lines
check "the operator's member goes" mesh host1 member del young vni "${vni[srv2]}"
check "... then it has the new address there, too" waitfor 20 mesh_exact host1
at[0]=10.96.0.98
check "... where it is used" use_young
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
