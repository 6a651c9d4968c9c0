#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The policies of a service with real flows: optimal with zones and slow start,
# maglev, random, failover; and route get, whose answers are computed again in
# user space.
# vm: -m 1024 -t 800
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

vn() { vnimesh -n h1 "$@"; }
check "two hosts" topo_up 2
check "five containers" topo_container 110 112 111 210 211
check "a service with members on both hosts" topo_service 1 web 1
# With this latency for all, what the kernel measures here decides nothing.
for vni in 111 210 211; do
	topo_member 1 web $vni latency 10s
	topo_serve $vni 7000
done

# names N [CLIENT [SERVICE]]: sets REPLY to the servers of N new connections, with
# their numbers; each is closed before the next.
names() {
	local out
	out=$(in_ns "c${2-110}" peer talk -s -t 30000 "10.96.0.${3-1}" "7000x$1")
	REPLY=$(awk '{ n[$2]++ } END { for (k in n) print k "=" n[k] }' <<<"$out" | sort | tr '\n' ' ')
	diag "$REPLY"
}
share() {
	local text=" $2"
	text=${text#* "$1"=}
	[ "$text" != " $2" ] || text=0
	REPLY=${text%% *}
}
# chosen N KEY [ARG...]: sets REPLY to how often each KEY comes in N answers of route get
chosen() {
	local n=$1 key=$2
	shift 2
	REPLY=$(vn -j route get web seed 1 count "$n" "$@" |
		jq -r "group_by(.$key) | map(\"\\(.[0].$key)=\\(length)\") | join(\" \")")
	diag "$REPLY"
}
# replays NAME N [ARG...]: of N seeds, each comes out the same.
replays() {
	local name=$1 n=$2
	shift 2
	vn -j route get web seed 1000 count "$n" "$@" >"$work/routes"
	check "$name: $n choices are the same in user space" \
		vnimesh -j route replay "$work/routes"
}

# Zones: h1 is in eu/a.
check "our zone" vn node set 1 zone eu/a
check "the other one" vn node set 2 zone us/a
chosen 400 vni from 10.77.1.10
share 111 "$REPLY"
check_is "the own zone gets all" 400 "$REPLY"
names 20
share 111 "$REPLY"
check_is "... of real flows" 20 "$REPLY"
check_is "... the others say why" "tier tier" "$(vn -j route get web |
	jq -r '[.[0].candidates[] | select(.vni > 200) | .excluded] | join(" ")')"
replays "zones" 1000
topo_container 113 114
for vni in 112 113 114; do
	topo_member 1 web $vni latency 10s state down
	topo_serve $vni 7000
done
# Four are there, one of them up: 1.4/4.
chosen 1000 node
share 1 "$REPLY"
check "1 of 4 local ones is up: 35 % stay" [ "$REPLY" -ge 300 -a "$REPLY" -le 400 ]
check "members come up" bash -c 'vnimesh -n h1 member set web vni 112 state up'
chosen 1000 node
share 1 "$REPLY"
check "slow start: the second one changes little at first" [ "$REPLY" -ge 330 -a "$REPLY" -le 480 ]
check_is "... and says how long" true "$(vn -j route get web |
	jq '.[0].candidates[] | select(.vni == 112) | .ramp_ms < 30000')"
replays "slow start" 1000
sleep 31
chosen 1000 node
share 1 "$REPLY"
check "after half a minute: 70 %" [ "$REPLY" -ge 640 -a "$REPLY" -le 760 ]
check "all local ones go" bash -c 'for v in 111 112; do vnimesh -n h1 member set web vni $v state down || exit 1; done'
names 20
check_match "a zone without anybody falls to the next" "^(210=.*211=|210=20|211=20)" echo "$REPLY"
check "they come back" bash -c 'for v in 111 112; do vnimesh -n h1 member set web vni $v state up || exit 1; done'

