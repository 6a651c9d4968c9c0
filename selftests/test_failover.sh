#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768 -e VNIMESH_SLOW=4
#
# A server is killed, then its whole host, with the coordinator and without: how
# long its users go on sending new flows to it, and when their open ones are reset.
# A host's death is known within three lost echoes and one tick, below 1 s at
# defaults, times what this machine is slow by at that moment, which a program
# measures that has nothing to do with us. The machine may do something else in
# between, for longer than that, so the median of some deaths is what counts.
#
# In User Mode Linux, where code runs natively, it is asked of the defaults: with a
# patience of 4 the echoes have their own interval.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

rounds=${VNIMESH_ROUNDS:-$((VNIMESH_SLOW > 5 ? 1 : 3))}
limit=$((mesh_echo_ms * 10 / 3))
knock_ms=$((VNIMESH_SLOW * 10))

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client host2:srv2 host3:srv3 host3:client3
mesh_echo srv2 7000
mesh_echo srv3 7000
mesh_serve echo srv2 "tcp/7000" tcp
mesh_serve echo srv3 "tcp/7000" tcp
mesh_serve only2 srv2 "tcp/7000" tcp
mesh_hup host2 host3
registered() {
	waitfor 15 mesh_is_up echo srv2 && waitfor 15 mesh_is_up echo srv3 && waitfor 15 mesh_is_up only2 srv2
}
check "services" registered
echo4=$(mesh_address echo 4) only4=$(mesh_address only2 4)
use() { mesh_probe "$1" connect -l -t $((3000 * VNIMESH_SLOW)) "$2" 7000; }
check "used from two hosts" waitfor 10 eval 'use client $echo4 && use client $only4 && use client3 $only4'

