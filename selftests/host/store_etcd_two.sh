#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two coordinators, A and B, over one etcd with the limits that it has by
# default: who is heard where, however late one of them learns of it; what etcd
# forgets; what is too much for it at once; checks that one asks the agents of the
# other for; and what etcd does without saying so.
set -u
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/host/etcd.sh
. "$(dirname "$0")/etcd.sh"

# configure NAME [JQ]
declare -A port=([A]=7901 [B]=7902 [C]=7903 [D]=7904 [E]=7905 [F]=7906 [G]=7907 [H]=7908 [I]=7909 [J]=7910)
declare -A at=([A]=2379/mesh [B]=2379/mesh [C]=2378/mesh [D]=2379/empty [E]=2379/empty [F]=2379/empty [G]=2378/late [H]=2378/init [I]=2378/slow [J]=2379/slow)
configure() {
	jq -n --arg listen "127.0.0.1:${port[$1]}" --arg store "etcd://127.0.0.1:${at[$1]}" '{listen: $listen, store: $store,
		etcd: {history_ms: 1000}, lease_ms: 600000, requests_per_second: 100000,
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/14",
		service_prefix6: "fd77:0:0:ffff::/64"}}' | jq "${2:-.}" >"$work/$1.json"
}
launch() {
	configure "$@"
	"${coordinator[@]}" --config "$work/$1.json" 2>>"$work/$1.log" &
	pid[$1]=$!
	disown
}
answers() { waitfor 20 curl -s -m 5 -o /dev/null "http://127.0.0.1:${port[$1]}/v1/status"; }
coordinate() { launch "$@"; answers "$1"; }
ended() { ! kill -0 "${pid[$1]}" 2>/dev/null; }
# Its port is free then.
end() { kill -KILL "${pid[$1]}" 2>/dev/null; waitfor 20 ended "$1"; pid[$1]=''; }
end_all() { local name; for name in "${!pid[@]}"; do [ -z "${pid[$name]}" ] || end "$name"; done; }
defer end_all

# get NAME PATH FILTER
get() { curl -s -m 20 "http://127.0.0.1:${port[$1]}$2" | jq -r "$3"; }
# req NAME METHOD PATH BODY
req() {
	curl -s -m 20 -o "$work/body" -w '%{http_code}' -X "$2" -H 'Content-Type: application/json' -d "${4:-{\}}" \
		"http://127.0.0.1:${port[$1]}$3"
}
join() { req "$1" POST /v1/nodes "{\"name\": \"$2\", \"underlay\": \"192.0.2.$3\", \"epoch\": 5}"; }
# is_stale NAME NODE WANT
is_stale() { [ "$(get "$1" /v1/nodes ".nodes[] | select(.node == $2) | .stale")" = "$3" ]; }
# Every lease ends, as if the coordinators had been frozen for longer than that.
revoke() {
	local id
	etcdctl lease list | sed 1d | while read -r id; do etcdctl lease revoke "$id" || return; done
}
same() { [ "$(for c in A B; do get $c /v1/mesh '[.nodes, .services, .members] | del(.. | .age_ms?, .stale?, .epoch?, .seq?, .health?, .latency_us?, .output?) | tojson'; done | sort -u | wc -l)" = 1 ]; }

check "an etcd" member
check "coordinator A" coordinate A
check "coordinator B" coordinate B

# Three that find nothing there: one makes the mesh, the others take it.
for c in D E F; do launch $c; done
for c in D E F; do check "of three that begin at once, $c" answers $c; done
check_is "all have one mesh" 1 "$(for c in D E F; do get $c /v1/mesh .mesh.uuid; done | sort -u | wc -l)"
for c in D E F; do end $c; done

# --- who is heard where -------------------------------------------------------------

check_is "three nodes at A" '200 200 200' "$(join A host1 11) $(join A host2 12) $(join A host3 13)"
for n in 1 2 3; do check "node $n is fresh at B" waitfor 10 is_stale B $n false; done
kill -STOP "${pid[A]}"
check "A is frozen, and its lease ends" revoke
for n in 1 2 3; do check "node $n is stale at B" waitfor 10 is_stale B $n true; done
kill -CONT "${pid[A]}"
for n in 1 2 3; do check "A goes on, and has node $n: fresh at B" waitfor 10 is_stale B $n false; done
check_is "what B forgets by force, while A has it" 200 "$(req B DELETE '/v1/nodes/3?force=1')"
unknown() { [ "$(get "$1" /v1/nodes "[.nodes[] | select(.node == $2)] | length")" = 0 ]; }
check "goes from A" waitfor 10 unknown A 3
check_is "and A still tells of the next one" 200 "$(join A host4 14)"
check "which is fresh at B" waitfor 10 is_stale B 4 false

