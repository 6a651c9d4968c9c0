#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is made up about a connect that waits for its answer, or damaged on the way:
# refusals and errors in anybody's name, a wrong sequence, a wrong checksum. None of
# it is evidence, moves the SYN or ends the connect, until one comes that is right.
# vm: -m 1024 -t 300
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

vn() { vnimesh -n h1 "$@"; }
check "two hosts" topo_up 2
check "four containers" topo_container 110 111 210 211
check "a service" topo_service 1 web 1
for vni in 210 211; do
	topo_member 1 web $vni latency 10s
	topo_serve $vni 7000
done
start events vnimesh -n h1 -j monitor events
nap 0.5

# They hear nothing, and only who is made to speaks.
deafen() {
	local vni
	for vni in 210 211; do
		in_ns "c$vni" nft -f - <<-END
			flush ruleset
			table inet no { chain in { type filter hook input priority 0; ip daddr 10.77.2.0/24 tcp dport 7000 drop; }; }
		END
	done
}
hear() {
	local vni
	for vni in 210 211; do
		in_ns "c$vni" nft flush ruleset
	done
}
# evidence KIND...: events of a kind
evidence() { jq -c "if type == \"array\" then .[] else . end | select(.kind == (\"$1\", \"${2-$1}\"))" "$work/events"; }
# A connect of 110 from port $1 that waits; sets seq, and flow, that of its SYN.
waits() {
	local port=$1
	capture c110 vni110 "$work/syn.pcap" "tcp[tcpflags] == tcp-syn and src port $port"
	start wait in_ns c110 peer talk -t 600000 -p "$port" 10.96.0.1 7000
	check "a connect from port $port: its SYN is seen" waitfor 5 captured "$work/syn.pcap"
	capture_end
	seq=$(tcpdump -S -n -r "$work/syn.pcap" 2>/dev/null | sed -n 's/.* seq \([0-9]*\),.*/\1/p' | head -n 1)
	check "... with sequence ${seq:=1}" [ "$seq" -gt 1 ]
}
# The program runs, and has not said anything yet.
still_waits() { kill -0 "${pids[wait]}" && [ ! -s "$work/wait" ]; }
# Both members say it, of which one has the flow. say ARG...
say() {
	local vni
	for vni in 210 211; do
		in_ns "c$vni" rawflood -n 1 -p 31000 -S "10.77.2.$((vni % 100))" "$@" 10.77.1.10 7000 >"$work/out"
	done
}

# Of each connect of 110 the first SYN gets out: what is not made up here would move
# it, too.
one_syn c110
deafen
waits 31000
count_from 1 tx_bad_source resteer_refused rst_ignored rx_malformed

# In somebody else's name, and about somebody else's affairs.
for from in 10.77.2.10 10.77.2.11 10.96.0.1; do
	in_ns c111 rawflood -n 200 -t rst -p 31000 -a $((seq + 1)) -S $from 10.77.1.10 7000 >"$work/out"
done
check_rose "refusals in the name of members and service leave nobody" 1 tx_bad_source 600
in_ns c111 rawflood -n 200 -t rst -p 31000 -a $((seq + 1)) -S 10.77.1.11 10.77.1.10 7000 >"$work/out"
for vni in 10 11; do
	for wrong in 0 1 $((seq + 2)) 4294967295; do
		in_ns c111 icmperr forge -s $wrong -C 3 10.77.1.10 tcp 10.77.1.10 31000 10.77.2.$vni 7000
		in_ns c211 icmperr forge -s $wrong -C 3 10.77.1.10 tcp 10.77.1.10 31000 10.77.2.$vni 7000
	done
	in_ns c111 icmperr forge -s "$seq" -C 3 10.77.1.10 tcp 10.77.1.10 31000 10.77.2.$vni 7000
done

# The member refuses something else: twice, as two would be believed.
for wrong in 0 "$seq" $((seq + 2)) $((seq - 1)); do
	say -t rst -a "$wrong"
	say -t rst -a "$wrong"
done
check_rose "refusals of other SYNs are seen" 1 rst_ignored 8

# It refuses, and it answers: with a wrong checksum.
say -t rst -a $((seq + 1)) -x
say -t rst -a $((seq + 1)) -x
say -t synack -a $((seq + 1)) -x
check_rose "what is damaged is dropped" 1 rx_malformed 3
check_match "... and no answer: the flow is as new as before" "state new" vn flow show
check "the connect still waits" still_waits || diag "$(cat "$work/wait" "$work/wait.err")"
check_rose "none of it moved the SYN" 1 resteer_refused 0
check_is "... or was believed" "" "$(evidence refused icmp)"

# One that is right: so they could all have been. Where it moves to may be who says
# so next.
say -t rst -a $((seq + 1))
check "a refusal of this SYN moves it" waitfor 5 has_risen 1 resteer_refused 1
known() { [ -n "$(evidence "$@")" ]; }
check "... and is believed" waitfor 5 known refused
hear
any_syn c110
check "the connect succeeds" waitfor 10 grep -q "^0 21. " "$work/wait"

# A SYN sent again is evidence of silence, if it could have been answered. Members
# made anew, so that nothing is held against them.
for vni in 210 211; do
	vn member del web vni $vni
	vn member add web vni $vni latency 10s
done
deafen
: >"$work/events"
# again PORT ARG...: a SYN three times, each more than 0.9 s after the other
again() {
	local port=$1 i
	shift
	for i in 1 2 3; do
		in_ns c111 rawflood -n 1 -t syn -p "$port" -s 4711 -S 10.77.1.11 "$@" 10.96.0.1 7000 >"$work/out"
		[ "$i" = 3 ] || nap 1.1
	done
}
count_from 1 resteer_silent
again 31001 -x
check_rose "a SYN with a wrong checksum, sent again, moves nowhere" 1 resteer_silent 0
check_is "... and is no evidence" "" "$(evidence silence)"
# To one in the middle of another connection a server says little, and may just have
# said it.
in_ns c111 rawflood -n 1 -t syn -p 31003 -s 1 -S 10.77.1.11 10.96.0.1 7000 >"$work/out"
again 31003
check "one that ended another of its port moves" waitfor 2 has_risen 1 resteer_silent 1
check_is "... but is no evidence" "" "$(evidence silence)"
count_from 1 resteer_silent
again 31002
check "one that is right does" waitfor 2 has_risen 1 resteer_silent 1
check "... and is" waitfor 5 known silence
