#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A SYN that a member refuses or does not answer goes to another one, and the
# application sees only a slower connect. RESTEER_CONNECTS: of the first parts, 1000.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "four containers" topo_container 110 111 210 211
check "a service" topo_service 1 web 1
for vni in 210 211; do
	topo_member 1 web $vni latency 10s
done
topo_serve 211 7000
number=${RESTEER_CONNECTS:-1000}
other=211

# connects N: N connections by tag, one after the other. Sets bad and slowest.
connects() {
	local left=$1
	: >"$work/talk"
	while [ "$left" -gt 0 ]; do
		in_ns c110 peer talk -s -t 20000 10.96.0.1 "7000x$((left > 500 ? 500 : left))" >>"$work/talk"
		left=$((left - 500))
	done
	bad=$(grep -c error "$work/talk")
	slowest=$(awk '{ if ($(NF - 1) > max) max = $(NF - 1) } END { print max + 0 }' "$work/talk")
	diag "$1 connects: $bad failed, slowest $slowest ms; $(awk '{ n[$2]++ } END { for (k in n) printf "%s: %d ", k, n[k] }' "$work/talk")"
}
forget() {
	# A member made anew is a member of which nothing is known. Both, and 210 first:
	# who joins a service in use starts slowly, and none of a few connects may meet it.
	for vni in 210 "$other"; do
		vnimesh -n h1 member del web vni "$vni"
	done
	for vni in 210 "$other"; do
		vnimesh -n h1 member add web vni "$vni" latency 10s
	done
}
show() { vnimesh -n h1 -s member show web; stats 1; tr ',{' '\n\n' <"$work/stats" | grep -E 'resteer|eject|evid|syn_lost|rst_ign' | xargs; }

# Refused at once: nobody listens at 210.
connects "$number"
check_is "a member refuses: of $number connects fail" 0 "$bad"
stat_of 1 resteer_refused
check "... some were moved" [ "$REPLY" -gt 0 ]
diag "$(show)"

# Powered off without a word.
forget
in_ns c210 nft add table inet t
in_ns c210 nft add chain inet t input '{ type filter hook input priority 0; policy drop; }'
connects "$number"
check_is "a member is silent: of $number connects fail" 0 "$bad"
# The next one after that would be at 3 s.
check "... the slowest within one SYN timeout" [ "$slowest" -lt 2900 ]
stat_of 1 resteer_silent
check "... some were moved" [ "$REPLY" -gt 0 ]
diag "$(show)"
in_ns c210 nft flush ruleset

# Whether a SYN moves at all: nobody is put out, so that every second one is refused.
check "nobody is put out" vnimesh -n h1 dev set mesh0 eject-max 0s
forget
refuses() {
	local name=$1
	shift
	count_from 1 resteer_refused resteer_budget
	in_ns c110 peer talk -t 20000 "$@" >"$work/talk"
	errors=$(grep -c "error ECONNREFUSED" "$work/talk")
	check_is "$name: nothing else went wrong" 0 "$(grep error "$work/talk" | grep -cv ECONNREFUSED)"
}
refuses "20 connects" 10.96.0.1 7000x20
check_is "... none is refused" 0 "$errors"
rose 1 resteer_refused
check "... some were moved" [ "$REPLY" -gt 0 ]
refuses "IPv6" fd77:96::1 7000x20
check_is "... none is refused" 0 "$errors"
rose 1 resteer_refused
check "... some were moved" [ "$REPLY" -gt 0 ]

check "re-steer is switched off" vnimesh -n h1 dev set mesh0 resteer-max 0
refuses "20 connects without it" 10.96.0.1 7000x20
check "... some are refused" [ "$errors" -gt 0 ]
check_rose "... none was moved" 1 resteer_refused 0
check "... and on" vnimesh -n h1 dev set mesh0 resteer-max 2

# Somebody whose SYNs fill what one VNI may have kept: a neighbour's move yet.
for vni in 210 211; do
	in_ns c$vni nft -f - <<-END
		table inet quiet { chain in { type filter hook input priority 0; ip saddr { 10.77.1.1, 10.77.1.11 } drop; }; }
	END
done
check "half-open flows stay until we are done" vnimesh -n h1 dev set mesh0 tcp-half-open 10m
count_from 1 syn_lost
in_ns c111 rawflood -n 12000 -t syn -S 10.77.1.11 10.96.0.1 7000 >"$work/out"
# So that there is no room either when one of its flows goes, as its port comes again.
in_ns h1 rawflood -n 500 -t syn -S 10.77.1.1 10.96.0.1 7000 >"$work/out"
rose 1 syn_lost
check "of 12000 half-open connects some are not kept ($REPLY)" [ "$REPLY" -ge 1 ]
refuses "20 connects of a neighbour" 10.96.0.1 7000x20
check_is "... none is refused" 0 "$errors"
rose 1 resteer_refused
check "... some were moved" [ "$REPLY" -gt 0 ]
for vni in 210 211; do
	in_ns c$vni nft delete table inet quiet
done
# Its own are as they would be without us.
count_from 1 resteer_no_syn resteer_refused
in_ns c111 peer talk -r 0 -t 20000 10.96.0.1 7000x20 >"$work/talk"
errors=$(grep -c "error ECONNREFUSED" "$work/talk")
check "some of its own are refused" [ "$errors" -gt 0 ]
check_rose "... as no SYN was kept, counted" 1 resteer_no_syn "$errors"
check_rose "... and none was moved" 1 resteer_refused 0
check "its flows go" vnimesh -n h1 flow flush
check "... the others as before" vnimesh -n h1 dev set mesh0 tcp-half-open 30s

