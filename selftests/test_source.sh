#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packets that are not what they say: a spoofed inner source on this host and
# across hosts, strangers on the underlay, broken and foreign Geneve. Each is
# dropped, counted for what it is, and not delivered.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "three hosts" topo_up 3
check "four containers" topo_container 110 111 112 210
check "somebody on the underlay who is no node" topo_plug hx 192.0.2.99
check "a service" topo_service 1 web 1
topo_member 1 web 111
topo_serve 110 7000
topo_serve 111 7000

all=(rx_malformed rx_foreign rx_unknown_node rx_bad_source rx_no_vni rx_too_big rx_down rx_ecn
	tx_bad_source tx_unsupported tx_malformed tx_no_route tx_no_vni port_malformed port_foreign
	upcall no_agent)

# only NAME [COUNTER=N ]COUNTER N: COUNTER rose by N since count_from, nothing else did, and
# the server has seen nothing new.
only() {
	local name=$1 counter=$2 n=$3 what rose='' server=${4:-110}
	# It may not have been received yet.
	waitfor 2 has_risen 1 "${counter##* }" "$n" >/dev/null 2>&1
	stats 1
	for what in "${all[@]}"; do
		stat "$what"
		[ "$REPLY" = "${topo_count[$what]}" ] ||
			rose="$rose $what=$((REPLY - topo_count[$what]))"
	done
	check_is "$name: dropped, counted" " $counter=$n" "$rose"
	check_is "... not delivered" "$seen" "$(wc -l <"$work/serve$server")"
}
from_now() {
	count_from 1 "${all[@]}"
	seen=$(wc -l <"$work/serve${1:-110}")
}
# inject NAME COUNTER N ARG...: from host 2.
inject() {
	local name=$1 counter=$2 n=$3
	shift 3
	from_now
	in_ns h2 geneve_inject "$@"
	only "$name" "$counter" "$n"
}

# What is well-formed arrives.
check "a packet made by hand, sent" in_ns h2 geneve_inject
check "... arrives" waitfor 2 grep -q "^udp 110 10.77.2.10 40000 7000" "$work/serve110"
check "IPv6, sent" in_ns h2 geneve_inject -S fd77:0:0:2::10 -D fd77:0:0:1::10
check "... arrives" waitfor 2 grep -q "^udp 110 fd77:0:0:2::10 40000 7000" "$work/serve110"
check "with options that nobody needs, sent" in_ns h2 geneve_inject -O 3 -p optional
check "... arrives" waitfor 2 grep -q "^udp 110 10.77.2.10 40000 7000 . 8$" "$work/serve110"
check "with the most options there can be, sent" in_ns h2 geneve_inject -O 63 -p most
check "... arrives" waitfor 2 grep -q "^udp 110 10.77.2.10 40000 7000 . 4$" "$work/serve110"

# Across hosts.
inject "inner source of a third node" rx_bad_source 1 -S 10.77.3.10
inject "... IPv6" rx_bad_source 1 -S fd77:0:0:3::10 -D fd77:0:0:1::10
inject "inner source of the receiving host itself" rx_bad_source 1 -S 10.77.1.11
inject "... of the very target" rx_bad_source 1 -S 10.77.1.10
inject "inner source of no node" rx_bad_source 1 -S 8.8.8.8
inject "inner source that is a service" rx_bad_source 1 -S 10.96.0.1
inject "inner source multicast" rx_bad_source 1 -S 224.0.0.1
inject "inner source link-local" rx_bad_source 1 -S fe80::1 -D fd77:0:0:1::10
inject "inner source unspecified" rx_bad_source 1 -S 0.0.0.0
inject "inner source loopback" rx_bad_source 1 -S 127.0.0.1
from_now
in_ns hx geneve_inject
only "an address on the underlay that is no node" rx_unknown_node 1
from_now
in_ns h3 geneve_inject
only "another node's inner source" rx_bad_source 1
inject "an inner destination that is not here" rx_no_vni 1 -D 10.77.1.77
inject "... of another node" rx_no_vni 1 -D 10.77.3.10
inject "... a service address: replies of no flow" rx_no_vni 1 -D 10.96.0.1