# Random: by weight, whatever the latency.
check "policy random" vn service set web policy random
check "... all with the same weight but one" bash -c '
	for v in 112 113 114; do vnimesh -n h1 member set web vni $v state down || exit 1; done
	vnimesh -n h1 member set web vni 111 weight 10
	vnimesh -n h1 member set web vni 210 latency 1s weight 10
	vnimesh -n h1 member set web vni 211 latency 50s weight 100'
names 100
share 211 "$REPLY"
# 83 of 100, and 90 while the first one is in slow start.
check "random goes by weight" [ "$REPLY" -ge 70 -a "$REPLY" -le 99 ]
replays "random" 1000

# Failover: the lowest priority that is there.
check "policy failover" bash -c 'vnimesh -n h1 service set web policy failover &&
	vnimesh -n h1 member set web vni 210 priority 1 && vnimesh -n h1 member set web vni 211 priority 2 &&
	vnimesh -n h1 member set web vni 111 priority 3'
names 10
check_is "failover: the first" "210=10 " "$REPLY"
check_is "... the others say why" "priority" "$(vn -j route get web |
	jq -r '.[0].candidates[] | select(.vni == 211) | .excluded')"
vn member set web vni 210 state down
names 10
check_is "... then the second" "211=10 " "$REPLY"
vn node set 2 state down
names 10
check_is "... then the third" "111=10 " "$REPLY"
replays "failover" 1000
vn node set 2 state up
vn member set web vni 210 state up
names 10
check_is "... and back" "210=10 " "$REPLY"

# Maglev: a client keeps its member, and hosts agree.
# A table is of all members, up or not: hosts agree if they have the same.
check "three members are left" bash -c 'for v in 112 113 114; do vnimesh -n h1 member del web vni $v || exit 1; done'
check "policy maglev" bash -c 'vnimesh -n h1 service set web policy maglev load pool &&
	for v in 111 210 211; do vnimesh -n h1 member set web vni $v weight 100 latency 10s priority 0; done'
sleep 31
names 20
check_match "maglev: one client, one member" "^[0-9]+=20 $" echo "$REPLY"
mine=${REPLY%%=*}
check_is "... route get knows" "$mine hash" "$(vn -j route get web from 10.77.1.10 | jq -r '.[0] | "\(.vni) \(.how)"')"
check "the other host has the service" bash -c 'vnimesh -n h2 service add web address 10.96.0.1 policy maglev &&
	vnimesh -n h2 vni add 111 node 1 address 10.77.1.11 &&
	for v in 211 111 210; do vnimesh -n h2 member add web vni $v latency 10s || exit 1; done; sleep 0.2'
same=0
for ((i = 10; i < 40; i++)); do
	a=$(vn -j route get web from "10.77.1.$i" | jq '.[0].vni')
	b=$(vnimesh -n h2 -j route get web from "10.77.1.$i" | jq '.[0].vni')
	[ "$a" != "$b" ] || same=$((same + 1))
done
check_is "the hosts agree for 30 clients" 30 "$same"
check "its member goes" vn member set web vni "$mine" state down
names 10
check_match "... to one other" "^[0-9]+=10 $" echo "$REPLY"
check "... and comes back" vn member set web vni "$mine" state up
replays "maglev" 1000 from 10.77.1.10

# route get changes nothing.
before=$(vn -j -s member show web | jq -c '[.[].stats]')
vn -j route get web count 100 >/dev/null
check_is "route get has no side effect" "$before" "$(vn -j -s member show web | jq -c '[.[].stats]')"
check_fails "replay of what is no answer" vnimesh route replay /etc/hostname
sed 's/"how":"[a-z]*"/"how":"explore"/' "$work/routes" >"$work/wrong"
check_fails "replay tells a difference" vnimesh route replay "$work/wrong"

# More members than are scanned.
check "a large service" bash -c '
	{ for ((i = 0; i < 100; i++)); do
		vnimesh -n h1 vni add $((3000 + i)) node 2 address 10.77.2.$((100 + i)) &&
		vnimesh -n h1 member add web vni $((3000 + i)) latency $((1 + i))ms || exit 1
	done; }'
check "policy optimal" vn service set web policy optimal
# Each answer has a hundred candidates.
replays "sampled" 100
