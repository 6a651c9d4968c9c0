#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Path MTU: an underlay that narrows behind a router tells the host, and the host
# tells the sender, inside; to a service as directly, IPv4 and IPv6, from a
# container and from behind the host's own VNI; TCP never hangs; what IPv6 cannot
# be told is cut outside; a target with a smaller MTU.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
services() {
	topo_service 1 far 1 && topo_member 1 far 210 &&
		topo_service 1 near 2 && topo_member 1 near 111
}
check "services" services
topo_serve 111 7000
topo_serve 210 7000

# A router between the hosts, whose way on has MTU $1.
topo_plug router 192.0.2.254
in_ns router sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
	net.ipv4.conf.u0.send_redirects=0
ip -n h1 route add 192.0.2.12/32 via 192.0.2.254
ip -n h2 route add 192.0.2.11/32 via 192.0.2.254
narrow() {
	ip -n router route replace 192.0.2.12/32 dev u0 mtu lock "$1" &&
		ip -n router route replace 192.0.2.11/32 dev u0 mtu lock "$1"
}
# Both hosts and the containers forget what they learnt.
relearn() {
	local ns
	for ns in h1 h2 c110 c111 c210; do
		ip -n "$ns" route flush cache
		ip -n "$ns" -6 route flush cache
	done
}

# How long to wait for what may have been lost.
patience=$((200 * VNIMESH_SLOW))
# The first is lost on the way and teaches the host, the second its sender.
learns() {
	local name=$1 want=$2 dst=$3 size=$4 ns=${5-c110} i
	for i in 1 2 3 4 5; do
		in_ns "$ns" icmperr ask -t $patience -l "$size" "$dst" 7000 >"$work/out" 2>&1
		! grep -q EMSGSIZE "$work/out" || break
	done
	check_match "$name" "$want" cat "$work/out"
}
check "the underlay narrows to 1400" narrow 1400
count_from 1 tx_too_big
learns "direct, IPv4: the socket learns 1364" "EMSGSIZE type 3 code 4 .* to 10.77.2.10 7000 mtu 1364 " 10.77.2.10 1400
check_match "... the host's route has the underlay's" "mtu (lock )?1400" \
	in_ns h1 ip route get 192.0.2.12
learns "service, IPv4: the socket learns 1364" "EMSGSIZE type 3 code 4 .* to 10.96.0.1 7000 mtu 1364 " 10.96.0.1 1400
learns "direct, IPv6: the socket learns 1364" "EMSGSIZE type 2 code 0 .* to fd77:0:0:2::10 7000 mtu 1364 " fd77:0:0:2::10 1400
learns "service, IPv6: the socket learns 1364" "EMSGSIZE type 2 code 0 .* to fd77:96::1 7000 mtu 1364 " fd77:96::1 1400
rose 1 tx_too_big
check "... counted ($REPLY)" [ "$REPLY" -ge 4 ]
check_match "what fits arrives" "^answer 210" in_ns c110 icmperr ask -l 1300 10.96.0.1 7000
check_match "ping -M do" "mtu ?= ?1364" \
	bash -c 'nsenter --net=/run/netns/c110 ping -M do -c 1 -W 5 -s 1400 10.77.2.10; true'
check_match "ping -M do of what fits" " 0% packet loss" \
	in_ns c110 ping -M do -c 1 -W 5 -s 1336 10.77.2.10
for dst in 10.77.2.10 10.96.0.1; do
	check_match "tracepath $dst: 1364 bytes, and there" "pmtu 1364" \
		in_ns c110 tracepath -n -m 3 -p 7100 "$dst"
done
for dst in fd77:0:0:2::10 fd77:96::1; do
	check_match "tracepath $dst: 1364 bytes, and there" "pmtu 1364" \
		in_ns c110 tracepath -6 -n -m 3 -p 7100 "$dst"
done
# The answers have to teach their host and their sender, too: one after the other,
# as what is sent before the news arrives is lost.
answered() {
	local i
	for i in 1 2 3 4 5; do
		! in_ns c110 peer burst -u -n 1 -l 4000 -t $patience 10.96.0.1 7000 || return 0
	done
	return 1
}
check "datagrams that may be cut, IPv4, are answered when both ends know" answered
check_match "... all of them" "^6$" in_ns c110 peer burst -u -n 6 -l 4000 10.96.0.1 7000

