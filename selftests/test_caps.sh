#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As many rows as a mesh takes: the next one is refused, by name, and counted; what
# is there works, and one that goes makes room for one.
# vm: -m 1536 -t 900
# uml: -m 768 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "two containers" topo_container 110 210
check "a service" topo_service 1 web 1
check "its member" topo_member 1 web 210
topo_serve 210 7000
ifindex=$(vnimesh -n h1 -j dev show mesh0 | jq '.[0].ifindex')
vn() { vnimesh -n h1 "$@"; }
fails() { ! "$@"; }

# full WHAT, when it is: add N adds one more, del deletes one that is there.
full() {
	local what=$1
	count_from 1 no_resource
	check_match "one more: refused" "too many $what" fails add 1
	check_rose "... and counted" 1 no_resource 1
	check "one goes" del
	check "... another one comes" add 1
	check_match "... and that is all" "too many $what" fails add 2
	check_match "what is there works" "^0 210 " in_ns c110 peer talk -r 0 -t 20000 10.96.0.1 7000
}

# up_to WHAT N: rows alone, so many that there are N.
up_to() {
	local what=$1 n=$2
	stat_of 1 "$what"
	check "$n $what" in_ns h1 fill "$ifindex" "$what" $((n - REPLY))
	stat_of 1 "$what"
	check_is "... so many are counted" "$n" "$REPLY"
}

check "10 services with 1024 members each" in_ns h1 fill "$ifindex" 2 10.77.2.10 10240
add() { vn member add s0 vni "21$1"; }
del() { vn member del s0 vni 100000; }
vn vni add 211 node 2 address 10.77.2.11
vn vni add 212 node 2 address 10.77.2.12
full members

up_to nodes 16384
add() { vn node add "90$1" underlay "203.0.113.$1"; }
del() { vn node del 1001; }
full nodes

up_to vnis 131072
add() { vn vni add "29999$1" node 2; }
del() { vn vni del 300000; }
full VNIs
check_match "a container more: refused" "too many VNIs" fails topo_container 111

up_to services 65536
add() { vn service add "more$1" address "10.96.0.9$1"; }
del() { vn service del t0; }
full services

check "all of them go with the mesh" vnimesh -n h1 -timeout $((10 * VNIMESH_SLOW))s dev del mesh0
