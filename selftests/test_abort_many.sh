#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Many flows, many VNIs: a member with VNIMESH_ABORT_FLOWS (2000; make soak: 100000)
# connections dies, idle ones and ones with an ACK outstanding, and all are reset; a
# node with VNIMESH_ABORT_VNIS (10000) VNIs fails, and the next choice is right.
# vm: -m 1536 -t 900
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

flows=${VNIMESH_ABORT_FLOWS:-2000}
vnis=${VNIMESH_ABORT_VNIS:-10000}
clients="110 111 112 113"

topo_flow_max=$((flows * 3))
check "three hosts" topo_up 3
# shellcheck disable=SC2086
check "containers" topo_container $clients 210 310
vn() { vnimesh -n h1 "$@"; }
services() {
	topo_service 1 big 1 && topo_member 1 big 210
}
check "a service" services
topo_serve 210 7000 7001 7002 7003
topo_serve 310 7000
sysctl -q -w net.ipv4.tcp_max_syn_backlog=8192 net.core.somaxconn=4096
for ns in c110 c111 c112 c113 c210; do
	in_ns "$ns" sysctl -q -w "net.ipv4.ip_local_port_range=1024 65000" net.core.somaxconn=4096
done

each=$((flows / 4))
opened() { grep -q "^open $each" "$work/many$1"; }
for vni in $clients; do
	rm -f "$work/many$vni.in"
	mkfifo "$work/many$vni.in"
	nsenter "--net=/run/netns/c$vni" held -n $each -p 64 10.96.0.1 7000 10.96.0.1 7001 \
		10.96.0.1 7002 10.96.0.1 7003 <>"$work/many$vni.in" >"$work/many$vni" 2>&1 &
	pids[many$vni]=$!
	defer kill "$!"
done
for vni in $clients; do
	check "$each connections of VNI $vni" waitfor 60 opened "$vni"
done
stat_of 1 flows
diag "$REPLY flows"
check "all are flows" [ "$REPLY" -ge "$flows" ]

# Of one client's, no ACK for what the server says gets out; the others are idle.
nsenter --net=/run/netns/c111 nft -f - <<-END
	table inet block {
		chain out { type filter hook output priority 0; policy accept; meta length 52 tcp flags ack counter drop; }
	}
END
echo x >"$work/many111.in"
check "one client speaks" waitfor 60 grep -q said "$work/many111"

# The underlay is made of veths, whose packets wait in the backlog of a CPU.
backlog_lost() {
	local dropped
	REPLY=0
	while read -r _ dropped _; do REPLY=$((REPLY + 0x$dropped)); done </proc/net/softnet_stat
}
backlog_lost
lost_before=$REPLY

ended() { grep -q ^ended "$work/many$1"; }
count_from 1 flow_aborted
now_ms
start=$REPLY
check "the member is set down" vn member set big vni 210 state down
now_ms
diag "the command took $((REPLY - start)) ms"
for vni in $clients; do
	check "all of VNI $vni end" waitfor 20 ended "$vni"
	line=$(grep ^ended "$work/many$vni")
	check_match "... by a reset" "^ended $each ECONNRESET=$each first" echo "$line"
	read -r _ _ _ _ first _ last <<<"$line"
	diag "VNI $vni: first after $((first - start)) ms, last after $((last - start)) ms"
done
check_rose "each was counted" 1 flow_aborted "$flows"
established() { ss -N "$1" -Htnoi state established; }
nobody_at() { [ -z "$(established "$1" | head -n 1)" ]; }
check "the server is told" waitfor 20 nobody_at c210 || {
	left=$(established c210)
	diag "$(wc -l <<<"$left") are left"
	tail -n 5 <<<"$left" >"$work/.output"
	tap_output
}
backlog_lost
check_is "no packet found the backlog full" "$lost_before" "$REPLY"
stat_of 1 reset_lost
check_is "no reset was lost" 0 "$REPLY"
stop serve210

# A node with many VNIs, members of ten services, of which the first has one
# elsewhere, too. They all answer as 210.
topo_serve 210 7000
ifindex=$(vnimesh -n h1 -j dev show mesh0 | jq '.[0].ifindex')
check "$vnis VNIs on a node" in_ns h1 fill "$ifindex" 2 10.77.2.10 "$vnis"
check "one member is elsewhere, far away" topo_member 1 s0 310 latency 10s
check_match "the near ones are chosen" "^0 210 " in_ns c110 peer talk -u 10.96.0.100 7000
in_ns h1 held -f c110 "$ifindex" 2 310 10.96.0.100 7000 >"$work/fail" 2>&1
diag "$(<"$work/fail")"
read -r _ us < <(grep ^ack "$work/fail")
check "the acknowledgement comes at once: ${us:-none} us" [ "${us:-999999}" -le $((10000 * VNIMESH_SLOW)) ]
# N wrong MS: the last one was sent so long after the acknowledgement.
check_match "the choice is right within 10 ms" "^([0-9]+) wrong [0-9]\\." cat "$work/fail"