# --- how it was before ----------------------------------------------------------------

revision() { etcdctl get x -w json | jq .header.revision; }
compacted() { etcdctl --write-out=fields get --rev="$1" x 2>&1 | grep -q "has been compacted"; }
rev=$(revision)
services() { local n; for ((n = $2; n < $3; n++)); do req "$1" PUT "/v1/services/more$n"; done | sed 's/200//g'; }
check_is "changes" '' "$(services B 0 20)"
check "what is older than the time that is kept goes from etcd" waitfor 10 compacted "$rev"
kill -STOP "${pid[A]}"
end etcd
check "etcd is started anew, while A is frozen" member
works() { [ "$(req B PUT /v1/services/more20)" = 200 ]; }
check "B goes on" waitfor 20 works
rev=$(revision)
check_is "with changes" '' "$(services B 21 41)"
check "which go from etcd, too" waitfor 10 compacted $((rev + 1))
kill -CONT "${pid[A]}"
check "A goes on: what it missed is not there any more, and it ends" waitfor 20 ended A
check "which its log says" grep -q 'compacted beyond that' "$work/A.log"
check "started anew" coordinate A
check "A has all that B has" waitfor 10 same
check_is "that is 41 services" 41 "$(get A /v1/services '.services | length')"

# --- too much at once ---------------------------------------------------------------

check "that etcd takes so little at once is in the log" grep -q 'fewer than 8192 operations at once (max-txn-ops)' "$work/A.log"
# report NODE SEQ MEMBERS
report() {
	jq -n --argjson node "$1" --argjson seq "$2" --argjson n "$3" '{epoch: 5, seq: $seq, full: true, members:
		[range($n) | {tag: "more\(. % 40)", vni: ($node * 256 + 1 + .), address4: "10.77.\($node).\(. + 2)"}]}'
}
check_is "a report of more members than it takes is refused, naming them" '507 members' \
	"$(req B POST /v1/nodes/1/report "$(report 1 1 200)") $(jq -r .field "$work/body")"
check_match "with the setting that would do" 'max-txn-ops' jq -r .detail "$work/body"
check_is "one of fewer is taken" 200 "$(req B POST /v1/nodes/1/report "$(report 1 2 20)")"

# --- checks by the other one's agents --------------------------------------------------

# queue NAME NODE: what the node's watch would be told there
queue() { get "$1" "/v1/watch?node=$2" '[.checks[] | "\(.tag)/\(.vni)"] | join(" ")'; }
queued() { [ "$(queue "$1" "$2")" = "$3" ]; }
# take NAME NODE: as its watch does
take() { get "$1" "/v1/watch?node=$2&wait_ms=0&$(get "$1" "/v1/watch?node=$2" '"incarnation=\(.incarnation)&index=\(.index)"')" .full; }
passed() { get A /v1/status .checks.passed; }
# evidence NAME MEMBER...: as node 2's kernel saw them
evidence() {
	req "$1" POST /v1/nodes/2/observations "$(jq -n '{evidence: [$ARGS.positional[] | split("/")
		| {tag: .[0], vni: .[1] | tonumber, kind: "refused"}]}' --args "${@:2}")"
}
check "node 1 talks to B" waitfor 10 is_stale A 1 false
check_is "a check asked for at A" '202 1' "$(req A POST /v1/services/more3/check) $(jq .members "$work/body")"
check "is asked of the agent, by B" waitfor 10 queued B 1 more3/260
take B 1 >/dev/null
check_is "evidence of its members at A" 200 "$(evidence A more4/261 more5/262)"
check "too" waitfor 10 queued B 1 'more4/261 more5/262'
take B 1 >/dev/null
n=$(passed)
mapfile -t same < <(printf 'more6/263\n%.0s' {1..60})
check_is "more of the same one, at once" 200 "$(evidence A "${same[@]}")"
check "are one or two" eval '[ $(($(passed) - n)) -ge 1 ] && [ $(($(passed) - n)) -le 2 ]'
check "and one check" waitfor 10 queued B 1 more6/263
take B 1 >/dev/null
n=$(passed)
check_is "a critical service" 200 "$(req A PUT /v1/services/more7 '{"check_ms": 1000}')"
check "is checked" waitfor 20 queued B 1 more7/264
check_is "by the one that its agent talks to" "$n" "$(passed)"
check_is "no more" 200 "$(req A PUT /v1/services/more7 '{"check_ms": 0}')"

# --- what waits for etcd ------------------------------------------------------------------