# Broken and foreign Geneve.
inject "cut at every length up to the full headers" "rx_malformed=28 port_malformed" 8 -X 35
inject "an inner IPv6 header cut" rx_malformed 1 -S fd77:0:0:2::10 -D fd77:0:0:1::10 -x 40
inject "options that are cut" rx_malformed 1 -O 20 -x 50
inject "version 1" rx_malformed 1 -V 1
inject "the control bit" rx_foreign 1 -o
inject "the critical bit" rx_foreign 1 -c
inject "a critical option" rx_foreign 1 -O 2 -c -C
inject "inner Ethernet" rx_foreign 1 -P 0x6558
inject "an unknown inner protocol" rx_foreign 1 -P 0x88b5
inject "another mesh" port_foreign 1 -m 78
inject "mesh 0" port_foreign 1 -m 0
inject "IPv6 said to be IPv4" rx_malformed 1 -S fd77:0:0:2::10 -D fd77:0:0:1::10 -P 0x0800
inject "IPv4 said to be IPv6" rx_malformed 1 -P 0x86dd
inject "an inner length beyond the packet" rx_malformed 1 -L 2000
inject "an inner length within the header" rx_malformed 1 -L 12
inject "larger than the MTU of the target" rx_too_big 1 -p "$(printf '%01460d' 0)"
from_now
check "the target is down" ip -n c110 link set vni110 down
in_ns h2 geneve_inject
only "a target that is down" rx_down 1
check "... up again" ip -n c110 link set vni110 up

# On this host: a container gives itself addresses of others.
ip -n c110 -batch - <<-END
	addr add 10.77.1.12/32 dev vni110
	addr add fd77:0:0:1::12/128 dev vni110
	addr add 10.77.2.10/32 dev vni110
	addr add 198.51.100.1/32 dev vni110
	addr replace fd77:0:0:1::10/48 dev vni110
	route replace 10.96.0.0/16 dev vni110
END
# spoof NAME SOURCE TARGET
spoof() {
	local name=$1 src=$2 dst=$3
	from_now 111
	in_ns c110 peer burst -u -n 1 -t 100 -b "$src" "$dst" 7000 >"$work/out"
	only "$name" tx_bad_source 1 111
	from_now 111
	in_ns c110 peer talk -t 200 -b "$src" "$dst" 7000 >"$work/out"
	stat_of 1 tx_bad_source
	check "... TCP too" [ "$REPLY" -gt "${topo_count[tx_bad_source]}" ]
}
spoof "source of another container of this host, to a third" 10.77.1.12 10.77.1.11
spoof "... IPv6" fd77:0:0:1::12 fd77:0:0:1::11
spoof "... to the other host" 10.77.1.12 10.77.3.1
spoof "source of a container of another host" 10.77.2.10 10.77.1.11
spoof "source that is nobody's" 198.51.100.1 10.77.1.11
spoof "... to a service" 198.51.100.1 10.96.0.1
check "the host forwards" in_ns h1 sysctl -q net.ipv4.ip_forward=1
from_now 111
in_ns h1 ip addr add 203.0.113.5/32 dev lo
in_ns h1 peer burst -u -n 1 -t 100 -b 203.0.113.5 10.77.1.11 7000 >"$work/out"
only "a source that the host did not masquerade" tx_bad_source 1 111

# What has no place in the mesh.
from_now 111
in_ns c110 ping -c 1 -W 1 -I vni110 224.0.0.1 >"$work/out" 2>&1
only "multicast" tx_unsupported 1 111
check "a way to what is link-local" ip -n c110 route add fe80::/64 dev vni110
for dst in ff02::1 ff0e::1 fe80::1; do
	from_now 111
	in_ns c110 ping -c 1 -W 1 -I vni110 $dst >"$work/out" 2>&1
	only "... and link-local, IPv6: $dst" tx_unsupported 1 111
done
from_now 111
in_ns c110 ping -c 1 -W 1 -I 10.77.1.10 10.77.99.1 >"$work/out" 2>&1
only "a destination that no node owns" tx_no_route 1 111
check_match "... tells the sender" "Destination Host Unreachable" cat "$work/out"
from_now 111
in_ns c110 ping -c 1 -W 1 -I 10.77.1.10 10.77.1.99 >"$work/out" 2>&1
only "a destination of this host that no VNI has" tx_no_vni 1 111
check_match "... tells the sender" "Destination Host Unreachable" cat "$work/out"
check_match "and all still works" "^0 111 10.77.1.10 " in_ns c110 peer talk -b 10.77.1.10 10.96.0.1 7000
