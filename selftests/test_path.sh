#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The paths that packets take: TCP and UDP, inner IPv4 and IPv6, across hosts and
# on one host, directly and by service address; what the underlay carries; sizes.
# vm: -m 1536 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
check "a service on the other host" topo_service 1 far 1
check "its member" topo_member 1 far 210
check "a service on this host" topo_service 1 near 2
check "its member" topo_member 1 near 111
topo_serve 111 7000
topo_serve 210 7000

# What the client at VNI 110 hears: the server's name, and the address it saw.
path() {
	local name=$1 dst=$2 server=$3 src=$4 proto=${5-}
	check_match "$name" "^0 $server $src [0-9]+ 7000( hello)? " \
		in_ns c110 peer talk ${proto:+"$proto"} "$dst" 7000
}

a4=10.77.1.10 a6=fd77:0:0:1::10
for proto in "" -u; do
	word=TCP
	[ -z "$proto" ] || word=UDP
	path "$word, IPv4, remote, direct: the server sees the client" 10.77.2.10 210 $a4 $proto
	path "$word, IPv6, remote, direct: the server sees the client" fd77:0:0:2::10 210 $a6 $proto
	path "$word, IPv4, remote, service: the server sees the client" 10.96.0.1 210 $a4 $proto
	path "$word, IPv6, remote, service: the server sees the client" fd77:96::1 210 $a6 $proto
	path "$word, IPv4, local, direct: the server sees the client" 10.77.1.11 111 $a4 $proto
	path "$word, IPv6, local, direct: the server sees the client" fd77:0:0:1::11 111 $a6 $proto
	path "$word, IPv4, local, service: the server sees the client" 10.96.0.2 111 $a4 $proto
	path "$word, IPv6, local, service: the server sees the client" fd77:96::2 111 $a6 $proto
done
check_match "the host itself reaches a service" "^0 210 10.77.1.1 " \
	in_ns h1 peer talk 10.96.0.1 7000
check_match "... and a container elsewhere, over IPv6" "^0 210 fd77:0:0:1::1 " \
	in_ns h1 peer talk fd77:0:0:2::10 7000
check_match "ping, another protocol than TCP and UDP" " 0% packet loss" \
	in_ns c110 ping -c 1 -W 5 10.77.2.10
check_match "ping, IPv6" " 0% packet loss" in_ns c110 ping -c 1 -W 5 fd77:0:0:2::10

