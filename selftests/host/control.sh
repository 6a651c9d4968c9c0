#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's control socket and the tool's commands for it, under the
# sanitizers and without the module: who may do what, what is refused and why,
# intent that outlives the agent, hostile clients. test_control.sh does the
# same with a mesh.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	exec unshare -n bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh
ip link set lo up
# shellcheck source=selftests/host/san.sh
. selftests/host/san.sh
check "builds with sanitizers" san_build vnimeshd vnimesh || exit 1
if [ -n "${VNIMESH_LANE-}" ]; then
	agent_program=$(command -v vnimeshd) tool_program=$(command -v vnimesh)
else
	agent_program=$san/vnimeshd/vnimeshd tool_program=$san/vnimesh/vnimesh
	san_options
fi
export VNIMESH_CONTROL=$work/run/control
chmod 755 "$work"
# Others than root must be able to run it.
install -m 755 "$tool_program" "$work/vnimesh"
mkdir -p "$work/d"
cat >"$work/d/a.json" <<-DEF
	[ { "tag": "db", "vni": 257, "check": { "type": "ttl", "ttl_ms": 60000 } },
	  { "tag": "db", "vni": 258, "check": { "type": "tcp", "port": 1 } },
	  { "tag": "web", "vni": 258 } ]
DEF
conf() {
	cat >"$work/conf.json" <<-CONF
		{ "coordinator": "http://127.0.0.1:1", "node": { "name": "h", "underlay": "192.0.2.1" },
		  "state_dir": "$work/state", "services_dir": "$work/d", "control": "$VNIMESH_CONTROL",
		  "grants": [ { "uid": 4242, "vnis": [ 258 ] } ] }
	CONF
}
conf
agent_up() {
	"$agent_program" --config "$work/conf.json" </dev/null >>"$work/log" 2>&1 &
	agent=$!
	disown $agent
}
agent_down() {
	kill "-$1" "$agent" && waitfor 10 eval "! kill -0 $agent 2>/dev/null"
}
v() { "$work/vnimesh" "$@"; }
of_uid() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }
as() { of_uid 4242 "$work/vnimesh" "$@"; }
# raw LINE: what the socket says to it
raw() { printf '%s\n' "$1" | timeout 20 nc -U -N -w 15 "$VNIMESH_CONTROL"; }
# state TAG VNI: as it is told
state() { v -j service status "$1" | jq -r ".[] | select(.vni == $2) | .state + \" \" + .intent.state + \" \" + (.intent.reason // \"\")"; }

check_fails "without an agent the tool says so" v service status
agent_up
defer kill -9 "$agent"
check "the agent listens" waitfor 10 v service status
check_is "three members" "db257 db258 web258" "$(v -j service status | jq -r '[.[] | .tag + (.vni|tostring)] | join(" ")')"
check_match "each part has its source and age" 'reachability down by device' v service status db
check_is "fields of a member" "check,grant,health,intent,reachability,source,state,tag,vni" \
	"$(v -j service status web | jq -r '.[0] | (keys + ["check"]) | sort | join(",")')"

check "an intent with a reason" v service drain db vni 257 reason "kernel update"
check_is "is shown" "down drain kernel update" "$(state db 257)"
check "maintenance of all of a tag" v service maint db reason all
check_is "the worst counts" "down maint all" "$(state db 257)"
check "an end to it" v service ready db
check_is "leaves what was said about one" "down drain kernel update" "$(state db 257)"
agent_down KILL
agent_up
check "the agent is back" waitfor 10 v service status
check_is "the intent outlived it" "down drain kernel update" "$(state db 257)"
check "no intent" v service ready db vni 257
check_is "no more" "down up " "$(state db 257)"
check_match "an intent about nobody" "no such member" eval "! v service drain nobody 2>&1"

check "a ttl check is told" v ttl pass db vni 257 text "all well"
check_match "one that is none" "has no ttl check" eval "! v ttl pass db vni 258 2>&1"
check_match "a device that is not here cannot be served by" "no device with this VNI" \
	eval "! v service register new vni 300 check none 2>&1"
check_match "a file's member is the file's" "declares this member" eval "! v service deregister web vni 258 2>&1"
check_match "a field that is wrong is named" 'field "service.check.port": required' \
	eval "! v service register new vni 300 check tcp 2>&1"
check_match "exec is off" "allow_exec" eval "! v service register new vni 300 check exec 2>&1"

