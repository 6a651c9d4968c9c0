#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packets to services that this host does not know yet, with an agent of the test
# (fakeagent): held, asked for once, released or refused, each way counted apart.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
check "a VNI elsewhere" topo_record 1 210
topo_serve 111 7000
topo_serve 210 7000

# An error within the second, on a guest that is VNIMESH_SLOW times slower.
limit=$((1000 * (VNIMESH_SLOW > 3 ? 3 : VNIMESH_SLOW)))

# refused NAME ADDR COUNTER [ERRNO]: a blocking connect and a connected datagram
# socket both get an error soon, and COUNTER tells of each.
refused() {
	local name=$1 addr=$2 counter=$3 out
	count_from 1 no_agent no_service no_answer no_member coordinator_away upcall_lost
	out=$(in_ns c110 peer talk -r 0 -t 20000 "$addr" 7000)
	check_is "$name: TCP is refused" "0 error ECONNREFUSED" "${out% *[0-9] ms}"
	out=${out% ms}
	check "... within the second (${out##* } ms)" [ "${out##* }" -lt $limit ]
	rose 1 "$counter"
	check "... counted as $counter" [ "$REPLY" -ge 1 ]
	local before=$REPLY
	out=$(in_ns c110 peer talk -u -r 0 -t 20000 "$addr" 7000)
	check_is "$name: UDP is refused" "0 error ECONNREFUSED" "${out% *[0-9] ms}"
	out=${out% ms}
	check "... within the second (${out##* } ms)" [ "${out##* }" -lt $limit ]
	rose 1 "$counter"
	check "... counted as $counter" [ "$REPLY" -gt "$before" ]
	others_still "$counter"
}

others_still() {
	local name other=
	for name in no_agent no_service no_answer no_member coordinator_away; do
		[ "$name" = "$1" ] && continue
		rose 1 "$name"
		[ "$REPLY" = 0 ] || other="$other $name"
	done
	check_is "... and as nothing else" "" "$other"
}

misses() { grep -c "^miss${1:+ $1}" "$work/agent"; }

# Nobody answers, though somebody watches.
start monitor in_ns h1 vnimesh monitor
refused "no agent while a monitor runs" 10.96.0.20 no_agent
refused "no agent, IPv6" fd77:96::20 no_agent
stop monitor

# 50 packets at once. The agent is as slow as the guest.
check "a long patience" vnimesh -n h1 dev set mesh0 miss-timeout 10s
agent -D 300 quick,10.96.0.1,fd77:96::1,210 local,10.96.0.2,fd77:96::2,111 \
	large,10.96.0.3,fd77:96::3,210,111
in_ns h1 true
count_from 1 hold release upcall hold_overflow
check_match "50 datagrams at once to an unknown address all arrive" "^50$" \
	in_ns c110 peer burst -u -n 50 -t 20000 10.96.0.1 7000
check_is "... after one upcall" 1 "$(misses 10.96.0.1)"
check_rose "... counted" 1 upcall 1
rose 1 hold
check "... they were held ($REPLY)" [ "$REPLY" -ge 40 ]
held=$REPLY
check_rose "... and released" 1 release "$held"
check_rose "... none dropped" 1 hold_overflow 0
check_match "50 connects at once to an unknown address all succeed" "^50$" \
	in_ns c110 peer burst -n 50 -t 20000 10.96.0.2 7000
check_is "... after one upcall" 1 "$(misses 10.96.0.2)"
stat_of 1 held
check_is "nothing is held any more" 0 "$REPLY"
check_is "one upcall names the VNI that asked" "miss 10.96.0.2 110" "$(grep 10.96.0.2 "$work/agent")"

# The second family of the same service needs no question.
check_match "IPv6 of a service that is known" "^0 111 " in_ns c110 peer talk fd77:96::2 7000
check_is "... no upcall" 0 "$(misses fd77:96::2)"
stop agent
check "the tables are emptied" vnimesh -n h1 service del quick
vnimesh -n h1 service del local

# Loading in parts: packets wait for the end.
agent -D 50 -L large,10.96.0.3,fd77:96::3,111,210
check_match "a service that is loaded in parts" "^0 (111|210) " in_ns c110 peer talk 10.96.0.3 7000
check "... deleted" vnimesh -n h1 service del large
stop agent

# A SYN that comes again while its first copy waits is dropped, and what is known of
# the member starts when it is let go: nobody was silent, or slow.
check "the servers count SYNs" bash -c '
	for ns in c111 c210; do
		nsenter --net=/run/netns/$ns nft -f - <<-END || exit
			table inet syns {
				chain in { type filter hook input priority 0; tcp flags syn counter; }
			}
		END
	done'
