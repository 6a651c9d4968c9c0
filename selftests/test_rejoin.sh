#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# Things fail and come back: a server, a path, an agent whose coordinator is
# away; and a path that becomes slow moves new flows.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client host2:client2 host2:srv2 host3:srv3
mesh_echo srv2 7000
mesh_echo srv3 7000
mesh_serve echo srv2 "tcp/7000 udp/7000" tcp
mesh_serve echo srv3 "tcp/7000 udp/7000" tcp
mesh_serve only3 srv3 "tcp/7000" tcp
mesh_hup host2 host3
registered() {
	waitfor 15 mesh_is_up echo srv2 && waitfor 15 mesh_is_up echo srv3 && waitfor 15 mesh_is_up only3 srv3
}
check "services" registered
echo4=$(mesh_address echo 4) echo6=$(mesh_address echo 6) only4=$(mesh_address only3 4)
use() { mesh_probe "$1" connect -l -t $((3000 * VNIMESH_SLOW)) "$2" 7000; }
check "used on two hosts" eval 'use client $echo4 && use client $only4 && use client2 $echo4'

# only NAME NS ADDRESS: the next 8 flows all go to NAME
only() {
	local i got
	for i in 1 2 3 4 5 6 7 8; do
		got=$(mesh_server "$2" "$3")
		[ "$got" = "$1" ] || { echo "flow $i went to $got"; return 1; }
	done
}

# excluded HOST TAG NAME: why not, by route get
excluded() {
	mesh_jq "$1" ".[0].candidates[] | select(.vni == ${vni[$3]}) | .excluded" route get "$2" dport 7000 proto tcp
}
is_excluded() { [ "$(excluded "$1" "$2" "$3")" = "\"$4\"" ]; }

# A server dies.
now_ms
killed=$REPLY
mesh_kill echo-srv2
down_everywhere() {
	waitfor 5 mesh_registered_is echo srv2 state down &&
		waitfor 5 mesh_member_is host2 echo srv2 state down &&
		waitfor 5 mesh_member_is host1 echo srv2 state down
}
check "a server dies: its member is down in the registry and on all hosts that use it" down_everywhere
now_ms
diag "$((REPLY - killed)) ms after the kill (check interval $mesh_check_ms ms)"
check "new flows avoid it, from another host" only srv3 client "$echo4"
check "... and from its own" only srv3 client2 "$echo4"
check "... IPv6 too" only srv3 client "$echo6"
check "route get says why" is_excluded host1 echo srv2 member-state
mesh_echo srv2 7000
back() { waitfor 5 mesh_is_up echo srv2 && waitfor 5 mesh_member_is host1 echo srv2 state up; }
check "the server is started again: its member is up again" back
# answers NAME NS ADDRESS: a new flow goes to NAME
answers() { [ "$(mesh_server "$2" "$3")" = "$1" ]; }
# Not at once: it may have to serve a penalty first, and starts slowly.
check "... and gets flows again" waitfor 30 answers srv2 client "$echo4"

# The path between two hosts is cut; both still reach all others.
node_is() { [ "$(mesh_jq "$1" ".[] | select(.node == ${node[$2]}) | .state" node show)" = "\"$3\"" ]; }
cut_path() {
	ip netns exec host3 nft -f - <<-'NFT'
		table ip cut {
			chain in { type filter hook input priority 0; ip saddr 192.0.2.11 drop; }
		}
	NFT
}
# A flow with the far host that must survive the cut.
mesh_hold far client2 "$only4" 7000
check "a flow between the other hosts" mesh_hold_goes_on far
now_ms
cut=$REPLY
check "the path between host1 and host3 is cut" cut_path
check "host1 notices by its echoes" waitfor 10 node_is host1 host3 down
now_ms
diag "$((REPLY - cut)) ms after the cut (echo interval $mesh_echo_ms ms, 3 lost)"
check "host1 excludes the member there" is_excluded host1 echo srv3 node-state
check "... so new flows go elsewhere" only srv2 client "$echo4"
refused() { ! mesh_probe client connect -t $((3000 * VNIMESH_SLOW)) "$only4" 7000 >"$work/refused" && grep ECONNREFUSED "$work/refused"; }
check "... and a service that is only there is refused, not awaited" refused
check "host2 still reaches it" node_is host2 host3 up
check "... and uses it" use client2 "$only4"
check "... over its open flow too" mesh_hold_goes_on far
check "the coordinator has no part in this: the member is up" mesh_is_up echo srv3
ip netns exec host3 nft delete table ip cut
check "healed: host1 notices" waitfor 10 node_is host1 host3 up
check "... and uses it again" use client "$only4"

# The path becomes slow: 400 ms, far above what emulation makes of 0.
lat_above() { [ "$(mesh_jq host1 ".[] | select(.node == ${node[host3]}) | .latency_us" node show)" -gt "$1" ]; }
modprobe sch_netem 2>/dev/null
mesh_hold slow client "$only4" 7000
check "a flow to host3" mesh_hold_goes_on slow
check "400 ms on the way to host3" tc -n underlay qdisc add dev host3 root netem delay 400ms
check "the echo measures it" waitfor 20 lat_above 250000
check "new flows go to the near one" only srv2 client "$echo4"
mesh_jq host1 '.[0].candidates[] | [.vni, .latency_us, .kernel_latency_us, .cost] | @sh' \
	route get echo dport 7000 proto tcp | while read -r line; do diag "vni, latency, kernel latency, cost: $line"; done
check "the open flow stays where it is" mesh_hold_goes_on slow
tc -n underlay qdisc del dev host3 root
lat_below() { ! lat_above "$1"; }
check "the way is fast again: the echo measures that too" waitfor 20 lat_below 250000

# An agent that starts with its coordinator away, after a loss of all kernel
# state: its cache is all there is.
check "caches are written" waitfor 10 grep -q only3 "$work/host1/state/state.json"
mesh_hup host1
nap 3
mesh_kill coord
mesh_kill host1
ns_del client
check "host1 loses all its state in the kernel" mesh host1 dev del mesh0
check_fails "... and serves nothing" mesh host1 resolve echo
mesh_agent_start host1
check "the agent starts from its cache, with the coordinator away" waitfor 10 mesh_agent_ready host1
check "... as the node it was" eval '[ "$(mesh_jq host1 ".[0].node" dev show)" = "${node[host1]}" ]'
check "... with all nodes" waitfor 5 mesh_knows host1 3
ip netns add client
check "a container is made, without the coordinator" mesh_vni host1 client
check "it reaches a service by the cache" waitfor 5 use client "$echo4"
check "... and the other one" waitfor 5 use client "$only4"
check "the members are those of before" eval \
	'[ "$(mesh_jq host1 "[.[].vni] | sort" member show echo)" = "[${vni[srv2]},${vni[srv3]}]" ]'
mesh_coordinator_start
check "the coordinator comes back" waitfor 10 mesh_coordinator_ready
check "all agents are back with it" waitfor 20 mesh_fresh
check "the table is exact" waitfor 10 mesh_exact host1
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
