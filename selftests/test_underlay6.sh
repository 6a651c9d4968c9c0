#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mesh over IPv6: all paths, sizes, offloads, ECN, checksums, path MTU, and what
# is refused.
# vm: -m 1536 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

topo_family=6
check "two hosts over IPv6" topo_up 2
check "three containers" topo_container 110 111 210
check "a service on the other host" topo_service 1 far 1
check "its member" topo_member 1 far 210
topo_serve 110 7000
topo_serve 210 7000

check_match "the MTU leaves room for the outer headers" "mtu 1444 " ip -n h1 link show mesh0
check_match "... of the other VNIs too" "mtu 1444 " ip -n c110 link show vni110
check_match "dev show says the address" "local 2001:db8::11 port 6081" vnimesh -n h1 dev show mesh0
check_match "node show too, of this host" "2001:db8::11" vnimesh -n h1 node show 1
check_match "... and of the other" '"underlay":"2001:db8::12"' vnimesh -n h1 -j node show 2
check_match "route get too" "2001:db8::12" vnimesh -n h1 route get 10.77.2.10

fails() { ! "$@"; }
says_no() { check_match "$1" "$2" fails "${@:3}"; }
says_no "a node of the other family is refused, by name" "addr: not of the family" \
	vnimesh -n h1 node add 9 underlay 192.0.2.19
says_no "... a node that exists too" "addr: not of the family" \
	vnimesh -n h1 node set 2 underlay 192.0.2.19
says_no "a link-local node" "addr: not the address of a host" \
	vnimesh -n h1 node add 9 underlay fe80::9
says_no "a multicast node" "addr: not the address of a host" \
	vnimesh -n h1 node add 9 underlay ff02::1
says_no "IPv4 in disguise" "addr: not the address of a host" \
	vnimesh -n h1 node add 9 underlay ::ffff:192.0.2.19
says_no "this host" "addr: with this port it is this host" \
	vnimesh -n h1 node add 9 underlay 2001:db8::11
mesh() { vnimesh -n h1 dev add mesh1 mesh "$1" node 1 vni 1 local "$2"; }
says_no "a local address that is not here" "local: not an address of this host" mesh 78 2001:db8::99
says_no "... link-local" "local: not a unicast address" mesh 78 fe80::1
says_no "... unspecified" "local: not a unicast address" mesh 78 ::
says_no "... multicast" "local: not a unicast address" mesh 78 ff02::1
check "IPv4 on the same port stands beside it" ip -n h1 addr add 198.51.100.1/32 dev lo
check "..." mesh 77 198.51.100.1
check "... and goes" vnimesh -n h1 dev del mesh1

path() {
	local name=$1 dst=$2 server=$3 src=$4 proto=${5-}
	check_match "$name" "^0 $server $src [0-9]+ 7000( hello)? " \
		in_ns c110 peer talk ${proto:+"$proto"} "$dst" 7000
}
a4=10.77.1.10 a6=fd77:0:0:1::10
for proto in "" -u; do
	word=TCP
	[ -z "$proto" ] || word=UDP
	path "$word, IPv4, direct: the server sees the client" 10.77.2.10 210 $a4 $proto
	path "$word, IPv6, direct: the server sees the client" fd77:0:0:2::10 210 $a6 $proto
	path "$word, IPv4, service: the server sees the client" 10.96.0.1 210 $a4 $proto
	path "$word, IPv6, service: the server sees the client" fd77:96::1 210 $a6 $proto
done
check_match "the host itself reaches a service" "^0 210 10.77.1.1 " \
	in_ns h1 peer talk 10.96.0.1 7000
check_match "a datagram without checksum" "^0 210 $a4 " in_ns c110 peer talk -u -z 10.96.0.1 7000
check_match "ping" " 0% packet loss" in_ns c110 ping -c 1 -W 5 10.77.2.10
check_match "ping, IPv6" " 0% packet loss" in_ns c110 ping -c 1 -W 5 fd77:0:0:2::10