# TCP while the way narrows under it.
data 1000000
relearn
for mtu in 1300 1000 700; do
	check "the underlay narrows to $mtu" narrow $mtu
	check "TCP crosses it, service, IPv4" transfer c110 c210 10.96.0.1
	check "TCP crosses it, service, IPv6" transfer c110 c210 fd77:96::1
	check "TCP crosses it, the other way, IPv4" transfer c210 c110 10.77.1.10
	check "TCP crosses it, the other way, IPv6" transfer c210 c110 fd77:0:0:1::10
done
rose 1 tx_too_big
check "... the senders were told ($REPLY)" [ "$REPLY" -gt 4 ]

# Below 1280 bytes inside, IPv6 cannot be told: the outer packet is cut.
count_from 1 tx_outer_fragment
check_match "IPv6, 1280 bytes over an underlay of 700" " 0% packet loss" \
	in_ns c110 ping -c 1 -W 5 -s 1232 fd77:0:0:2::10
rose 1 tx_outer_fragment
check "... in outer fragments, counted" [ "$REPLY" -ge 1 ]
check_match "... one byte more is too big" "mtu ?= ?1280" \
	bash -c 'nsenter --net=/run/netns/c110 ping -M do -c 1 -W 5 -s 1233 fd77:0:0:2::10; true'
check "the underlay is wide again" narrow 1500
relearn

# A target with a smaller MTU: on this host the sender is refused, from another
# the target's host answers.
ip -n c111 link set vni111 mtu 1300
check_match "a smaller target on this host" "EMSGSIZE .* to 10.96.0.2 7000 mtu 1300 " \
	bash -c 'nsenter --net=/run/netns/c110 icmperr ask -l 1400 10.96.0.2 7000; true'
check_match "... IPv6" "EMSGSIZE .* to fd77:96::2 7000 mtu 1300 " \
	bash -c 'nsenter --net=/run/netns/c110 icmperr ask -l 1400 fd77:96::2 7000; true'
ip -n c210 link set vni210 mtu 1300
count_from 2 rx_too_big icmp_answer
check_match "a smaller target on another: its host says so, about the service" \
	"EMSGSIZE type 3 code 4 from 10.77.2.1 to 10.96.0.1 7000 mtu 1300 " \
	in_ns c110 icmperr ask -l 1400 10.96.0.1 7000
check_match "... IPv6" "EMSGSIZE type 2 code 0 from fd77:0:0:2::1 to fd77:96::1 7000 mtu 1300 " \
	in_ns c110 icmperr ask -l 1400 fd77:96::1 7000
check_rose "... counted" 2 rx_too_big 2
check_rose "... and answered" 2 icmp_answer 2
check "TCP to the smaller target" transfer c110 c210 10.96.0.1
check "... IPv6" transfer c110 c210 fd77:96::1
ip -n c210 link set vni210 mtu 1464

# Who is behind the host's own VNI, by masquerading.
ns_add inner
ip -n inner link add e0 type veth peer name inner netns h1
ip -n inner -batch - <<-END
	addr add 172.20.0.2/24 dev e0
	link set e0 up
	route add default via 172.20.0.1
END
ip -n h1 -batch - <<-END
	addr add 172.20.0.1/24 dev inner
	link set inner up
END
in_ns h1 sysctl -q -w net.ipv4.ip_forward=1
in_ns h1 nft -f - <<-END
	table ip nat { chain post { type nat hook postrouting priority srcnat;
		oifname mesh0 ip saddr 172.20.0.0/24 masquerade; }; }
END
check_match "from behind the host's VNI" "^0 210 10.77.1.1 " in_ns inner peer talk 10.96.0.1 7000
check "the underlay narrows to 1200" narrow 1200
relearn
ip -n inner route flush cache
learns "who is forwarded learns the MTU" "EMSGSIZE .* to 10.96.0.1 7000 mtu 1164 " 10.96.0.1 1400 inner
ip -n inner route flush cache
check "... TCP from there" transfer inner c210 10.96.0.1
