#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# The agent of a server's host is stopped, killed, frozen, replaced by the next version
# and put back, under traffic from its own and two other hosts: no connection is reset,
# no new one fails, no row goes, on no host. The next version's agent says more than
# this one's (tools/vnimeshd/next.h): an attribute, a TLV and JSON fields that today's
# module, agents and coordinator do not know.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

patience=$((3000 * VNIMESH_SLOW))
next=$mesh_dir/vnimeshd-next

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client1 host2:srv2 host2:client2 host3:client3
mesh_echo srv2 7000
# The last one is the one that mesh_kill knows.
mesh_echo srv2 7001
mesh_serve served srv2 tcp/7000 tcp
mesh_serve moody srv2 tcp/7001 tcp
mesh_hup host2
check "two services of one host" eval 'waitfor 15 mesh_is_up served srv2 && waitfor 15 mesh_is_up moody srv2'
served=$(mesh_address served) moody=$(mesh_address moody)
use() { mesh_probe "client$1" connect -l -t $patience "$2" "${3:-7000}"; }
use_all() {
	local i
	for i in 1 2 3; do
		use $i "$served" && use $i "$moody" 7001 || return
	done
}
check "used from all hosts" waitfor 10 use_all

for i in 1 2 3; do
	mesh_hold $i client$i "$served" 7000
	mesh_spawn "knock-$i" client$i "$mesh_dir/meshprobe" knock -i $((VNIMESH_SLOW * 20)) -t $patience \
		"$served" 7000 "$work/knock-$i"
done
check "open flows and new ones" mesh_hold_goes_on 1 2 3
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host3'
mesh_watch

# knocked N: each host made N new flows since marks
marks() {
	for i in 1 2 3; do
		mark[i]=$(wc -l <"$work/knock-$i")
	done
}
mark=()
knocked() {
	local i
	for i in 1 2 3; do
		[ $(($(wc -l <"$work/knock-$i") - mark[i])) -ge "$1" ] || return
	done
}
refusals() { ! grep -hv ' ok ' "$work"/knock-?; }

# under_traffic WHAT: what must hold whatever the agent does
under_traffic() {
	marks
	check "$1: open flows go on, on all hosts" mesh_hold_goes_on 1 2 3
	check "... new flows come about" waitfor 10 knocked 5
	check "... and none failed since the beginning" refusals
	check "... no row was removed, on no host" mesh_nothing_deleted
}

# The other service's server goes and comes; everybody hears of it.
mood_is() {
	local host
	for host in host1 host2 host3; do
		mesh_member_is $host moody srv2 state "$1" || return
	done
	mesh_registered_is moody srv2 state "$1"
}
moods() {
	mesh_kill echo-srv2
	waitfor 10 mood_is down || return
	mesh_echo srv2 7001
	waitfor 10 mood_is up
}

# starts BINARY: the agent of host2 on the state that the one before left
starts() {
	mesh_spawn host2 host2 "$1" --config "$work/host2/vnimeshd.json"
	waitfor 10 mesh_agent_ready host2 && waitfor 15 mesh_registered_is served srv2 stale false &&
		waitfor 10 mesh_member_is host1 served srv2 stale off
}

mesh_kill host2 TERM
under_traffic "agent stopped"
check "... started again" starts vnimeshd
mesh_kill host2 KILL
under_traffic "agent killed"
check "... started again" starts vnimeshd
kill -STOP "${pid[host2]}"
mesh_leases 1
under_traffic "agent frozen for a lease"
kill -CONT "${pid[host2]}"

mesh_kill host2 TERM
check "upgraded: the next version's agent starts on the state of this one" starts "$next"
under_traffic "upgraded"
check "... health moves from it to all hosts and the coordinator" moods
check "... it found that the module does not know its attribute" \
	grep -q 'whose attribute the module does not take' "$work/log/host2"
check_fails "... and none of its rows was refused" grep -E 'cannot (write|sweep)' "$work/log/host2"
check "... its cache has the field" waitfor 10 grep -q '"next"' "$work/host2/state/state.json"
check "... the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host3'

# The other way: it hears today's agents.
mesh_serve back client1 "" none
mesh_hup host1
check "a service on a host with today's agent" waitfor 10 mesh_is_up back client1
check "... is used by the next version's" waitfor 10 eval 'use 2 "$(mesh_address back)" 9 >/dev/null; mesh_member_is host2 back client1 state up'
mesh_serve back client1 "" none '"weight": 77'
mesh_hup host1
check "... which hears of its weight" waitfor 10 mesh_member_is host2 back client1 weight 77

# peers HOST: its counters, anew
said() { [ "$(grep -c 'peers: {' "$work/log/$1")" -gt "$2" ]; }
peers() {
	local n
	n=$(grep -c 'peers: {' "$work/log/$1")
	kill -USR1 "${pid[$1]}"
	waitfor 5 said "$1" "$n" && grep 'peers: {' "$work/log/$1" | tail -n 1
}
# talk HOST: it has an answering peer, and has refused nothing
talk() {
	local line
	line=$(peers "$1")
	echo "$line"
	[[ $line =~ \"answering\":\ *[1-9] && $line =~ \"malformed\":\ *0[,\}] && $line =~ \"unknown_type\":\ *0[,\}] ]]
}
for i in 1 2 3; do
	check "host$i talks to its peers and refuses nothing of theirs" waitfor 10 talk host$i
done

mesh_kill host2 KILL
check "put back: this version's agent starts on the state of the next" starts vnimeshd
under_traffic "put back"
check "... health moves" moods
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
