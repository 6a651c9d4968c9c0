#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mesh at rest in an etcd that others use, too: they write, and have it forget
# what is old, while nothing of the mesh changes. A watch that begins anew then
# misses nothing and nobody lists anew, be it that the member was killed or that
# the watch alone was cut. Coordinator A goes to etcd through somebody who can
# hold its watch and cut it, B directly.
set -u
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/host/etcd.sh
. "$(dirname "$0")/etcd.sh"

ended() { ! kill -0 "${pid[$1]}" 2>/dev/null; }
# Its port is free then.
end() { kill -KILL "${pid[$1]}" 2>/dev/null; waitfor 20 ended "$1"; pid[$1]=''; }
end_all() { local name; for name in "${!pid[@]}"; do [ -z "${pid[$name]}" ] || end "$name"; done; }
defer end_all

# hold: nothing of a watch is passed on; cut: those that are there end, and
# others are passed on. A line in $work/probes for each answer about head alone.
cat >"$work/between.py" <<'PY'
import asyncio, base64, signal, sys
probes = open(sys.argv[1], 'w', buffering=1)
head = base64.b64encode(b'mesh/head')
held, watches = False, set()

async def relay(reader, writer, watch):
	while data := await reader.read(65536):
		if watch and held:
			await asyncio.Event().wait()
		writer.write(data)
		await writer.drain()

async def serve(reader, writer):
	to = None
	try:
		top = await reader.readuntil(b'\r\n\r\n')
		size = [l for l in top.lower().split(b'\r\n') if l.startswith(b'content-length:')]
		body = await reader.readexactly(int(size[0].split(b':')[1]) if size else 0)
		watch = b'/v3/watch' in top
		if watch:
			watches.add(asyncio.current_task())
		back, to = await asyncio.open_connection('127.0.0.1', 2379)
		to.write(top.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n') + body)
		await relay(back, writer, watch)
		if b'/v3/kv/range' in top and head in body:
			print('one', file=probes)
	except (asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
		pass
	watches.discard(asyncio.current_task())
	for end in (to, writer):
		if end:
			end.close()

def hold():
	global held
	held = True

def cut():
	global held
	held = False
	for task in watches:
		task.cancel()

async def main():
	loop = asyncio.get_running_loop()
	loop.add_signal_handler(signal.SIGUSR1, hold)
	loop.add_signal_handler(signal.SIGUSR2, cut)
	async with await asyncio.start_server(serve, '127.0.0.1', 2378) as server:
		await server.serve_forever()
asyncio.run(main())
PY
between() {
	python3 "$work/between.py" "$work/probes" 2>"$work/between.log" &
	pid[between]=$!
	disown
	waitfor 20 curl -s -m 5 -o /dev/null http://127.0.0.1:2378/health
}
# probed: A has asked for head twice since, so once in whole.
probed() {
	local n
	n=$(wc -l <"$work/probes")
	waitfor 20 eval '[ "$(wc -l <"$work/probes")" -ge '$((n + 2))' ]'
}

# coordinate NAME
declare -A port=([A]=7901 [B]=7902) at=([A]=2378 [B]=2379)
coordinate() {
	jq -n --arg listen "127.0.0.1:${port[$1]}" --arg store "etcd://127.0.0.1:${at[$1]}/mesh" '{listen: $listen, store: $store,
		etcd: {history_ms: 0}, lease_ms: 600000, requests_per_second: 100000,
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/14",
		service_prefix6: "fd77:0:0:ffff::/64"}}' >"$work/$1.json"
	"${coordinator[@]}" --config "$work/$1.json" 2>>"$work/$1.log" &
	pid[$1]=$!
	disown
	waitfor 20 curl -s -m 5 -o /dev/null "http://127.0.0.1:${port[$1]}/v1/status"
}
# get NAME PATH FILTER
get() { curl -s -m 20 "http://127.0.0.1:${port[$1]}$2" | jq -r "$3"; }
# req NAME METHOD PATH BODY
req() {
	curl -s -m 20 -o "$work/body" -w '%{http_code}' -X "$2" -H 'Content-Type: application/json' -d "${4:-{\}}" \
		"http://127.0.0.1:${port[$1]}$3"
}
works() { [ "$(req "$1" PUT "/v1/services/$2")" = 200 ]; }
has() { [ "$(get "$1" "/v1/services/$2" .service.tag)" = "$2" ]; }
# is_stale NAME NODE WANT
is_stale() { [ "$(get "$1" /v1/nodes ".nodes[] | select(.node == $2) | .stale")" = "$3" ]; }
join() { req "$1" POST /v1/nodes "{\"name\": \"$2\", \"underlay\": \"192.0.2.$3\", \"epoch\": 5}"; }
runs() { for c in A B; do get $c /v1/status .incarnation; done | xargs; }

