#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fragments: large datagrams to a service and back, to the member itself, to and
# from this host; pieces out of order, twice, overlapping, without their first; a
# flood of them, which has bounds.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
services() {
	topo_service 1 far 1 && topo_member 1 far 210 &&
		topo_service 1 near 2 && topo_member 1 near 111 &&
		topo_service 1 self 4 && topo_member 1 self 110 &&
		topo_service 1 again 5 && topo_member 1 again 210 &&
		topo_service 1 ports 6 port udp/53:7053 && topo_member 1 ports 210
}
check "services" services
topo_serve 110 7000
topo_serve 111 7000
topo_serve 210 7000 7053

# Request and answer have 9000 bytes.
large() {
	check_match "9000 bytes there and back, $1" "^6$" \
		in_ns c110 peer burst -u -n 6 -l 9000 "$2" "${3:-7000}"
}
count_from 1 fragment_lost fragment_full tx_fragment
large "remote, IPv4" 10.96.0.1
large "remote, IPv6" fd77:96::1
large "on this host, IPv4" 10.96.0.2
large "on this host, IPv6" fd77:96::2
large "the client is the member, IPv4" 10.96.0.4
large "the client is the member, IPv6" fd77:96::4
large "a port rule, IPv4" 10.96.0.6 53
large "a port rule, IPv6" fd77:96::6 53
large "direct, remote, IPv4" 10.77.2.10
large "direct, remote, IPv6" fd77:0:0:2::10
large "direct, on this host, IPv4" 10.77.1.11
large "direct, on this host, IPv6" fd77:0:0:1::11
check_rose "none was lost" 1 fragment_lost 0
check_rose "... nor refused" 1 tx_fragment 0
check_rose "... nor forgotten" 1 fragment_full 0

# By hand: what the server gets is whole, and its checksum is right.
port=33000
arrives() {
	local name=$1 want=$2 dst=$3
	shift 3
	port=$((port + 1))
	local src=10.77.1.10
	[[ $dst != *:* ]] || src=fd77:0:0:1::10
	in_ns c110 fragsend -i "$port" "$@" "$src" "$port" "$dst" 7000
	if [ "$want" = 1 ]; then
		check "$name" waitfor 3 grep -qE "^udp 210 .* $port 7000 . 4000$" "$work/serve210"
	else
		nap 1
		check_fails "$name" grep -qE "^udp 210 .* $port 7000 " "$work/serve210"
	fi
}
count_from 1 fragment_hold fragment_lost
for dst in 10.96.0.1 fd77:96::1; do
	arrives "$dst: in order" 1 $dst
	arrives "$dst: the first last" 1 $dst -o 1,2,0
	arrives "$dst: backwards" 1 $dst -o 2,1,0
	arrives "$dst: a piece twice" 1 $dst -o 0,1,1,2
	arrives "$dst: small pieces, backwards" 1 $dst -f 1000 -o 4,3,2,1,0
done
arrives "an option before the ports, backwards" 1 fd77:96::1 -x -o 2,1,0
check_rose "those before the first waited" 1 fragment_hold 18
check_rose "... none was lost" 1 fragment_lost 0
for dst in 10.96.0.1 fd77:96::1; do
	arrives "$dst: overlapping pieces do not arrive" 0 $dst -s
	arrives "$dst: without the first nothing arrives" 0 $dst -o 1,2
done
check "they are given up after two seconds, counted" \
	waitfor 5 eval 'rose 1 fragment_lost && [ "$REPLY" = 4 ]'
arrives "direct, backwards" 1 10.77.2.10 -o 2,1,0
arrives "direct, IPv6, backwards" 1 fd77:0:0:2::10 -o 2,1,0
count_from 1 tx_fragment no_port
in_ns c110 fragsend -o 1,0,2 10.77.1.10 34000 10.96.0.6 99
check_rose "a port that is not listed is refused" 1 no_port 1
check_rose "... with the pieces before and after" 1 tx_fragment 2

# The answer's pieces, out of order on the underlay.
if in_ns h2 tc qdisc add dev u0 root netem delay 20ms reorder 60% gap 2 2>"$work/tc"; then
	count_from 1 fragment_hold fragment_lost
	check_match "answers with reordered pieces, IPv4" "^8$" \
		in_ns c110 peer burst -u -n 8 -l 9000 10.96.0.1 7000
	check_match "answers with reordered pieces, IPv6" "^8$" \
		in_ns c110 peer burst -u -n 8 -l 9000 fd77:96::1 7000
	check_match "... direct" "^8$" in_ns c110 peer burst -u -n 8 -l 9000 10.77.2.10 7000
	rose 1 fragment_hold
	check "... some had to wait ($REPLY)" [ "$REPLY" -gt 0 ]
	check_rose "... none was lost" 1 fragment_lost 0
	in_ns h2 tc qdisc del dev u0 root
else
	tap_skip "answers with reordered pieces" "no netem"
fi

# A flood of pieces without a first: bounded; the neighbour is not hurt.
count_from 1 fragment_hold fragment_full fragment_lost
in_ns c110 fragsend -n 3000 -o 1 -i 1 10.77.1.10 1 10.96.0.1 7000
rose 1 fragment_hold
held=$REPLY
rose 1 fragment_full
check "a flood without firsts: $held wait, $REPLY are dropped" \
	[ "$held" -ge 128 ] && [ "$REPLY" -gt 1000 ]
check_match "... the neighbour's datagrams go through" "^6$" \
	in_ns c111 peer burst -u -n 6 -l 9000 10.96.0.1 7000
check "... and backwards, too" \
	in_ns c111 fragsend -o 2,1,0 10.77.1.11 34001 10.96.0.1 7000
check "... all pieces" waitfor 3 grep -qE "^udp 210 10.77.1.11 34001 7000 . 4000$" "$work/serve210"
# The server's own reassembly has a bound, too; not the one in question here.
in_ns c210 sysctl -q -w net.ipv4.ipfrag_high_thresh=67108864
count_from 1 fragment_full
in_ns c110 fragsend -n 6000 -o 0 -i 1 10.77.1.10 1 10.96.0.1 7000
rose 1 fragment_full
check "a flood of firsts: the oldest of its own are forgotten ($REPLY)" [ "$REPLY" -gt 3000 ]
check_match "... the neighbour's go through" "^6$" \
	in_ns c111 peer burst -u -n 6 -l 9000 10.96.0.1 7000
check "after it the flooder's own, too" waitfor 3 in_ns c110 peer burst -u -n 6 -l 9000 -t 500 10.96.0.1 7000
in_ns c110 fragsend -o 1,2 10.77.1.10 34002 10.96.0.1 7000
check "a device goes while pieces of it wait" ip -n c110 link del vni110
check "... the mesh, too" vnimesh -n h1 dev del mesh0
