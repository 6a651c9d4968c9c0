#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The coordinator's API against whoever there is: every route with the wrong
# method, type, size, identity and JSON; clients that are slow, many or never
# satisfied; and the log of what changed.
#
# COORDINATOR names another command (one under a sanitizer or valgrind).
# API_SLOW sets the number of slow clients (2000, for half of which there is room;
# make soak has 10000, all the room there ever is, and more rounds of them).
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq python3 sqlite3; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
slow=${API_SLOW:-2000}
rounds=3
[ "$slow" -le 4096 ] || rounds=8

config=$work/coordinator.json
tls=$work/tls
body=$work/body
pid=''
# config [JQ]
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
}
stop() {
	[ -n "$pid" ] || return 0
	kill -"${1:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	stopped=$?
	pid=''
}
defer stop KILL

# --- the document is the program ------------------------------------------------

"${coordinator[@]}" --routes >"$work/routes"
jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[]
	| "\(.key | ascii_upcase) \($path | gsub("\\{[a-z]*\\}"; "*")) \(.value["x-role"]) \(.value | has("requestBody"))"' \
	"$(dirname "$0")/../../Documentation/openapi.json" | sort >"$work/documented"
while read -r method path role max; do
	echo "$method $path $role $([ "$max" = 0 ] && echo false || echo true)"
done <"$work/routes" | sort >"$work/there"
check "the OpenAPI document has the routes, roles and bodies of the program, no more and no fewer" \
	diff "$work/documented" "$work/there"
check_is "and every schema that it names" '[]' "$(jq -c '[.components.schemas | keys] as $k
	| [.. | ."$ref"? // empty | ltrimstr("#/components/schemas/")] | unique - $k[0]' \
	"$(dirname "$0")/../../Documentation/openapi.json")"

# --- every route, every wrong way --------------------------------------------------

config
"${coordinator[@]}" init --config "$config" >"$work/join" || exit 1
check "starts" start
url=https://127.0.0.1:$port
admin=$(cat "$tls/admin.token")
mapfile -t tokens < <(for role in read register; do
	curl -s --cacert "$tls/ca.pem" -H "Authorization: Bearer $admin" -H 'Content-Type: application/json' \
		-d "{\"role\": \"$role\", \"tags\": [\"*\"]}" "$url/v1/tokens" | jq -r .secret
done)
# say TOKEN METHOD PATH [CURL-ARGUMENT...]: the status; a refusal is a problem
# that tells its own status.
say() {
	local token=$1 method=$2 path=$3 args=()
	shift 3
	[ -z "$token" ] || args=(-H "Authorization: Bearer $token")
	status=$(curl -s -m 60 --cacert "$tls/ca.pem" -X "$method" "${args[@]}" "$@" -o "$body" \
		-w '%{http_code} %{content_type}' "$url$path")
	case $status in
	[45]*' application/problem+json')
		status=${status%% *}
		[ "$(jq -r '"\(.status) \(.type) \(.title | length > 0) \(.detail | length > 0)"' "$body" 2>/dev/null)" = "$status about:blank true true" ] ||
			status="$status without its reason"
		;;
	[45]*) status="${status% *} as ${status#* }" ;;
	*) status=${status%% *} ;;
	esac
}
state() {
	curl -s --cacert "$tls/ca.pem" -H "Authorization: Bearer $admin" "$url/v1/mesh" "$url/v1/tokens" | jq -c 'del(.. | .age_ms?)'
}
head -c 1100000 /dev/zero | tr '\0' ' ' >"$work/large"
head -c 17000000 /dev/zero | tr '\0' ' ' >"$work/larger"
state >"$work/before"
json=(-H 'Content-Type: application/json' --data-binary)
declare -A rank=([open]=-1 [join]=0 [read]=1 [register]=2 [admin]=3)
bad=''
tried=0
# expect WANT TOKEN METHOD PATH ARGUMENT...
expect() {
	local want=$1
	shift
	tried=$((tried + 1))
	say "$@"
	[[ " $want " == *" $status "* ]] || bad+="$2 $3 ${*:4:2} as ${1:0:9}: $status instead of $want"$'\n'
}
while read -r method path role max; do
	# Names of what is not there.
	real=${path/\*/nothing}
	[ "$role" = open ] || expect 401 '' "$method" "$real"
	expect '401 403 200' "vnm1.000000000000.00" "$method" "$real"
	for i in 0 1; do
		((rank[$role] <= i + 1)) || expect 403 "${tokens[i]}" "$method" "$real" "${json[@]}" '{}'
	done
	for wrong in GET POST PUT DELETE PATCH; do
		grep -q "^$wrong ${path//\*/\\*} " "$work/routes" || expect 405 "$admin" "$wrong" "$real"
	done
	[ "$role" != join ] || continue
	[ "$max" != 0 ] || continue
	expect 415 "$admin" "$method" "$real" -d '{}'
	for text in '' '{' '[]' '"x"' 'null' '{"a": 1, "a": 2}' $'{"a": "\xff"}' "$(printf '[%.0s' {1..3000})"; do
		expect '400 404' "$admin" "$method" "$real" "${json[@]}" "$text"
	done
	if ((max > 2000000)); then
		expect 413 "$admin" "$method" "$real" "${json[@]}" "@$work/larger"
	else
		expect 413 "$admin" "$method" "$real" "${json[@]}" "@$work/large"
	fi
