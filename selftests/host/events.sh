#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The coordinator's event stream: one for many tags, resumed, bounded, and
# only for whom it is for.
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
tls=$work/tls
body=$work/body
pid=''
config() {
	jq -n --arg db "$work/state.db" --arg tls "$tls" '{listen: "127.0.0.1:0", store: $db, tls_dir: $tls, lease_ms: 600000,
		requests_per_second: 100000,
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/16",
		service_prefix6: "fd77:0:0:ffff::/64"}}' | jq "${1:-.}" >"$config"
}
start() {
	runs=$((${runs:-0} + 1))
	log=$work/log.$runs
	"${coordinator[@]}" --config "$config" 2>"$log" &
	pid=$!
	waitfor 20 grep -q 'listening on' "$log" || { cat "$log"; return 1; }
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")
	url=http://127.0.0.1:$port
}
stop() {
	[ -n "$pid" ] || return 0
	kill -"${1:-TERM}" "$pid" 2>/dev/null
	stopped=0
	wait "$pid" 2>/dev/null || stopped=$?
	pid=''
}
defer stop KILL
streams=()
hang_up() { kill "${streams[@]}" 2>/dev/null; wait "${streams[@]}" 2>/dev/null; streams=(); }
defer hang_up

req() {
	local args=(-s -m 60 -X "$1" -o "$body" -w '%{http_code}')
	[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
	status=$(curl "${args[@]}" "$url$2")
}
# listen NAME QUERY [CURL-ARGUMENT...]: a stream into the file $work/NAME.
listen() {
	local name=$1 query=$2
	shift 2
	: >"$work/$name"
	curl -s -N "$@" "$url/v1/events?$query" >>"$work/$name" &
	streams+=($!)
}
events() { grep -c '^event: change' "$work/$1"; }
# has NAME N: there are that many events, all whole.
has() { [ "$(events "$1")" = "$2" ] && [ "$(grep -c '^data: .*}$' "$work/$1")" = "$2" ]; }
# data NAME JQ: of the last event.
data() { sed -n 's/^data: //p' "$work/$1" | tail -n 1 | jq -c "$2"; }
last_id() { sed -n 's/^id: //p' "$work/$1" | tail -n 1; }
status() { req GET /v1/status; jq "$1" "$body"; }
# refused QUERY [CURL-ARGUMENT...]: status and field.
refused() {
	local query=$1
	shift
	curl -s -m 60 "$@" "$url/v1/events?$query" | jq -r '"\(.status) \(.field // "-")"'
}
# report SEQ HEALTH: of the members of a and b.
report() {
	req POST /v1/nodes/1/report "{\"epoch\": 5, \"seq\": $1, \"full\": true, \"members\": [
		{\"tag\": \"a\", \"vni\": 257, \"address4\": \"10.77.1.2\", \"health\": $2},
		{\"tag\": \"b\", \"vni\": 258, \"address4\": \"10.77.1.3\"}]}"
}

# --- many tags, one stream ---------------------------------------------------------

# An address' share of the connections is not what is looked at here.
config 'del(.tls_dir) | .connections_per_client = 2048'
start || exit 1
req POST /v1/nodes '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}'
report 1 100
listen ab 'tag=a&tag=nobody&tag=b&tag=a'
listen other 'tag=elsewhere&heartbeat_ms=200'
check "the first event has all there is" waitfor 20 has ab 1
check_is "of the tags asked for" '[true,["a","b"],[],{"a":[257],"b":[258],"nobody":[]}]' \
	"$(data ab '[.full, (.services | map(.tag)), .services_removed, (.members | map_values(map(.vni)))]')"
check_is "its id is incarnation and index" "$(data ab '"\(.incarnation).\(.index)"' | tr -d '"')" "$(last_id ab)"
curl -s -i -m 1 "$url/v1/events?tag=a" >"$work/head"
check "its type is that of event streams" grep -qi '^content-type: text/event-stream' "$work/head"
waitfor 20 has other 1
report 2 0
check "a change comes" waitfor 20 has ab 2
check_is "alone" '[false,[],{"a":[0]}]' "$(data ab '[.full, .services, (.members | map_values(map(.health)))]')"
req PUT /v1/services/a '{"policy": "maglev"}'
check "so does one of the definition" waitfor 20 has ab 3
check_is "alone" '[["maglev"],{}]' "$(data ab '[(.services | map(.policy)), .members]')"
req PUT /v1/services/nobody '{}'
check "a tag that was not there" waitfor 20 has ab 4
check_is "... begins" '["nobody"]' "$(data ab '.services | map(.tag)')"
req DELETE /v1/services/nobody
check "... and ends" waitfor 20 has ab 5
check_is "... by name" '["nobody"]' "$(data ab .services_removed)"
beats() { [ "$(grep -c '^: beat' "$work/other")" -ge 2 ]; }
check "a stream to which nothing happens has heartbeats" waitfor 20 beats
check "and no events of others' tags" has other 1
moved() { [ "$(last_id other)" = "$(last_id ab)" ]; }
check "its heartbeats move its id on" waitfor 20 moved
check_is "both are counted" '2 true' "$(status .streams) $(status '.events >= 6')"

# --- resuming ------------------------------------------------------------------------

id=$(last_id ab)
hang_up
closed() { [ "$(status .streams)" = 0 ]; }
check "who hangs up is noticed" waitfor 20 closed
report 3 50
listen ab 'tag=a&tag=b' -H "Last-Event-ID: $id"
check "who comes back with its last id" waitfor 20 has ab 1
check_is "gets what changed since, only" '[false,{"a":[50]}]' "$(data ab '[.full, (.members | map_values(map(.health)))]')"
listen same 'tag=a&tag=b&heartbeat_ms=100' -H "Last-Event-ID: $(last_id ab)"
beats() { [ "$(grep -c '^: beat' "$work/same")" -ge 1 ]; }
check "if nothing did it waits" waitfor 20 beats
check_is "for something to tell" 0 "$(events same)"
for wrong in x "x.y" ".7" "${id%.*}." "${id%.*}.-1" "${id%.*}.99999999999999999999"; do
	check_is "an id that is none: $wrong" '400 Last-Event-ID' "$(refused 'tag=a' -H "Last-Event-ID: $wrong")"
done
check_is "an id of the future" '410 Last-Event-ID' "$(refused 'tag=a' -H "Last-Event-ID: ${id%.*}.999999999")"
check_is "no tag" '400 tag' "$(refused '')"
check_is "a tag that is none" '400 tag' "$(refused 'tag=a&tag=A')"
check_is "too many tags" '400 tag' "$(refused "tag=a&tags=$(printf 't%.0s,' {1..4096})" | sed s/tags/tag/)"
listen some "$(printf '&tag=t%d' {1..300})&tags=b$(printf ',u%d' {1..3000})"
check "three thousand are not" waitfor 20 has some 1
check_is "... all of them" 3301 "$(data some '.members | length')"
check_is "a heartbeat out of range" '400 heartbeat_ms' "$(refused 'tag=a&heartbeat_ms=99')"
# A thousand services that come and go.
seq 1 1026 | sed "s|.*|url = $url/v1/services/gone-&\nrequest = PUT\nheader = \"Content-Type: application/json\"\ndata = \"{}\"\noutput = /dev/null\nnext\nurl = $url/v1/services/gone-&\nrequest = DELETE\noutput = /dev/null\nnext|" |
	sed '$d' >"$work/many"
curl -s -K "$work/many"
check_is "an id that is too old" '410 Last-Event-ID' "$(refused 'tag=a' -H "Last-Event-ID: $id")"
check_is "who was there all the time saw nothing of it" 1 "$(events ab)"
id=$(last_id same)
hang_up
stop
check_is "the end is clean with streams open" 0 "$stopped"
start
check_is "after a restart an id is too old" '410 Last-Event-ID' "$(refused 'tag=a' -H "Last-Event-ID: $id")"
listen ab 'tag=a&tag=b'
check "without one all comes anew" waitfor 20 has ab 1
check_is "in full" true "$(data ab .full)"
new=${id%.*}
check "under another incarnation" test "$(last_id ab | cut -d. -f1)" != "$new"
streaming=${streams[0]}
stop
gone() { ! kill -0 "$streaming" 2>/dev/null; }
check "when the coordinator stops the stream ends" waitfor 20 gone
check_is "... as it should" "0 0" "$stopped $(wait "$streaming"; echo $?)"
streams=()

# --- too many, too slow ------------------------------------------------------------

ulimit -n 16384 2>/dev/null
start
report 4 100
req POST /v1/nodes '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}'
cat >"$work/many.py" <<'PY'
# usage: many.py PORT: as many streams as there may be, then one more of somebody
# new, for whom the first one ends, and one more of who has as many as any; then
# those that never read while much happens; then clients that take all they get,
# before another one comes; then streams of as many clients, one each, and one more.
import http.client, json, socket, sys, time
port = int(sys.argv[1])
def send(address, path, rcvbuf=None):
	s = socket.socket()
	if rcvbuf: s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
	s.bind((address, 0))
	s.settimeout(60)
	s.connect(('127.0.0.1', port))
	s.sendall(b'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n' % path.encode())
	return s
def stream(i, query='tag=a', rcvbuf=None): return send('127.0.1.%d' % (1 + i // 256), '/v1/events?' + query, rcvbuf)
def first(s): return s.recv(4096).split(b'\r\n')[0].decode()
def ask(method, path, body=None):
	c = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
	c.request(method, path, body, {'Content-Type': 'application/json'})
	return json.loads(c.getresponse().read())
all = [stream(i) for i in range(1024)]
print(len([1 for s in all if first(s) == 'HTTP/1.1 200 OK']))
new = stream(1024)
print(first(new))
rest, end = b'', time.time() + 60
while not rest.endswith(b'0\r\n\r\n') and time.time() < end and (data := all[0].recv(65536)): rest += data
print(rest.endswith(b'0\r\n\r\n'))
print(first(stream(0)))
print(len(ask('GET', '/v1/services/a')['members']))
status = ask('GET', '/v1/status')
print(status['streams'], status['streams_refused'], status['streams_ended'])
def close(all):
	for s in all: s.close()
	end = time.time() + 60
	while ask('GET', '/v1/status')['streams'] and time.time() < end: time.sleep(.1)
close(all + [new])
before = ask('GET', '/v1/status')
print(before['streams'])
slow = [stream(i, 'tag=big', 2048) for i in range(8)]
fast = stream(9, 'tag=big')
got, seq = b'', 10
end = time.time() + 90
while time.time() < end:
	status = ask('GET', '/v1/status')
	if status['cut_off'] - before['cut_off'] >= 8: break
	seq += 1
	ask('POST', '/v1/nodes/1/report', json.dumps({'epoch': 5, 'seq': seq, 'full': True, 'members': [
		{'tag': 'big', 'vni': 256 + i, 'address4': '10.77.1.%d' % (i + 1), 'output': 'x' * 255, 'health': seq % 100 + 1} for i in range(250)]}))
	fast.settimeout(.2)
	try:
		while True: got = (got + fast.recv(1 << 20))[-200000:]
	except TimeoutError: pass
status = ask('GET', '/v1/status')
print(status['cut_off'] - before['cut_off'], status['streams_unread'] - before['streams_unread'], status['streams'])
print(status['pending_bytes'] < 1000000)
close(slow + [fast])
greedy = [send('127.0.2.1', '/v1/events?tag=a') for i in range(1000)]
print([first(s) for s in greedy].count('HTTP/1.1 200 OK'), first(send('127.0.2.2', '/v1/events?tag=a')))
close(greedy)
status = ask('GET', '/v1/status')
path = '/v1/watch?incarnation=%s&index=%d&wait_ms=' % (status['incarnation'], status['index'])
waiting, before = [], status['watchers_refused']
for address, n in ('127.0.2.1', 1000), ('127.0.2.2', 1000), ('127.0.2.3', 48):
	waiting += [send(address, path + '60000') for i in range(n)]
	end = time.time() + 60
	while time.time() < end:
		status = ask('GET', '/v1/status')
		if status['watchers'] + status['watchers_refused'] - before >= len(waiting): break
		time.sleep(.1)
print(status['watchers'], status['watchers_refused'] - before, first(send('127.0.2.4', path + '1')))
close(waiting)
def ended(s, wait):
	end = time.time() + wait
	try:
		while (left := end - time.time()) > 0:
			s.settimeout(left)
			if not (data := s.recv(65536)): return False
			if data.endswith(b'0\r\n\r\n'): return True
	except TimeoutError: pass
	return False
def take(address):
	end = time.time() + 30
	while 1:
		s = send(address, '/v1/events?tag=a')
		if (said := first(s)) == 'HTTP/1.1 200 OK' or time.time() > end: return s, said
		s.close()
		time.sleep(.1)
before = ask('GET', '/v1/status')
one = [send('127.0.%d.%d' % (3 + i // 128, 1 + i % 128), '/v1/events?tag=a') for i in range(1024)]
print(before['streams'], [first(s) for s in one].count('HTTP/1.1 200 OK'))
s, said = take('127.0.2.5')
one.append(s)
print(said, ended(one[0], 20))
s, said = take('127.0.3.1')
one.append(s)
print(said, ended(one[1], 20))
print(first(send('127.0.3.1', '/v1/events?tag=a')))
print([ended(s, .001) for s in one[2:]].count(True), ask('GET', '/v1/status')['streams_ended'] - before['streams_ended'])
PY
timeout $((300 * VNIMESH_SLOW)) python3 -u "$work/many.py" "$port" >"$work/many.out" 2>&1 || diag "$(cat "$work/many.out")"
mapfile -t out <"$work/many.out"
out+=("" "" "" "" "" "" "" "" "" "" "" "" "" "" "" "")
check_is "1,024 streams" 1024 "${out[0]}"
check_is "one more, of somebody new" 'HTTP/1.1 200 OK' "${out[1]}"
check_is "takes the place of the oldest of who has most, which ends as it should" True "${out[2]}"
check_is "not of who has as many as any" 'HTTP/1.1 503 Service Unavailable' "${out[3]}"
check_is "which keeps nobody from asking" 1 "${out[4]}"
check_is "and is counted" '1024 1 1' "${out[5]}"
check_is "who goes makes room" 0 "${out[6]}"
check_is "who does not read is cut off, counted; who reads stays" '8 8 1' "${out[7]}"
check_is "and what waits to be read is bounded" True "${out[8]}"
check_is "one client has three quarters of the streams, and the next one has one" '768 HTTP/1.1 200 OK' "${out[9]}"
check_is "two have no more than that of the watchers, and another one waits" '1584 464 HTTP/1.1 200 OK' "${out[10]}"
check_is "1,024 streams of as many clients" '0 1024' "${out[11]}"
check_is "one more, of somebody new, takes its turn, and the oldest ends" 'HTTP/1.1 200 OK True' "${out[12]}"
check_is "who comes back has its turn again" 'HTTP/1.1 200 OK True' "${out[13]}"
check_is "not who has one" 'HTTP/1.1 503 Service Unavailable' "${out[14]}"
check_is "and those are all that ended" '0 2' "${out[15]}"
stop

# --- rights ---------------------------------------------------------------------------

config '.store += "2"'
"${coordinator[@]}" init --config "$config" >"$work/join" || exit 1
start
url=https://127.0.0.1:$port
admin=$(cat "$tls/admin.token")
as() { echo "-H" "Authorization: Bearer $1"; }
reader=$(curl -s --cacert "$tls/ca.pem" -H "Authorization: Bearer $admin" -H 'Content-Type: application/json' \
	-d '{"role": "read"}' "$url/v1/tokens" | jq -r .secret)
check_is "nobody hears nothing" '401 -' "$(refused 'tag=a' --cacert "$tls/ca.pem")"
check_is "nor does a token to join by" '403 -' \
	"$(refused 'tag=a' --cacert "$tls/ca.pem" -H "Authorization: Bearer $(awk '{ print $4 }' "$work/join")")"
check_is "nor a web page" '403 Origin' "$(refused 'tag=a' --cacert "$tls/ca.pem" -H "Authorization: Bearer $reader" -H 'Origin: http://x')"
listen a 'tag=a&heartbeat_ms=100' --cacert "$tls/ca.pem" -H "Authorization: Bearer $reader"
check "a reader hears" waitfor 20 has a 1
streaming=${streams[0]}
curl -s -o "$body" -X DELETE --cacert "$tls/ca.pem" -H "Authorization: Bearer $admin" "$url/v1/tokens/$(cut -d. -f2 <<<"$reader")"
check "until its token is taken back" waitfor 20 gone
streams=()
stop
check_is "exit" 0 "$stopped"