# Bulk, both ways, while the underlay is watched.
data 30000000
capture h1 u0 "$work/path.pcap" -c 200 udp port 6081
check "30 MB, TCP, IPv4, by service, same sha256" transfer c110 c210 10.96.0.1
capture_end
arriving "a GSO packet crosses decapsulation whole" 60000 10.77.2.10
check "30 MB, TCP, IPv6, by service, same sha256" transfer c110 c210 fd77:96::1
check "30 MB, TCP, IPv4, back, same sha256" transfer c210 c110 10.77.1.10
# A wire: no offload crosses it, the receiver's GRO puts it together.
check "the underlay's devices without offloads" offloads off 1 2
arriving "GRO puts together what came as single packets, IPv4" 4000 10.96.0.1
arriving "... IPv6" 4000 fd77:96::1
check "... with offloads again" offloads on 1 2
check "tshark reads the capture" \
	tshark -r "$work/path.pcap" -T fields -E separator=, -E occurrence=f -e frame.len \
	-e ipv6.src -e udp.dstport -e geneve.vni -e geneve.proto_type -e udp.checksum
grep '^[0-9]' "$work/.output" >"$work/frames"
check_is "the underlay carries Geneve of mesh 77 over IPv6, and nothing else" "" "$(grep -vE \
	'^[0-9]+,2001:db8::1[12],6081,(77|0x0*4d),0x0800,' "$work/frames" | head -n 3)"
check_is "... each with a UDP checksum" 0 "$(grep -c ',0x0*$' "$work/frames")"
largest=$(cut -d , -f 1 "$work/frames" | sort -n | tail -n 1)
check "GSO is whole on the underlay: the largest packet has $largest bytes" \
	[ "${largest:-0}" -gt 20000 ]

# The outer source, broken packets.
all=(rx_malformed rx_foreign rx_unknown_node rx_bad_source rx_no_vni rx_ecn port_malformed port_foreign)
from_now() {
	count_from 1 "${all[@]}"
	seen=$(wc -l <"$work/serve110")
}
only() {
	local name=$1 counter=$2 n=$3 what rose=''
	# It may not have been received yet.
	waitfor 2 has_risen 1 "${counter##* }" "$n" >/dev/null 2>&1
	stats 1
	for what in "${all[@]}"; do
		stat "$what"
		[ "$REPLY" = "${topo_count[$what]}" ] ||
			rose="$rose $what=$((REPLY - topo_count[$what]))"
	done
	check_is "$name: dropped, counted" " $counter=$n" "$rose"
	check_is "... not delivered" "$seen" "$(wc -l <"$work/serve110")"
}
inject() {
	local name=$1 counter=$2 n=$3
	shift 3
	from_now
	in_ns h2 geneve_inject -d 2001:db8::11 "$@"
	only "$name" "$counter" "$n"
}
arrives() { waitfor 2 grep -q "^udp 110 $1 40000 7000" "$work/serve110"; }
check "a packet made by hand, sent" in_ns h2 geneve_inject -s 2001:db8::12 -d 2001:db8::11
check "... arrives" arrives 10.77.2.10
check "IPv6, sent" in_ns h2 geneve_inject -d 2001:db8::11 -S fd77:0:0:2::10 -D fd77:0:0:1::10
check "... arrives" arrives fd77:0:0:2::10
inject "another node's inner source" rx_bad_source 1 -S 10.77.3.10
inject "... IPv6" rx_bad_source 1 -S fd77:0:0:3::10 -D fd77:0:0:1::10
inject "an inner destination that is not here" rx_no_vni 1 -D 10.77.1.77
inject "cut at every length up to the full headers" "rx_malformed=28 port_malformed" 8 -X 35
inject "options that are cut" rx_malformed 1 -O 20 -x 50
inject "another mesh" port_foreign 1 -m 78
check "somebody on the underlay who is no node" topo_plug hx 2001:db8::99
from_now
in_ns hx geneve_inject -d 2001:db8::11
only "an address on the underlay that is no node" rx_unknown_node 1
ip -n hx addr add 2001:db8:1::12/64 dev u0 nodad
ip -n h1 route add 2001:db8:1::/64 dev u0
from_now
in_ns hx geneve_inject -s 2001:db8:1::12 -d 2001:db8::11
only "... one that shares half of its bits with a node" rx_unknown_node 1
before=$(in_ns h1 nstat -asz Udp6InCsumErrors | awk '/Udp6/ { print $2 }')
from_now
in_ns h2 geneve_inject -d 2001:db8::11 -Z -p "no checksum"
in_ns h2 geneve_inject -d 2001:db8::11 -p after
check "a datagram behind it arrives" waitfor 2 grep -q " 7000 . 5$" "$work/serve110"
check_fails "no outer checksum: not delivered" grep -q " 7000 . 11$" "$work/serve110"
check "... counted by UDP" [ "$(in_ns h1 nstat -asz Udp6InCsumErrors Udp6InErrors |
	awk '/Udp6/ { s += $2 } END { print s }')" -gt "${before%.*}" ]