syns_seen() {
	local ns
	for ns in c111 c210; do
		in_ns "$ns" nft -j list table inet syns
	done | jq -s '[.. | .counter?.packets? // empty] | add'
}
again() {
	local tag=$1 addr=$2 before
	before=$(syns_seen)
	count_from 1 hold_repeat release resteer_silent evidence
	kill -STOP "${pids[agent]}"
	start again in_ns c110 peer talk -r 0 -t 60000 "$addr" 7000
	check "$addr: a SYN that comes again while it waits" waitfor 3 has_risen 1 hold_repeat 1
	kill -CONT "${pids[agent]}"
	check "... the connect succeeds" waitfor 5 grep -Eq "^0 (111|210) " "$work/again"
	check_rose "... one SYN was let go" 1 release 1
	check_is "... one SYN arrived" $((before + 1)) "$(syns_seen)"
	check_rose "... nobody was silent" 1 resteer_silent 0
	check_rose "... or is said to have been" 1 evidence 0
	check "... or is taken for slow" bash -c "vnimesh -n h1 -j route get $tag |
		jq -e '[.[0].candidates[].kernel_latency_us] | max < 900000'"
	stop again
}
agent once,10.96.0.9,-,210,111 once6,-,fd77:96::a,210,111
again once 10.96.0.9
again once6 fd77:96::a
stop agent

# Verdicts.
agent -a no-service
refused "no such service" 10.96.0.21 no_service
stop agent
agent -a coordinator-away
refused "coordinator away" fd77:96::21 coordinator_away
stop agent
check "the default again" vnimesh -n h1 dev set mesh0 miss-timeout 750ms
agent -a never
refused "an agent that never answers" 10.96.0.22 no_answer
refused "... IPv6" fd77:96::22 no_answer
stop agent
check "a long patience" vnimesh -n h1 dev set mesh0 miss-timeout 10s
check "a service without members" topo_service 1 hollow 4
refused "no healthy member, none at all" 10.96.0.4 no_member
check "a member" topo_member 1 hollow 210 health 0
refused "no healthy member, health 0" fd77:96::4 no_member

# An agent that does not read: what it cannot be asked is refused, not held.
check "little patience" vnimesh -n h1 dev set mesh0 miss-timeout 300ms
agent -b -a never
kill -STOP "${pids[agent]}"
count_from 1 upcall_lost
asked=0
asks() {
	asked=$((asked + 1))
	in_ns c110 bash -c "echo >/dev/udp/10.96.2.$asked/7000"
	has_risen 1 upcall_lost 1
}
nothing_held() { stat_of 1 held && [ "$REPLY" = 0 ]; }
check "the agent's buffer is full" waitfor 5 asks
check "... nothing waits any more" waitfor 5 nothing_held
check "a long patience" vnimesh -n h1 dev set mesh0 miss-timeout 10s
refused "a question that is lost" 10.96.0.31 upcall_lost
refused "... IPv6" fd77:96::31 upcall_lost
kill -CONT "${pids[agent]}"
stop agent

# A negative entry.
agent -a no-service -t 60000
check_match "an unknown service" "ECONNREFUSED" bash -c 'nsenter --net=/run/netns/c110 peer talk 10.96.0.5 7000; true'
n=$(misses)
check_match "... again" "ECONNREFUSED" bash -c 'nsenter --net=/run/netns/c110 peer talk 10.96.0.5 7000; true'
check_is "... is answered without another upcall" "1 1" "$n $(misses)"
check "the service is registered" bash -c 'vnimesh -n h1 service add late address 10.96.0.5 loading on &&
	vnimesh -n h1 member add late vni 210 && vnimesh -n h1 service set late loading off'
check_match "... and reachable at once" "^0 210 " in_ns c110 peer talk 10.96.0.5 7000
check_is "... without an upcall" 1 "$(misses)"
stop agent

# It is that agent's word: the next one is asked anew, for addresses and for tags.
agent -a no-service -t 60000
in_ns c110 peer talk 10.96.0.11 7000 >"$work/out"
in_ns c110 vnimesh resolve anew >"$work/out" 2>&1
check_is "an address and a tag that are unknown" "1 1" "$(misses 10.96.0.11) $(misses anew)"
stop agent
check_match "the agent goes, what it said stays" "ECONNREFUSED" \
	bash -c 'nsenter --net=/run/netns/c110 peer talk 10.96.0.11 7000; true'
agent -t 60000 later,10.96.0.11,fd77:96::b,210 anew,10.96.0.12,fd77:96::c,210
check_match "another agent knows the address" "^0 210 " in_ns c110 peer talk 10.96.0.11 7000
check_match "... and the tag" "10\.96\.0\.12" in_ns c110 vnimesh resolve anew family inet
stop agent

# A short one ends by itself.
agent -a no-service -t 100
in_ns c110 peer talk 10.96.0.6 7000 >"$work/out"
nap 0.3
in_ns c110 peer talk 10.96.0.6 7000 >"$work/out"
check_is "a negative entry ends after its time" 2 "$(misses)"
stop agent

# The agent dies while it is waited for.
agent -a never
count_from 1 no_agent
start waiting in_ns c110 peer talk -t 30000 10.96.0.23 7000
start waiting-udp in_ns c110 peer talk -u -t 30000 10.96.0.23 7000
is_held() { stat_of 1 held && [ "$REPLY" -ge "$1" ]; }
check "two packets are held" waitfor 2 is_held 2
now_ms
since=$REPLY
stop agent KILL
wait "${pids[waiting]}" "${pids[waiting-udp]}"
now_ms
check "the agent is killed: an error at once ($((REPLY - since)) ms)" [ $((REPLY - since)) -lt $limit ]
check_match "... TCP" "^0 error ECONNREFUSED" cat "$work/waiting"
check_match "... UDP" "^0 error ECONNREFUSED" cat "$work/waiting-udp"
check_rose "... counted as no agent" 1 no_agent 2

