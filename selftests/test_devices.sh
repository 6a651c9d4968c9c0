#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The devices' life: what newlink refuses and why, several meshes on one port, a
# VNI that moves between namespaces, deletion in either order.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "a container" topo_container 110
vn() { vnimesh -n h1 "$@"; }
# refuses NAME TEXT ARG...: and nothing is left of it
refuses() {
	local name=$1 text=$2 before
	shift 2
	before=$(links h1)
	check_match "$name" "$text" bash -c 'vnimesh -n h1 "$@" 2>&1; true' - "$@"
	check_is "... no device" "$before" "$(links h1)"
}
# Where sit is built in, each namespace has a sit0.
links() { ip -n "$1" -br link | cut -d ' ' -f 1 | grep -v '^sit0@' | xargs; }

refuses "the same mesh on the same port" "mesh-id" dev add m1 mesh 77 node 5 vni 501 local 192.0.2.11
refuses "an address that is not ours" "local: not an address of this host" \
	dev add m1 mesh 78 node 5 vni 501 local 192.0.2.99
start squatter in_ns h1 peer serve 6099
waitfor 3 says squatter ready
refuses "a port that somebody has" "port: in use" dev add m1 mesh 78 node 5 vni 501 local 192.0.2.11 port 6099
stop squatter
refuses "a VNI id that has a device" "vni" vni add 110 dev mesh0 name x1
refuses "an address that a VNI has" "addr" vni add 150 dev mesh0 name x1 address 10.77.1.10
refuses "an address in the service prefix" "addr" vni add 150 dev mesh0 name x1 address 10.96.0.1
refuses "an address of another node" "addr" vni add 150 dev mesh0 name x1 address 10.77.2.10
refuses "a name that is taken" "exist" vni add 150 dev mesh0 name u0 address 10.77.1.50
refuses "a VNI on a device that is none of ours" "" vni add 150 dev u0 name x1
refuses "a VNI on a VNI" "" vni add 150 dev vni110 name x1
check_fails "the mesh device does not move" ip -n h1 link set mesh0 netns c110
check "... still there" ip -n h1 link show mesh0

# Two meshes share the port, with the same inner addresses.
for n in 1 2; do
	check "host $n: another mesh on the same port, with the same addresses" vnimesh -n h$n dev add other mesh 78 node $n \
		vni ${n}01 local 192.0.2.1$n
	vnimesh -n h$n node set $n dev other prefix 10.77.$n.0/24
	vnimesh -n h$n node add $((3 - n)) dev other underlay 192.0.2.1$((3 - n)) prefix 10.77.$((3 - n)).0/24
done
ns_add o1 o2
check "a VNI of it here" vnimesh -n h1 vni add 110 dev other netns o1 address 10.77.1.10/16
check "... and there" vnimesh -n h2 vni add 210 dev other netns o2 address 10.77.2.10/16
check "the first mesh's VNI there" topo_container 210
start first in_ns c210 peer serve -n first 7000
start second in_ns o2 peer serve -n second 7000
waitfor 2 says first ready && waitfor 2 says second ready
check_match "the same addresses lead to the VNI of the own mesh" "^0 first 10.77.1.10 " in_ns c110 peer talk 10.77.2.10 7000
check_match "... in the other mesh too" "^0 second 10.77.1.10 " in_ns o1 peer talk 10.77.2.10 7000
check "the other mesh goes" vnimesh -n h1 dev del other
check_match "... the port stays, the first mesh works" "^0 first " in_ns c110 peer talk 10.77.2.10 7000
check_fails "... its VNI is gone" ip -n o1 link show vni110

# A VNI moves.
ns_add elsewhere
check "a VNI moves to another namespace" ip -n c110 link set vni110 netns elsewhere
ip -n elsewhere -batch - <<-END
	addr add 10.77.1.10/16 dev vni110
	addr add fd77:0:0:1::10/48 dev vni110
	link set vni110 up
END
check_match "... and works there" "^0 first 10.77.1.10 " in_ns elsewhere peer talk 10.77.2.10 7000
check_match "... ip knows its lower link" "vni110@" ip -n elsewhere link show vni110
check "... its namespace goes" ip netns del elsewhere
gone() { [ "$(vn -j vni show 110 | jq '.[0].link_up // false')" = false ]; }
check "the record stays, down" waitfor 10 gone
device_gone() { vn vni add 110 dev mesh0 netns c110 address 10.77.1.10/16 address fd77:0:0:1::10/48; }
check "the id can have a device again" waitfor 10 device_gone
check_match "... and works" "^0 first 10.77.1.10 " in_ns c110 peer talk 10.77.2.10 7000
check "a VNI is deleted by its id, wherever it is" vn vni del 110
check_fails "... device and all" ip -n c110 link show vni110
check_fails "... and record" vn vni show 110

# Underlay trouble.
check "a VNI again" topo_vni 110
check "the underlay goes down" ip -n h1 link set u0 down
count_from 1 tx_error
check_match "... a sender is told" "^0 error (EHOSTUNREACH|ENETUNREACH|ECONNREFUSED) $at_once" \
	bash -c 'nsenter --net=/run/netns/c110 peer talk -r 0 -t 20000 10.77.2.10 7000; true'
rose 1 tx_error
check "... counted ($REPLY)" [ "$REPLY" -ge 1 ]
check "... up again" ip -n h1 link set u0 up
check_match "... it works" "^0 first " in_ns c110 peer talk -t 20000 10.77.2.10 7000
# Routing the underlay through the mesh itself must not recurse.
count_from 1 tx_loop
check "the underlay is routed into the mesh" ip -n h1 route add 192.0.2.12/32 dev mesh0
in_ns c110 peer burst -u -n 3 -t 300 10.77.2.10 7000 >"$work/out"
rose 1 tx_loop
check "... seen as a loop ($REPLY)" [ "$REPLY" -ge 1 ]
check "... removed" ip -n h1 route del 192.0.2.12/32
check_match "... it works" "^0 first " in_ns c110 peer talk -t 20000 10.77.2.10 7000
check "the module unloads with everything in place" modprobe -r vnimesh
check_is "... no device is left" "lo lo u0@if2" "$(links c110) $(links h1 | sed 's/if[0-9]*/if2/')"
check "... loads again" modprobe vnimesh
check_is "the kernel did not complain" "" "$(dmesg | sed '1,/command starts/d' | grep -E 'BUG|WARNING|unregister_netdevice' | head -n 3)"
