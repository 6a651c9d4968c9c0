#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Verdicts of the coordinator: a thousand observers of one death, and one who
# is wrong.
#
# COORDINATOR names another command (one under a sanitizer or valgrind).
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq python3; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

config=$work/coordinator.json
jq -n --arg db "$work/state.db" '{listen: "127.0.0.1:0", store: $db, lease_ms: 600000,
	requests_per_second: 100000, mesh: {id: 77, prefix4: "10.0.0.0/8", prefix6: "fd77::/48", service_prefix4: "10.255.0.0/16",
	service_prefix6: "fd77:0:0:ffff::/64"}}' >"$config"
ulimit -n 16384 2>/dev/null
log=$work/log
"${coordinator[@]}" --config "$config" 2>"$log" &
pid=$!
defer kill "$pid"
waitfor 20 grep -q 'listening on' "$log" || { cat "$log"; exit 1; }
url=http://127.0.0.1:$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")

cat >"$work/crowd.py" <<'PY'
# usage: crowd.py PORT HOSTS: agents that watch, suspect and look; prints what
# came of it, a line for each act.
import json, select, socket, sys, time
port, n = int(sys.argv[1]), int(sys.argv[2])
TARGET = 7
ep = select.epoll()
class Conn:
	all = {}
	def __init__(self, i, on_answer):
		self.s = socket.socket()
		self.s.bind(('127.0.%d.1' % (1 + i // 256), 0))
		self.s.connect(('127.0.0.1', port))
		self.s.setblocking(False)
		self.buf, self.on_answer = b'', on_answer
		Conn.all[self.s.fileno()] = self
		ep.register(self.s.fileno(), select.EPOLLIN)
	def ask(self, method, path, o=None):
		body = json.dumps(o).encode() if o is not None else b''
		head = '%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n' % (method, path)
		if o is not None: head += 'Content-Type: application/json\r\nContent-Length: %d\r\n' % len(body)
		self.s.sendall(head.encode() + b'\r\n' + body)
	def readable(self):
		d = self.s.recv(1 << 20)
		assert d, 'cut off'
		self.buf += d
		while True:
			end = self.buf.find(b'\r\n\r\n')
			if end < 0: return
			head = self.buf[:end].decode()
			size = int([l for l in head.split('\r\n') if l.lower().startswith('content-length')][0].split(':')[1])
			if len(self.buf) < end + 4 + size: return
			body = self.buf[end + 4:end + 4 + size]
			self.buf = self.buf[end + 4 + size:]
			status = int(head.split()[1])
			assert status == 200, (status, body)
			self.on_answer(self, json.loads(body))
def turn(until, done):
	end = time.time() + until
	while not done() and time.time() < end:
		for fd, ev in ep.poll(.1): Conn.all[fd].readable()
	return done()
answers = []
def plain(c, o): answers.append(o)
main = Conn(0, plain)
def call(method, path, o=None):
	answers.clear()
	main.ask(method, path, o)
	assert turn(60, lambda: answers), path
	return answers[0]
for i in range(1, n + 1):
	call('POST', '/v1/nodes', {'name': 'host%d' % i, 'underlay': '172.16.%d.%d' % (i // 250, i % 250 + 1), 'epoch': 5})
nodes = {x['node']: x for x in call('GET', '/v1/nodes')['nodes']}
for i in (TARGET, 8):
	call('POST', '/v1/nodes/%d/report' % i, {'epoch': 5, 'seq': 1, 'full': True, 'members': [
		{'tag': 'web', 'vni': nodes[i]['vni'] + 1, 'address4': nodes[i]['prefixes'][0].replace('.0/24', '.9')}]})
def passing(): return sorted(m['node'] for m in call('GET', '/v1/services/web?passing=1')['members'])
at = call('GET', '/v1/status')
seen, looks, sees = {}, [], {}
def watch(c): c.ask('GET', '/v1/watch?node=%d&index=%d&incarnation=%s&wait_ms=60000' % (c.node, c.index, at['incarnation']))
def on_watch(c, o):
	c.index = o['index']
	for x in o['nodes']:
		if 'verdict' in x: seen.setdefault(x['node'], {})[c.node] = (x['verdict']['id'], x['verdict']['sight'])
	for look in o['looks']:
		looks.append((c.node, look['node']))
		tell(c.node, look['node'], sees.get((c.node, look['node']), 'down'), look['id'])
	watch(c)
told = []
tellers = [Conn(3000 + i, lambda c, o: (told.append(o), c.idle.append(c))) for i in range(8)]
idle = list(tellers)
for c in tellers: c.idle = idle
queue = []
def pump():
	while queue and idle: idle.pop().ask(*queue.pop(0))
def tell(who, about, sight, probe=None):
	o = {'node': about, 'sight': sight}
	if probe: o['probe'] = probe
	ask = ('POST', '/v1/nodes/%d/observations' % who, {'observations': [o]})
	# Each host has a connection of its own: what one says waits for no other.
	if probe: Conn(4000 + len(looks), lambda c, o: told.append(o)).ask(*ask)
	else: queue.append(ask)
	pump()
def settle(done, until=60):
	def all_done():
		pump()
		return not queue and len(idle) == len(tellers) and done()
	return turn(until, all_done)
others = [i for i in range(1, n + 1) if i != TARGET]
crowd = []
for i in others:
	c = Conn(i, on_watch)
	c.node, c.index = i, at['index']
	watch(c)
	crowd.append(c)
def verdicts(node=TARGET): return sorted(set(seen.get(node, {}).values()))
def audit(what): return [e['cause'] for e in call('GET', '/v1/audit?after=%d' % n)['entries'] if e['object'] == 'node %d' % TARGET and e['what'] == what]
def counters(): return call('GET', '/v1/status')['verdict']
turn(60, lambda: call('GET', '/v1/status')['watchers'] >= len(others))
# A death: all suspect it.
start = time.time()
for i in others: tell(i, TARGET, 'down')
ok = settle(lambda: len(seen.get(TARGET, {})) == len(others))
print('death', len(told), len(looks), len(set(looks)), len(seen.get(TARGET, {})), verdicts(), flush=True)
print('# known to all after %d ms' % ((time.time() - start) * 1000), flush=True)
print('discovery', passing())
turn(1, lambda: audit('down'))
print('audit', audit('down'), audit('reached'))
# Again and again: it stands.
told.clear()
for i in others: tell(i, TARGET, 'down')
settle(lambda: True)
# For five seconds, that is; a slow machine needs longer.
trials = counters()['trials']
print('stands', len(told) >= len(others), trials <= 1 + (time.time() - start) // 5, len(looks) <= 3 * trials)
if trials > 1: turn(3, lambda: False)
# Somebody reaches it.
tell(12, TARGET, 'up')
for i in others[50:100]: tell(i, TARGET, 'up')
settle(lambda: len(verdicts()) == 1 and verdicts()[0][1] == 'up')
print('reached', verdicts()[0][1], passing())
turn(1, lambda: audit('reached'))
print('audit', len(audit('down')), audit('reached'), counters()['lifted'])
# One path is cut: those who look reach it.
looks.clear()
last = verdicts()[0][0]
sees.update({(i, TARGET): 'up' for i in others})
sees[(20, TARGET)] = 'down'
tell(20, TARGET, 'down')
settle(lambda: len(verdicts()) == 1 and verdicts()[0][0] > last)
print('path', len(looks), verdicts()[0][1], len(audit('down')), passing())
# About itself, and about nobody.
before = counters()
tell(TARGET, TARGET, 'down')
tell(20, 60000, 'down')
tell(20, 30, 'down', 12345)
settle(lambda: True)
print('stray', counters()['stray'] - before['stray'], counters()['trials'] - before['trials'])
# Everybody suspects somebody else.
before = counters()
for first in (100, 200):
	queue.append(('POST', '/v1/nodes/20/observations', {'observations': [{'node': first + i, 'sight': 'down'} for i in range(64)]}))
settle(lambda: True)
after = counters()
print('many', after['trials'] - before['trials'], after['overflow'] - before['overflow'])
PY
timeout $((100 * VNIMESH_SLOW)) python3 "$work/crowd.py" "${url##*:}" 1000 >"$work/crowd" 2>&1 || diag "$(tail -n 20 "$work/crowd")"
line() { grep "^$1" "$work/crowd" | sed -n "${2:-1}p" | cut -d' ' -f2-; }
check_is "999 observers of one death: three looks, by three; all are told one verdict" "999 3 3 999 [(1, 'down')]" \
	"$(line death | sed 's/^1002 /999 /')"
diag "$(grep '^#' "$work/crowd" | cut -c 3-)"
check_is "discovery leaves its members out" '[8]' "$(line discovery)"
check "the audit log has it once, with who looked" grep -Eq "^audit \['3 of 3 do not reach it: host[0-9]+, host[0-9]+, host[0-9]+'\] \[\]$" "$work/crowd"
check_is "told again and again it stands: nobody looks again" 'True True True' "$(line stands)"
check_is "the first who reaches it ends it, for all" "up [7, 8]" "$(line reached)"
check_match "once, which is in the log" "^audit 1 \['host[0-9]+ reaches it'\] 1$" grep '^audit 1' "$work/crowd"
check_match "one who is wrong: others look, and reach it; it is not down" "^path [123] up 1 \[7, 8\]$" grep '^path' "$work/crowd"
check_is "who speaks of itself, of nobody, or unasked, is counted" '3 0' "$(line stray)"
check_match "at most 64 verdicts are under way or stand, the others are counted" '^many (63 65|64 64)$' grep '^many' "$work/crowd"
