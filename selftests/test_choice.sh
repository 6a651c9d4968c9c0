#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The choice of a member: who gets no new flow, what moves new flows, and that
# established ones stay where they are.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "four containers" topo_container 110 111 210 211
check "a service with members on both hosts" topo_service 1 web 1
# With this latency for all, what the kernel measures here decides nothing.
for vni in 111 210 211; do
	topo_member 1 web $vni latency 10s
	topo_serve $vni 7000
done

# names N: sets REPLY to the servers of N new connections, with their numbers:
# "111=7 210=13 ". Each is closed before the next.
names() {
	local out
	out=$(in_ns c110 peer talk -s -t 20000 10.96.0.1 "7000x$1")
	REPLY=$(awk '{ n[$2]++ } END { for (k in n) print k "=" n[k] }' <<<"$out" | sort | tr '\n' ' ')
}
share() {
	local name=$1 text=" $2"
	text=${text#* "$name"=}
	[ "$text" != " $2" ] || text=0
	REPLY=${text%% *}
}

names 30
check_match "equal members all get some of 30 flows" "111=.*210=.*211=" echo "$REPLY"
diag "$REPLY"

# excluded NAME REASON VNI, after what made it so: 20 flows, none of them there.
excluded() {
	local name=$1 reason=$2 vni=$3 all
	names 20
	all=$REPLY
	share "$vni" "$all"
	check_is "$name: no new flow" 0 "$REPLY"
	diag "$all"
	check_is "... 20 elsewhere" 20 "$(tr ' ' '\n' <<<"$all" | awk -F= '/^[0-9]/ { n += $2 } END { print n }')"
	check_is "... route get says why" "$reason" "$(vnimesh -n h1 -j route get web |
		jq -r ".[0].candidates[] | select(.vni == $vni) | .excluded")"
	check_is "... and gives it no cost" null "$(vnimesh -n h1 -j route get web |
		jq -r ".[0].candidates[] | select(.vni == $vni) | .cost")"
}
back() { "$@" || diag "failed: $*"; }

check "VNI 210 is marked down" vnimesh -n h1 vni set 210 state down
excluded "VNI down" vni-state 210
back vnimesh -n h1 vni set 210 state up
check "VNI 210 has health 0" vnimesh -n h1 vni set 210 health 0
excluded "VNI health 0" vni-health 210
back vnimesh -n h1 vni set 210 health 100
for state in down drain maint; do
	check "member 211 is set $state" vnimesh -n h1 member set web vni 211 state $state
	excluded "member $state" member-state 211
done
back vnimesh -n h1 member set web vni 211 state up
check "member 211 has health 0" vnimesh -n h1 member set web vni 211 health 0
excluded "member health 0" member-health 211
back vnimesh -n h1 member set web vni 211 health 100
check "member 111 has weight 0" vnimesh -n h1 member set web vni 111 weight 0
excluded "weight 0" weight 111
back vnimesh -n h1 member set web vni 111 weight 100
check "node 2 is down" vnimesh -n h1 node set 2 state down
excluded "node down" node-state 210
back vnimesh -n h1 node set 2 state up
check "the device of the local VNI 111 goes down" ip -n c111 link set vni111 down
excluded "device down" vni-state 111
check "... up" ip -n c111 link set vni111 up
ip -n c111 -batch - <<-END
	addr replace fd77:0:0:1::11/48 dev vni111
	route replace $prefix4 dev vni111 src 10.77.1.11
END
# Some are in slow start.
names 100
check_match "all are back" "111=.*210=.*211=" echo "$REPLY"

# Held connections, and a change of the figures.
hold() {
	mkfifo "$work/$1.in"
	nsenter --net=/run/netns/c110 peer talk -i -r 1 -t 20000 10.96.0.1 "7000x$2" \
		<"$work/$1.in" >"$work/$1" 2>&1 &
	pids[$1]=$!
	defer kill "$!"
	eval "exec $3>\"$work/$1.in\""
	waitfor 5 grep -q open "$work/$1"
}
# One more round on all of them.
round() {
	local before
	before=$(grep -c "^round ok" "$work/$1")
	echo >&"$2"
	waitfor 5 more_rounds "$1" "$before"
}
more_rounds() { [ "$(grep -c '^round ok' "$work/$1")" -gt "$2" ] && ! grep -q '^round [0-9]' "$work/$1"; }