check_is "others see what is granted to them" "db258 web258" \
	"$(as -j service status | jq -r '[.[] | .tag + (.vni|tostring)] | join(" ")')"
check "and act on it" as service drain db vni 258 reason mine
check_is "as who they are" 4242 "$(v -j service status db | jq '.[] | select(.vni == 258) | .intent.uid')"
check_match "but on nothing else" "VNI 257 is not granted to uid 4242" eval "! as service drain db vni 257 2>&1"
check_match "nor on all of a tag" '"vni"' eval "! as service drain db 2>&1"
check_match "nor by pushing" "not granted" eval "! as ttl fail db vni 257 2>&1"
check_match "nor with root's files" "only root" \
	eval "! echo '{\"tag\":\"x\",\"vni\":258,\"check\":{\"type\":\"redis\",\"port\":1,\"password_file\":\"/etc/shadow\"}}' | as service register file - 2>&1"

check "root sees the other hosts" v peers
check "a user with a grant as well" as peers
check_match "nobody else" 'field "op": peers are shown to root and to users with a grant, not to uid 5555' \
	eval "! of_uid 5555 '$work/vnimesh' peers 2>&1"

check_match "no JSON" '"ok": ?false' raw 'hello'
check_match "an empty line" '"ok": ?false' raw ''
check_match "an unknown question" 'field .*op.*unknown' raw '{"op":"fly"}'
check_match "an unknown field" 'field .*x.*unknown' raw '{"op":"list","x":1}'
check_match "a tag that is none" '"ok": ?false' raw '{"op":"list","tag":"A B"}'
check_match "two questions, two answers" '.' eval "printf '{\"op\":\"list\"}\n{\"op\":\"checks\"}\n' | nc -U -N -w 15 $VNIMESH_CONTROL | tail -n 1 | grep late_worst"
# nc would end when it can send no more, before it reads the answer.
endless() {
	timeout 20 python3 - "$VNIMESH_CONTROL" <<-'END'
		import socket
		import sys

		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		try:
		    s.sendall(b"x" * 200000)
		except OSError:
		    pass
		print(s.recv(4096).decode())
	END
}
check_match "a line without end is refused" '"ok": ?false' endless
# One byte a second is no question: who sends no more than that is cut as well.
trickle() {
	of_uid 5555 timeout 60 python3 - "$VNIMESH_CONTROL" <<-'END'
		import socket
		import sys

		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.settimeout(1)
		while True:
		    try:
		        s.sendall(b"x")
		        if not s.recv(1):
		            break
		    except TimeoutError:
		        pass
		    except OSError:
		        break
	END
	echo $? >"$work/trickled"
}
many() {
	local i fds=() fd
	for ((i = 0; i < 80; i++)); do
		exec {fd}> >(timeout 30 nc -U "$VNIMESH_CONTROL" >/dev/null 2>&1)
		fds+=("$fd")
	done
	# They say nothing, and go when their time is up.
	waitfor 25 v service status
	for fd in "${fds[@]}"; do exec {fd}>&-; done
}
trickle &
check "80 silent clients do not keep others out for long" many
check "nor does one that sends half a line without end" waitfor 20 eval "[ \"\$(cat $work/trickled)\" = 0 ]"

echo '{ "tag": "db"' >"$work/d/b.json"
kill -HUP "$agent"
reported() { grep -q "b.json:[0-9:]*: .*nothing changed" "$work/log"; }
check "a broken file is reported with its place" waitfor 10 reported
# The many from above may still be on their way out.
three() { [ "$(v -j service status | jq length)" = 3 ]; }
check "and changes nothing" waitfor 10 three
printf '[ { "tag": "late", "vni": 259 },\n  { "tag": "x", "vni": 260,\n    "check": { "type": "tcp", "port": 70000 } } ]\n' >"$work/d/b.json"
kill -HUP "$agent"
placed() { grep -q 'b.json:3:.* field "\[1\].check.port": must be 1 to 65535; nothing changed' "$work/log"; }
check "a wrong value, with its line and field" waitfor 10 placed
printf '{ "tag": "late", "vni": 259 }\n' >"$work/d/b.json"
kill -HUP "$agent"
four() { [ "$(v -j service status | jq length)" = 4 ]; }
check "a right one is taken" waitfor 10 four

