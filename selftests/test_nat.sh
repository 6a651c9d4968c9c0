#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Translation: two tags and a direct connection to one VNI from one client port,
# port rules, a client that is the member itself, ports used again at once.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
check "service one" topo_service 1 one 1
check "service two" topo_service 1 two 2
check "one VNI serves both" topo_member 1 one 210
topo_member 1 two 210
check "service with ports" topo_service 1 ports 3 port web:tcp/80:7000 port udp/53:7001
topo_member 1 ports 210
check "service of the client itself" topo_service 1 self 4
topo_member 1 self 110
check "service on this host" topo_service 1 near 5
topo_member 1 near 111
topo_member 1 near 110 weight 0
topo_serve 110 7000
topo_serve 111 7000
topo_serve 210 7000 7001

# Three connections from one port, one VNI at the other end, all used in turns.
side_by_side() {
	local name=$1 port=$2
	shift 2
	count_from 1 flow_conflict
	tap_run in_ns c110 peer talk -p "$port" -r 5 "$@"
	check_is "$name: all five rounds go well on all" "$(printf 'round ok\n%.0s' 1 2 3 4 5)" \
		"$(grep round "$work/.output")"
	check_is "... three connections to VNI 210" 3 "$(grep -c '^[0-2] 210 ' "$work/.output")"
	check_is "... that its server tells apart" 3 \
		"$(awk '$2 == 210 { print $3, $4 }' "$work/.output" | sort -u | wc -l)"
	rose 1 flow_conflict
	check "... by another source port ($REPLY times)" [ "$REPLY" -ge 2 ]
}
side_by_side "direct first, IPv4" 31001 10.77.2.10 7000 10.96.0.1 7000 10.96.0.2 7000
side_by_side "tags first, IPv4" 31002 10.96.0.1 7000 10.96.0.2 7000 10.77.2.10 7000
side_by_side "direct between, IPv4" 31003 10.96.0.2 7000 10.77.2.10 7000 10.96.0.1 7000
side_by_side "direct first, IPv6" 31004 fd77:0:0:2::10 7000 fd77:96::1 7000 fd77:96::2 7000
side_by_side "tags first, IPv6" 31005 fd77:96::1 7000 fd77:96::2 7000 fd77:0:0:2::10 7000
tap_run in_ns c110 peer talk -u -p 31006 -r 5 10.96.0.1 7000 10.96.0.2 7000 10.77.2.10 7000
check_is "UDP: two tags and direct from one port" 5 "$(grep -c 'round ok' "$work/.output")"
tap_run in_ns c110 peer talk -u -p 31007 -r 5 10.77.2.10 7000 10.96.0.1 7000 10.96.0.2 7000
check_is "UDP: direct first" 5 "$(grep -c 'round ok' "$work/.output")"

# Ports.
check_match "a port rule translates" "^0 210 10.77.1.10 [0-9]+ 7000 " in_ns c110 peer talk 10.96.0.3 80
check_match "... UDP, IPv6" "^0 210 fd77:0:0:1::10 [0-9]+ 7001 hello" in_ns c110 peer talk -u fd77:96::3 53
count_from 1 no_port
check_match "a port that is not listed is refused at once" "^0 error ECONNREFUSED $at_once" \
	bash -c 'nsenter --net=/run/netns/c110 peer talk 10.96.0.3 81; true'
check_match "... UDP to a TCP port" "^0 error ECONNREFUSED $at_once" \
	bash -c 'nsenter --net=/run/netns/c110 peer talk -u 10.96.0.3 80; true'
check_rose "... counted" 1 no_port 2
check_match "a service without rules passes every port: refused by the server" "^0 error ECONNREFUSED" \
	bash -c 'nsenter --net=/run/netns/c110 peer talk 10.96.0.1 99; true'
check "a member with a port of its own" vnimesh -n h1 member set ports vni 210 port tcp/80:7001
check_match "... is used" "^0 210 10.77.1.10 [0-9]+ 7001 " in_ns c110 peer talk 10.96.0.3 80

# Hairpin: the client sees itself under the service address.
for proto in "" -u; do
	word=TCP
	[ -z "$proto" ] || word=UDP
	check_match "the client is the member: $word, IPv4" "^0 110 10.96.0.4 " \
		in_ns c110 peer talk ${proto:+"$proto"} -r 3 10.96.0.4 7000
	check_match "the client is the member: $word, IPv6" "^0 110 fd77:96::4 " \
		in_ns c110 peer talk ${proto:+"$proto"} -r 3 fd77:96::4 7000
done
check_match "... from another container the server sees the client" "^0 110 10.77.1.11 " \
	in_ns c111 peer talk -r 3 10.96.0.4 7000
check_match "three connections to itself from one port" "round ok" \
	in_ns c110 peer talk -p 31010 -r 2 10.96.0.4 7000 10.96.0.5 7000

# The same port again at once: the server still has TIME_WAIT.
again() {
	tap_run in_ns c110 peer talk -s -t 20000 -p "$1" "${@:2}"
	grep -c "^[0-9]* 210 " "$work/.output"
	grep error "$work/.output"
}
check_is "20 connections in a row from one port to one service" 20 "$(again 31020 10.96.0.1 7000x20)"
check_is "... IPv6" 20 "$(again 31021 fd77:96::1 7000x20)"
check_is "... to two tags of one VNI and directly, in turns" 12 "$(again 31022 \
	10.96.0.1 7000 10.96.0.2 7000 10.77.2.10 7000 10.96.0.1 7000 10.77.2.10 7000 10.96.0.2 7000 \
	10.96.0.1 7000 10.96.0.2 7000 10.77.2.10 7000 10.96.0.1 7000 10.77.2.10 7000 10.96.0.2 7000)"

# A datagram whose sender chose no checksum.
check_match "UDP without a checksum, IPv4" "^0 210 10.77.1.10 [0-9]+ 7001 hello" \
	in_ns c110 peer talk -u -z 10.96.0.3 53
check_match "... on this host" "^0 111 10.77.1.10 [0-9]+ 7000 hello" \
	in_ns c110 peer talk -u -z 10.96.0.5 7000
check_is "all flows are shown" "$(vnimesh -n h1 -j flow count | tr -dc 0-9:, | sed 's/.*://')" \
	"$(vnimesh -n h1 flow show | grep -c . )"
