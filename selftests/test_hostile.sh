#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container with CAP_NET_RAW sends what it likes: questions for addresses that
# nobody has, forged sources, fragments, ICMP, resolves. Its neighbour's first
# packets to an unknown service still wait and arrive, its connections go on, and
# what was refused is counted. Then 1000 resolves wait while other families of
# generic netlink come and answer.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

packets=${VNIMESH_STORM:-3000}

check "two hosts" topo_up 2
check "three containers" topo_container 110 111 210
check "a VNI elsewhere" topo_record 1 210
check "a service" topo_service 1 web 1
check "... with a member" topo_member 1 web 210
topo_serve 210 7000
ip -n c110 addr add 10.77.1.12/32 dev vni110
# Where the agent of this test needs more than the usual time for an answer.
slow=0
! checks_itself || slow=1
[ $slow = 0 ] || check "patience" vnimesh -n h1 dev set mesh0 miss-timeout 5s

rules=()
for i in {1..90}; do rules+=("new$i,10.96.9.$i,-,210"); done
agent -a never "${rules[@]}"

mkfifo "$work/in"
nsenter --net=/run/netns/c111 peer talk -i -r 1 -t 60000 10.96.0.1 7000 <"$work/in" >"$work/held" 2>&1 &
defer kill "$!"
exec 8>"$work/in"
check "a neighbour's connection is open" waitfor 5 grep -q open "$work/held"
rounds() { grep -c '^round ok' "$work/held"; }
more_rounds() { [ "$(rounds)" -gt "$1" ]; }
goes_on() {
	local before
	before=$(rounds)
	echo >&8
	waitfor 10 more_rounds "$before"
}

next=0
# What the storm sent in a second.
pace() { awk '/^sent/ { print int($2 * 1000 / ($6 + 1)) }' "$work/storm"; }
# storm NAME COUNTER ARG...: rawflood of container 110, the neighbour beside it.
storm() {
	local name=$1 counter=$2 good=0 tries=0 out
	shift 2
	count_from 1 upcall upcall_limit hold hold_overflow no_answer tx_bad_source tx_fragment \
		tx_unsupported no_flow flow_full flow_share "$counter"
	start storm in_ns c110 rawflood -n "$packets" "$@"
	while :; do
		next=$((next + 1))
		tries=$((tries + 1))
		out=$(in_ns c111 peer talk -r 1 -t 30000 "10.96.9.$next" 7000)
		if [[ $out == "0 210 "* ]]; then
			good=$((good + 1))
		else
			diag "10.96.9.$next: $out"
		fi
		kill -0 "${pids[storm]}" 2>/dev/null && [ "$tries" -lt 6 ] || break
	done
	wait "${pids[storm]}"
	diag "$name: $(cat "$work/storm")"
	check_is "$name: the neighbour's first packets to unknown services arrive ($tries)" "$tries" "$good"
	check "... its connection goes on" goes_on
	rose 1 "$counter"
	if [ "$counter" = upcall_limit ] && [ "$REPLY" = 0 ] && checks_itself; then
		tap_skip "... the storm is counted as $counter ($REPLY)" "no more than $(pace) a second here"
	else
		check "... the storm is counted as $counter ($REPLY)" [ "$REPLY" -ge 1 ]
	fi
	local text=
	for counter in upcall upcall_limit hold hold_overflow no_answer flow_full flow_share; do
		rose 1 "$counter"
		text="$text $counter=$REPLY"
	done
	diag "$name:$text"
	check_rose "... the flow table is not full for anybody" 1 flow_full 0
}

storm "datagrams to random service addresses" hold_overflow -t udp -S 10.77.1.10 10.96.128.0/17
storm "SYNs to random service addresses" hold_overflow -t syn -S 10.77.1.10 10.96.128.0/17
# All that one VNI may ask in that time, and a neighbour's few.
rose 1 upcall
check "... the agent is asked no more than the budget ($REPLY)" [ "$REPLY" -le 2500 ]
stat_of 1 held
check "... few packets wait ($REPLY)" [ "$REPLY" -le 128 ]
stop agent
agent -a no-service -t 50 "${rules[@]}"
# More than a VNI may ask in a second, and so few that the agent has time to answer:
# what has none waits, and asks no more.
storm "random service addresses, each answered" upcall_limit -r 500 -t udp -S 10.77.1.10 10.96.128.0/17
stop agent
agent -a never "${rules[@]}"
storm "forged sources" tx_bad_source -t syn -S 10.77.1.0/24 10.96.0.1
storm "sources of another host" tx_bad_source -t udp -S 10.77.2.10 10.96.0.1
storm "segments in mid-stream" no_flow -t ack -S 10.77.1.10 10.96.0.1
storm "ICMP errors about SYNs never sent" tx_bad_source -t icmp -S 10.77.1.0/24 10.96.0.1
storm "later fragments without a first" tx_bad_source -t tail -S 10.77.1.12 10.96.0.1