# What netfilter says in either container: the client talks to the service, the
# server is talked to by the client, and each packet belongs to that.
watch_nft() {
	local ns=$1 own=$2 port=$3 v4=$4 v6=$5
	in_ns "$ns" nft -f - <<-END
		table inet view {
			chain out {
				type filter hook output priority 0;
				tcp $own $port counter comment "all out"
				tcp $own $port ip daddr $v4 ct state new,established counter comment "out"
				tcp $own $port ip6 daddr $v6 ct state new,established counter comment "out"
			}
			chain in {
				type filter hook input priority 0;
				tcp $6 $port counter comment "all in"
				tcp $6 $port ip saddr $v4 ct state new,established counter comment "in"
				tcp $6 $port ip6 saddr $v6 ct state new,established counter comment "in"
			}
		}
	END
}
# Packets of the rules of that name.
seen_by() {
	in_ns "$1" nft -j list table inet view | jq "[.nftables[].rule |
		select(.comment == \"$2\").expr[].counter? | .packets // 0] | add"
}
views_agree() {
	local out in
	out=$(seen_by c110 "all out")
	in=$(seen_by c110 "all in")
	diag "$out packets there, $in back"
	[ "$out" -ge 8 ] && [ "$in" -ge 6 ] &&
		[ "$(seen_by c110 out) $(seen_by c110 in)" = "$out $in" ] &&
		[ "$(seen_by c111 "all in") $(seen_by c111 "all out")" = "$out $in" ] &&
		[ "$(seen_by c111 in) $(seen_by c111 out)" = "$out $in" ]
}
check "netfilter of the client looks for the service" watch_nft c110 dport 7000 10.96.0.2 fd77:96::2 sport
check "... of the server, for the client" watch_nft c111 sport 7000 $a4 $a6 dport
path "IPv4, by service" 10.96.0.2 111 $a4
path "IPv6, by service" fd77:96::2 111 $a6
check "each packet is of that, for either" waitfor 3 views_agree
in_ns c110 nft delete table inet view
in_ns c111 nft delete table inet view

# 100 MB through each path, while the underlay is watched.
data 100000000

# The first packets are enough for the decoder.
capture h1 u0 "$work/path.pcap" -c 200 udp port 6081
check "100 MB, TCP, IPv4, remote, same sha256" transfer c110 c210 10.96.0.1
capture_end
capture h1 u0 "$work/path6.pcap" -c 200 udp port 6081
check "100 MB, TCP, IPv6, remote, same sha256" transfer c110 c210 fd77:96::1
capture_end
check "100 MB, TCP, IPv4, local, same sha256" transfer c110 c111 10.96.0.2
check "100 MB, TCP, IPv6, local, same sha256" transfer c110 c111 fd77:96::2
rm -f "$work/data"

# One capture of both, behind one file header: tshark takes long to start.
tail -c +25 "$work/path6.pcap" >>"$work/path.pcap"
# Each as "outer-length,udp-port,mesh-id,inner-ethertype,inner-destination,".
check "tshark reads the capture" \
	tshark -r "$work/path.pcap" -T fields -E separator=, -E occurrence=l -e frame.len \
	-e udp.dstport -e geneve.vni -e geneve.proto_type -e ip.dst -e ipv6.dst
grep '^[0-9]' "$work/.output" >"$work/frames"
mesh='(77|0x0*4d)'
check_match "the underlay carries Geneve of mesh 77 with IPv4 inside" \
	"^[0-9]+,6081,$mesh,0x0800,10\.77\.2\.10,$" cat "$work/frames"
check_match "... and with IPv6 inside" \
	"^[0-9]+,6081,$mesh,0x86dd,192\.0\.2\.12,fd77:0:0:2::10$" cat "$work/frames"
check_is "... and nothing else" "" "$(grep -vE \
	"^[0-9]+,6081,$mesh,(0x0800,10\.77\.[12]\.10,|0x86dd,192\.0\.2\.1[12],fd77:0:0:[12]::10)$" \
	"$work/frames" | head -n 3)"
largest=$(cut -d , -f 1 "$work/frames" | sort -n | tail -n 1)
large "GSO is whole on the underlay" 20000 "${largest:-0}"

# What arrives, of one packet of 64 KB: one, or what GRO put together again after a
# wire, that no offload crosses.
data 10000000
arriving "a GSO packet crosses decapsulation whole" 60000 10.77.2.10
for addr in 10.96.0.2 fd77:96::2; do
	segments "on this host" c111 $addr
	check_is "... whole" 1 "$REPLY"
done
for addr in 10.96.0.1 fd77:96::1; do
	segments "across hosts" c210 $addr
	check_is "... whole" 1 "$REPLY"
	segments "... to one that takes single ones" c210 $addr -1
done
check "the underlay's devices without offloads" offloads off 1 2
arriving "GRO puts together what came as single packets, IPv4" 4000 10.96.0.1
arriving "... IPv6" 4000 fd77:96::1
for addr in 10.96.0.1 fd77:96::1; do
	segments "across a wire" c210 $addr
done
check "... with offloads again" offloads on 1 2
check "the sender's device segments" in_ns c110 ethtool -K vni110 tx-udp-segmentation off
for addr in 10.96.0.1 fd77:96::2; do
	ns=c210
	[ $addr = 10.96.0.1 ] || ns=c111
	segments "its stack does" $ns $addr -1
done
check "... and it does again" in_ns c110 ethtool -K vni110 tx-udp-segmentation on
rm -f "$work/data"

# The tools of the system.
check_match "ip -d link show" "vnimesh" ip -n c110 -d link show vni110
check_match "ip -s link: packets were counted" "^ +[1-9][0-9]{5,} +[1-9]" ip -n c110 -s link show vni110
stats=$(ip -n c110 -s link show vni110)
check_is "... and none were lost" "0 0" \
	"$(awk '/RX:|TX:/ { getline; print $3 + $4 }' <<<"$stats" | xargs)"
check "ip link set mtu" ip -n c110 link set vni110 mtu 1400
check_match "... is set" "mtu 1400" ip -n c110 link show vni110
check "ip link set mtu back" ip -n c110 link set vni110 mtu 1464
check "ip link set down" ip -n c111 link set vni111 down
check_match "a VNI that is down is unreachable" "^0 error (EHOSTUNREACH|ECONNREFUSED) " \
	bash -c 'nsenter --net=/run/netns/c110 peer talk 10.77.1.11 7000; true'
check "ip link set name" ip -n c111 link set vni111 name eth0
check "ip link set up" ip -n c111 link set eth0 up
ip -n c111 -batch - <<-END
	route replace 10.96.0.0/16 dev eth0 src 10.77.1.11
	addr replace fd77:0:0:1::11/48 dev eth0
END
path "... and it is reachable again" 10.77.1.11 111 $a4
check "ip link del" ip -n c111 link del eth0
check_fails "... is gone" ip -n c111 link show eth0
check_match "its record stays, down" '"link_up":false|"local":true' vnimesh -n h1 -j vni show 111

# ECN: RFC 6040.
capture h1 u0 "$work/ecn.pcap" -c 1 udp port 6081 and src 192.0.2.11
check "a packet with ECT(0)" in_ns c110 ping -c 1 -W 5 -Q 2 10.77.2.10
waitfor 3 captured "$work/ecn.pcap"
capture_end
check_match "the outer header has ECT(0)" "tos 0x2" tcpdump -v -n -r "$work/ecn.pcap"
topo_serve 110 7001
in_ns h2 geneve_inject -s 192.0.2.12 -d 192.0.2.11 -S 10.77.2.10 -D 10.77.1.10 -q 7001 -t 2 -T 3 -p marked
check "outer CE reaches the receiver of an ECT packet" \
	waitfor 2 grep -q "^udp 110 10.77.2.10 40000 7001 3 6$" "$work/serve110"
count_from 1 rx_ecn
in_ns h2 geneve_inject -s 192.0.2.12 -d 192.0.2.11 -S 10.77.2.10 -D 10.77.1.10 -q 7001 -t 0 -T 3 -p unmarked
check_rose "outer CE on a packet without ECT is dropped, counted" 1 rx_ecn 1
check_fails "... and not delivered" grep -q " 7001 . 8$" "$work/serve110"

# Sizes.
check_match "fragments, IPv4" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 10.77.2.10 7000
check_match "fragments, IPv6" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 fd77:0:0:2::10 7000
check_match "fragments to a service, IPv4" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 10.96.0.1 7000
check_match "fragments to a service, IPv6" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 fd77:96::1 7000
check "the underlay gets a smaller MTU" ip -n h1 link set u0 mtu 1400
ip -n h2 link set u0 mtu 1400
count_from 1 tx_too_big
check_match "IPv4, too big: fragmentation needed, with the MTU" "mtu ?= ?1364" \
	bash -c 'nsenter --net=/run/netns/c110 ping -M do -c 1 -W 5 -s 1400 10.77.2.10; true'
check_match "IPv6, too big: packet too big, with the MTU" "mtu ?= ?1364" \
	bash -c 'nsenter --net=/run/netns/c110 ping -M do -c 1 -W 5 -s 1380 fd77:0:0:2::10; true'
check_rose "... both counted" 1 tx_too_big 2
data 3000000
check "TCP crosses it, IPv4, by service" transfer c110 c210 10.96.0.1
check "TCP crosses it, IPv6, by service" transfer c110 c210 fd77:96::1
# The first one and the first answer tell the two ends of the path MTU.
crosses() { in_ns c110 peer burst -u -n 6 -l 4000 -t 2000 "$1" 7000 | grep -q "^[1-6]"; }
check "fragments cross it, IPv4" waitfor 2 crosses 10.77.2.10
check "... IPv6" waitfor 2 crosses fd77:0:0:2::10

check "deleting the mesh device deletes the VNIs" vnimesh -n h1 dev del mesh0
check_fails "... in other namespaces too" ip -n c110 link show vni110
