#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What traffic may take: the flow table and each VNI's share of it, places to
# wait for an answer, and what goes when a container goes. And what traffic must
# live through: an underlay that is gone for a moment.
# vm: -m 1024 -t 300
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
# A table of 64: fewer buckets than the module has locks.
check "a small flow table on host 1" bash -c 'vnimesh -n h1 dev del mesh0 &&
	vnimesh -n h1 dev add mesh0 mesh 77 node 1 vni 101 local 192.0.2.11 flow-max 64 \
		address 10.77.1.1/16 address fd77:0:0:1::1/48'
vnimesh -n h1 dev set mesh0 service-prefix $prefix4 service-prefix $prefix6
vnimesh -n h1 node set 1 prefix 10.77.1.0/24 prefix fd77:0:0:1::/64
check "its nodes again" topo_node 1 2
check "three containers" topo_container 110 111 210
check "a service" topo_service 1 web 1
check "its member" topo_member 1 web 210
topo_serve 210 7000

flows() { REPLY=$(vnimesh -n h1 -j flow show | jq "[.[] | select(.src == \"10.77.1.$1\")] | length"); }
open_flow() {
	mkfifo "$work/$1.in"
	nsenter "--net=/run/netns/$2" peer talk -i -r 1 -t 30000 10.96.0.1 7000 \
		<"$work/$1.in" >"$work/$1" 2>&1 &
	defer kill "$!"
	eval "exec $3>\"$work/$1.in\""
	waitfor 5 grep -q open "$work/$1"
}
rounds() { grep -c '^round ok' "$work/$1"; }
more_rounds() { [ "$(rounds "$1")" -gt "$2" ]; }
goes_on() {
	local before
	before=$(rounds "$1")
	echo >&"$2"
	waitfor 10 more_rounds "$1" "$before" && ! grep -q '^round [0-9]' "$work/$1"
}

check "a connection is opened and held" open_flow held c111 8

# One container wants all.
count_from 1 flow_share
start greedy in_ns c110 peer talk -i -r 1 -t 20000 10.96.0.1 7000x60
waitfor 20 grep -q . "$work/greedy"
check "one container opens 60 connections" waitfor 30 grep -q '^59 ' "$work/greedy"
flows 10
check "... it gets its share of the table ($REPLY of 64)" [ "$REPLY" -le 33 ]
check "... and not less than a quarter" [ "$REPLY" -ge 16 ]
rose 1 flow_share
check "... the others are refused and counted ($REPLY)" [ "$REPLY" -ge 20 ]
check_match "a neighbour still connects" "^0 210 " in_ns c111 peer talk 10.96.0.1 7000
check "... and the held connection goes on" goes_on held 8

# Both at once, on both CPUs, through chains that are shared.
start flood1 in_ns c110 peer flood 10.96.0.1 7000 10.77.2.10 7000
start flood2 in_ns c111 peer flood 10.96.0.1 7000 10.77.2.10 7000
nap 3
stop flood1
stop flood2
stat_of 1 flows
check "two floods: the table keeps its bound ($REPLY)" [ "$REPLY" -le 64 ]
stat_of 1 flow_new
check "... though others were made ($REPLY)" [ "$REPLY" -ge 10 ]
check "... the held connection goes on" goes_on held 8

# A container dies without a word.
stop greedy
flows 10
check "the first container has flows ($REPLY)" [ "$REPLY" -gt 0 ]
check "it is deleted" vnimesh -n h1 vni del 110
flows 10
check_is "... and its flows with it" 0 "$REPLY"
check "... and nobody else's" goes_on held 8

# The underlay is gone for a moment, and its route with it.
count_from 1 tx_error
ip -n h1 link set u0 down
echo >&8
waitfor 3 has_risen 1 tx_error 1
rose 1 tx_error
check "without an underlay packets are lost and counted ($REPLY)" [ "$REPLY" -ge 1 ]
before=$(rounds held)
ip -n h1 link set u0 up
check "... an established connection lives through that" waitfor 20 more_rounds held "$((before - 1))"
check "... and goes on" goes_on held 8

# Places to wait: one VNI never has all.
check "another container" topo_container 112
agent -a never
count_from 1 hold hold_overflow
start scan in_ns c112 bash -c 'for i in {1..120}; do : >/dev/udp/10.96.2.$i/7 2>/dev/null; echo x >/dev/udp/10.96.2.$i/7; done'
check_match "beside a container that asks for everything, a neighbour's question waits" \
	"^0 error ECONNREFUSED ([4-9][0-9]{2}|[0-9]{4,}) ms" \
	bash -c 'nsenter --net=/run/netns/c111 peer talk -t 20000 10.96.3.1 7000; true'
