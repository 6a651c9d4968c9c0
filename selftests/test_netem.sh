#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An underlay that loses, doubles, reorders, delays and spoils packets: what is
# transferred arrives whole, and iperf3 runs both ways.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

# It may be built in.
modprobe sch_netem 2>/dev/null
tc qdisc add dev lo root netem 2>/dev/null || skip_all "no module sch_netem"
tc qdisc del dev lo root
check "two hosts" topo_up 2
check "two containers" topo_container 110 210
check "a service" topo_service 1 far 1
check "its member" topo_member 1 far 210

underlay_is() {
	local n
	for n in 1 2; do
		tc -n "h$n" qdisc replace dev u0 root netem limit 10000 "$@" || return
	done
}

data 2000000

start iperf in_ns c210 iperf3 -s --forceflush
waitfor 3 says iperf listening
# What is still in the sender's buffer at the end, iperf3 does not count: -w.
# iperf NAME FILTER ARG...: the report, through jq, is true.
iperf() {
	local name=$1 filter=$2
	shift 2
	local i
	for ((i = 0; i < 4; i++)); do
		tap_run in_ns c110 timeout 120 iperf3 -J --connect-timeout 20000 "$@"
		cp "$work/.output" "$work/report"
		# Over UDP it begins with one datagram, and says this if that is lost; twice,
		# it is taken for data, with any number in the place of its count.
		grep -q 'unable to read from stream socket' "$work/report" ||
			jq -e '.end.sum.lost_percent > 100' "$work/report" >/dev/null || break
	done
	check "$name" jq -e "$filter" "$work/report" || jq -c '.error, .end.sum, .end.sum_received' "$work/report" | sed 's/^/# /'
}

# run WHAT NETEM-ARG...
run() {
	local what=$1
	shift
	check "the underlay: $what" underlay_is "$@"
	check "$what: 2 MB by tag, IPv4, same sha256" transfer c110 c210 10.96.0.1
	check "$what: ... IPv6" transfer c110 c210 fd77:96::1
	check "$what: ... back, IPv4" transfer c210 c110 10.77.1.10
	check "$what: ... back, IPv6" transfer c210 c110 fd77:0:0:1::10
	iperf "$what: iperf3, TCP" '.end.sum_received.bytes >= 500000' -w 128K -n 1M -c 10.96.0.1
	iperf "$what: iperf3, TCP, reverse" '.end.sum_received.bytes >= 500000' -w 128K -R -n 1M -c 10.96.0.1
	iperf "$what: iperf3, UDP" '.end.sum.packets > 50 and .end.sum.lost_percent < 30' \
		-u -b 2M -t 2 -c 10.96.0.1
	iperf "$what: iperf3, UDP, reverse, IPv6" '.end.sum.packets > 50 and .end.sum.lost_percent < 30' \
		-u -R -b 2M -t 2 -c fd77:96::1
}

run "loss" delay 2ms loss 1%
run "duplication" delay 2ms duplicate 5%
run "reordering" delay 5ms reorder 75% 50%
run "all of it" delay 4ms 1ms loss 0.5% duplicate 2% reorder 80% 50%
# Packets as a wire carries them, each with a fate of its own.
check "no offloads on the underlay" bash -c '
	for n in 1 2; do ip netns exec h$n ethtool -K u0 tso off gso off tx off || exit; done'
run "all of it, packet by packet" delay 4ms 1ms loss 0.5% duplicate 2% reorder 80% 50%

# A spoilt header may name another mesh, node or VNI; none of it gets through.
check "the underlay spoils packets" underlay_is delay 2ms corrupt 1%
check "2 MB by tag, IPv4, same sha256" transfer c110 c210 10.96.0.1
check "... IPv6" transfer c110 c210 fd77:96::1
