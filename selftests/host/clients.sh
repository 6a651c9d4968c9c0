#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who is one client of the coordinator, without a certificate: an IPv4 address, also at a
# socket of both families, and a network of IPv6, or an address where there are no
# certificates. And who goes for a newcomer.
#
# COORDINATOR names another command (one under a sanitizer or valgrind).
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	exec unshare -n bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq python3 ip; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
ip link set lo up
for address in fd01:0:0:1::1 fd01:0:0:1:8000::2 fd01:0:0:2::1; do
	ip address add "$address/128" dev lo nodad || skip_all "no IPv6"
done

config=$work/coordinator.json
tls=$work/tls
pid=''
# start HOW SETTING VALUE: by plain http or by https; of what one client may have.
start() {
	local how
	runs=$((${runs:-0} + 1))
	log=$work/log.$runs
	case $1 in
	http) how='.insecure = true' ca='' ;;
	https) how='.store += ".tls" | .tls_dir = $tls | .addresses = ["127.0.0.1", "fd01:0:0:2::1"]' ca=$tls/ca.pem ;;
	esac
	jq -n --arg db "$work/state.db" --arg tls "$tls" --arg name "$2" --argjson n "$3" '{listen: "[::]:0", store: $db, lease_ms: 600000,
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/16",
		service_prefix6: "fd77:0:0:ffff::/64"}} | .[$name] = $n | '"$how" >"$config"
	[ -z "$ca" ] || [ -e "$ca" ] || "${coordinator[@]}" init --config "$config" >"$work/join" || return 1
	"${coordinator[@]}" --config "$config" 2>"$log" &
	pid=$!
	waitfor 20 grep -q 'listening on' "$log" || { cat "$log"; return 1; }
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")
}
stop() {
	[ -n "$pid" ] || return 0
	kill "$pid" 2>/dev/null
	stopped=0
	wait "$pid" 2>/dev/null || stopped=$?
	pid=''
}
defer stop

cat >"$work/client.py" <<'PY'
# usage: client.py PORT WHAT [CA TOKEN]
import http.client, json, socket, ssl, sys, time
port, what = int(sys.argv[1]), sys.argv[2]
ca, token = (sys.argv + ['', ''])[3:5]
headers = {'Content-Type': 'application/json', **({'Authorization': 'Bearer ' + token} if ca else {})}
tls = ssl.create_default_context(cafile=ca) if ca else None
one, two, other = 'fd01:0:0:1::1', 'fd01:0:0:1:8000::2', 'fd01:0:0:2::1'
old, new = '127.0.1.1', '127.0.1.2'
def connect(source):
	server = other if ':' in source else '127.0.0.1'
	options = {'timeout': 60, 'source_address': (source, 0)}
	c = http.client.HTTPSConnection(server, port, context=tls, **options) if ca else http.client.HTTPConnection(server, port, **options)
	c.connect()
	c.auto_open = 0
	return c
def ask(c, method='GET', path='/v1/ca', body=None):
	try:
		c.request(method, path, body, headers)
		r = c.getresponse()
		return r.status, r.read()
	except (OSError, http.client.HTTPException): return 'gone', b'{}'
# There is no certificate without TLS.
def code(c): return {404: 200}.get(got := ask(c)[0], got)
me = connect('127.0.9.9')
def status(): return json.loads(ask(me, path='/v1/status')[1])
def until(name, n):
	end = time.time() + 60
	while status()[name] != n and time.time() < end: time.sleep(.05)
	return status()[name]
if what == 'connections':
	for first, second in (one, two), (one, other), (old, new):
		before = status()
		there = [connect(first) for i in range(4)]
		codes = [code(c) for c in there]
		codes.append(code(connect(second)))
		print(codes.count(200), [code(c) for c in there].count(200), status()['cut_off'] - before['cut_off'])
		for c in there: c.close()
		until('connections', 1)
elif what == 'rate':
	for first, second in (one, two), (one, other), (old, new):
		c, second = connect(first), connect(second)
		while code(c) != 429: pass
		print(code(second))