done <"$work/routes"
check_is "$tried wrong requests, each refused with a reason" '' "$bad"
# Every field that the document has, of a type that it is not.
bad=''
tried=0
while read -r method path field type; do
	case $type in
	string | null) value=17 ;;
	*) value='"x"' ;;
	esac
	tried=$((tried + 1))
	full='{"name": "n", "underlay": "192.0.2.1", "epoch": 1, "seq": 1, "role": "read", "csr": "x"}'
	full=$(jq -c --argjson v "$value" ".$field = \$v" <<<"$full")
	say "$admin" "$method" "${path/\*/web}" "${json[@]}" "$full"
	got=$(jq -r .field "$body" 2>/dev/null)
	[[ $status = 400 && $got = "$field"* || $status = 404 ]] || bad+="$method $path $field: $status $got"$'\n'
done < <(jq -r '.components.schemas as $s | .paths | to_entries[] | .key as $path | .value | to_entries[]
	| .key as $method | select(.value["x-role"] != "join") | .value.requestBody.content["application/json"].schema // empty
	| if ."$ref" then $s[."$ref" | ltrimstr("#/components/schemas/")] else . end
	| .properties | to_entries[] | select(.key != "node" and .key != "name" or $path == "/v1/nodes")
	| "\($method | ascii_upcase) \($path | gsub("\\{[a-z]*\\}"; "*")) \(.key) \(.value.type)"' \
	"$(dirname "$0")/../../Documentation/openapi.json")
check_is "$tried fields of the wrong type, each named" '' "$bad"
state >"$work/after"
check "nothing has changed" diff "$work/before" "$work/after"

# --- who is faster -------------------------------------------------------------------

etag() { sed -n 's/^[Ee][Tt]ag: *\([^\r]*\)\r*$/\1/p' "$work/headers" | tr -d '\r'; }
say "$admin" PUT /v1/services/match "${json[@]}" '{}' -H 'If-None-Match: *' -D "$work/headers"
check_is "a service is created" 200 "$status"
first=$(etag)
say "$admin" PUT /v1/services/match "${json[@]}" '{}' -H 'If-None-Match: *'
check_is "once" '412 If-None-Match' "$status $(jq -r .field "$body")"
say "$admin" GET /v1/services/match -D "$work/headers"
check_is "its version is that of who reads it" "$first" "$(etag)"
say "$admin" PUT /v1/services/match "${json[@]}" '{"policy": "random"}' -H "If-Match: $first" -D "$work/headers"
check_is "who read it may change it" 200 "$status"
second=$(etag)
check "which makes another version" test "$first" != "$second"
say "$admin" PUT /v1/services/match "${json[@]}" '{"policy": "maglev"}' -H "If-Match: $first"
check_is "who read it before may not" '412 If-Match' "$status $(jq -r .field "$body")"
say "$admin" DELETE /v1/services/match -H "If-Match: $first"
check_is "nor delete it" '412 If-Match' "$status $(jq -r .field "$body")"
say "$admin" GET /v1/services/match
check_is "nothing has changed" random "$(jq -r .service.policy "$body")"
say "$admin" PUT /v1/services/match "${json[@]}" '{}' -H 'If-None-Match: "x"'
check_is "another If-None-Match" '400 If-None-Match' "$status $(jq -r .field "$body")"
say "$admin" PUT /v1/services/nothing "${json[@]}" '{}' -H 'If-Match: *'
check_is "what is not there does not match" '412 If-Match' "$status $(jq -r .field "$body")"
say "$admin" DELETE /v1/services/match -H "If-Match: $second"
check_is "deleted by who knows it" 200 "$status"

# --- the log -----------------------------------------------------------------------

say "$admin" PUT /v1/services/logged "${json[@]}" '{"on_down": "keep"}'
say "$admin" POST /v1/nodes "${json[@]}" '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}'
for m in '"seq": 1, "full": true, "members": [{"tag": "logged", "vni": 257, "address4": "10.77.1.2"}]' \
	'"seq": 2, "members": [{"tag": "logged", "vni": 257, "address4": "10.77.1.2", "state": "down", "health": 0, "output": "refused"}]' \
	'"seq": 3, "members": [{"tag": "logged", "vni": 257, "address4": "10.77.1.2", "state": "down", "health": 0, "latency_us": 5}]' \
	'"seq": 4, "removed": [{"tag": "logged", "vni": 257}]'; do
	say "$admin" POST /v1/nodes/1/report "${json[@]}" "{\"epoch\": 5, $m}"
done
say "$admin" DELETE /v1/services/logged
say "$admin" GET /v1/audit
token=$(cut -d. -f2 <<<"$admin")
check_is "every transition is in the log, once, with who and why" \
	"service logged/created/token $token/policy optimal, on_down keep
node 1/joined/token $token/it registered as \"host1\"
member logged/257/added/token $token/up
member logged/257/down/token $token/was up: refused
member logged/257/removed/token $token/reported as removed
service logged/deleted/token $token/asked for" \
	"$(jq -r '.entries[-6:][] | "\(.object)/\(.what)/\(.who)/\(.cause)"' "$body")"
check_is "with numbers that rise by one" true "$(jq '[.entries[].seq] | . == [range(1; length + 1)]' "$body")"
last=$(jq .last "$body")
say "$admin" GET "/v1/audit?after=$((last - 2))&limit=1"
check_is "by pages" "1 $((last - 1))" "$(jq -r '"\(.entries | length) \(.entries[0].seq)"' "$body")"
time=$(jq -r '.entries[-1].time' "$body")
# goes_on AFTER [TIME]: status, field, entries
goes_on() {
	say "$admin" GET "/v1/audit?after=$1${2:+&time=$2}"
	echo "$status $(jq -r '.field // "-"' "$body") $(jq -r '.entries | length' "$body")"
}
check_is "on from one that is there" '200 - 2' "$(goes_on $((last - 2)))"
check_is "and is the one that was read" '200 - 1' "$(goes_on $((last - 1)) "$time")"
check_is "on from the last one there is nothing yet" '200 - 0' "$(goes_on "$last")"
check_is "from one that is not there yet: of another log" '410 after 0' "$(goes_on $((last + 1)))"
check_is "from one that is another by its time" '410 time 0' "$(goes_on $((last - 1)) 2001-02-03T04:05:06Z)"
check_is "from one that is far from there" '410 after 0' "$(goes_on 9007199254740991)"
say "$admin" GET '/v1/audit?limit=0'
check_is "a bad page" '400 limit' "$status $(jq -r .field "$body")"

# Two say that they are the primary: what the store keeps stays as it is.
claim() {
	say "$admin" POST /v1/nodes/1/report "${json[@]}" "{\"epoch\": 5, \"seq\": $1, \"members\": [{\"tag\": \"first\", \"vni\": 258,
		\"address4\": \"10.77.1.3\", \"state\": \"down\", \"health\": 0, $2}]}"
}
claims() { say "$admin" GET "/v1/audit?after=$last" && jq -r '.entries[] | select(.object == "member first/258") | "\(.what): \(.cause)"' "$body"; }
has_claims() { [ "$(claims | wc -l)" = "$1" ]; }
say "$admin" GET /v1/audit
last=$(jq .last "$body")
claim 5 '"output": "not the primary"'
claim 6 '"output": "two primaries: VNI 513 is it already", "rival": 513'
check_is "a rival is taken" 200 "$status"
check "which is in the log" waitfor 20 has_claims 2
claim 7 '"output": "two primaries: VNI 513 is it already", "latency_us": 5, "rival": 513'
say "$admin" GET /v1/services/first
check_is "and who asks is told" 513 "$(jq '.members[0].rival' "$body")"
claim 8 '"output": "not the primary"'
check "as is its end" waitfor 20 has_claims 3
check_is "once each, with who and why" "added: down: not the primary
two primaries: VNI 513 says that it is the primary, too; that one stays
one primary: no more than one of VNI 258 and VNI 513 says so: not the primary" "$(claims)"
say "$admin" GET /v1/services/first
check_is "there is none any more" null "$(jq '.members[0].rival' "$body")"
claim 9 '"rival": "x"'
check_is "no VNI" '400 members[0].rival' "$status $(jq -r .field "$body")"
say "$admin" GET /v1/audit
last=$(jq .last "$body")
stop KILL
start
url=https://127.0.0.1:$port
say "$admin" GET /v1/audit
check_is "it survives kill -9" "$last" "$(jq .last "$body")"
stop KILL
time=$(jq -r '.entries[-1].time' "$body")
sqlite3 "$work/state.db" "DELETE FROM records WHERE key LIKE 'audit/%' AND key < 'audit/$(printf %016d "$last")'"
check "all but the last one are too old by now" start
url=https://127.0.0.1:$port
check_is "on from one of these: those between would be missing" '410 after 0' "$(goes_on 1)"
check_is "from the one that is kept" '200 - 0' "$(goes_on "$last" "$time")"
say "$admin" GET /v1/audit
check_is "from the beginning" "200 $last" "$status $(jq '.entries[0].seq' "$body")"

# --- who may send much ------------------------------------------------------------------

# Who announces a body waits to be told to go on.
check_is "who does not speak for a node does not get to send its report" '403 0' "$(curl -s -m 60 --cacert "$tls/ca.pem" \
	-H "Authorization: Bearer ${tokens[1]}" -H 'Content-Type: application/json' -H 'Expect: 100-continue' --expect100-timeout 60 \
	--data-binary "@$work/large" -o "$body" -w '%{http_code} %{size_upload}' "$url/v1/nodes/1/report")"
check_is "which is told why" node "$(jq -r .field "$body")"

# --- half a handshake ------------------------------------------------------------------

# Prints how long each was left there, and the processor time that they cost in
# percent of theirs.
cat >"$work/half.py" <<'PY'
import select, socket, sys, time
port, pid = int(sys.argv[1]), sys.argv[2]
hello = bytes.fromhex('160301002f0100002b0303') + b'R' * 32 + bytes.fromhex('000004130100ff01000000')
def used(): return sum(int(n) for n in open('/proc/%s/stat' % pid).read().split()[13:15]) * 10
there, start, cost = {}, time.time(), used()
for part in b'', hello[:2], hello[:5], hello[:30], hello[:-1]:
	s = socket.create_connection(('127.0.0.1', port))
	s.sendall(part)
	there[s] = len(part)
middle = None
while there and time.time() < start + float(sys.argv[3]):
	for s in select.select(list(there), [], [], 1)[0]:
		try: more = s.recv(1000)
		except OSError: more = b''
		if not more: there.pop(s)
	if not middle and time.time() > start + 5: middle = (used() - cost) / (time.time() - start) / 10
print('left', *sorted(there.values()), 'cost', int(middle or 0), flush=True)
PY
check_match "half a handshake costs nothing and is cut off" '^left cost ([0-9]|[1-3][0-9])$' \
	python3 "$work/half.py" "$port" "$pid" $((30 * VNIMESH_SLOW))
stop

# --- too many ------------------------------------------------------------------------

# Plain HTTP from here: it is about connections.
config 'del(.tls_dir) | .store += "2"'
command=("${coordinator[@]}")
[ "$slow" -gt 4096 ] || coordinator=(prlimit --nofile=1128 "${coordinator[@]}")
ulimit -n 16384 2>/dev/null
start
coordinator=("${command[@]}")
cat >"$work/slow.py" <<'PY'
# usage: slow.py PORT N: N clients that bring a byte now and then, or never
# read; prints "ready", and then times an honest one until stdin ends.
import os, select, socket, sys, time
port, n = int(sys.argv[1]), int(sys.argv[2])
kinds = [b'', b'GET /v1/sta', b'POST /v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
	 b'GET /v1/mesh HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n' * 20]
def one(i):
	s = socket.socket()
	s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
	s.bind(('127.0.%d.%d' % (1 + i // 200 % 200, 1 + i % 200), 0))
	s.settimeout(30)
	s.connect(('127.0.0.1', port))
	s.sendall(kinds[i % len(kinds)])
	s.setblocking(False)
	return s
slow = [one(i) for i in range(n)]
print('ready', flush=True)
times, i, cut = [], 0, 0
end = time.time() + float(sys.argv[3])
while time.time() < end:
	for _ in range(50):
		i += 1
		k = i % n
		try:
			if k % 4 != 3: slow[k].send(b'x')
		except BlockingIOError:
			pass
		except OSError:
			cut += 1
			slow[k].close()
			try: slow[k] = one(k)
			except OSError: pass
	t = time.time()
	h = socket.create_connection(('127.0.0.1', port), 30)
	h.sendall(b'GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
	got = b''
	while True:
		d = h.recv(65536)
		if not d: break
		got += d
	assert b' 200 ' in got[:20], got[:100]
	times.append(time.time() - t)
	h.close()
times.sort()
print(len(times), int(times[len(times) * 99 // 100] * 1000), int(times[-1] * 1000), cut, flush=True)
PY
# memory WHAT: VmRSS, or VmHWM, the most since the last reset
memory() { awk -v "what=$1:" '$1 == what { print $2 }' "/proc/$pid/status"; }
connections() { [ "$(curl -s "http://127.0.0.1:$port/v1/status" | jq .connections)" -le 2 ]; }
# What there is of clients as such varies with when one looks: so the most there
# was of a round, and what is left once all are gone.
peaks=() left=()
for ((i = 1; i <= rounds; i++)); do
	echo 5 >"/proc/$pid/clear_refs"
	timeout 300 python3 "$work/slow.py" "$port" "$slow" 12 >"$work/slow.$i" 2>&1 || cat "$work/slow.$i"
	peaks+=("$(memory VmHWM)")
	waitfor 20 connections || echo "round $i: not all are gone"
	left+=("$(memory VmRSS)")
done >"$work/rounds"
check "when they go all are gone" test ! -s "$work/rounds"
read -r n p99 max cut < <(tail -n 1 "$work/slow.$rounds")
check "$slow slow clients beside an honest one: p99 of $n requests $p99 ms, longest $max ms" test "${p99:-99999}" -lt $((1000 * VNIMESH_SLOW / 3))
check "slow ones are cut off" test "$(curl -s "http://127.0.0.1:$port/v1/status" | jq .cut_off)" -gt 0
# plateau KIB...: none after the second is far above it; a sanitizer keeps some of
# what was freed.
plateau() {
	local base=$2 slack=512 kib
	[ -z "${VNIMESH_LANE-}" ] || slack=$((base / 10 + 2000))
	shift 2
	for kib; do
		((kib * 20 <= base * 21 + slack * 20)) || { echo "$kib KiB after $base"; return 1; }
	done
}
check "memory reaches a plateau, with them: ${peaks[*]} KiB" plateau "${peaks[@]}"
check "... and without: ${left[*]} KiB" plateau "${left[@]}"

# Bodies that are under way: one byte is missing of each.
cat >"$work/bodies.py" <<'PY'
import http.client, json, socket, sys, time
port = int(sys.argv[1])
size, most = 16 << 20, 256 << 20
head = b'POST /v1/nodes/web/report HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % size
def status():
	c = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
	c.request('GET', '/v1/status')
	return json.loads(c.getresponse().read())
# The answer to a large one, or to its head.
def another(address, body=None):
	c = http.client.HTTPConnection('127.0.0.1', port, timeout=60, source_address=(address, 0))
	c.putrequest('POST', '/v1/nodes/web/report')
	c.putheader('Content-Type', 'application/json')
	c.putheader('Content-Length', str(1 << 20))
	if not body: c.putheader('Expect', '100-continue')
	c.endheaders(body)
	r = c.getresponse()
	return r.status, r.headers['Retry-After'], json.loads(r.read())['detail'].split(' are ')[0]
def settled():
	last = -1
	while (now := status()['body_bytes']) != last:
		last = now
		time.sleep(.3)
	return now
# Two of each of nine addresses, of which one may have so many.
there = [socket.create_connection(('127.0.0.1', port), source_address=('127.0.0.%d' % (2 + i // 2), 0)) for i in range(18)]
for s in there: s.sendall(head)
for s in there:
	try: s.sendall(b' ' * (size - 1))
	except OSError: pass
full = settled()
print(*another('127.0.0.2', b' ' * (1 << 20)))
print('full' if most - size < full <= most else full)
print(*another('127.0.0.1'))
c = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
c.request('PUT', '/v1/services/small', b'{}', {'Content-Type': 'application/json'})
print(c.getresponse().status)
# The largest of the small ones, in pieces.
small = b'{"x": "' + b'x' * ((64 << 10) - 9) + b'"}'
c = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
c.putrequest('PUT', '/v1/services/small')
c.putheader('Content-Type', 'application/json')
c.putheader('Content-Length', str(len(small)))
c.endheaders(small[:20000])
settled()
c.send(small[20000:41000])
settled()
c.send(small[41000:])
print(c.getresponse().status)
for s in there: s.close()
end = time.time() + 60
while status()['body_bytes'] and time.time() < end: time.sleep(.1)
print(status()['body_bytes'], status()['refused_bodies'] > 0, status()['refused_share'])
PY
curl -s -o "$body" -d '{"name": "web", "underlay": "192.0.2.9", "epoch": 1}' -H 'Content-Type: application/json' "http://127.0.0.1:$port/v1/nodes"
check_is "what is sent and not whole has a bound for each address, and for all together; small bodies are taken beyond it" \
	'429 1 too many large bodies of 127.0.0.2 full 503 1 too many large bodies 200 200 0 True 1' \
	"$(timeout 200 python3 "$work/bodies.py" "$port" 2>&1 | tail -n 6 | xargs)"
stop
config 'del(.tls_dir) | .store += "2" | .requests_per_second = 1'
start
for ((i = 0; i < 40; i++)); do
	curl -s -i "http://127.0.0.1:$port/v1/status"
done >"$work/codes"
check "too many requests of one address are refused" grep -q '^HTTP/1.1 429' "$work/codes"
check "and told when to come back" grep -qi '^retry-after: 1' "$work/codes"
check_is "others are not" 200 "$(curl -s --interface 127.0.0.9 -o "$body" -w '%{http_code}' "http://127.0.0.1:$port/v1/status")"
check "which is counted" test "$(jq .refused_rate "$body")" -gt 0
stop
check_is "exit" 0 "$stopped"
