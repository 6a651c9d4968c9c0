#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# Health goes from agent to agent: at once, with the coordinator dead, three
# datagrams of ten lost, and whatever others send: strangers, who has recorded
# what agents said, and agents about what is not theirs.
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

# peers HOST NAME...: a counter of the agent, or the sum of some
peers() {
	local line name sum=0
	line=$(grep -c 'peers: {' "$work/log/$1")
	kill -USR1 "${pid[$1]}" || return
	waitfor 5 said "$1" "$line" >/dev/null || return
	line=$(grep 'peers: {' "$work/log/$1" | tail -n 1)
	for name in "${@:2}"; do
		[[ $line =~ \"$name\":\ *([0-9]+) ]] || return
		sum=$((sum + BASH_REMATCH[1]))
	done
	echo $sum
}
peers_is() { [ "$(peers "$1" "$2")" = "$3" ]; }

check "two agents ask the third" eval 'waitfor 10 peers_is host1 answering 1 && waitfor 10 peers_is host3 answering 1'
check "... which knows both" waitfor 10 peers_is host2 subscribers 2
check "the key is for the agent alone" eval '[ "$(stat -c %a "$work/host2/state/key")" = 600 ]'
check "... and the registry has the public one" eval 'mesh_api GET /v1/nodes | grep -q "\"key\""'
mesh_api GET /v1/mesh >"$work/mesh"
uuid=$(jq -r .mesh.uuid "$work/mesh")
declare -A public=()
for host in host1 host2; do
	public[$host]=$(jq -r ".nodes[] | select(.node == ${node[$host]}) | .key" "$work/mesh")
done

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
cat >"$work/record.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
s.bind(('eth0', 0x0800))
out = open(sys.argv[1], 'w', buffering=1)
while True:
    p = s.recv(2000)
    udp = p[p[0] % 16 * 4:]
    if p[9] == 17 and p[12:16] == socket.inet_aton(sys.argv[2]) and udp[2:4] == b'\x1e\xdd':
        out.write(udp[8:int.from_bytes(udp[4:6], 'big')].hex() + '\n')
PY
mesh_spawn record host1 python3 "$work/record.py" "$work/recorded" 192.0.2.12
check "what it says is recorded" waitfor 5 test -e "$work/recorded"
mesh_kill echo-srv2
check "... and its word counts" moves down
mesh_echo srv2 7000
check "... both ways" moves up
mesh_kill record
check "... a member that is down, and one that is up" test "$(grep -c '^.\{10\}04' "$work/recorded")" -ge 2

# Again and damaged, from where it came from: each is refused and counted, and none is
# answered.
cat >"$work/play.py" <<'PY'
import random, socket, sys, time
random.seed(1)
said = [bytes.fromhex(line) for line in open(sys.argv[1])]
longest = max(said, key=len)
if sys.argv[2] == 'again':
    play = [said[i % len(said)] for i in range(150)]
elif sys.argv[2] == 'flipped':
    play = [longest[:i] + bytes([longest[i] ^ 1 << random.randrange(8)]) + longest[i + 1:] for i in range(len(longest))]
else:
    play = [longest[:i] for i in range(len(longest))]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for data in play:
    s.sendto(data, ('192.0.2.11', 7901))
    time.sleep(.002)
print(len(play))
PY
none_down() { ! grep -HE '"tag":.*"state":"down"' "$work"/log/watch-*; }
counted() { [ $(($(peers host1 "${@:2}") - before)) = "$1" ]; }
# play TEXT HOW COUNTER...: all of it is in one of these
play() {
	local text=$1 how=$2 before tx sent
	shift 2
	mesh_watch_anew
	before=$(peers host1 "$@")
	tx=$(peers host1 tx)
	sent=$(in_ns host2 python3 "$work/play.py" "$work/recorded" "$how")
	check "$text: all $sent are refused and counted" waitfor 5 counted "$sent" "$@"
	tx=$(($(peers host1 tx) - tx))
	# Who may be a new run is asked to prove it.
	[ "$1" = unproven ] || check "... and not answered: $tx went out meanwhile" [ $tx -lt $((sent / 2)) ]
	check "... its member is up" all_are state up
	check "... and was all the time" none_down
}
mesh_watch
damaged=(truncated alien other_mesh misdirected unknown_node other_address other_key forged malformed)
play "it is said again" again replayed
play "... with one bit flipped in each byte" flipped "${damaged[@]}"
play "... cut at each length" cut "${damaged[@]}"

# A restored state directory: the key and nothing else is of an earlier time. Of what was
# recorded nothing says that it is old, while its owner is silent.
kill -STOP "${pid[host2]}"
mesh_kill host1
rm "$work/host1/state/state.json.lock" 2>/dev/null
mesh_agent_start host1
check "a listener starts anew, the owner is frozen" waitfor 10 mesh_agent_ready host1
hears() { in_ns host1 ss -Hlun sport = 7901 | grep -q .; }
check "... and hears" waitfor 10 hears
play "what was recorded is said to it" again unproven
check_is "... nobody answers for it" 0 "$(peers host1 answering)"
kill -CONT "${pid[host2]}"
check "the owner goes on: it asks again" waitfor 10 peers_is host1 answering 1
play "what was recorded is said again" again replayed
mesh_kill echo-srv2
check "... and hears" moves down
mesh_echo srv2 7000
check "..." moves up

# Strangers.
cat >"$work/strangers.py" <<'PY'
import os, random, socket, struct, sys, time
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
    # What a full socket drops is refused by nobody.
    if i % 16 == 15: time.sleep(.005)
print(sent)
PY
tx() { peers host1 "$@"; }
check "settled" waitfor 10 peers_is host1 answering 1
deaths=$(tx gone_silent)
rx=$(tx rx)
before=$(tx "${damaged[@]}")
check "strangers on the underlay send what they can" in_ns coord python3 "$work/strangers.py" 192.0.2.11 "${node[host1]}"
check "... and containers do" in_ns client python3 "$work/strangers.py" 192.0.2.11 "${node[host1]}"
came() { [ $(($(tx "${damaged[@]}") - before)) -ge 2000 ]; }
check "... what came is refused and counted" waitfor 10 came
diag "$(($(tx "${damaged[@]}") - before)) refused of $(($(tx rx) - rx)) received"
check_is "... and nobody is silent for it" "$deaths" "$(tx gone_silent)"
check "health goes on as it was" all_are state up
mesh_kill echo-srv2
check "... and moves" moves down
mesh_echo srv2 7000
check "..." moves up

# lie NS ARG...: an agent to host1
lie() {
	mesh_spawn liar "$1" "$mesh_dir/peerlie" -m 77 "$uuid" -t "${node[host1]}" 192.0.2.11 "${public[host1]}" "${@:2}"
}
rose() { [ $(($(peers host1 "$1") - before)) -ge "$2" ]; }
# liar TEXT COUNTER NS ARG...: as host2, about its member
liar() {
	local before
	before=$(peers host1 "$2")
	mesh_watch_anew
	lie "$3" -n "${node[host2]}" "${@:4}" -r 20 -d echo "${vni[srv2]}" -s "${node[host2]}" "${vni[srv2]}"
	check "$1: refused and counted" waitfor 10 rose "$2" 20
	mesh_kill liar
	check "... its member is up" eval 'all_are state up && none_down'
}
liar "a key that is nobody's" other_key host2 192.0.2.12
liar "... said to be that of the owner" forged host2 192.0.2.12 -i "${public[host2]}"
liar "another node in the owner's name" other_address host3 192.0.2.13 -k "$work/host3/state/key" -i "${public[host2]}"
check_fails "... none of them was answered" grep believed "$work/log/liar"

# Three in a row of each ten, so that it is not by chance that the others suffice.
for host in "${mesh_hosts[@]}"; do
	in_ns "$host" nft -f - <<-'NFT'
		table ip cut {
			chain in { type filter hook input priority 0; udp dport 7901 numgen inc mod 10 { 0, 1, 2 } drop; }
		}
	NFT
done
# told HOST STATE: of the member, last, without a process
told() {
	local line last=''
	while read -r line; do
		[[ $line != *'"tag":"echo"'* ]] || last=$line
	done <"$work/log/watch-$1"
	[[ $last == *"\"state\":\"$2\""* ]]
}
both_told() { told host1 "$1" && told host3 "$1"; }
# arrives STATE CMD...: moves, when CMD makes it so; sooner seen than by asking the kernels
arrives() {
	local from
	mesh_watch_anew
	"${@:2}"
	waitfor 5 told host2 "$1" || return
	now_ms
	from=$REPLY
	waitfor 1 both_told "$1" || return
	now_ms
	moved=$((REPLY - from))
}
before=$(peers host2 repeated) rounds=0
# Until it was one of these that was lost.
until [ $rounds -ge 2 ] && [ "$(peers host2 repeated)" -gt "$before" ] || [ $rounds = 6 ]; do
	rounds=$((rounds + 1))
	check "with 30 % loss between agents health moves" arrives down mesh_kill echo-srv2
	diag "$moved ms after its own"
	check "... both ways" arrives up mesh_echo srv2 7000
	diag "$moved ms after its own"
done
check "... what was lost is repeated" test "$(peers host2 repeated)" -gt "$before"
check_is "... and nobody is silent for it" "$deaths" "$(tx gone_silent)"
for host in "${mesh_hosts[@]}"; do
	in_ns "$host" nft delete table ip cut
done

mesh_coordinator_start
check "the coordinator comes back" waitfor 10 mesh_coordinator_ready
check "all agents are back with it" waitfor 20 mesh_fresh
check "the tables are exact" eval 'waitfor 10 mesh_exact host1 && waitfor 10 mesh_exact host3'

# An agent with all rights of its node speaks of another's member, and of one of its
# own that the coordinator does not know.
mesh_serve third client3 "" none
check "a service of another node" eval 'mesh_hup host3 && waitfor 15 mesh_is_up third client3'
third=$(mesh_address third)
knows_third() { mesh_probe client connect -t $((3000 * VNIMESH_SLOW)) "$third" 9; mesh_member_is host1 third client3 state up; }
check "... is used: its agent is asked, too" eval 'waitfor 10 knows_third && waitfor 10 peers_is host1 answering 2'
mesh_kill host3
mesh_watch_anew
before=$(peers host1 foreign_facts)
lie host3 -n "${node[host3]}" 192.0.2.13 -p 7901 -k "$work/host3/state/key" \
	-d echo "${vni[srv2]}" -d echo $((vni[client3] + 9))
check "in its place another one comes, which is believed" waitfor 10 grep believed "$work/log/liar"
check "... but not about the member of another node" waitfor 10 rose foreign_facts 1
check "... nor about one that nobody registered" waitfor 10 eval '[ "$(peers host1 facts_unknown)" -ge 1 ]'
check "... which is in no kernel" eval '! mesh host1 -d member show echo | grep -w $((vni[client3] + 9))'
check "... and the member is up" eval 'mesh_member_is host1 echo srv2 state up && none_down'
mesh_kill liar
mesh_agent_start host3
check "the agent of the node comes back" waitfor 10 mesh_agent_ready host3
check "... and is asked again" waitfor 10 peers_is host1 answering 2
mesh_kill echo-srv2
check "health goes on" moves down
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
