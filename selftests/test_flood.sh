#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One container floods: SYNs from random ports that nobody answers, and SYNs that
# are answered. The memory of the flow table keeps its bound, established
# connections go on, a neighbour's new ones succeed, and the counters say what
# happened. VNIMESH_FLOOD: how many; `make soak` sends a million.
# vm: -m 1024 -t 900
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

packets=${VNIMESH_FLOOD:-50000}
answered=$((packets / 3)) # each costs four packets
table=16384
all_tries=0

check "two hosts" topo_up 2
check "a flow table of $table on host 1" bash -c "vnimesh -n h1 dev del mesh0 &&
	vnimesh -n h1 dev add mesh0 mesh 77 node 1 vni 101 local 192.0.2.11 flow-max $table \
		address 10.77.1.1/16 address fd77:0:0:1::1/48"
vnimesh -n h1 dev set mesh0 service-prefix $prefix4 service-prefix $prefix6
vnimesh -n h1 node set 1 prefix 10.77.1.0/24 prefix fd77:0:0:1::/64
check "its nodes again" topo_node 1 2
check "four containers" topo_container 110 111 210 211
check "a service" topo_service 1 web 1
check "... with a member" topo_member 1 web 210
check "a service that is silent" topo_service 1 silent 2
check "... with a member" topo_member 1 silent 211
ip -n c211 route replace blackhole 10.77.1.0/24
topo_serve 210 7000

# open_flow NAME NETNS FD [OPTION...]
open_flow() {
	mkfifo "$work/$1.in"
	nsenter "--net=/run/netns/$2" peer talk -i -r 1 -t 60000 "${@:4}" 10.96.0.1 7000 \
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

check "a neighbour's connection is open" open_flow held c111 8
# At a port that the flood, of random ones above 1023, leaves alone.
check "... and one of the container that will flood" open_flow own c110 9 -p 900

limit=$((table * 5 / 4 * 320 / 1024 + 16384))
! checks_itself || limit=$((limit * 3))
slab() { REPLY=$(awk '/^SUnreclaim:/ { print $2 }' /proc/meminfo); }

# flood NAME ADDR N: from container 110, with the neighbour at work meanwhile.
flood() {
	local name=$1 addr=$2 packets=$3 most=0 used before good=0 tries=0 out
	slab
	before=$REPLY
	used=$before
	count_from 1 flow_new flow_early_drop flow_share flow_full flow_expired flow_reused
	start flood in_ns c110 rawflood -n "$packets" -S 10.77.1.10 "$addr" 7000
	while kill -0 "${pids[flood]}" 2>/dev/null; do
		tries=$((tries + 1))
		out=$(in_ns c111 peer talk -r 1 -t 30000 10.96.0.1 7000)
		if [[ $out == "0 210 "* ]]; then
			good=$((good + 1))
		else
			diag "$out"
			vnimesh -n h1 -s dev show mesh0 | sed 's/^/# /'
		fi
		stat_of 1 flows
		[ "$REPLY" -le "$most" ] || most=$REPLY
		slab
		[ "$REPLY" -le "$used" ] || used=$REPLY
	done
	wait "${pids[flood]}"
	diag "$name: $(cat "$work/flood")"
	check "$name: the flood was sent" grep -q "^sent $packets " "$work/flood"
	check "... and the neighbour tried meanwhile ($tries)" [ "$tries" -ge 1 ]
	check_is "... each of its new connections succeeded" "$tries" "$good"
	check "... its established one goes on" goes_on held 8
	check "... and that of the container itself" goes_on own 9
	check "... the table kept its bound ($most of $table)" [ "$most" -le $table ]
	# A VNI may have half of what others leave, so half of their flows is in the
	# sum: one for each try, which closes for a minute.
	all_tries=$((all_tries + tries))
	check "... half of it stayed free for others ($all_tries of theirs)" \
		[ "$most" -le $(((table + all_tries) / 2 + 64)) ]
	# 1.25 tables, as removed flows live on for a moment, and their share of
	# what the stack has in flight.
	diag "$name: $((used - before)) KiB more of kernel memory at most"
	# Checkers keep notes of each object, and freed ones for a while.
	check "... memory as well" [ $((used - before)) -le "$limit" ]
	rose 1 flow_new
	local new=$REPLY
	rose 1 flow_early_drop
	local drop=$REPLY
	rose 1 flow_share
	local share=$REPLY
	rose 1 flow_expired
	local old=$REPLY
	# Of random ports some come twice.
	rose 1 flow_reused
	local again=$REPLY
	diag "$name: flow_new $new flow_early_drop $drop flow_expired $old flow_share $share flow_reused $again"
	check "... each SYN is accounted for" [ $((new + share)) -ge "$packets" ]
	check "... by flows that went for others, or refusals" \
		[ $((drop + old + share + again)) -ge $((packets - table)) ]
	check_rose "... and the table was never full for anybody" 1 flow_full 0
}

flood "SYNs that nobody answers" 10.96.0.2 "$packets"
flood "SYNs that are answered" 10.96.0.1 "$answered"

# A direct flood claims tuples only.
count_from 1 flow_full
check "SYNs straight to a VNI" in_ns c110 rawflood -n $((answered / 4)) -S 10.77.1.10 10.77.2.10 7000
check "... the neighbour's established connection goes on" goes_on held 8
check_match "... and it still connects" "^0 210 " in_ns c111 peer talk -t 30000 10.96.0.1 7000
check_rose "... nobody was refused for it" 1 flow_full 0
