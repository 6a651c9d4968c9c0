#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP in mid-stream without its flow ends in a reset, not in a hang: when the flow
# was deleted, when the module was loaded anew. Addresses nobody has are refused.
# vm: -m 1024 -t 600
# uml: -m 768
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

hold() {
	local name=$1 fd=$2
	shift 2
	rm -f "$work/$name" "$work/$name.in"
	mkfifo "$work/$name.in"
	nsenter --net=/run/netns/c110 peer talk -i -r 1 -t 15000 "$@" <"$work/$name.in" \
		>>"$work/$name" 2>&1 &
	pids[$name]=$!
	defer kill "$!"
	eval "exec $fd>\"$work/$name.in\""
	waitfor 5 grep -q open "$work/$name"
}
# What the next rounds on it say: the reset is for the first segment, so that
# the first write may still succeed.
ends_in_reset() {
	local name=$1 fd=$2 start out
	now_ms
	start=$REPLY
	: >"$work/$name"
	echo >&"$fd"
	waitfor 3 grep -q round "$work/$name"
	now_ms
	out=$(head -n 1 "$work/$name")
	diag "$name: $out after $((REPLY - start)) ms"
	check_match "$3: ends in a reset" "^round 0 (ECONNRESET|EPIPE)$" echo "$out"
	eval "exec $fd>&-"
	stop "$name"
}

for where in "far 10.96.0.1" "far fd77:96::1" "near 10.96.0.2" "near fd77:96::2"; do
	dst=${where#* }
	check "a connection to $dst is held" hold del 8 "$dst" 7000
	count_from 1 no_flow
	check "... its flow is deleted" vnimesh -n h1 flow del tag "${where% *}"
	ends_in_reset del 8 "flow deleted, $dst"
	rose 1 no_flow
	check "... counted ($REPLY)" [ "$REPLY" -ge 1 ]
done
check "a connection is held" hold flush 8 10.96.0.1 7000
check "... all flows are flushed" vnimesh -n h1 flow flush
vnimesh -n h1 flow show >"$work/out"
check_is "... none is left" "" "$(<"$work/out")"
ends_in_reset flush 8 "flows flushed"
check_match "a new connection works" "^0 210 " in_ns c110 peer talk 10.96.0.1 7000

# By its tuple, the other one stays.
check "two connections are held" hold two 8 10.96.0.1 7000x2
tuple=$(vnimesh -n h1 -j flow show tag far | jq -r '[.[] | select(.state == "established")] | sort_by(.sport)[0] |
	"proto tcp src \(.src) sport \(.sport) dst \(.dst) dport \(.dport)"')
# shellcheck disable=SC2086
check "... one flow is deleted by its tuple" vnimesh -n h1 flow del $tuple
: >"$work/two"
echo >&8
check "... one ends" waitfor 3 grep -qE '^round [01] (ECONNRESET|EPIPE)' "$work/two"
check_is "... and one only" 1 "$(grep -c '^round [01]' "$work/two")"
exec 8>&-
stop two

# The module is loaded anew under connections, and everything made again. One by
# address needs no flow and goes on.
both_ended() { [ "$(grep -cE '^round [01] (ECONNRESET|EPIPE)' "$work/reload")" = 2 ]; }
check "connections are held" hold reload 8 10.96.0.1 7000 10.96.0.2 7000 10.77.2.10 7000
check "the module is unloaded" modprobe -r vnimesh
again() {
	modprobe vnimesh && topo_known=() && topo_dev 1 && topo_dev 2 && topo_node 1 2 &&
		topo_node 2 1 && topo_vni 110 && topo_vni 111 && topo_vni 210 && services
}
check "... loaded, and everything made again" again
now_ms
start=$REPLY
: >"$work/reload"
echo >&8
check "... both connections end" waitfor 3 both_ended
now_ms
diag "$(xargs <"$work/reload") after $((REPLY - start)) ms"
check_is "module reloaded: both end in a reset" 2 "$(grep -cE '^round [01] (ECONNRESET|EPIPE)' "$work/reload")"
check_is "... and a direct one goes on" 0 "$(grep -c '^round 2' "$work/reload")"
exec 8>&-
stop reload
stat_of 1 no_flow
check "... counted ($REPLY)" [ "$REPLY" -ge 2 ]
check_match "a new connection works" "^0 210 " in_ns c110 peer talk 10.96.0.1 7000
check_match "... and on this host" "^0 111 " in_ns c110 peer talk 10.96.0.2 7000

# Addresses nobody has: at once, not after the SYN's time is over.
refused() {
	local name=$1 dst=$2 counter=$3
	count_from 1 "$counter"
	check_match "$name: refused at once" "^0 error (ECONNREFUSED|EHOSTUNREACH|ENETUNREACH) $at_once" \
		bash -c "nsenter --net=/run/netns/c110 peer talk -r 0 -t 20000 $dst 7000; true"
	rose 1 "$counter"
	check "... counted as $counter" [ "$REPLY" -ge 1 ]
}
refused "no VNI of this host" 10.77.1.99 tx_no_vni
refused "... IPv6" fd77:0:0:1::99 tx_no_vni
refused "no node" 10.77.99.1 tx_no_route
refused "... IPv6" fd77:0:0:99::1 tx_no_route
check "the other VNI goes away" ip -n c111 link del vni111
refused "a VNI without its device" 10.77.1.11 tx_no_vni
refused "... by its service" 10.96.0.2 no_member
count_from 2 rx_no_vni
check_match "no VNI of the other host: no answer yet, counted there" "error" \
	bash -c "nsenter --net=/run/netns/c110 peer talk -r 0 -t 1000 10.77.2.99 7000; true"
rose 2 rx_no_vni
check "... there" [ "$REPLY" -ge 1 ]
