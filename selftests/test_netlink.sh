#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The netlink interface through the command line: who may replace which row,
# sweeping, long dumps, notifications. Malformed requests are test_netlink_rows.sh.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "a container" topo_container 110
vn() { vnimesh -n h1 "$@"; }
row() { vn -j "$1" show "$2" | jq -r ".[0].$3"; }

# Origins: learned < agent < static.
check "an agent's row" vn service add web address 10.96.0.1 origin agent epoch 7 seq 5 gen 1
check "... confirmed by the agent with the same number" vn service set web origin agent epoch 7 seq 5 gen 2
check_match "... an older number is refused" "seq: older than the row" \
	bash -c 'vnimesh -n h1 service set web origin agent epoch 7 seq 4 gen 9 2>&1; true'
check_is "... and changed nothing" "5 2" "$(row service web seq) $(row service web gen)"
check "... of another life of the agent it is taken" vn service set web origin agent epoch 8 seq 1 gen 3
check "by hand it is taken over" vn service set web port tcp/80
check_is "... is static" static "$(row service web origin)"
check_match "... then the agent is refused" "origin: row is static" \
	bash -c 'vnimesh -n h1 service set web origin agent epoch 8 seq 99 port none 2>&1; true'
check_is "... and changed nothing" 80 "$(vn -j service show web | jq '.[0].ports[0].port')"
check_match "... nor may it delete" "origin: row is static" \
	bash -c 'vnimesh -n h1 service del web origin agent 2>&1; true'
for what in "node add 3 underlay 192.0.2.13 prefix 10.77.3.0/24" "vni add 310 node 3 address 10.77.3.10" \
	"member add web vni 310"; do
	# shellcheck disable=SC2086
	check "static: ${what%% *}" vn $what
	again=${what/ add / set }
	case $what in
	node*) again="node set 3 latency 5ms" ;;
	vni*) again="vni set 310 health 50" ;;
	member*) again="member set web vni 310 health 50" ;;
	esac
	check_match "... the agent is refused" "origin: row is static" \
		bash -c "vnimesh -n h1 $again origin agent 2>&1; true"
	check_match "... and nobody speaks for the kernel itself" 'attribute "origin"' \
		bash -c "vnimesh -n h1 $again origin learned 2>&1; true"
done
check_is "... nothing changed" "100 100" "$(row vni 310 health) $(vn -j member show web | jq '.[0].health')"

# Flags.
check_match "add of what exists" "exist" bash -c 'vnimesh -n h1 service add web address 10.96.0.1 2>&1; true'
check_fails "set of what does not exist" vn service set nothing policy optimal
check_fails "del of what does not exist" vn service del nothing
check_fails "... member" vn member del web vni 999
check_fails "... node" vn node del 99
check_fails "... vni" vn vni del 999
check_fails "a node that has VNIs stays" vn node del 3
check_fails "a VNI that is a member stays" vn vni del 310
check_fails "another service with the same address" vn service add other address 10.96.0.1
check_fails "an address outside the service prefix" vn service add other address 10.95.0.1
check_fails "a prefix of another node" vn node add 4 underlay 192.0.2.14 prefix 10.77.3.0/24
check_fails "the service prefix as a node's" vn node add 4 underlay 192.0.2.14 prefix 10.96.0.0/24
check_is "... and no service came of it" 1 "$(vn -j service show | jq length)"
check_is "... nor a node" 3 "$(vn -j node show | jq length)"

