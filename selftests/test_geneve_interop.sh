#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The other end is the kernel's own geneve device, with innerprotoinherit: with a
# fixed remote and with routes that carry the tunnel (external, collect_md), over
# an IPv4 and an IPv6 underlay. Its path MTU is set by hand: its error lookup
# accepts inner Ethernet only, so it never learns one.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

# It may be built in.
modprobe geneve 2>/dev/null
ip link add probe type geneve id 1 remote 192.0.2.1 2>/dev/null || skip_all "no module geneve"
ip link del probe
check "a host" topo_up 1
check "a container" topo_container 110
check "a host without vnimesh" topo_plug hs 192.0.2.13
ip -n h1 addr add 2001:db8::11/64 dev u0 nodad
ip -n hs addr add 2001:db8::13/64 dev u0 nodad

# What mesh77 of host 1 knows of it.
check "its node" vnimesh -n h1 node add 3 underlay 192.0.2.13 prefix 10.77.3.0/24 \
	prefix fd77:0:0:3::/64
check "a service" topo_service 1 stock 1
check "served by it" topo_member 1 stock 310
# As much over IPv6, in a second mesh.
second() {
	vnimesh -n h1 dev add six mesh 78 node 1 vni 101 local 2001:db8::11 &&
		vnimesh -n h1 dev set six service-prefix 10.97.0.0/16 service-prefix fd78:97::/64 &&
		vnimesh -n h1 node set 1 dev six prefix 10.78.1.0/24 prefix fd78:0:0:1::/64 &&
		vnimesh -n h1 node add 3 dev six underlay 2001:db8::13 prefix 10.78.3.0/24 \
			prefix fd78:0:0:3::/64 &&
		ns_add c6 &&
		vnimesh -n h1 vni add 110 dev six netns c6 address 10.78.1.10/16 address fd78:0:0:1::10/48 &&
		vnimesh -n h1 service add stock dev six address 10.97.0.1 address fd78:97::1 &&
		vnimesh -n h1 vni add 310 dev six node 3 address 10.78.3.10 address fd78:0:0:3::10 &&
		vnimesh -n h1 member add stock dev six vni 310
}
check "a second mesh over IPv6, with the same" second

# stock DEV ID REMOTE NET: the device with a fixed remote
stock() {
	ip -n hs link add "$1" type geneve id "$2" remote "$3" innerprotoinherit dstport 6081 ttl 64 &&
		stock_up "$1" "$4" &&
		ip -n hs route add "10.$4.0.0/16" dev "$1" &&
		ip -n hs route add "fd$4::/48" dev "$1"
}
stock_up() {
	# No link-local address: a mesh has no use for what is sent from it.
	ip -n hs link set "$1" addrgenmode none &&
		ip -n hs link set "$1" mtu 1400 up &&
		ip -n hs addr add "10.$2.3.10/32" dev "$1" &&
		ip -n hs addr add "fd$2:0:0:3::10/128" dev "$1" nodad
}
# external: one device for both meshes, the routes say where to; over IPv6 a mesh
# takes nothing without a UDP checksum
external() {
	ip -n hs link add gx type geneve external innerprotoinherit dstport 6081 &&
		stock_up gx 77 && stock_up gx 78 &&
		ip -n hs route add 10.77.0.0/16 encap ip id 77 dst 192.0.2.11 ttl 64 dev gx src 10.77.3.10 &&
		ip -n hs route add fd77::/48 encap ip id 77 dst 192.0.2.11 ttl 64 dev gx src fd77:0:0:3::10 &&
		ip -n hs route add 10.78.0.0/16 encap ip6 id 78 dst 2001:db8::11 hoplimit 64 csum dev gx src 10.78.3.10 &&
		ip -n hs route add fd78::/48 encap ip6 id 78 dst 2001:db8::11 hoplimit 64 csum dev gx src fd78:0:0:3::10
}

start stock in_ns hs peer serve -v -n stock 7000
waitfor 2 says stock ready
start mesh4 in_ns c110 peer serve -v -n vni 7000
start mesh6 in_ns c6 peer serve -v -n vni 7000
waitfor 2 says mesh4 ready
waitfor 2 says mesh6 ready

head -c 5000000 /dev/urandom >"$work/data"
sum=$(sha256sum <"$work/data")
port=8000
transfer() {
	local from=$1 to=$2 dst=$3
	port=$((port + 1))
	: >"$work/recv.err"	# it says that the one before was ready
	in_ns "$to" peer recv $port 2>"$work/recv.err" | sha256sum >"$work/recv.sum" &
	waitfor 2 grep -q ready "$work/recv.err" || return
	in_ns "$from" timeout 120 peer send "$dst" $port <"$work/data" || return
	wait $!
	[ "$(<"$work/recv.sum")" = "$sum" ] || { cat "$work/recv.err" && return 1; }
}

# exchange WHAT NET CLIENT SERVICE4 SERVICE6
exchange() {
	local what=$1 net=$2 ns=$3 svc4=$4 svc6=$5 proto word
	local a4=10.$2.1.10 a6=fd$2:0:0:1::10 s4=10.$2.3.10 s6=fd$2:0:0:3::10
	for proto in -t9000 -u; do
		word=TCP
		[ $proto != -u ] || word=UDP
		check_match "$what: $word, IPv4, to it" "^0 stock $a4 " in_ns "$ns" peer talk $proto $s4 7000
		check_match "$what: $word, IPv6, to it" "^0 stock $a6 " in_ns "$ns" peer talk $proto $s6 7000
		check_match "$what: $word, IPv4, by tag" "^0 stock $a4 " in_ns "$ns" peer talk $proto $svc4 7000
		check_match "$what: $word, IPv6, by tag" "^0 stock $a6 " in_ns "$ns" peer talk $proto $svc6 7000
		check_match "$what: $word, IPv4, from it" "^0 vni $s4 " in_ns hs peer talk $proto -b $s4 $a4 7000
		check_match "$what: $word, IPv6, from it" "^0 vni $s6 " in_ns hs peer talk $proto -b $s6 $a6 7000
	done
	check "$what: 5 MB to it, IPv4, by tag" transfer "$ns" hs $svc4
	check "$what: 5 MB to it, IPv6" transfer "$ns" hs $s6
	check "$what: 5 MB from it, IPv4" transfer hs "$ns" $a4
	check "$what: 5 MB from it, IPv6" transfer hs "$ns" $a6
}

check "a geneve device" stock g4 77 192.0.2.11 77
check "... over IPv6" stock g6 78 2001:db8::11 78
exchange "fixed remote" 77 c110 10.96.0.1 fd77:96::1
exchange "fixed remote, over IPv6" 78 c6 10.97.0.1 fd78:97::1
ip -n hs link del g4
ip -n hs link del g6
check "one that takes the tunnel from the route" external
exchange "external" 77 c110 10.96.0.1 fd77:96::1
exchange "external, over IPv6" 78 c6 10.97.0.1 fd78:97::1
check_match "and ping" " 0% packet loss" in_ns hs ping -c 1 -W 5 -I 10.77.3.10 10.77.1.10
stats 1
for what in rx_malformed rx_foreign rx_bad_source rx_unknown_node port_malformed port_foreign; do
	stat $what
	check_is "nothing was counted as $what" 0 "$REPLY"
done