# Fragments of its own, without end, of datagrams that are never whole.
in_ns c110 rawflood -n "$packets" -t frag -S 10.77.1.10 10.96.0.1 >"$work/out"
in_ns c110 rawflood -n "$packets" -t tail -S 10.77.1.10 10.96.0.1 >"$work/out"
check "first and later fragments: the neighbour's connection goes on" goes_on
next=$((next + 1))
check_match "... and it asks for another service" "^0 210 " in_ns c111 peer talk -t 30000 "10.96.9.$next" 7000

# One container's resolves.
count_from 1 resolve_limit
check "a long patience" vnimesh -n h1 dev set mesh0 miss-timeout 10s
asks=$((slow ? 400 : 1200))
start greedy in_ns c110 nlpark vni110 $asks greedy
waitfor 10 says greedy parked
diag "$(cat "$work/greedy")"
check "one container's resolves are refused above its share" grep -Eq "^parked ([0-9]|[0-9][0-9]|1[0-9][0-9]|2[0-5][0-9]) " "$work/greedy"
rose 1 resolve_limit
check "... counted ($REPLY)" [ "$REPLY" -ge $((asks - 300)) ]
start wanted in_ns c111 vnimesh resolve new40
check "... the neighbour's is answered" waitfor 5 grep -q 10.96.9.40 "$work/wanted"
stop greedy

# Its root has as many namespaces as he likes, and takes the device along.
check "one more container" topo_container 121
ns_add away
start first in_ns c121 nlpark vni121 256 =same
waitfor 10 says first parked
check "it has all of its share of one tag" grep -q "^parked 256 " "$work/first"
check "it takes the device elsewhere" ip -n c121 link set vni121 netns away
start second in_ns away nlpark vni121 256 =same
waitfor 10 says second parked
if grep -q answered "$work/first"; then
	tap_skip "... there is no more for it there" "the first ones had their answers before"
else
	check "... there is no more for it there" grep -q "^parked 0 refused 256 by EBUSY" "$work/second"
fi
stop first
stop second
ip netns del away

# 1000 at once; what cannot be asked in the time of one answer is too many.
each=$((slow ? 40 : 125))
nap 1
vnis=(113 114 115 116 117 118 119 120)
check "eight more containers" topo_container "${vnis[@]}"
nap 2
now_ms
since=$REPLY
for vni in "${vnis[@]}"; do
	start "park$vni" in_ns "c$vni" nlpark "vni$vni" $each "p$vni-"
done
parked=0
for vni in "${vnis[@]}"; do
	waitfor 20 says "park$vni" parked
	read -r _ n _ <"$work/park$vni"
	parked=$((parked + n))
	[ "$n" = $each ] || diag "$vni: $(cat "$work/park$vni")"
done
check_is "$((8 * each)) resolves wait" $((8 * each)) "$parked"
others=0
for module in fou l2tp_netlink; do
	if modprobe "$module" 2>/dev/null; then
		others=$((others + 1))
		defer modprobe -r "$module"
	fi
done
if [ $others = 0 ] && checks_itself; then
	tap_skip "... while other families of generic netlink register" "all of them are built in"
else
	check "... while other families of generic netlink register ($others)" [ "$others" -ge 1 ]
fi
check "... and answer" bash -c 'ip fou show || ip macsec show || ip l2tp show tunnel'
check_match "... as does this one" "web" vnimesh -n h1 service show
modprobe -r fou 2>/dev/null
now_ms
name="... all that $((REPLY - since)) ms after the first was asked, before it has its answer"
if [ $((REPLY - since)) -lt 9500 ]; then
	check "$name" bash -c "! grep -q answered $work/park*"
else
	tap_skip "$name" "it waits for 10 s"
fi
for vni in "${vnis[@]}"; do
	check "those of $vni have their answers" waitfor 15 says "park$vni" answered
done