# Sweeping.
check "agent rows of source 1, run 1" vn service add a1 address 10.96.1.1 origin agent source 1 gen 1
check "... run 2" vn service add a2 address 10.96.1.2 origin agent source 1 gen 2
check "... source 2" vn service add b1 address 10.96.1.3 origin agent source 2 gen 1
vn member add a2 vni 310 origin agent source 1 gen 1
vn member add a2 vni 110 origin agent source 1 gen 2
vn member add b1 vni 310 origin agent source 2 gen 1
tags() { vn -j service show | jq -r '.[].tag' | xargs; }
members() { vn -j member show | jq -r '.[] | "\(.tag)/\(.vni)"' | xargs; }
check_is "sweep of one source below run 2, members of one tag" 1 "$(in_ns h1 nlrow sweep mesh0 agent 2 source 1 object member tag a2)"
check_is "... the old one went" "a2/110 b1/310 web/310" "$(members)"
check_is "sweep of one source, services" 1 "$(in_ns h1 nlrow sweep mesh0 agent 2 source 1 object service)"
check_is "... a1 went" "a2 b1 web" "$(tags)"
check_is "sweep of all the agent's rows" 4 "$(in_ns h1 nlrow sweep mesh0 agent 99)"
check_is "... the static rows stay" "web" "$(tags)"
check_is "... with their members" "web/310" "$(members)"
check_is "... nodes stay" 3 "$(vn -j node show | jq length)"
check_fails "static rows are never swept" in_ns h1 nlrow sweep mesh0 static 99

# The agent's claim.
check "the mesh is claimed and given back" in_ns h1 nlrow bind mesh0
check_is "... nobody has it" 0 "$(vn -j dev show mesh0 | jq '.[0].agent')"

# Long tables.
check "500 services with 4 members each, in bulk" in_ns h1 nlrow fill mesh0 500 4 agent 1
in_ns h1 nlrow dump mesh0 service >"$work/services"
check_is "the dump has them all, once" "501 501" "$(wc -l <"$work/services") $(sort -u "$work/services" | wc -l)"
check "... in the order of their making" sort -C <(tail -n +2 "$work/services")
in_ns h1 nlrow dump mesh0 member >"$work/members"
check_is "the dump of members has them all, once" "2001 2001" "$(wc -l <"$work/members") $(sort -u "$work/members" | wc -l)"
check_is "members of one tag" 4 "$(vn -j member show s0123 | jq length)"
check_is "members of one VNI" 500 "$(vn -j member show vni 20001 | jq length)"
check_is "counted" "501 2001" "$(stats; stat services; s=$REPLY; stat members; echo "$s $REPLY")"
# While rows come and go, those that stay are in each dump.
# The loop ends between two rounds: killed, it would leave a command behind that
# adds the row after all.
: >"$work/changes"
start changing in_ns h1 bash -c "while [ -e '$work/changes' ]; do
	vnimesh service add zz address 10.96.2.1 && vnimesh service del zz || exit
done"
bad=
for ((i = 0; i < 5; i++)); do
	in_ns h1 nlrow dump mesh0 service | grep -v zz | cmp -s - "$work/services" || bad="$bad $i"
done
rm "$work/changes"
wait "${pids[changing]}"
check_is "rows came and went all the time" 0 $?
check_is "a dump while they do has all that stay" "" "$bad"
check_is "one sweep removes them all" 2504 "$(in_ns h1 nlrow sweep mesh0 agent 2)"
check_is "... and nothing else" "web" "$(tags)"

# Notifications.
start monitor in_ns h1 vnimesh -j monitor
watching() { in_ns h1 vnimesh node set 3 latency 1ms && grep -q '"node"' "$work/monitor"; }
waitfor 3 watching
: >"$work/monitor"
vn node set 3 zone there
vn vni set 310 health 42
vn service add told address 10.96.0.9
vn member add told vni 310
vn member set told vni 310 weight 7
vn member del told vni 310
vn service del told
vn dev set mesh0 hold-max 77
in_ns h1 nlrow bind mesh0
ip -n c110 link set vni110 down
ip -n c110 link set vni110 up
told() { grep -q "$1" "$work/monitor"; }
for what in '"object":"node","action":"set".*"zone":"there"' '"object":"vni","action":"set".*"health":42' \
	'"object":"service","action":"set".*"tag":"told"' '"object":"member","action":"set".*"tag":"told"' \
	'"weight":7' '"object":"member","action":"del".*"tag":"told"' '"object":"service","action":"del".*"tag":"told"' \
	'"object":"mesh","action":"set".*"hold_max":77' 'agent-bound' 'agent-lost' 'vni-down' 'vni-up'; do
	check "the monitor shows $what" waitfor 2 told "$what"
done
stop monitor
