#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# The clock of the day jumps on all hosts at once, a day forwards, to the day before
# the mesh began and back: no flow fails, no row goes, nothing is down or stale for it, and what changes
# is known as soon as ever. Then agents start from a state directory of another
# time, copied while a member was down and before the present run of anyone: within 2 s
# all is as it was, and the open flows, which know nothing of it, go on.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

patience=$((3000 * VNIMESH_SLOW))
mesh_secure tag 'only*' tag both

check "three hosts join over TLS" mesh_up 3
check "containers" mesh_containers host1:client1 host2:srv2 host3:srv3 host3:client3
mesh_echo srv2 7000
mesh_echo srv3 7000
mesh_serve both srv2 tcp/7000 tcp
mesh_serve both srv3 tcp/7000 tcp
mesh_serve only2 srv2 tcp/7000 tcp
mesh_hup host2 host3
registered() {
	waitfor 15 mesh_is_up both srv2 && waitfor 15 mesh_is_up both srv3 && waitfor 15 mesh_is_up only2 srv2
}
check "services" registered
declare -A at=([both]=$(mesh_address both) [only2]=$(mesh_address only2))
use() { mesh_probe "client$1" connect -l -t $patience "${at[$2]}" 7000; }
check "used from two hosts" waitfor 10 eval 'use 1 both && use 1 only2 && use 3 both && use 3 only2'

