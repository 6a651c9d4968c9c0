#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# The mesh without its agents: killed on the client's host and on the server's
# host, frozen for three leases. Flows go on, new ones come about, nothing is
# removed anywhere; an agent that comes back makes the kernel's table exact
# and touches nothing that is not its own. And the agents without a coordinator, for
# an hour.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

# The agents' clocks can be moved on, all at once.
preload=$(cd "$(dirname "$0")" && pwd)/preload/clock.so
clock=$work/clock
head -c 16 /dev/zero >"$clock"
mesh_agent_start() {
	mesh_spawn "$1" "$1" env LD_PRELOAD="$preload" CLOCK_FILE="$clock" vnimeshd --config "$work/$1/vnimeshd.json"
}

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client host1:near host2:srv2 host3:srv3 host2:extra host3:peer
for name in near srv2 srv3 extra; do
	mesh_echo "$name" 7000
done
rules="tcp/7000 udp/7000"
mesh_serve echo srv2 "$rules" tcp
mesh_serve echo srv3 "$rules" tcp
mesh_serve only2 srv2 "$rules" tcp
mesh_serve near near "$rules" tcp
mesh_serve more extra "$rules" tcp
mesh_serve more srv3 "$rules" tcp
mesh_serve brief extra "$rules" tcp
mesh_hup host1 host2 host3
registered() {
	local m
	for m in "echo srv2" "echo srv3" "only2 srv2" "near near" "more extra" "more srv3" "brief extra"; do
		# shellcheck disable=SC2086 # two words
		waitfor 15 mesh_is_up $m || return
	done
}
check "services" registered

declare -A at4=() at6=()
for tag in echo only2 near more brief; do
	at4[$tag]=$(mesh_address $tag 4) at6[$tag]=$(mesh_address $tag 6)
done

# Rows of a person, on the client's host.
by_hand() {
	mesh host1 node add 99 underlay 192.0.2.99 prefix 10.77.99.0/24 &&
		mesh host1 vni add 25345 node 99 address 10.77.99.2 &&
		mesh host1 service add byhand address 10.96.200.1 port tcp/7000 &&
		mesh host1 member add byhand vni "${vni[near]}" weight 7
}
check "rows made by hand" by_hand
static_rows() {
	local what
	for what in node vni service member; do
		mesh_jq host1 '.[] | select(.origin == "static") | del(.age_ms, .stats, .used_ms, .ifindex, .link_ifindex, .link_made_us)' \
			-d "$what" show || return
	done
}

# One new connection of each kind.
new_flows() {
	local tag
	for tag in echo only2 near; do
		mesh_probe client connect -l -t $((3000 * VNIMESH_SLOW)) "${at4[$tag]}" 7000 &&
			mesh_probe client connect -l -t $((3000 * VNIMESH_SLOW)) "${at6[$tag]}" 7000 &&
			mesh_probe client connect -u -t $((3000 * VNIMESH_SLOW)) "${at4[$tag]}" 7000 || return
	done
	mesh_probe peer connect -l "${at4[near]}" 7000 || return
	[ "$(mesh_server client 10.96.200.1)" = near ]
}
# A question is answered within a second, or not: that is not what is shown here,
# and a kernel that checks itself is too slow for it.
check "every service is used" waitfor 5 new_flows
use_more() { mesh_probe client connect -l "${at4[more]}" 7000 && mesh_probe client connect -l "${at4[brief]}" 7000; }
check "... and those that will change" waitfor 5 use_more

mesh_hold tcp client "${at4[only2]}" 7000
mesh_hold tcp6 client "${at6[echo]}" 7000
mesh_hold udp client -u "${at4[echo]}" 7000
mesh_hold local client "${at4[near]}" 7000
mesh_hold peer peer "${at4[near]}" 7000
held="tcp tcp6 udp local peer"
# shellcheck disable=SC2086 # several
held_go_on() { mesh_hold_goes_on $held; }
check "flows are open" held_go_on

stale_is() { mesh_registered_is "$1" "$2" stale "$3"; }
kernel_stale_is() { mesh_member_is "$1" "$2" "$3" stale "$4"; }
static_before=$(static_rows)
check "all rows are in the kernel of host1 as the coordinator has them" waitfor 10 mesh_exact host1
mesh_watch
mesh_snapshot "$work/before"

# live_on NAME: what must hold while something is away
live_on() {
	check "$1: open flows go on" held_go_on
	check "$1: new flows come about" new_flows
	check "$1: no row was removed, on no host" mesh_nothing_deleted
	check "$1: all tables are as before, the coordinator's too" mesh_same "$work/before"
}

# The agent on the client's host.
mesh_kill host1
mesh_leases 3
live_on "agent of the client's host killed, three leases ago"
check "... the coordinator shows its figures as stale" stale_is near near true
check "... and so does another host's kernel" waitfor 5 kernel_stale_is host3 near near on

