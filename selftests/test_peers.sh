#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# Health goes from agent to agent: at once, with the coordinator dead, and
# whatever strangers send.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client host2:srv2 host3:client3
mesh_echo srv2 7000
mesh_serve echo srv2 "tcp/7000" tcp
mesh_hup host2
check "a service" waitfor 15 mesh_is_up echo srv2
echo4=$(mesh_address echo 4)
use() { mesh_probe "$1" connect -t $((3000 * VNIMESH_SLOW)) "$echo4" 7000; }
check "used on two other hosts" eval 'use client && use client3'

# said HOST N: more than N times
said() { [ "$(grep -c 'peers: {' "$work/log/$1")" -gt "$2" ]; }

# peers HOST NAME: a counter of the agent
peers() {
	local line
	line=$(grep -c 'peers: {' "$work/log/$1")
	kill -USR1 "${pid[$1]}" || return
	waitfor 5 said "$1" "$line" >/dev/null || return
	line=$(grep 'peers: {' "$work/log/$1" | tail -n 1)
	[[ $line =~ \"$2\":\ *([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}
peers_is() { [ "$(peers "$1" "$2")" = "$3" ]; }

check "two agents ask the third" eval 'waitfor 10 peers_is host1 answering 1 && waitfor 10 peers_is host3 answering 1'
check "... which knows both" waitfor 10 peers_is host2 subscribers 2
check "the key is for the agent alone" eval '[ "$(stat -c %a "$work/host2/state/key")" = 600 ]'
check "... and the registry has the public one" eval 'mesh_api GET /v1/nodes | grep -q "\"key\""'

check "the coordinator is killed" mesh_kill coord

moved=
# all_are KEY VALUE: in the kernels of those that use it
all_are() {
	mesh_member_is host1 echo srv2 "$1" "$2" && mesh_member_is host3 echo srv2 "$1" "$2"
}
# moves STATE: the owner's kernel has it, then within a second all others have
moves() {
	local from
	waitfor 5 mesh_member_is host2 echo srv2 state "$1" || return
	now_ms
	from=$REPLY
	waitfor 1 all_are state "$1" || return
	now_ms
	moved=$((REPLY - from))
}
mesh_kill echo-srv2
check "its server dies: down on all hosts that use it" moves down
diag "$moved ms after its own"
refused() { ! use "$1" >"$work/refused" && grep ECONNREFUSED "$work/refused"; }
check "... where new flows are refused" eval 'refused client && refused client3'
mesh_echo srv2 7000
check "it is back: up on all hosts" moves up
diag "$moved ms after its own"
check "... and serves" eval 'use client && use client3'

# Long after the coordinator's death its last words would be stale.
mesh_leases 3
check "figures are fresh by their owner's word alone" all_are stale off

# The owner's agent comes and goes.
mesh_kill host2
check "the owner's agent is killed: its figures are stale" waitfor 15 all_are stale on
check "... and it is not down for that" eval 'all_are state up && use client'
mesh_agent_start host2
check "it is back: fresh again" waitfor 10 all_are stale off
mesh_kill echo-srv2
check "... and its word counts" moves down
mesh_echo srv2 7000
check "... both ways" moves up

# A restored state directory: the key and nothing else is of an earlier time.
mesh_kill host1
rm "$work/host1/state/state.json.lock" 2>/dev/null
mesh_agent_start host1
check "a listener starts anew" waitfor 10 mesh_agent_ready host1
check "... and asks again" waitfor 10 peers_is host1 answering 1
mesh_kill echo-srv2
check "... and hears" moves down
mesh_echo srv2 7000
check "..." moves up

# Strangers.
cat >"$work/strangers.py" <<'PY'
import os, random, socket, struct, sys
random.seed(1)
to, mesh = (sys.argv[1], 7901), 77
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sent = 0
for i in range(3000):
    kind = i % 3
    if kind == 0:
        data = os.urandom(random.randrange(0, 1400))
    else:
        data = struct.pack(">IBBHIII", 0x564e4d50, 1, 1 + i % 5, 0, mesh, 2, int(sys.argv[2]))
        data += os.urandom(44 + random.randrange(16, 1100))
    if kind == 2:
        data = data[:random.randrange(0, len(data))]
    try:
        s.sendto(data, to)
        sent += 1
    except OSError:
        pass
print(sent)
PY
tx() { peers host1 "$1"; }
check "settled" waitfor 10 peers_is host1 answering 1
deaths=$(tx gone_silent)
rx=$(tx rx)
# refused_all: all that were refused, in refusals
refused_all() {
	local name
	refusals=0
	for name in truncated alien unknown_node other_address other_key forged malformed; do
		refusals=$((refusals + $(tx $name)))
	done
}
refused_all
before=$refusals
check "strangers on the underlay send what they can" in_ns coord python3 "$work/strangers.py" 192.0.2.11 "${node[host1]}"
check "... and containers do" in_ns client python3 "$work/strangers.py" 192.0.2.11 "${node[host1]}"
came() { refused_all; [ $((refusals - before)) -ge 2000 ]; }
check "... what came is refused and counted" waitfor 10 came
diag "$((refusals - before)) refused of $(($(tx rx) - rx)) received"
check_is "... and nobody is silent for it" "$deaths" "$(tx gone_silent)"
check "health goes on as it was" all_are state up
mesh_kill echo-srv2
check "... and moves" moves down
mesh_echo srv2 7000
check "..." moves up

mesh_coordinator_start
check "the coordinator comes back" waitfor 10 mesh_coordinator_ready
check "all agents are back with it" waitfor 20 mesh_fresh
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host3'
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
