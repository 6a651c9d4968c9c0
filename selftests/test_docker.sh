#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Containers that have no VNI, on a bridge of the host as Docker makes it: they
# reach the mesh as the host itself, by masquerading (Documentation/datapath.md).
# TCP, UDP, ICMP errors, path MTU; what is not masqueraded is refused.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "a container with a VNI on the other" topo_container 210
check "a service there" topo_service 1 web 1 port tcp/80:7000 port udp/80:7000
check "its member" topo_member 1 web 210
check "a service without a member" topo_service 1 none 2
topo_serve 210 7000

rules() {
	in_ns h1 nft -f - <<-'END'
		table inet docker {
			chain post {
				type nat hook postrouting priority srcnat;
				oifname "mesh0" ip saddr 172.17.0.0/16 masquerade
				oifname "mesh0" ip6 saddr fd17::/64 masquerade
			}
		}
	END
}
bridge() {
	ip -n h1 link add docker0 up type bridge forward_delay 0 &&
		ip -n h1 addr add 172.17.0.1/16 dev docker0 &&
		ip -n h1 addr add fd17::1/64 dev docker0 nodad &&
		in_ns h1 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}
box() {
	ns_add "$1"
	ip -n h1 link add "v$1" type veth peer name eth0 netns "$1" &&
		ip -n h1 link set "v$1" master docker0 up &&
		ip -n "$1" addr add "172.17.0.$2/16" dev eth0 &&
		ip -n "$1" addr add "fd17::$2/64" dev eth0 nodad &&
		ip -n "$1" link set eth0 up &&
		ip -n "$1" route add default via 172.17.0.1 &&
		ip -n "$1" route add default via fd17::1
}
check "a bridge" bridge
check "two containers on it" box d1 2
box d2 3

# Before there is a rule.
count_from 1 tx_bad_source
in_ns d1 peer burst -u -n 3 -t 200 10.77.2.10 7000 >"$work/out"
check_rose "a source that is not masqueraded is refused, counted" 1 tx_bad_source 3
count_from 1 tx_bad_source
in_ns d1 peer burst -u -n 3 -t 200 fd77:96::1 80 >"$work/out"
check_rose "... IPv6, to a service" 1 tx_bad_source 3
check_fails "... and not delivered" grep -q "^udp" "$work/serve210"

check "masquerading" rules
# conntrack remembers the first try for as long as it goes on.
for ns in d1 d2; do
	for proto in "" -u; do
		word=TCP
		[ -z "$proto" ] || word=UDP
		check_match "$ns: $word, IPv4, direct: the server sees the host" "^0 210 10.77.1.1 " \
			in_ns $ns peer talk ${proto:+"$proto"} 10.77.2.10 7000
		check_match "$ns: $word, IPv6, direct" "^0 210 fd77:0:0:1::1 " \
			in_ns $ns peer talk ${proto:+"$proto"} fd77:0:0:2::10 7000
		check_match "$ns: $word, IPv4, by tag" "^0 210 10.77.1.1 " \
			in_ns $ns peer talk ${proto:+"$proto"} 10.96.0.1 80
		check_match "$ns: $word, IPv6, by tag" "^0 210 fd77:0:0:1::1 " \
			in_ns $ns peer talk ${proto:+"$proto"} fd77:96::1 80
	done
done
check_match "both from one source port" "^0 210 10.77.1.1 " \
	in_ns d1 peer talk -p 41000 10.96.0.1 80
check_match "..." "^0 210 10.77.1.1 " in_ns d2 peer talk -p 41000 10.96.0.1 80
check_match "ping" " 0% packet loss" in_ns d1 ping -c 1 -W 5 10.77.2.10
check_match "ping, IPv6" " 0% packet loss" in_ns d1 ping -c 1 -W 5 fd77:0:0:2::10

fails() { ! "$@"; }
# no NAME ERROR ARG...: the client is told, within seconds.
no() {
	local name=$1 error=$2
	shift 2
	check_match "$name" "^0 error $error " fails in_ns d1 peer talk -t 20000 "$@"
}
no "TCP to a closed port: reset" ECONNREFUSED 10.77.2.10 9
no "UDP to a closed port: ICMP" ECONNREFUSED -u 10.77.2.10 9
no "... IPv6" ECONNREFUSED -u fd77:0:0:2::10 9
no "TCP to a port that the service has not: reset" ECONNREFUSED 10.96.0.1 81
no "... IPv6" ECONNREFUSED fd77:96::1 81
no "UDP to a port that the service has not: ICMP" ECONNREFUSED -u 10.96.0.1 81
no "... IPv6" ECONNREFUSED -u fd77:96::1 81
no "nobody serves it: reset" ECONNREFUSED 10.96.0.2 80
no "nobody serves it, UDP: ICMP" ECONNREFUSED -u 10.96.0.2 80

# Path MTU: the bridge's is larger than the mesh's, the underlay's smaller yet.
ping_says() {
	check_match "$1" "$2" bash -c 'nsenter --net=/run/netns/d1 "$@"; true' bash "${@:3}"
}
ping_says "too big for the mesh device: told its MTU" "mtu ?= ?1464" \
	ping -M do -c 1 -W 5 -s 1450 10.77.2.10
ping_says "... IPv6" "mtu ?= ?1464" ping -M do -c 1 -W 5 -s 1430 fd77:0:0:2::10
check "the underlay gets narrower" bash -c '
	for n in 1 2; do ip -n h$n link set u0 mtu 1400 || exit; done'
ping_says "too big for the underlay: told what fits" "mtu ?= ?1364" \
	ping -M do -c 1 -W 5 -s 1400 10.77.2.10
ping_says "... IPv6" "mtu ?= ?1364" ping -M do -c 1 -W 5 -s 1380 fd77:0:0:2::10

head -c 3000000 /dev/urandom >"$work/data"
sum=$(sha256sum <"$work/data")
check "a service for the transfer" topo_service 1 data 3
topo_member 1 data 210
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
check "TCP crosses it, IPv4, by tag" transfer d1 c210 10.96.0.3
check "TCP crosses it, IPv6, by tag" transfer d2 c210 fd77:96::3
check "... direct" transfer d2 c210 10.77.2.10

# What was masqueraded is no more.
check "without the rule" in_ns h1 nft flush ruleset
count_from 1 tx_bad_source
in_ns d2 peer burst -u -n 2 -t 200 10.77.2.10 7000 >"$work/out"
check_rose "new ones are refused again, counted" 1 tx_bad_source 2