# Nobody left to move to.
check "211 takes no new ones" vnimesh -n h1 member set web vni 211 state maint
count_from 1 resteer_alone resteer_refused
in_ns c110 peer talk -r 0 -t 20000 10.96.0.1 7000x3 >"$work/talk"
check_is "the other one refuses: the client is told" 3 "$(grep -c "error ECONNREFUSED" "$work/talk")"
check_rose "... as nobody is left, counted" 1 resteer_alone 3
check_rose "... and none was moved" 1 resteer_refused 0
check "211 is back" vnimesh -n h1 member set web vni 211 state up

# What may have an effect at the first server must not go to a second one.
in_ns c110 sysctl -qw net.ipv4.tcp_fastopen=1
refuses "Fast Open, a cookie asked for" -f 10.96.0.1 7000x20
check "... some are refused" [ "$errors" -gt 0 ]
check_rose "... none was moved" 1 resteer_refused 0
in_ns c110 sysctl -qw net.ipv4.tcp_fastopen=5
capture c110 vni110 "$work/f.pcap" "tcp[tcpflags] == tcp-syn"
refuses "SYNs with data" -f 10.96.0.1 7000x20
capture_end
check_match "... they had data" "length 5" tcpdump -n -r "$work/f.pcap"
check "... some are refused" [ "$errors" -gt 0 ]
check_rose "... none was moved" 1 resteer_refused 0
in_ns c110 sysctl -qw net.ipv4.tcp_fastopen=1

# More refusals than the budget: the client is told, as it would be without us.
for ((i = 0; i < 3; i++)); do
	refuses "the budget ends" 10.96.0.1 7000x300
	[ "$errors" = 0 ] || break
done
check "... some are refused" [ "$errors" -gt 0 ]
rose 1 resteer_budget
check_is "... that is counted" "$errors" "$REPLY"
rose 1 resteer_refused
check "... after some were moved" [ "$REPLY" -gt 0 ]
diag "$errors of 300 refused, $REPLY moved"

# A RST that acknowledges something else is not for this SYN: as if it had not
# come, so the SYN moves when it comes again.
forget
in_ns c210 nft -f - <<-END
	table inet t { chain out { type filter hook output priority 0; tcp flags & rst == rst tcp ackseq set 4711; }; }
END
strays() {
	count_from 1 rst_ignored resteer_refused resteer_silent
	in_ns c110 peer talk -t 20000 "$2" 7000x14 >"$work/talk"
	check_is "$1: a RST with a wrong acknowledgement: of 14 connects fail" 0 "$(grep -c error "$work/talk")"
	check_rose "... none is moved for it" 1 resteer_refused 0
	rose 1 rst_ignored
	check "... it is counted" [ "$REPLY" -gt 0 ]
	rose 1 resteer_silent
	check "... the SYN that comes again is moved" [ "$REPLY" -gt 0 ]
}
strays IPv4 10.96.0.1
strays IPv6 fd77:96::1
in_ns c210 nft flush ruleset

# The first server's answer comes when the SYN is with the second one.
forget
topo_serve 210 7000
late() {
	# A drop by nft would fail the retransmission, which ends it.
	in_ns c210 tc qdisc add dev vni210 root netem loss 100%
	count_from 1 resteer_late resteer_silent
	in_ns c110 peer talk -t 20000 "$2" 7000x14 >"$work/talk"
	check_is "$1: SYN-ACKs are lost: of 14 connects fail" 0 "$(grep -c error "$work/talk")"
	rose 1 resteer_silent
	check "... some were moved" [ "$REPLY" -gt 0 ]
	check "... the first server is half open" half_open
	in_ns c210 tc qdisc del dev vni210 root
	check "... its late answer is reset" waitfor 5 reset_late
	check "... and it forgets the connection" waitfor 5 no_half_open
}
half_open() { in_ns c210 ss -Htn state syn-recv | grep -q 7000; }
no_half_open() { ! half_open; }
reset_late() { rose 1 resteer_late && [ "$REPLY" -gt 0 ]; }
late IPv4 10.96.0.1
late IPv6 fd77:96::1

# Its whole host, powered off without a word: nobody there to answer for it, and in a
# while nobody answers for the host's address either.
second_host() {
	other=111
	vnimesh -n h1 dev set mesh0 eject-max 60s && vnimesh -n h1 member del web vni 211 &&
		topo_member 1 web 111 latency 10s && vnimesh -n h1 service set web policy random
}
check "one member on each host" second_host
topo_serve 111 7000
forget
check "one goes off" ip -n under link set h2 down
count_from 1 resteer_silent evidence
connects "$number"
check_is "a host is silent: of $number connects fail" 0 "$bad"
check "... the slowest within one SYN timeout" [ "$slowest" -lt 2900 ]
rose 1 resteer_silent
check "... some were moved" [ "$REPLY" -gt 0 ]
diag "$(show)"
# ... with nothing in the table of neighbours any more.
ip -n h1 neigh flush all
forget
count_from 1 resteer_silent resteer_refused
connects "$number"
check_is "nobody has its address: of $number connects fail" 0 "$bad"
check "... the slowest within one SYN timeout" [ "$slowest" -lt 2900 ]
diag "$(show)"