# 150 entries of the log that no change waits for, while etcd takes none.
check_is "another one's" 200 "$(req B POST /v1/nodes/2/report "$(report 2 1 1)")"
for ((i = 1; i <= 150; i++)); do
	cat <<-END
		next
		url = http://127.0.0.1:7902/v1/nodes/2/report
		header = "Content-Type: application/json"
		output = /dev/null
		write-out = "%{http_code}\n"
		data = "{\"epoch\": 5, \"seq\": $((i + 1)), \"members\": [{\"tag\": \"more0\", \"vni\": 513, \"address4\": \"10.77.2.2\", \"seq\": $i, \"rival\": $((i % 2 * 257))}]}"
	END
done | sed 1d >"$work/rivals"
kill -STOP "${pid[etcd]}"
check_is "150 times two primaries and one, while etcd does not answer" 150 "$(curl -s -m 60 -K "$work/rivals" | grep -c 200)"
away() { [ "$(get A /v1/status .store_away)" = true ]; }
check "A notices" waitfor 20 away
check_is "a check that cannot be asked for now is not said to be" '202 0' "$(req A POST /v1/services/more3/check) $(jq .members "$work/body")"
kill -CONT "${pid[etcd]}"
# Some twice: nobody knew what became of those that were under way.
logged() { [ "$(get B /v1/audit '[.entries[] | select(.what | test("primar"))] | length')" -ge "$1" ]; }
check "all of it comes into the log" waitfor 20 logged 150
diag "$(get B /v1/audit '[.entries[] | select(.what | test("primar"))] | length') of 150"
check_is "and changes go on" 200 "$(req B PUT /v1/services/more41)"

# --- done, and not said -----------------------------------------------------------------

# What is asked for at 2378 goes on to etcd; a commit's answer is the next one
# of those in the file, if it has any. "late": somebody else does the same just
# before. What a watch tells waits while there is a file ".hold". The command in
# the file "first", if there is one, is run before a commit goes on, once.
cat >"$work/between.py" <<'PY'
import asyncio, os, sys
answers, first = sys.argv[1:]

def next_answer(body):
	if b'"failure"' not in body:
		return None
	lines = open(answers).read().splitlines()
	open(answers, 'w').write('\n'.join(lines[1:]))
	return lines[0].encode() if lines else None

