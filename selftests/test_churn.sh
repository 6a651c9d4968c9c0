#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices, members, namespaces and the module go and come back in random order,
# while containers send TCP and UDP without end, with servers that answer, and
# packets are held for an agent that never answers. CHURN_SEED repeats an order.
# CHURN_ROUNDS is 50, but a slow machine stops after CHURN_SECONDS, 500, once each
# kind had its turn.
# vm: -m 1536 -t 900
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

seed=${CHURN_SEED:-$((${EPOCHREALTIME/./} % 32768))}
rounds=${CHURN_ROUNDS:-50}
limit=${CHURN_SECONDS:-500}
diag "seed $seed"
RANDOM=$seed

# Everything that somebody made is made again if it is not there.
have() { [ -e "/run/netns/$1" ]; }
have_link() { ip -n "$1" link show "$2" >/dev/null 2>&1; }

# Not at the cost of what is done to them: that has the processor first.
flood() {
	nice nsenter "--net=/run/netns/c$1" peer flood 10.96.0.1 7000 fd77:96::1 7000 10.96.0.9 7000 fd77:96::9 7000 \
		10.77.1.10 7000 10.77.2.10 7000 fd77:0:0:2::10 7000 >/dev/null 2>&1 </dev/null &
	flooders[$1]=$!
}
serve() {
	nice nsenter "--net=/run/netns/c$1" peer serve -n "$1" 7000 >/dev/null 2>&1 </dev/null &
	servers[$1]=$!
}
# An agent that lets every packet wait.
wait_for_ever() {
	nsenter "--net=/run/netns/h$1" fakeagent -a never >/dev/null 2>&1 </dev/null &
	agents[$1]=$!
	disown
}
declare -A flooders=() servers=() agents=()
members=(111 210)

# The VNI of the other host that host N knows.
far=([1]=210 [2]=111)

mend_host() {
	local n=$1
	if ! have "h$n" || ! have_link "h$n" u0; then
		# Its end may have outlived the host for a moment.
		ip -n under link del "h$n" 2>/dev/null
		have "h$n" || ns_add "h$n"
		topo_cable "h$n" "192.0.2.1$n"
	fi
	have_link "h$n" mesh0 && return
	topo_dev "$n"
	topo_node "$n" $((3 - n))
	fresh+=("$n")
	wait_for_ever "$n"
}

rows() {
	unset "topo_known[$1/${far[$1]}]"
	topo_service "$1" web 1
	topo_member "$1" web 111
	topo_member "$1" web 210
}

mend_container() {
	have "c$1" || ns_add "c$1"
	# The old device may be on its way out of a dying namespace.
	have_link "c$1" "vni$1" || waitfor 5 topo_vni "$1"
	kill -0 "${flooders[$1]-0}" 2>/dev/null || flood "$1"
	[[ " ${members[*]} " != *" $1 "* ]] || kill -0 "${servers[$1]-0}" 2>/dev/null ||
		serve "$1"
}

# mend KIND WHAT: looking at everything after each round takes too long.
mend() {
	local kind=$1 what=$2 fresh=() n vni
	case $kind in
	down | rows | agent | member | dead | policy) return ;;
	module) modprobe vnimesh ;;
	esac
	for n in 1 2; do
		case $kind in
		dev | host | node | underlay) [ "$n" = "$what" ] || continue ;;
		module | all) ;;
		*) continue ;;
		esac
		mend_host $n
	done
	for vni in "${containers[@]}"; do
		case $kind in
		dev | host | node) [ $((vni / 100)) = "$what" ] || continue ;;
		underlay) continue ;;
		module | all) ;;
		*) [ "$vni" = "$what" ] || continue ;;
		esac
		mend_container "$vni"
	done
	for n in ${fresh[@]+"${fresh[@]}"}; do
		rows "$n"
	done
}

containers=(110 111 210)

# kill_in NS [PID ...]: nobody lives there any more, so that the namespace goes at
# once. PIDs were started for it: one that is only on its way in would keep it.
kill_in() {
	local ns=$1 pid
	shift
	for pid in $(ip netns pids "$ns") "$@"; do
		kill -KILL "$pid" 2>/dev/null
	done
	return 0
}

