#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: paths.sh [PACE-OPTION...]
#
# In the user mode kernel: four data paths from container to container across two
# hosts, side by side, and what a packet costs on each (see pace.c).
#
# Path P has the namespaces Pc (client's container), P1, P2 (hosts) and Ps
# (server's container). The hosts are joined by a veth pair, 192.0.2.11 and .12.
#   plain    container -veth- host -route- vxlan ... vxlan -route- host -veth- container
#   ipvs     the same, to a service address; host 1 has IPVS with masquerading
#   nft      the same; host 1 has nftables: verdict map, then DNAT, as kube-proxy does
#   vnimesh  a VNI in each container, service routed by the module
#   direct   the same two VNIs, by the server's own address
#   floor    sockets alone: client and server in one container, over lo
# With MTU 1500 underneath, 100-byte packets.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD:$PATH
vip=10.96.0.1 port=7000

host_pair() {
	local p=$1 ns
	for ns in c 1 2 s; do
		ip netns add "$p$ns"
		ip -n "$p$ns" link set lo up
	done
	ip -n "${p}1" link add u0 type veth peer name u0 netns "${p}2"
	ip -n "${p}1" addr add 192.0.2.11/24 dev u0
	ip -n "${p}2" addr add 192.0.2.12/24 dev u0
	ip -n "${p}1" link set u0 up
	ip -n "${p}2" link set u0 up
}

container() {
	local ns=$1 host=$2 n=$3
	ip -n "$host" link add "v$n" type veth peer name eth0 netns "$ns"
	ip -n "$host" addr add "10.1.$n.1/24" dev "v$n"
	ip -n "$host" link set "v$n" up
	ip -n "$ns" addr add "10.1.$n.2/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via "10.1.$n.1"
	ip netns exec "$host" sysctl -qw net.ipv4.ip_forward=1
}

vxlan() {
	local host=$1 n=$2 other=$3
	ip -n "$host" link add vx0 type vxlan id 7 local "192.0.2.1$n" \
		remote "192.0.2.1$other" dstport 4789 dev u0
	ip -n "$host" addr add "10.200.0.$n/24" dev vx0
	ip -n "$host" link set vx0 up
	ip -n "$host" route add "10.1.$other.0/24" via "10.200.0.$other"
}

plain() {
	host_pair "$1"
	container "$1c" "${1}1" 1
	container "$1s" "${1}2" 2
	vxlan "${1}1" 1 2
	vxlan "${1}2" 2 1
}

with_ipvs() {
	plain ipvs
	ip -n ipvs1 addr add $vip/32 dev lo
	ip netns exec ipvs1 ipvs $vip $port 10.1.2.2
}

with_nft() {
	plain nft
	ip netns exec nft1 nft -f - <<-END
		table ip nat {
			map services {
				type ipv4_addr . inet_proto . inet_service : verdict
				elements = { $vip . udp . $port : goto service }
			}
			chain endpoint {
				meta l4proto udp dnat to 10.1.2.2:$port
			}
			chain service {
				numgen random mod 1 vmap { 0 : goto endpoint }
			}
			chain prerouting {
				type nat hook prerouting priority dstnat;
				ip daddr . meta l4proto . th dport vmap @services
			}
		}
	END
}

mesh_host() {
	local n=$1 other=$2 ns=vnimesh$1
	vnimesh -n "$ns" dev add mesh0 mesh 77 node "$n" vni "${n}01" \
		local "192.0.2.1$n" address "10.77.$n.1/16"
	vnimesh -n "$ns" dev set mesh0 service-prefix 10.96.0.0/16
	vnimesh -n "$ns" node set "$n" prefix "10.77.$n.0/24"
	vnimesh -n "$ns" node add "$other" underlay "192.0.2.1$other" \
		prefix "10.77.$other.0/24"
}

with_vnimesh() {
	host_pair vnimesh
	mesh_host 1 2
	mesh_host 2 1
	vnimesh -n vnimesh1 vni add 110 dev mesh0 netns vnimeshc address 10.77.1.10/16
	vnimesh -n vnimesh2 vni add 210 dev mesh0 netns vnimeshs address 10.77.2.10/16
	vnimesh -n vnimesh1 vni add 210 node 2 address 10.77.2.10
	vnimesh -n vnimesh1 service add web address $vip
	vnimesh -n vnimesh1 member add web vni 210
}

insmod ../vnimesh.ko
insmod uml/pump/pump.ko
plain plain
with_ipvs
with_nft
with_vnimesh
ip netns add floor
ip -n floor link set lo up

pace "$@" plain,plainc,plains,10.1.2.2 ipvs,ipvsc,ipvss,$vip nft,nftc,nfts,$vip \
	vnimesh,vnimeshc,vnimeshs,$vip direct,vnimeshc,vnimeshs,10.77.2.10,7001 \
	floor,floor,floor,127.0.0.1