async def pass_on(head, body):
	back, to = await asyncio.open_connection('127.0.0.1', 2379)
	to.write(head.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n') + body)
	return back, to

async def serve(reader, writer):
	head = await reader.readuntil(b'\r\n\r\n')
	size = [l for l in head.lower().split(b'\r\n') if l.startswith(b'content-length:')]
	body = await reader.readexactly(int(size[0].split(b':')[1]) if size else 0)
	if b'"failure"' in body and os.path.exists(first):
		command = open(first).read()
		os.remove(first)
		await (await asyncio.create_subprocess_shell(command)).wait()
	back, to = await pass_on(head, body)
	text = next_answer(body)
	if text == b'late':
		await back.read()
		to.close()
		back, to = await pass_on(head, body)
		text = None
	if text:
		await back.read()
		writer.write(b'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(text) + text)
	watch = b'/watch ' in head.split(b'\r\n')[0]
	while not text and (data := await back.read(65536)):
		while watch and os.path.exists(answers + '.hold'): await asyncio.sleep(.02)
		writer.write(data)
		await writer.drain()
	to.close()
	writer.close()

async def main():
	async with await asyncio.start_server(serve, '127.0.0.1', 2378) as server:
		await server.serve_forever()
asyncio.run(main())
PY
: >"$work/answers"
python3 "$work/between.py" "$work/answers" "$work/first" 2>"$work/between.log" &
pid[between]=$!
disown
check "somebody between etcd and coordinator C" waitfor 10 curl -s -m 5 -o /dev/null http://127.0.0.1:2378/health
check "coordinator C" coordinate C
check_is "changes there" 200 "$(req C PUT /v1/services/done0)"
n=0
while read -r answer; do
	n=$((n + 1))
	echo "$answer" >"$work/answers"
	check_match "made, and answered by $answer: nobody knows" '^503.* may have been made or not' \
		eval 'echo "$(req C PUT /v1/services/done$n) $(jq -r .detail "$work/body")"'
	check "and there it is" waitfor 10 eval '[ "$(get C /v1/services/done$n .service.tag)" = done$n ]'
	check "changes go on" waitfor 10 eval '[ "$(req C PUT /v1/services/next$n)" = 200 ]'
done <<'END'
{"error": "etcdserver: server stopped", "code": 14, "message": "etcdserver: server stopped"}
{"error": "transport is closing", "code": 14, "message": "transport is closing"}
{"error": "context deadline exceeded", "code": 4, "message": "context deadline exceeded"}
error reading from server: EOF
END
echo '{"error": "etcdserver: permission denied", "code": 7, "message": "etcdserver: permission denied"}' >"$work/answers"
check_match "one that is refused for what it is was not made" '^503 .*did not take it: .*permission denied' \
	eval 'echo "$(req C PUT /v1/services/refused) $(jq -r .detail "$work/body")"'

# --- whose start comes too late ----------------------------------------------------------

echo late >"$work/answers"
check "another one made the mesh meanwhile: the coordinator takes that" coordinate G
check_is "it was so" '' "$(cat "$work/answers")"
printf '%s\n' late late >"$work/answers"
configure H ".tls_dir = \"$work/tls\""
check_match "init, too, and its tokens" '^vnimesh join https://127.0.0.1:7908 ' "${coordinator[@]}" init --config "$work/H.json"
check_is "it was so" '' "$(cat "$work/answers")"

# --- the end, in others' way --------------------------------------------------------------

# A request whose entry of the log no change waits for and the end come together:
# the coordinator is stopped meanwhile. Another one's change comes first.
cat >"$work/end.py" <<'PY'
import http.client, json, os, signal, sys, time
pid, first, command = int(sys.argv[1]), sys.argv[2], sys.argv[3]
c = http.client.HTTPConnection('127.0.0.1', 7903, timeout=60)
def ask(seq, rival):
	c.request('POST', '/v1/nodes/2/report', json.dumps({'epoch': 5, 'seq': seq, 'members': [
		{'tag': 'more0', 'vni': 513, 'address4': '10.77.2.2', 'seq': seq, 'rival': rival}]}), {'Content-Type': 'application/json'})
def answer():
	r = c.getresponse()
	r.read()
	return r.status
ask(1001, 0)
print(answer())
os.kill(pid, signal.SIGSTOP)
while open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()[0] != 'T':
	time.sleep(.01)
with open(first + '.new', 'w') as f:
	f.write(command)
os.rename(first + '.new', first)
ask(1002, 257)
os.kill(pid, signal.SIGTERM)
os.kill(pid, signal.SIGCONT)
print(answer())
PY
check_is "node 2 talks to C" 200 "$(req C POST /v1/nodes/2/report "$(report 2 1000 1)")"
n=$(get B /v1/audit '[.entries[] | select(.what | test("primar"))] | length')
check_is "it tells of two primaries while C ends" '200 200' "$(python3 "$work/end.py" "${pid[C]}" "$work/first" \
	"curl -s -m 20 -o '$work/raced' -X PUT -H 'Content-Type: application/json' -d '{}' http://127.0.0.1:7902/v1/services/raced" 2>&1 | xargs)"
check "C ends" waitfor 20 ended C
check_is "another one's change was first" raced "$(jq -r .service.tag "$work/raced")"
check_is "the entry is in the log all the same" $((n + 1)) \
	"$(get B /v1/audit '[.entries[] | select(.what | test("primar"))] | length')"
check_is "and each has a number of its own" true "$(get B /v1/audit '[.entries[].seq] | length == (unique | length)')"
check_is "changes go on" 200 "$(req B PUT /v1/services/more42)"

# --- what is told when it is not so any more -------------------------------------------------

# Nobody compacts what the watch is late to tell.
for c in A B C G; do end $c; done
check "coordinators I and J" eval "coordinate I '.lease_ms = $((1000 * VNIMESH_SLOW)) | .etcd = {}' && coordinate J '.etcd = {}'"
touch "$work/answers.hold"
check_is "a node at I, to which etcd's watch tells nothing" 200 "$(join I host1 11)"
told() { [ -n "$(etcdctl get --print-value-only slow/live/1)" ] || is_stale I 1 true; }
check "is heard there, as etcd knows" waitfor 20 told
check "its lease lapses" waitfor 20 is_stale I 1 true
check_is "and J changes something" 200 "$(req J PUT /v1/services/after)"
rm "$work/answers.hold"
knows() { [ "$(get I /v1/services/after .service.tag)" = after ]; }
check "I is told all that came, to its own word" waitfor 30 knows
check_is "which does not make the node fresh" true "$(get I /v1/nodes '.nodes[] | select(.node == 1) | .stale')"
check "nor at J" waitfor 20 is_stale J 1 true
[ "$tap_failed" = 0 ] || for c in A B C D E F G I J; do tail -n 15 "$work/$c.log" | sed "s/^/# $c: /"; done