break_vni() { ip -n "c$1" link del "vni$1"; }
break_down() {
	ip -n "c$1" link set "vni$1" down && ip -n "c$1" link set "vni$1" up
	ip6 "$1"
	local a6=$REPLY
	ip4 "$1"
	ip -n "c$1" -batch - <<-END
		addr replace $a6/48 dev vni$1 nodad
		route replace $prefix4 dev vni$1 src $REPLY
		route replace $prefix6 dev vni$1 src $a6
	END
}
break_container() {
	kill_in "c$1" "${flooders[$1]}" "${servers[$1]-}" && ip netns del "c$1"
}
# The flood goes on in a namespace without a name; killing it is the end of it.
break_name() { ip netns del "c$1" && kill "${flooders[$1]}" ${servers[$1]+"${servers[$1]}"}; }
break_dev() { vnimesh -n "h$1" dev del mesh0; }
break_host() {
	kill_in "h$1" "${agents[$1]-}" && ip netns del "h$1" && waitfor 10 no_vni "$1"
}
no_vni() {
	local vni
	for vni in "${containers[@]}"; do
		[ $((vni / 100)) != "$1" ] || ! have_link "c$vni" "vni$vni" || return 1
	done
}
break_underlay() { ip -n under link del "h$1"; }
break_module() { modprobe -r vnimesh; }
break_rows() {
	vnimesh -n "h$1" member del web vni 210 &&
		vnimesh -n "h$1" service del web &&
		vnimesh -n "h$1" flow flush &&
		vnimesh -n "h$1" service add web address 10.96.0.1 address fd77:96::1 &&
		vnimesh -n "h$1" member add web vni 111 &&
		vnimesh -n "h$1" member add web vni 210
}
# What becomes of the flows of a member that goes down, in each way.
break_member() {
	local ways=(abort drain keep) states=(down drain maint) vni=${members[RANDOM % 2]}
	vnimesh -n "h$1" service set web on-down "${ways[RANDOM % 3]}" drain-time 10ms &&
		vnimesh -n "h$1" member set web vni "$vni" state "${states[RANDOM % 3]}" &&
		vnimesh -n "h$1" member set web vni "$vni" state up
}
break_dead() {
	vnimesh -n "h$1" node set $((3 - $1)) state down &&
		vnimesh -n "h$1" node set $((3 - $1)) state up
}
break_policy() {
	local policies=(optimal maglev random failover)
	vnimesh -n "h$1" service set web policy "${policies[RANDOM % 4]}"
}
break_node() {
	vnimesh -n "h$1" member del web vni "${far[$1]}" &&
		vnimesh -n "h$1" vni del "${far[$1]}" &&
		vnimesh -n "h$1" node del $((3 - $1)) &&
		vnimesh -n "h$1" dev del mesh0
}
break_agent() {
	kill_in "h$1" "${agents[$1]-}"
	wait_for_ever "$1"
}
# A VNI moves to another namespace and dies there.
break_move() {
	ip netns add moved && ip -n "c$1" link set "vni$1" netns moved &&
		ip -n moved link set "vni$1" up && ip netns del moved
}
break_rename() {
	ip -n "c$1" link set "vni$1" down && ip -n "c$1" link set "vni$1" name other &&
		ip -n "c$1" link del other
}

complaints() { dmesg | sed '1,/command starts/d' | grep -E 'BUG|WARNING|unregister_netdevice|refcount_t|Call Trace|suspicious' | head -n 5; }

ns_of() { [ "$1" = c ] && REPLY=${containers[RANDOM % 3]} || REPLY=$((RANDOM % 2 + 1)); }

check "hosts" topo_up 2
check "containers" topo_container "${containers[@]}"
for n in 1 2; do
	rows $n
	wait_for_ever $n
done
for vni in "${members[@]}"; do
	serve "$vni"
done
for vni in "${containers[@]}"; do
	flood "$vni"
done
held() { stat_of 1 held && [ "$REPLY" -gt 0 ]; }
check "packets are held" waitfor 3 held

touch "$work/failed" "$work/end"
kinds=(vni down container name dev host underlay module rows node agent move rename
	member dead policy)
round() {
	local kind=$1 what
	case $kind in
	vni | down | container | name | move | rename) ns_of c ;;
	*) ns_of h ;;
	esac
	what="$kind $REPLY"
	now_ms
	local start=$REPLY
	: >"$work/mend"
	"break_$kind" "${what#* }" >"$work/break" 2>&1 ||
		echo "round $i, $what: $(<"$work/break")" >>"$work/failed"
	mend "$kind" "${what#* }" >"$work/mend" 2>&1
	grep -E '^(Error|RTNETLINK|not within)' "$work/mend" |
		sed "s/^/after round $i, $what: /" >>"$work/failed"
	now_ms
	echo "round $i: $what $((REPLY - start)) ms" >>"$work/log"
	diag "round $i: $what, $((REPLY - start)) ms"
}

for ((i = 1; i <= rounds; i++)); do
	# Each kind at least once, then at random.
	if [ "$i" -le ${#kinds[@]} ]; then
		kind=${kinds[i - 1]}
	elif [ "$SECONDS" -ge "$limit" ]; then
		rounds=$((i - 1))
		break
	else
		kind=${kinds[RANDOM % ${#kinds[@]}]}
	fi
	round "$kind"
	[ $((i % 10)) != 0 ] || [ -z "$(complaints)" ] || break
done
mend all - >>"$work/failed" 2>&1
diag "$(sort -k 3,3 "$work/log" | awk '{ n[$3]++; t[$3] += $5 } END { for (k in n) printf "%s: %d, %d ms each  ", k, n[k], t[k] / n[k] }')"
check_is "$rounds rounds, each of ${#kinds[@]} kinds" "" "$(<"$work/failed")"
check_is "no complaint of the kernel" "" "$(complaints)"
up() {
	local vni
	for vni in "${containers[@]}"; do
		ip -n "c$vni" link show "vni$vni" up | grep -q "vni$vni" || return
	done
}
check "all devices are there and up" up
reached() { in_ns c110 peer talk -r 0 -t 5000 10.77.2.10 7000 | grep -q '^0 210 10.77.1.10 '; }
check "the mesh works after it" waitfor 5 reached

# The end, in another order each time, traffic running.
last=(c110 c111 c210 h1 h2 under module)
order=
while [ ${#last[@]} -gt 0 ]; do
	k=$((RANDOM % ${#last[@]}))
	order="$order ${last[k]}"
	case ${last[k]} in
	module) refs=$(awk '$1 == "vnimesh" { print $3 }' /proc/modules) &&
		timeout 60 modprobe -r vnimesh || echo "modprobe: $?" ;;
	*) timeout 60 ip netns del "${last[k]}" || echo "${last[k]}: $?" ;;
	esac >>"$work/end" 2>&1
	unset 'last[k]'
	last=("${last[@]}")
done
check_is "deleted in the order$order" "" "$(<"$work/end")"
check_is "the module was not in use" 0 "$refs"
kill "${flooders[@]}" "${servers[@]}" 2>/dev/null
# A leaked device would keep its namespace, and that the next unloading.
check "the module loads again" modprobe vnimesh
check "... and unloads" timeout 60 modprobe -r vnimesh
check_is "no complaint of the kernel" "" "$(complaints)"