elif what == 'bodies':
	print(ask(me, 'POST', '/v1/nodes', '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}')[0])
	there = []
	head = b'POST /v1/nodes/1/report HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n'
	for i in range(2):
		c = connect(one)
		c.sock.sendall(head % (16 << 20) + b' ' * ((16 << 20) - 1))
		there.append(c)
	end = time.time() + 60
	while status()['body_bytes'] < (32 << 20) - 2 and time.time() < end: time.sleep(.05)
	print(status()['body_bytes'] >= (32 << 20) - 2)
	for source in one, two, other:
		answer = ask(connect(source), 'POST', '/v1/nodes/1/report', b' ' * 1000000)
		print(answer[0], json.loads(answer[1])['detail'] if answer[0] == 429 else '')
elif what == 'waiting':
	now = status()
	path = '/v1/watch?incarnation=%s&index=%d&wait_ms=' % (now['incarnation'], now['index'])
	long = path + '60000'
	there = [connect(old) for i in range(4)]
	for c in there[:3]: c.request('GET', long)
	print(until('watchers', 3))
	for which in long, '/v1/events?tag=a':
		answer = ask(there[3], path=which)
		print(answer[0], json.loads(answer[1])['detail'])
	now = status()
	print(now['watchers_refused'], now['streams_refused'])
	print(code(connect(old)), code(there[3]), status()['watchers'])
	there[0].close()
	until('watchers', 2)
	until('connections', 3)
	c = connect(old)
	c.request('GET', '/v1/events?tag=a')
	print(c.getresponse().status, ask(connect(old), path=long)[0], ask(connect(new), path=path + '1')[0])
	streams = [connect(new) for i in range(3)]
	for s in streams: s.request('GET', '/v1/events?tag=a')
	print([s.getresponse().status for s in streams], ask(connect(new), path=path + '1')[0])
PY
# client WHAT: what it says, in ${out[@]}.
client() {
	local with=()
	[ -z "$ca" ] || with=("$ca" "$(cat "$tls/admin.token")")
	timeout $((300 * VNIMESH_SLOW)) python3 "$work/client.py" "$port" "$1" "${with[@]}" >"$work/out" 2>&1 || diag "$(cat "$work/out")"
	mapfile -t out <"$work/out"
	out+=("" "" "" "" "" "" "")
}

start https connections_per_client 4 || exit 1
client connections
check_is "a second address of an IPv6 network takes one of its connections" '5 3 1' "${out[0]}"
check_is "one of another network has its own" '5 4 0' "${out[1]}"
check_is "so has each address of IPv4, at a socket of both" '5 4 0' "${out[2]}"
stop
start http connections_per_client 4
client connections
check_is "without certificates each address of an IPv6 network has its own" '5 4 0' "${out[0]}"
check_is "as has one of another network" '5 4 0' "${out[1]}"
check_is "and each of IPv4" '5 4 0' "${out[2]}"
client bodies
check_is "two large bodies are under way" '200 True' "${out[0]} ${out[1]}"
check_is "and their address has no more" '429 too many large bodies of fd01:0:0:1::1 are under way: wait a second' "${out[2]}"
check_match "which is nothing to another one of its network" '^400 $' echo "${out[3]}"
check_match "nor to one of another" '^400 $' echo "${out[4]}"
stop
start http connections_per_client 4
client waiting
check_is "of an address three quarters of its connections wait for a change" 3 "${out[0]}"
check_is "one more may not" '503 3 requests of this address wait for changes, its other connections are for who else is there' "${out[1]}"
check_is "nor may an event stream" '503 3 requests of this address wait for changes, its other connections are for who else is there' "${out[2]}"
check_is "which is counted" '1 1' "${out[3]}"
check_is "so a newcomer has its place, and none of those goes for it" '200 gone 3' "${out[4]}"
check_is "who goes makes room for an event stream, not for one more that waits, but another address may" '200 503 200' "${out[5]}"
check_is "half are event streams at most, so that somebody can wait" '[200, 200, 503] 200' "${out[6]}"
stop
start https requests_per_second 1
client rate
check_is "a second address of an IPv6 network may ask no faster" 429 "${out[0]}"
check_is "one of another network may" 200 "${out[1]}"
check_is "so may each address of IPv4" 200 "${out[2]}"
stop
start http requests_per_second 1
client rate
check_is "without certificates each address of an IPv6 network may" 200 "${out[0]}"
check_is "as may one of another network" 200 "${out[1]}"
check_is "and each of IPv4" 200 "${out[2]}"
stop
check_is "exit" 0 "$stopped"