# Meanwhile a member comes, one goes, one changes, a service ends.
mesh_serve more srv2 "$rules" tcp
mesh_serve more srv3 "$rules" tcp '"weight": 250'
mesh_unserve more extra
mesh_unserve brief extra
mesh_hup host2 host3
changed() {
	mesh_is_up more srv2 && mesh_registered_is more srv3 weight 250 &&
		! mesh_registered more extra >/dev/null && ! mesh_registered brief extra >/dev/null
}
check "while it is away, members are added, removed and changed" waitfor 10 changed
check_fails "... of which the kernel of host1 cannot know" mesh_exact host1
check "... so it routes on by what it has" new_flows
mesh_agent_start host1
check "the agent is back" waitfor 15 mesh_agent_ready host1
check "its kernel's table is exactly the coordinator's" waitfor 15 mesh_exact host1
check_is "the rows made by hand stand as they were" "$static_before" "$(static_rows)"
check "no flow was lost" held_go_on
check "new flows come about" new_flows
check "its figures are fresh again" waitfor 10 stale_is near near false
check "... in another host's kernel too" waitfor 10 kernel_stale_is host3 near near off

# The agent on the server's host.
check "settled" waitfor 10 mesh_exact host3
mesh_watch_anew
mesh_snapshot "$work/before"
mesh_kill host2
mesh_leases 3
live_on "agent of the server's host killed, three leases ago"
check "... the coordinator shows its figures as stale" stale_is only2 srv2 true
check "... and so does the client's kernel" waitfor 5 kernel_stale_is host1 only2 srv2 on
mesh_agent_start host2
check "the agent is back" waitfor 15 mesh_agent_ready host2
check "its figures are fresh again" waitfor 15 stale_is only2 srv2 false
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host2'
check "nothing was removed by its return" mesh_nothing_deleted
check "no flow was lost" held_go_on

# Both frozen.
mesh_snapshot "$work/before"
kill -STOP "${pid[host1]}" "${pid[host2]}"
mesh_leases 3
live_on "agents of both hosts frozen for three leases"
check "... the coordinator shows their figures as stale" \
	eval 'stale_is only2 srv2 true && stale_is near near true'
kill -CONT "${pid[host1]}" "${pid[host2]}"
check "figures are fresh again" eval 'waitfor 15 stale_is only2 srv2 false && waitfor 10 stale_is near near false'
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host2'
check "nothing was removed by their waking" mesh_nothing_deleted
check "no flow was lost" held_go_on
check_is "the rows made by hand stand as they were" "$static_before" "$(static_rows)"

# The coordinator is dead for an hour, as the agents count. (The kernels' clocks are not
# moved, so each step is also a sleep that all agents wake from.)
check "settled" waitfor 10 mesh_exact host3
mesh_watch_anew
check "the coordinator is killed" mesh_kill coord
heard() {
	local m
	for m in "host1 echo srv2" "host1 echo srv3" "host1 only2 srv2" "host3 near near"; do
		# shellcheck disable=SC2086 # words
		mesh_member_is $m stale off && mesh_member_is $m state up || return
	done
}
# away MINUTES: that long in all, and the agents have woken and hear each other again
away() {
	python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2]) * 60000000))' "$clock" "$1"
	nap $((mesh_echo_ms * 5 / 1000 + 1))
	waitfor 15 heard
}
for minutes in 10 20 30 40 50 60; do
	check "$minutes minutes without it: the agents hear each other" away $minutes
	check "... open flows go on, new ones come about" eval 'held_go_on && waitfor 5 new_flows'
done
# A service that is gone and used by nobody is forgotten in such a time.
kept() {
	local host
	for host in "${mesh_hosts[@]}"; do
		mesh_runs "watch-$host" || return
		! grep -E '"action":"del"|overrun' "$work/log/watch-$host" | grep -v '"object":"service".*"tag":"brief"' || return
	done
}
check "no row was removed that is of use, on no host" kept
for id in $held; do
	mesh_hold_read "$id"
	diag "flow $id: $hold_rounds rounds with $hold_server, longest $hold_longest ms, lost $hold_lost"
done

served_by() { [ "$(mesh_server client "${at4[echo]}")" = "$1" ]; }
mesh_kill echo-srv2
check "a server dies: the client's kernel knows, from agent to agent" waitfor 10 mesh_member_is host1 echo srv2 state down
check "... and the other one serves" waitfor 5 served_by srv3
mesh_echo srv2 7000
check "it is back" waitfor 10 mesh_member_is host1 echo srv2 state up
mesh_kill echo-srv3
check "the other one dies" waitfor 10 mesh_member_is host1 echo srv3 state down
check "... and this one serves" waitfor 5 served_by srv2
mesh_echo srv3 7000
check "... back" waitfor 10 mesh_member_is host1 echo srv3 state up
for host in host1 host2; do
	mesh_kill $host
	mesh_agent_start $host
	check "the agent of $host starts anew" waitfor 15 mesh_agent_ready $host
	check "... and hears, and is heard" waitfor 15 heard
	check "... and every service is used" waitfor 5 new_flows
done
mesh_coordinator_start
check "the coordinator comes back" waitfor 10 mesh_coordinator_ready
check "all agents are back with it" waitfor 20 mesh_fresh
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host2 && waitfor 10 mesh_exact host3'
check_is "the rows made by hand stand as they were" "$static_before" "$(static_rows)"
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