# What host1 sends to the server: SYNs without ACK in Geneve, seen on the bridge.
# shellcheck disable=SC2086 # four words
printf -v to2 '0x%02x%02x%02x%02x' ${addr4[srv2]//./ }
mesh_spawn syn underlay tcpdump -tt -n -l --immediate-mode -Z root -i host1 \
	"udp dst port 6081 and dst host 192.0.2.12 and udp[16] & 0xf0 = 0x40 and udp[25] = 6 and
	udp[32:4] = $to2 and udp[49] & 0x12 = 2"
check "the underlay is watched" waitfor 10 grep -q "listening on" "$work/log/syn"

# The machine without us: two namespaces and plain UDP between them.
mesh_spawn plain host3 "$mesh_dir/meshprobe" echo 7999
check "a plain echo server" waitfor 5 mesh_listens host3 7999
beat() {
	[ -z "${pid[beat]-}" ] || mesh_kill beat
	rm -f "$work/beat"
	mesh_spawn beat coord "$mesh_dir/meshprobe" beat -i 300 192.0.2.13 7999 "$work/beat"
}
# Sets slow: percent, 100 to 300.
slowness() {
	waitfor 5 test -s "$work/beat" || return
	read -r slow _ <"$work/beat"
	((slow > 100)) || slow=100
	((slow < 300)) || slow=300
}

knock() { mesh_spawn knock client "$mesh_dir/meshprobe" knock -i $knock_ms -t $((3000 * VNIMESH_SLOW)) "$echo4" 7000 "$work/knock"; }
# knocked N NAME: the last N new flows have one to NAME
knocked() { tail -n "$1" "$work/knock" | grep -q " ok $2 "; }
knock
check "new flows all the time, to both" eval 'waitfor 10 knocked 20 srv2 && waitfor 10 knocked 20 srv3'

hold_ended() { mesh_hold_read "$1" && [ "$hold_state" != ok ] && [ "$hold_state" != none ]; }
# Sets REPLY: ms after the event.
ended_after() {
	local at
	at=$(stat -c %.3Y "$work/hold.$1")
	REPLY=$((${at/./} - event))
	((REPLY > 0)) || REPLY=0
}
# Sets REPLY: ms after the event.
last_sent() {
	local at
	at=$(grep -E '^[0-9]+\.[0-9]+ ' "$work/log/syn" | tail -n 1)
	at=${at%% *}
	at=${at/./}
	REPLY=$((${at:-0} / 1000 - event))
	((REPLY > 0)) || REPLY=0
}

node_is() { [[ $(mesh "$1" node show "${node[$2]}") =~ \ state\ $3( |$) ]]; }
settled() {
	waitfor 10 node_is host1 host2 up && waitfor 10 node_is host3 host2 up &&
		waitfor 10 mesh_member_is host1 echo srv2 state up &&
		waitfor 10 mesh_member_is host3 only2 srv2 state up &&
		waitfor 10 use client "$only4" && waitfor 10 use client3 "$only4" &&
		waitfor 15 knocked 20 srv2
}
open_flows() {
	mesh_hold near client "$only4" 7000
	mesh_hold far client3 "$only4" 7000
	mesh_hold_goes_on near far
}

table=() resets=() sent=()
# dies WHAT COMMAND: COMMAND sets event. Times are divided by what the machine is slow by.
dies() {
	local what=$1 kill=$2 near far last lines bad longest
	check "$what: settled" settled || return
	check "... open flows from two hosts" open_flows || return
	beat
	# At another moment between two echoes each time.
	nap "0.$((RANDOM % 300 + 100))"
	lines=$(wc -l <"$work/knock")
	$kill
	check "$what: open flows are reset" eval 'waitfor 10 hold_ended near && waitfor 10 hold_ended far'
	mesh_hold_read near
	check_is "... as such" ECONNRESET "$hold_state"
	ended_after near
	near=$REPLY
	ended_after far
	far=$REPLY
	waitfor 5 eval '! knocked 20 srv2' >/dev/null
	slowness
	last_sent
	last=$REPLY
	# What came about before it is an open flow.
	bad=$(tail -n +$((lines + 1)) "$work/knock" | awk -v event=$event '$1 >= event && $3 != "ok"' | wc -l)
	longest=$(tail -n +$((lines + 1)) "$work/knock" | cut -d ' ' -f 2 | sort -n | tail -n 1)
	table+=("$(printf '%-34s %6s ms %6s ms %6s ms %6s ms %5s %%' "$what" "$last" "$near" "$far" "$longest" "$slow")")
	resets+=($((near * 100 / slow)) $((far * 100 / slow)))
	sent+=($((last * 100 / slow)))
	check_is "... no new flow failed" 0 "$bad"
}

# median NUMBER...: sets REPLY
median() {
	local sorted
	mapfile -t sorted < <(printf '%s\n' "$@" | sort -n)
	REPLY=${sorted[$# / 2]}
}
# in_time WHAT LIMIT: what dies has gathered
in_time() {
	median "${resets[@]}"
	check "$1: open flows were reset within $2 ms, the median: $REPLY ms" [ "$REPLY" -le "$2" ]
	median "${sent[@]}"
	check "... the last new flow to it was sent within that: $REPLY ms" [ "$REPLY" -le "$2" ]
	resets=() sent=()
}

kill_server() {
	now_ms
	event=$REPLY
	mesh_kill echo-srv2
}
# All at once: no last word reaches anybody. What cuts the link waits for the word
# already, as to start it takes long on a machine that is busy.
coproc scissors { exec ip -n underlay -batch -; }
defer kill "$scissors_PID"
is_cut() { ! ip -n underlay -o link show host2 | grep -q '[<,]UP[,>]'; }
kill_host() {
	now_ms
	event=$REPLY
	echo "link set host2 down" >&"${scissors[1]}"
	# Its kernel would send their last words.
	waitfor 5 is_cut
	kill -KILL "${pid[host2]}" "${pid[echo-srv2]}"
}
host_returns() {
	ip -n underlay link set host2 up
	mesh_echo srv2 7000
	mesh_agent_start host2
}

all() {
	local i
	dies "server killed, $1" kill_server
	in_time "server killed, $1" $((mesh_check_ms * 2 + 1000))
	mesh_echo srv2 7000
	for ((i = 0; i < rounds; i++)); do
		dies "host killed, $1" kill_host
		host_returns
	done
	in_time "host killed, $1" "$limit"
	check "$1: all is back" settled
}

all "coordinator up"
mesh_kill coord
mesh_leases 2
all "coordinator down"

diag "$(printf '%-34s %9s %9s %9s %9s %7s' '' 'last SYN' 'reset' 'elsewhere' 'slowest' 'machine')"
for line in "${table[@]}"; do
	diag "$line"
done
check "every daemon of the others runs" eval 'mesh_runs host1 && mesh_runs host2 && mesh_runs host3'
[ "$tap_failed" = 0 ] || mesh_logs 25