# Neither lib.sh's clock nor the shell's own: those of the day.
uptime_ms() {
	read -r REPLY _ </proc/uptime
	REPLY=$((10#${REPLY/./} * 10))
}

open_flows() {
	mesh_hold near client1 "${at[only2]}" 7000
	mesh_hold far client3 "${at[only2]}" 7000
	mesh_hold_goes_on near far
}
for host in 1 3; do
	mesh_spawn "knock-$host" "client$host" "$mesh_dir/meshprobe" knock -i $((VNIMESH_SLOW * 20)) \
		-t $patience "${at[only2]}" 7000 "$work/knock-$host"
done
declare -A mark=([1]=0 [3]=0)
# knocked HOST N: so many new flows since the last look
knocked() { [ $(($(wc -l <"$work/knock-$1") - mark[$1])) -ge "$2" ]; }
# Sets text; none of them failed, none took long.
knocks() {
	local host new bad=0 longest
	text=''
	for host in 1 3; do
		waitfor 5 knocked "$host" 10 || return
		new=$(tail -n +$((mark[$host] + 1)) "$work/knock-$host")
		mark[$host]=$(wc -l <"$work/knock-$host")
		longest=$(cut -d ' ' -f 2 <<<"$new" | sort -n | tail -n 1)
		text+="host$host: $(wc -l <<<"$new") new flows, the slowest took $longest ms; "
		grep -v ' ok ' <<<"$new" && bad=1
		((longest < 2000 * VNIMESH_SLOW)) || bad=1
	done
	echo "$text"
	[ $bad = 0 ]
}
none_down() { ! grep -H '"state":"down"' "$work"/log/watch-*; }
none_stale() { ! grep -H '"stale":true' "$work"/log/watch-*; }

# all_are STATE: the member of both on host3, in the kernels of its users
all_are() { mesh_member_is host1 both srv3 state "$1" && mesh_member_is host2 both srv3 state "$1"; }
# moves STATE: within 2 s after its own host has it
moves() {
	local from
	waitfor 5 mesh_member_is host3 both srv3 state "$1" || return
	uptime_ms
	from=$REPLY
	waitfor 2 all_are "$1" || return
	uptime_ms
	moved=$((REPLY - from))
}

# --- the clock -----------------------------------------------------------------------

# A token for the next hour.
read -r token < <(in_ns coord curl -s -m 30 --cacert "$mesh_tls/ca.pem" -H "Authorization: Bearer $(cat "$mesh_tls/admin.token")" \
	-H 'Content-Type: application/json' -d '{"role": "read", "ttl_s": 3600}' "$mesh_url/v1/tokens" | jq -r .secret)
code() { in_ns coord curl -s -m 30 -o /dev/null -w '%{http_code}' --cacert "$mesh_tls/ca.pem" -H "Authorization: Bearer $token" "$mesh_url/v1/nodes"; }
check_is "a token for an hour" 200 "$(code)"
check "maintenance of a member that is not used" env VNIMESH_CONTROL="$work/host2/control" \
	vnimesh service maint both vni "${vni[srv2]}" reason clock
intent_age() {
	VNIMESH_CONTROL=$work/host2/control vnimesh -j service status both | jq '[.. | .intent? | .age_ms? // empty] | max'
}

check "open flows" open_flows
check "new flows" knocks
mesh_watch
check "the tables are watched" waitfor 10 mesh_fresh

# jump SECONDS NAME CODE
jump() {
	local day=$EPOCHSECONDS
	date -s "@$((day + $1))" >"$work/date"
	check "$2" test $((EPOCHSECONDS - day - $1)) -lt 60
	check "... new flows at once" eval 'use 1 only2 && use 3 both'
	check_is "... the token for an hour" "$3" "$(code)"
	check "... no intent is of the future" test "$(intent_age)" -ge 0
	mesh_leases 1
	check "... after a lease all figures are fresh" waitfor 2 mesh_fresh
	check "... no row has gone" mesh_nothing_deleted
	check "... nothing was down" none_down
	check "... or stale" none_stale
	check "... no new flow failed" knocks
	diag "$text"
	check "... the open ones go on" mesh_hold_goes_on near far
	mesh_kill echo-srv3
	check "... what fails is known within 2 s" moves down
	diag "$moved ms after its own host"
	mesh_echo srv3 7000
	check "... what is back, too" moves up
	diag "$moved ms after its own host"
	# Those were meant.
	mesh_watch_anew
}
jump 86400 "a day later" 401
check "a coordinator that starts on that day" eval 'mesh_kill coord && mesh_coordinator_start && waitfor 10 mesh_coordinator_ready'
check "... has its agents at once" waitfor 20 mesh_fresh
mesh_watch_anew
jump $((-2 * 86400)) "the day before" 200
jump $((86400 + 5)) "5 s later than it was" 200
check "every daemon runs" mesh_all_run

# --- the state -----------------------------------------------------------------------

check "no maintenance" env VNIMESH_CONTROL="$work/host2/control" vnimesh service ready both vni "${vni[srv2]}"
mesh_kill knock-1
mesh_kill knock-3
mesh_kill hold-near
mesh_kill hold-far
for host in "${mesh_hosts[@]}"; do mesh_kill "watch-$host"; done
own_is() { mesh_member_is "$1" only2 srv2 "$2" "$3"; }
everywhere() { own_is host1 "$1" "$2" && own_is host2 "$1" "$2" && own_is host3 "$1" "$2"; }
mesh_kill echo-srv2
check "a member is down" waitfor 10 everywhere state down
for host in host1 host2; do
	check "the agent of $host stops" mesh_kill $host TERM
	check "... its state is copied" cp -a "$work/$host/state" "$work/$host/old"
	check "... in which the member is down" jq -e '[.. | objects | select(.tag == "only2" and .state == "down")] | length > 0' \
		"$work/$host/old/state.json"
done
mesh_echo srv2 7000
for host in host1 host2; do mesh_agent_start $host; done
check "they start anew: the member is up" waitfor 20 everywhere state up
check "... fresh" waitfor 20 everywhere stale off
check "... also at the coordinator" waitfor 20 mesh_is_up only2 srv2
check "open flows" open_flows
mesh_watch
check "the tables are watched" waitfor 10 mesh_fresh

# told HOST: what its kernel was told last of the member, without a process: up, fresh,
# and of another run than $run
told() {
	local line last=''
	while read -r line; do
		[[ $line != *'"tag":"only2"'* ]] || last=$line
	done <"$work/log/watch-$1"
	[[ $last == *'"state":"up"'*'"stale":false'*'"epoch":'* && $last != *"\"epoch\":$run,"* ]]
}
all_told() { told host1 && told host2 && told host3; }
# restored HOST TEXT CMD...: until CMD
restored() {
	local host=$1 text=$2 from
	shift 2
	mesh_kill "$host"
	rm -r "$work/$host/state"
	cp -a "$work/$host/old" "$work/$host/state"
	run=
	[ "$host" != host2 ] || [[ ! $(mesh_member host1 only2 srv2) =~ \ epoch\ ([0-9]+) ]] || run=${BASH_REMATCH[1]}
	mesh_watch_anew
	uptime_ms
	from=$REPLY
	mesh_agent_start "$host"
	check "$text: within 2 s all is as it was" waitfor 2 "$@"
	uptime_ms
	diag "$((REPLY - from)) ms after its start, on a machine that is slow by $VNIMESH_SLOW"
	check "... no row has gone" mesh_nothing_deleted
	check "... nothing was down" none_down
	check "... the open flows go on" mesh_hold_goes_on near far
	mesh_kill echo-srv3
	check "... what fails is known within 2 s" moves down
	mesh_echo srv3 7000
	check "... what is back, too" moves up
	mesh_watch_anew
}
restored host2 "the agent of a member's host has an old state" all_told
restored host1 "the agent of a user has" told host1
check "the coordinator is killed" mesh_kill coord
restored host1 "... and it has again" told host1
restored host2 "... and that of the member's host" all_told
mesh_coordinator_start
check "the coordinator is back" waitfor 10 mesh_coordinator_ready
check "... and has all agents" waitfor 20 mesh_fresh
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host2'
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