# Latency alone attracts no more than twice: half the median is its floor.
check "210 takes nearly all" bash -c 'vnimesh -n h1 member set web vni 210 latency 1s weight 1000 &&
	vnimesh -n h1 member set web vni 211 latency 10s weight 1 &&
	vnimesh -n h1 member set web vni 111 latency 10s weight 1'
check "6 connections are opened and held" hold held 6 8
# One flow in a hundred explores.
check "... nearly all at 210" [ "$(grep -c "^[0-5] 210 " "$work/held")" -ge 5 ]
check "... in flight" [ "$(vnimesh -n h1 -j -s member show web vni 210 | jq ".[0].stats.inflight")" -ge 5 ]
check "the latency of 210 rises" bash -c 'vnimesh -n h1 member set web vni 210 latency 50s weight 100 &&
	vnimesh -n h1 member set web vni 211 latency 1s weight 100 &&
	vnimesh -n h1 member set web vni 111 weight 100'
names 10
share 210 "$REPLY"
# One flow in a hundred explores.
check "latency changed: new flows move" [ "$REPLY" -le 1 ]
check "... the held ones go on" round held 8
# 111 may be in slow start, which counts as much against it as being sick does.
check "211 becomes sick, but lives" bash -c 'vnimesh -n h1 member set web vni 211 health 1 &&
	vnimesh -n h1 member set web vni 111 latency 1s weight 1000'
names 10
share 211 "$REPLY"
check "health changed: new flows move" [ "$REPLY" -le 1 ]
check "... the held ones go on" round held 8
check "flows are to be kept" vnimesh -n h1 service set web on-down keep
check "the VNI that holds them is marked down" vnimesh -n h1 vni set 210 state down
check "... they go on" round held 8
check "its member is deleted" vnimesh -n h1 member del web vni 210
check "... they go on" round held 8
check "the service is deleted" vnimesh -n h1 service del web
check "... they go on" round held 8
exec 8>&-
wait "${pids[held]}"
check_is "... to their end" 0 $?

# Load: half-open and established flows count.
vnimesh -n h1 vni set 210 state up
# Its slow start would be all that is seen.
sleep 31
check "two equal members" topo_service 1 even 2
topo_member 1 even 210 latency 10s
topo_member 1 even 211 latency 10s
out=$(in_ns c110 peer talk -t 20000 -r 0 10.96.0.2 7000x20)
share 210 "$(awk '{ n[$2]++ } END { for (k in n) printf "%s=%d ", k, n[k] }' <<<"$out")"
diag "20 held connections: $REPLY at one"
check "20 held connections spread over two equal members" [ "$REPLY" -ge 8 -a "$REPLY" -le 12 ]

# Weights: 300 to 100.
check "weights 300 and 100" bash -c 'vnimesh -n h1 member set even vni 210 weight 300 &&
	vnimesh -n h1 flow flush'
out=$(in_ns c110 peer talk -t 20000 -r 0 10.96.0.2 7000x40)
share 210 "$(awk '{ n[$2]++ } END { for (k in n) printf "%s=%d ", k, n[k] }' <<<"$out")"
diag "40 held connections at 3:1: $REPLY"
check "three times the weight gets about three times the flows" [ "$REPLY" -ge 26 -a "$REPLY" -le 34 ]

# route get.
vnimesh -n h1 -j route get even seed 42 >"$work/a"
vnimesh -n h1 -j route get even seed 42 >"$work/b"
check_is "the same seed gives the same choice" "$(jq '.[0].vni' "$work/a")" "$(jq '.[0].vni' "$work/b")"
check "equal members" vnimesh -n h1 member set even vni 210 weight 100
check "... no flows" vnimesh -n h1 flow flush
for ((i = 1; i <= 12; i++)); do
	vnimesh -n h1 -j route get even seed "$i" | jq '.[0].vni'
done | sort -u >"$work/chosen"
check_is "other seeds give other choices among equals" "210 211" "$(xargs <"$work/chosen")"
check_is "route get lists every candidate" "210 211" \
	"$(jq -r '.[0].candidates[].vni' "$work/a" | sort | xargs)"