revision() { etcdctl get x -w json | jq .header.revision; }
others() { local n; for n in {1..10}; do etcdctl put other/x "$n" >/dev/null || return; done; }
forget() { etcdctl compact "$(revision)" >/dev/null; }
# watch NAME NODE: in the background, from now on; its answer goes to $work/NAME.watch
watch() {
	curl -s -m 120 -o "$work/$1.watch" "http://127.0.0.1:${port[$1]}/v1/watch?$(get "$1" /v1/status \
		'"incarnation=\(.incarnation)&index=\(.index)"')&wait_ms=60000&tags=$2" &
	watcher[$1]=$!
}
declare -A watcher=()
# told NAME: what it was
told() {
	wait "${watcher[$1]}"
	jq -r '"\(.status // 200) \(.full // false) \([.services[]?.tag] | join(" "))"' "$work/$1.watch"
}
waiting() { [ "$(get "$1" /v1/status .watchers)" -ge 1 ]; }
quiet() { grep -c 'goes on behind revision' "$work/$1.log"; }

check "an etcd" member
check "somebody between it and coordinator A" between
check "coordinator A" coordinate A
check "coordinator B" coordinate B
check_is "nodes at B" '200 200' "$(join B host1 11) $(join B host2 12)"
for n in 1 2; do check "node $n is fresh at A" waitfor 10 is_stale A $n false; done
before=$(runs)

# --- the member is killed ---------------------------------------------------------------

watch A new1
watch B new1
for c in A B; do check "somebody watches at $c" waitfor 20 waiting $c; done
check "others write" others
check "A and B know that nothing of theirs changed" probed
check "and etcd forgets all that was" forget
end etcd
check "the member is killed, and is back" member
check "a change at B" waitfor 20 works B new1
check "is at A" waitfor 20 has A new1
for c in A B; do check_is "as a change, to who watches at $c" '200 false new1' "$(told $c)"; done
check_is "neither began anew" "$before" "$(runs)"
check "A's log says that nothing was missed" grep -q 'goes on behind revision' "$work/A.log"

# --- who is heard where, and checks that are asked for ----------------------------------

# Every lease ends, as if the coordinators had been frozen for longer than that.
revoke() {
	local id
	etcdctl lease list | sed 1d | while read -r id; do etcdctl lease revoke "$id" || return; done
}
told_live() { [ "$(etcdctl get --prefix --keys-only mesh/live/ | grep -c "mesh/live/[$1]")" = "$2" ]; }
queued() { [ "$(get "$1" "/v1/watch?node=$2" '[.checks[] | "\(.tag)/\(.vni)"] | join(" ")')" = "$3" ]; }

check_is "a node at A, with a member" '200 200' "$(join A host3 13) $(req A POST /v1/nodes/3/report \
	'{"epoch": 5, "seq": 1, "full": true, "members": [{"tag": "new1", "vni": 769, "address4": "10.77.3.2"}]}')"
check "it is fresh at B" waitfor 10 is_stale B 3 false
check "as etcd has it" waitfor 10 told_live 123 3
kill -USR1 "${pid[between]}"
kill -STOP "${pid[B]}"
check "A's watch is silent, B is frozen, and its lease ends" revoke
check "A has its own back" waitfor 30 told_live 3 1
for n in 1 2; do check "A does not know that nobody hears node $n" is_stale A $n false; done
check "others write" others
check "nothing was changed" probed
check "etcd forgets" forget
kill -USR2 "${pid[between]}"
for n in 1 2; do check "the watch is cut: now it knows of node $n" waitfor 20 is_stale A $n true; done
check "its own is fresh" is_stale A 3 false
n=$(quiet A)
kill -USR1 "${pid[between]}"
kill -CONT "${pid[B]}"
check "A's watch is silent again, and B goes on: it tells of its nodes" waitfor 30 told_live 12 2
# As a coordinator of any name would; that somebody asked one for it is a change.
check "a check by A's agent is asked for" etcdctl put mesh/trigger/another '[[3, "new1", 769]]'
for n in 1 2; do check "A does not know of node $n yet" is_stale A $n true; done
check "others write" others
check "nothing was changed" probed
check "etcd forgets" forget
kill -USR2 "${pid[between]}"
for n in 1 2; do check "the watch is cut: now it knows that node $n is heard" waitfor 20 is_stale A $n false; done
check "and asks its agent for the check" waitfor 10 queued A 3 new1/769
check "once more nothing was missed" [ "$(quiet A)" -gt "$n" ]

# --- a change while A does not look -------------------------------------------------------

watch A new2
check "somebody watches at A" waitfor 20 waiting A
check "others write" others
rev=$(revision)
check "nothing was changed" probed
kill -STOP "${pid[A]}"
check "A is frozen; others write" others
check "B makes a change" works B new2
kill -USR2 "${pid[between]}"
check "etcd forgets what was before A was frozen" etcdctl compact "$rev"
kill -CONT "${pid[A]}"
check "A goes on, with the change" waitfor 20 has A new2
check_is "and tells of it" '200 false new2' "$(told A)"
check "changes at A go on" waitfor 20 works A new3
check "and are at B" waitfor 20 has B new3
check_is "neither began anew" "$before" "$(runs)"
[ "$tap_failed" = 0 ] || for c in A B between; do tail -n 15 "$work/$c.log" | sed "s/^/# $c: /"; done