# ECN: RFC 6040.
capture h1 u0 "$work/ecn.pcap" -c 1 udp port 6081 and src 2001:db8::11
check "a packet with ECT(0)" in_ns c110 ping -c 1 -W 5 -Q 2 10.77.2.10
waitfor 3 captured "$work/ecn.pcap"
capture_end
check_match "the outer header has ECT(0)" "class 0x02" tcpdump -v -n -r "$work/ecn.pcap"
topo_serve 110 7001
marked() {
	in_ns h2 geneve_inject -d 2001:db8::11 -q 7001 -t 2 -T 3 -p "$@"
}
check "outer CE, inner ECT, IPv4" marked mark4
check "... the receiver sees CE" waitfor 2 grep -q "^udp 110 10.77.2.10 40000 7001 3 5$" "$work/serve110"
check "outer CE, inner ECT, IPv6" marked mark-6 -S fd77:0:0:2::10 -D fd77:0:0:1::10
check "... the receiver sees CE" \
	waitfor 2 grep -q "^udp 110 fd77:0:0:2::10 40000 7001 3 6$" "$work/serve110"
inject "outer CE on a packet without ECT" rx_ecn 1 -q 7001 -t 0 -T 3

# Sizes.
check_match "fragments, IPv4" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 10.77.2.10 7000
check_match "fragments, IPv6" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 fd77:0:0:2::10 7000
check "the underlay gets a smaller MTU" ip -n h1 link set u0 mtu 1400
ip -n h2 link set u0 mtu 1400
count_from 1 tx_too_big
check_match "IPv4, too big: fragmentation needed, with the MTU" "mtu ?= ?1344" \
	bash -c 'nsenter --net=/run/netns/c110 ping -M do -c 1 -W 5 -s 1400 10.77.2.10; true'
check_match "IPv6, too big: packet too big, with the MTU" "mtu ?= ?1344" \
	bash -c 'nsenter --net=/run/netns/c110 ping -M do -c 1 -W 5 -s 1360 fd77:0:0:2::10; true'
check_rose "... both counted" 1 tx_too_big 2
data 3000000
check "TCP crosses it, IPv4, by service" transfer c110 c210 10.96.0.1
check "TCP crosses it, IPv6, by service" transfer c110 c210 fd77:96::1

# A router on the underlay says what fits: the error finds the mesh's socket.
check "the underlay as before" ip -n h1 link set u0 mtu 1500
ip -n h2 link set u0 mtu 1500
check "a router with a narrow way on the underlay" in_ns under sysctl -qw net.ipv6.conf.all.forwarding=1
ip -n under addr add 2001:db8:2::fe/64 dev br0 nodad
ip -n under route add 2001:db8::/64 dev br0
ip -n under route add 2001:db8::12/128 dev br0 mtu 1380
in_ns h1 sysctl -qw net.ipv6.conf.u0.accept_redirects=0
ip -n h1 addr add 2001:db8:2::11/64 dev u0 nodad
ip -n h1 route add 2001:db8::12/128 via 2001:db8:2::fe dev u0
# From a container that has not learned the last one's.
learned() {
	in_ns c111 ping -M do -c 1 -W 1 -s 1380 10.77.2.10 2>&1 | grep -Eq "mtu ?= ?1324"
}
check "its error sets the path MTU of the tunnel" waitfor 3 learned
check "TCP crosses it, IPv4" transfer c110 c210 10.96.0.1
check "TCP crosses it, IPv6" transfer c110 c210 fd77:96::1