check_is "... one is chosen" 1 "$(jq '[.[0].candidates[] | select(.chosen)] | length' "$work/a")"
check_is "... the one with the least cost" true "$(jq '.[0].candidates | min_by(.cost).chosen' "$work/a")"
check_is "... with all its inputs" true "$(jq '.[0].candidates[0] |
	has("weight") and has("health") and has("latency_us") and has("kernel_latency_us") and
	has("inflight") and has("stale") and has("cost") and has("age_ms")' "$work/a")"
check_is "... and the way to it" "192.0.2.12" "$(jq -r '.[0].underlay' "$work/a")"
check_is "route get of an address" "2" "$(vnimesh -n h1 -j route get 10.77.2.10 | jq '.[0].node')"

# What one client measures counts for that client, until another one has, too.
measured() {
	vnimesh -n h1 -j route get once from "10.77.1.1$1" |
		jq '.[0].candidates[0].kernel_latency_us // 0 | . > 0'
}
check "another service" topo_service 1 once 3
topo_member 1 once 210
check "a connection of c110" in_ns c110 peer talk -t 5000 10.96.0.3 7000x1
check_is "... which knows how long it took" true "$(measured 0)"
check_is "... c111 goes by its own" false "$(measured 1)"
check "a connection of c111" in_ns c111 peer talk -t 5000 10.96.0.3 7000x1
check_is "... it knows, too" true "$(measured 1)"

# What is measured decides, where nobody has published anything. 600 ms: more than a
# machine that is slow adds to a handshake, less than the client waits for it.
pair() { topo_service 1 "$1" "$2" && topo_member 1 "$1" 210 && topo_member 1 "$1" 211; }
# figure TAG VNI NAME: what route get says of a member
figure() {
	vnimesh -n h1 -j route get "$1" |
		jq ".[0].candidates[] | select(.vni == $2) | .$3 // 0"
}
above() { [ "$(figure "$1" "$2" "$3")" -gt "$4" ]; }
# avoided NAME TAG ADDR PORT: 211 is, by who measured it, but for exploration.
avoided() {
	local name=$1 tag=$2 addr=$3 port=$4 out
	out=$(in_ns c110 peer talk -s -t 20000 "$addr" "${port}x50")
	REPLY=$(awk '$2 == 211 { n++ } END { print n + 0 }' <<<"$out")
	check "$name: $REPLY of 50 flows go there" [ "$REPLY" -lt 5 ]
	check_is "... and none fails" 0 "$(grep -c error <<<"$out")"
}
# once_at TAG ADDR PORT: the first one of 110 goes to 211.
once_at() {
	vnimesh -n h1 member set "$1" vni 210 weight 0 &&
		in_ns c110 peer talk -s -t 20000 "$2" "$3" | grep -q "^0 211 " &&
		vnimesh -n h1 member set "$1" vni 210 weight 100
}
check "two members without a latency" pair near 4
check "one of them is far away" in_ns c211 tc qdisc add dev vni211 root netem delay 600ms
check "a connection to it" once_at near 10.96.0.4 7000
check "... its handshake was measured" above near 211 kernel_latency_us 500000
avoided "far by its handshake" near 10.96.0.4 7000
check "... the other was measured, too" above near 210 kernel_latency_us 0
check "it is near again" in_ns c211 tc qdisc del dev vni211 root

check "two members of another one" pair busy 5
start quick in_ns c210 peer serve -n 210 7100
start slow in_ns c211 peer serve -n 211 -w 600 7100
waitfor 5 says slow ready
check "a connection to the slow one" once_at busy 10.96.0.5 7100
check "... its response was measured" above busy 211 response_us 500000
check_fails "... which is not its handshake" above busy 211 kernel_latency_us 500000
was=$(figure busy 211 counted_latency_us)
avoided "slow by its response" busy 10.96.0.5 7100
fades() { [ "$(figure busy 211 counted_latency_us)" -lt $((was * 4 / 5)) ]; }
diag "$(vnimesh -n h1 -d route get busy)"
check "... that fades" waitfor 20 fades

check "one member for datagrams" topo_service 1 datagrams 6
topo_member 1 datagrams 211
check "a datagram and its answer" in_ns c110 peer talk -u -r 0 -t 20000 10.96.0.6 7100
check "... its response was measured" above datagrams 211 response_us 500000