# The same when it gives its claim back or a VNI goes down: nothing stays.
agent -a never
count_from 1 hold_gone
start waiting in_ns c110 peer talk -t 3000 10.96.0.23 7000
check "a packet is held" waitfor 2 is_held 1
check "its device goes down" ip -n c110 link set vni110 down
check_rose "... the packet with it, counted" 1 hold_gone 1
stat_of 1 held
check_is "... nothing is held" 0 "$REPLY"
stop waiting
check "up again" ip -n c110 link set vni110 up
ip -n c110 -batch - <<-END
	addr replace fd77:0:0:1::10/48 dev vni110
	route replace $prefix4 dev vni110 src 10.77.1.10
	route replace $prefix6 dev vni110 src fd77:0:0:1::10
END

# Budgets.
check "8 packets per VNI" vnimesh -n h1 dev set mesh0 hold-vni-max 8 miss-timeout 1s
count_from 1 hold hold_overflow no_answer
in_ns c110 peer burst -u -n 50 -t 2500 10.96.0.24 7000 >"$work/out"
check_rose "above the budget of the VNI packets are dropped" 1 hold_overflow 42
check_rose "... those held are refused when nobody answers" 1 no_answer 8
check "4 packets per mesh" vnimesh -n h1 dev set mesh0 hold-max 4
count_from 1 hold_overflow no_answer
in_ns c110 peer burst -u -n 20 -t 2500 10.96.0.25 7000 >"$work/out"
check_rose "above the budget of the mesh packets are dropped" 1 hold_overflow 16
check "no packets at all" vnimesh -n h1 dev set mesh0 hold-max 0
count_from 1 hold hold_overflow
in_ns c110 peer burst -u -n 5 -t 300 10.96.0.26 7000 >"$work/out"
check_rose "... none is held" 1 hold 0
rose 1 hold_overflow
# The refusal of one datagram is the error of the next send, which sends nothing.
check "... they are refused at once and counted ($REPLY)" [ "$REPLY" -ge 1 ]
check "the defaults again" vnimesh -n h1 dev set mesh0 hold-max 1024 hold-vni-max 64 miss-timeout 10s
stop agent

# resolve and connect.
agent -D 200 -t 60000 asked,10.96.0.7,fd77:96::7,210 named,10.96.0.8,fd77:96::8,111
check_match "resolve waits for the agent" "10\.96\.0\.7.*fd77:96::7|fd77:96::7.*10\.96\.0\.7" \
	in_ns c110 vnimesh resolve asked
check_is "... which was asked for the tag" "miss asked 110" "$(grep asked "$work/agent")"
check_match "resolve of what is known" "10\.96\.0\.7" in_ns c110 vnimesh resolve asked family inet
check_is "... needs no upcall" 1 "$(misses asked)"
check_match "vnimesh connect TAG PORT" "^111 10.77.1.10 " \
	bash -c 'echo quit | nsenter --net=/run/netns/c110 vnimesh connect named 7000 -4'
check_match "... over IPv6, to the other host" "^210 fd77:0:0:1::10 " \
	bash -c 'echo quit | nsenter --net=/run/netns/c110 vnimesh connect asked 7000 -6'
check_match "resolve of an unknown tag" "no such service" \
	bash -c 'nsenter --net=/run/netns/c110 vnimesh resolve unknown 2>&1; true'
check_match "... again" "no such service" \
	bash -c 'nsenter --net=/run/netns/c110 vnimesh resolve unknown 2>&1; true'
check_is "... without another upcall" 1 "$(misses unknown)"
check "a service of that tag" topo_service 1 unknown 30
check_match "... is there at once" "10\.96\.0\.30" in_ns c110 vnimesh resolve unknown
stop agent
check_match "resolve without an agent" "no agent" \
	bash -c 'nsenter --net=/run/netns/c110 vnimesh resolve unknown2 2>&1; true'
agent -a coordinator-away
check_match "resolve with the coordinator away" "coordinator is away" \
	bash -c 'nsenter --net=/run/netns/c110 vnimesh resolve unknown3 2>&1; true'
check_fails "a second agent is refused" in_ns h1 nlrow bind mesh0
stop agent
agent -a never
check "little patience" vnimesh -n h1 dev set mesh0 miss-timeout 750ms
check_match "resolve with a silent agent ends" "not answer in time" \
	bash -c 'nsenter --net=/run/netns/c110 vnimesh resolve nobody 2>&1; true'
check "... much" vnimesh -n h1 dev set mesh0 miss-timeout 10s
start resolving in_ns c110 vnimesh resolve nobody2
waitfor 3 grep -q "^miss nobody2 " "$work/agent"
stop agent KILL
wait "${pids[resolving]}"
check_match "resolve whose agent dies ends" "no agent" cat "$work/resolving.err"