# Users that take all they can get, and ask something in time, take nothing from others.
cat >"$work/d/b.json" <<-DEF
	[ { "tag": "late", "vni": 259 },
	  { "tag": "app", "vni": 258, "check": { "type": "ttl", "ttl_ms": 60000 } } ]
DEF
kill -HUP "$agent"
five() { [ "$(v -j service status | jq length)" = 5 ]; }
check "a member that is pushed" waitfor 10 five
cat >"$work/hold.py" <<-'END'
	import socket
	import sys
	import time

	held = []
	for i in range(80):
	    try:
	        s = socket.socket(socket.AF_UNIX)
	        s.settimeout(20)
	        s.connect(sys.argv[1])
	        # Who is closed before that has the reason to read all the same.
	        held.append(s)
	        s.sendall(b"\n")
	    except OSError:
	        pass
	said = "nothing"
	try:
	    said = held[-1].recv(4096).decode()
	except OSError:
	    pass
	with open(sys.argv[2], "w") as f:
	    f.write(said)
	while True:
	    for s in held:
	        try:
	            s.send(b"\n")
	        except OSError:
	            pass
	    time.sleep(1)
END
for uid in 5555 5556 5557; do
	touch "$work/held.$uid"
	chown $uid "$work/held.$uid"
	of_uid $uid timeout 180 python3 "$work/hold.py" "$VNIMESH_CONTROL" "$work/held.$uid" &
	defer kill $!
	check "user $uid holds all it can get" waitfor 20 test -s "$work/held.$uid"
done
check_match "and are told why it is no more" 'this user has as many connections' cat "$work/held.5555"
check "another user's push is heard" as ttl pass app vni 258
check "root drains" v service drain app vni 258
check "and ends it" v service ready app vni 258
counted() { raw '{"op":"checks"}' | jq ".control.$1"; }
check "which is counted" test "$(counted refused_uid)" -ge 70
check "... where one had to go for another, too" test "$(counted crowded_out)" -ge 1
check "... and who was silent" test "$(counted idle)" -ge 1
# All in one write: answered over some turns of the loop, none left out.
flood() { for ((i = 0; i < 200; i++)); do echo '{"op":"list"}'; done | nc -U -N -w 15 "$VNIMESH_CONTROL" | grep -c '"ok":true'; }
check_is "200 questions at once have their answers" 200 "$(flood)"
check "not in one turn of the loop" test "$(counted put_off)" -ge 10

# No descriptor is left: who connects waits, and the agent does not spin on it.
now_ms
began=$REPLY
ticks() { awk '{ print $14 + $15 }' "/proc/$agent/stat"; }
full() { grep -q 'cannot take a connection: Too many open files' "$work/log"; }
check "no descriptors for the agent any more" prlimit --pid "$agent" --nofile=3:
raw '{"op":"list"}' >"$work/waits" &
check "that nobody can be let in is said" waitfor 20 full
now_ms
from=$REPLY used=$(ticks)
nap 1
used=$(($(ticks) - used))
now_ms
lasted=$((REPLY - from))
check_fails "who connected waits" test -s "$work/waits"
prlimit --pid "$agent" --nofile=256:
check "and has an answer once there are some" waitfor 20 grep -q '"ok":true' "$work/waits"
pauses=$(counted pauses)
now_ms
diag "$pauses pauses in $((REPLY - began)) ms, $((used * 1000 / $(getconf CLK_TCK))) ms of CPU time in $lasted ms"
check "until then the agent looked seldom" test "$pauses" -ge 1 -a "$pauses" -le $(((REPLY - began) / 100 + 1))
check "and did not spin" test $((used * 1000 / $(getconf CLK_TCK))) -lt $((lasted / 4))
check_is "said once" 1 "$(grep -c 'cannot take a connection' "$work/log")"

agent_up
check "a second agent of the same state ends" waitfor 10 eval "! kill -0 $agent 2>/dev/null"
check "and leaves the first its socket" v service status
check_is "no sanitizer said anything" "" "$(grep -E 'ERROR: |runtime error' "$work/log")"

mapfile -t objects < <(san_agent)
check "a parser of services alone" san_link "$work/servicecheck" selftests/host/servicecheck.c "${objects[@]}"
ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 \
	check "the shipped schema says what the parser says" python3 selftests/host/schema.py \
	Documentation/services.schema.json "$work/servicecheck"
[ "$tap_failed" = 0 ] || diag "$(tail -n 30 "$work/log")"
