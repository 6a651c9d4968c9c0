#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who may do what at the coordinator: certificates, tokens, grants, quotas.
#
# COORDINATOR names another command (one under a sanitizer or valgrind).
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq openssl sqlite3; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

config=$work/coordinator.json
preloads=$(cd "$(dirname "$0")/../preload" && pwd)
db=$work/state.db
tls=$work/tls
pid=''
config() {
	jq -n --arg db "$db" --arg tls "$tls" '{listen: "127.0.0.1:0", store: $db, tls_dir: $tls, lease_ms: 600000,
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
	url=https://127.0.0.1:$port
}
stop() {
	[ -n "$pid" ] || return 0
	kill -"${1:-TERM}" "$pid" 2>/dev/null
	stopped=0
	wait "$pid" 2>/dev/null || stopped=$?
	pid=''
}
defer stop KILL

# req WHO METHOD PATH [BODY]: as a node (its directory), by a token, or nobody.
body=$work/body
req() {
	local who=$1 args=(-s -m 60 --cacert "$tls/ca.pem" -X "$2" -o "$body" -w '%{http_code}')
	case $who in
	nobody) ;;
	vnm1.*) args+=(-H "Authorization: Bearer $who") ;;
	*) args+=(--cert "$work/$who/node.pem" --key "$work/$who/node.key") ;;
	esac
	[ $# -lt 4 ] || args+=(-H 'Content-Type: application/json' --data-binary "$4")
	: >"$body"
	status=$(curl "${args[@]}" "$url$3")
}
j() { jq -r "$1" "$body"; }
# is NAME WANT WHO METHOD PATH [BODY]: WANT is the status, and the field.
is() {
	local name=$1 want=$2
	shift 2
	req "$@"
	check_is "$name" "$want" "$status$(j 'if .field then " " + .field else "" end' 2>/dev/null)" || diag "$(cat "$body")"
}

# --- a new mesh --------------------------------------------------------------

config '.listen = "192.0.2.1:7900" | del(.tls_dir)'
check_match "beyond loopback only with TLS and rights" 'field "listen": beyond loopback only with "tls_dir"' \
	bash -c '! "$@" 2>&1' bash "${coordinator[@]}" --config "$config" --check
config '.listen = "192.0.2.1:7900"'
check "with it it may" "${coordinator[@]}" --config "$config" --check
config '.insecure = true'
check_match "insecure and TLS exclude each other" 'field "insecure"' \
	bash -c '! "$@" 2>&1' bash "${coordinator[@]}" --config "$config" --check
config 'del(.tls_dir)'
check_match "init needs a place for its secrets" 'field "tls_dir": required' \
	bash -c '! "$@" 2>&1' bash "${coordinator[@]}" init --config "$config"
config
check_fails "there is no server without init" timeout 20 "${coordinator[@]}" --config "$config"
"${coordinator[@]}" init --config "$config" >"$work/join" 2>"$work/err"
check_match "init prints one command" '^vnimesh join https://127.0.0.1:0 vnm1\.[0-9a-f]{12}\.[0-9a-f]{64}\.[0-9a-f]{64}$' cat "$work/join"
check_is "and nothing else" 1 "$(wc -l <"$work/join")"
check_is "secrets are their owner's" '600 600 700' "$(stat -c %a "$tls/ca.key" "$tls/admin.token" "$tls" | tr '\n' ' ' | sed 's/ $//')"
check_match "a mesh is made once" 'ca.key: File exists' \
	bash -c '! "$@" 2>&1' bash "${coordinator[@]}" init --config "$config"
first=$(awk '{ print $4 }' "$work/join")
admin=$(cat "$tls/admin.token")
check "starts" start
secret=${admin##*.}
check_fails "the store has no secret" grep -qa "$secret" "$db" "$db-wal"
check_is "but hashes" 2 "$(sqlite3 "$db" "SELECT count(*) FROM records WHERE key LIKE 'token/%'")"

# --- who is nobody -------------------------------------------------------------

check_fails "plain HTTP is not served" curl -s -m 10 "http://127.0.0.1:$port/v1/status"
check_fails "who expects another server is not served" curl -s -m 10 "$url/v1/status"
for path in status mesh nodes services services/a watch tokens nodes/1/grant; do
	is "nobody: GET $path" 401 nobody GET "/v1/$path"
done
is "nobody: POST nodes" 401 nobody POST /v1/nodes '{}'
is "nobody: PUT service" 401 nobody PUT /v1/services/a '{}'
check_match "it is said what would help" '^WWW-Authenticate: Bearer' curl -s -i --cacert "$tls/ca.pem" "$url/v1/status"
is "the certificate is no secret" 200 nobody GET /v1/ca
is "an unknown token" '401 Authorization' "vnm1.000000000000.$secret" GET /v1/status
is "a wrong secret" '401 Authorization' "${admin%?}x" GET /v1/status
is "a cut one" '401 Authorization' "${admin:0:40}" GET /v1/status
is "no token at all" '401 Authorization' "vnm1." GET /v1/status
is "the administrator" 200 "$admin" GET /v1/status
mkdir "$work/stranger"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=host1 -days 2 \
	-keyout "$work/stranger/node.key" -out "$work/stranger/node.pem" 2>/dev/null
req stranger GET /v1/status
check "a certificate of another authority is nothing" test "$status" != 200

# --- joining ---------------------------------------------------------------------

# join HOST TOKEN [WORD...]
join_host() {
	local host=$1 token=$2
	shift 2
	vnimesh join "$url" "$token" name "$host" config "$work/$host.json" state-dir "$work/$host" "$@"
}
is "a token to join by is for nothing else" 403 "$first" GET /v1/status
check_match "another server's token is found out first" 'is not the coordinator that made the token' \
	bash -c '! "$@" 2>&1' bash vnimesh join "$url" "${first%.*}.$(printf '0%.0s' {1..64})" name x config "$work/x.json" state-dir "$work/x"
check_fails "and nothing is left behind" test -e "$work/x/node.key"
check_match "the first node joins" '^node 1 "host1" of mesh 77' join_host host1 "$first" underlay 192.0.2.11 zone a
check_is "its key is its owner's" 600 "$(stat -c %a "$work/host1/node.key")"
check_is "its configuration" "$url host1 192.0.2.11 a $work/host1" \
	"$(jq -r '"\(.coordinator) \(.node.name) \(.node.underlay) \(.node.zone) \(.state_dir)"' "$work/host1.json")"
check "which its agent takes" vnimeshd --config "$work/host1.json" --check
check_is "its identity and blocks" '1 10.77.1.0/24' "$(jq -r '"\(.self) \(.nodes[0].prefixes[0])"' "$work/host1/state.json")"
check_match "twice on a host it is refused" 'is a node already' bash -c '! "$@" 2>&1' bash \
	vnimesh join "$url" "$first" name host1 config "$work/host1.json" state-dir "$work/host1"
check_match "a token works once" 'not known, or no longer' bash -c '! "$@" 2>&1' bash \
	vnimesh join "$url" "$first" name host2 config "$work/host2.json" state-dir "$work/host2"
export VNIMESH_COORDINATOR=$url VNIMESH_TOKEN_FILE=$tls/admin.token VNIMESH_CA_FILE=$tls/ca.pem
vnimesh token add tag 'web-*' tag db services-max 2 members-max 3 >"$work/join"
check_match "a further token, with its tags" "^vnimesh join $url vnm1" cat "$work/join"
second=$(awk '{ print $4 }' "$work/join")
check_match "a name that is taken" 'node 1 is "host1" already' bash -c '! "$@" 2>&1' bash \
	vnimesh join "$url" "$second" name host1 underlay 192.0.2.12 config "$work/y.json" state-dir "$work/y"
# A state directory that cannot be synced, for good or by a failing disk.
join_unsynced() {
	local -x LD_PRELOAD=$preloads/nodirsync.so NODIRSYNC=$1 ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0
	shift
	join_host "$@" 2>&1
}
check_match "a disk that fails as well" 'ca.pem: Input/output error' \
	eval "! join_unsynced 5 host2 '$second' underlay 192.0.2.12"
check_match "leaves the token as it is" '^node 2 "host2"' join_unsynced 22 host2 "$second" underlay 192.0.2.12
check_is "a file system that cannot sync directories is said to be one, once" 1 \
	"$(grep -c 'cannot sync a directory' "$work/.output")"
is "a request for a certificate that is none" '400 csr' "$(req "$admin" POST /v1/tokens '{"role": "join"}'; j .secret)" \
	POST /v1/join '{"name": "z", "underlay": "192.0.2.13", "csr": "x"}'
is "an administrator's token is none to join by" 403 "$admin" POST /v1/join \
	"$(jq -nc --rawfile csr <(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=z \
		-keyout /dev/null 2>/dev/null) '{name: "z", underlay: "192.0.2.13", csr: $csr}')"
check_match "which is said" 'token to join by, not one of the role admin' cat "$body"
is "and not used up by that" 200 "$admin" GET /v1/tokens
expired=$(req "$admin" POST /v1/tokens '{"role": "join", "ttl_s": 1}'; j .secret)
gone() { req "$expired" POST /v1/join '{}'; [ "$status" = 401 ]; }
check "a token expires" waitfor 10 gone
check_is "a copy of the key is needed" 200 "$(req host1 GET /v1/status; echo "$status")"

# --- roles -------------------------------------------------------------------------

token() { req "$admin" POST /v1/tokens "{\"role\": \"$1\"${2:+, $2}}"; j .secret; }
reader=$(token read) registrar=$(token register '"tags": ["shop-*"]')
is "a reader reads" 200 "$reader" GET /v1/mesh
is "and no more: services" 403 "$reader" PUT /v1/services/shop-a '{}'
is "... nodes" 403 "$reader" POST /v1/nodes '{}'
is "... reports" 403 "$reader" POST /v1/nodes/1/report '{}'
is "... checks" 403 "$reader" POST /v1/services/shop-a/check
is "... tokens" 403 "$reader" GET /v1/tokens
is "a registrar registers what it was granted" 200 "$registrar" PUT /v1/services/shop-a '{}'
is "and no more" '403 tag' "$registrar" PUT /v1/services/db '{}'
check_match "which names the tag" 'no grant for \\"db\\"' cat "$body"
is "... nor for nodes" '403 name' "$registrar" POST /v1/nodes '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}'
is "... nor reports" '403 node' "$registrar" POST /v1/nodes/1/report '{"epoch": 5, "seq": 1}'
is "... nor tokens" 403 "$registrar" POST /v1/tokens '{"role": "admin"}'
is "... nor grants" 403 "$registrar" PUT /v1/nodes/1/grant '{"tags": ["*"]}'
is "... nor may it forget" 403 "$registrar" DELETE /v1/nodes/1
is "a token with an unknown role" '400 role' "$admin" POST /v1/tokens '{"role": "god"}'
is "a pattern that is none" '400 tags[0]' "$admin" POST /v1/tokens '{"role": "read", "tags": ["A"]}'
id=$(req "$admin" GET /v1/tokens; j '.tokens[] | select(.role == "read").id')
check_is "no list has hashes or secrets" 0 "$(j '[.tokens[] | has("hash"), has("secret")] | map(select(.)) | length')"
check "a token is taken back" vnimesh token del "$id"
is "and is good for nothing" '401 Authorization' "$reader" GET /v1/status

# --- nodes ---------------------------------------------------------------------------

node_join() { req "$1" POST /v1/nodes "{\"name\": \"$2\", \"underlay\": \"192.0.2.$3\", \"epoch\": ${4:-5}}"; }
node_join host1 host1 11
check_is "a node comes in as itself" '200 1' "$status $(j .node.node)"
node_join host1 host2 12
check_is "and not as another" '403 name' "$status $(j .field)"
node_join host1 host7 17
check_is "nor as a new one" '403 name' "$status $(j .field)"
node_join host2 host2 12
report() { req "$1" POST "/v1/nodes/$2/report" "{\"epoch\": 5, \"seq\": $3, \"full\": true, \"members\": [$4]${5:+, $5}}"; }
member() { echo "{\"tag\": \"$1\", \"vni\": $2, \"address4\": \"10.77.$(($2 / 256)).9\"}"; }
report host1 2 1 ''
check_is "nobody reports for another" '403 node' "$status $(j .field)"
report host1 1 1 "$(member anything 257)"
check_is "the first node may register every tag" 200 "$status"
report host2 2 1 "$(member db 513),$(member payment 514)"
check_is "a tag without a grant" '403 members[1].tag' "$status $(j .field)"
check_match "is named" 'no grant for \\"payment\\"' cat "$body"
check_is "and nothing of it is there" 404 "$(req "$admin" GET /v1/services/payment; echo "$status")"
check_is "nor of what came with it" 404 "$(req "$admin" GET /v1/services/db; echo "$status")"
report host2 2 1 '' '"services": [{"tag": "anything"}]'
check_is "a definition without a grant" '403 services[0].tag' "$status $(j .field)"
report host2 2 1 "$(member db 513),$(member web-1 514)"
check_is "what was granted" 200 "$status"
report host2 2 2 "$(member db 513),$(member web-1 514),$(member web-2 515)"
check_is "no more services than its quota" '507 members[2]' "$status $(j .field)"
report host2 2 2 "$(member db 513),$(member db 514),$(member db 515),$(member db 516)"
check_is "nor members" '507 members[3]' "$status $(j .field)"
is "nobody observes for another" '403 node' host1 POST /v1/nodes/2/observations '{}'
is "but for itself" 200 host2 POST /v1/nodes/2/observations '{}'
is "a registrar sees nothing" '403 node' "$registrar" POST /v1/nodes/2/observations '{}'
is "a watch takes its own checks only" '403 node' host2 GET '/v1/watch?node=1'
is "its own" 200 host2 GET '/v1/watch?node=2'

# Two reports of the largest size, of which a byte is missing.
cat >"$work/bodies.py" <<'PY'
import socket, ssl, sys
port, ca, node = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ctx = ssl.create_default_context(cafile=ca)
ctx.load_cert_chain(node + '/node.pem', node + '/node.key')
size = 16 << 20
there = []
for _ in range(2):
	s = ctx.wrap_socket(socket.create_connection(('127.0.0.1', port)), server_hostname='127.0.0.1')
	s.sendall(b'POST /v1/nodes/1/report HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % size)
	s.sendall(b' ' * (size - 1))
	there.append(s)
print('ready', flush=True)
sys.stdin.read()
PY
mkfifo "$work/enough"
python3 "$work/bodies.py" "$port" "$tls/ca.pem" "$work/host1" <"$work/enough" >"$work/bodies" 2>&1 &
exec {enough}>"$work/enough"
full() { req "$admin" GET /v1/status; [ "$(j .body_bytes)" -ge $(((32 << 20) - 2)) ]; }
check "a node has two large bodies under way" waitfor 20 full
head -c 1000000 /dev/zero | tr '\0' ' ' >"$work/large"
is "and has its share" 429 host1 POST /v1/nodes/1/report "@$work/large"
check_match "as it is told" 'large bodies of node \\"host1\\"' cat "$body"
report host1 1 2 "$(member anything 257)"
check_is "small ones are taken all the same" 200 "$status"
is "as are large ones of another node" 400 host2 POST /v1/nodes/2/report "@$work/large"
is "and of a token" 400 "$admin" POST /v1/nodes/2/report "@$work/large"
exec {enough}>&-
drained() { req "$admin" GET /v1/status; [ "$(j .body_bytes)" = 0 ]; }
check "it hangs up" waitfor 20 drained
is "and there is room again" 400 host1 POST /v1/nodes/1/report "@$work/large"
check_is "which was counted" 1 "$(req "$admin" GET /v1/status; j .refused_share)"
check "a grant is changed" vnimesh grant set host2 tag payment
is "what it allows no longer is no member any more, at once" 200 "$admin" GET /v1/services/db
check_is "... none of the four" '[]' "$(j '.members | tojson')"
req "$admin" GET '/v1/audit?limit=1000'
check_match "which the log has, with its cause" 'not granted to the node any more' cat "$body"
req host2 POST /v1/nodes/2/report '{"epoch": 5, "seq": 2}'
check_is "and its agent is asked for all that it has" '409 true' "$status $(j .resync)"
check_is "as it is shown" '["payment"]' "$(vnimesh grant show host2 | jq -c .tags)"
is "a node sees its own grant" 200 host2 GET /v1/nodes/2/grant
is "and no other's" '403 node' host2 GET /v1/nodes/1/grant
report host2 2 2 "$(member db 513)"
check_is "what it was granted before is not any more" '403 members[0].tag' "$status $(j .field)"
report host2 2 2 "$(member db 513),$(member payment 513),$(member db 514)"
check_is "all of which is told at once" '["members[0].tag","members[2].tag"]' "$(j '.fields | tojson')"
report host2 2 2 "$(member payment 513)"
check_is "but what it is now" 200 "$status"
three="$(member payment 513),$(member payment 514),$(member payment 515)"
delta() { req host2 POST /v1/nodes/2/report "{\"epoch\": 5, \"seq\": $1, $2}"; }
report host2 2 3 "$three"
check_is "three of it" 200 "$status"
check "it is granted two" vnimesh grant set host2 tag payment members-max 2
report host2 2 4 "$three,$(member payment 516)"
check_is "with more than that it gets no new one" '507 members[3]' "$status $(j .field)"
report host2 2 4 "$(member payment 513),$(member payment 517),$(member payment 514),$(member payment 516)"
check_is "... the first of which is told" '507 members[1]' "$status $(j .field)"
check_is "... and the others" '["members[1]","members[3]"]' "$(j '.fields | tojson')"
report host2 2 4 "$three"
check_is "what it has is taken" 200 "$status"
delta 5 '"members": []'
check_is "and keeps its lease" 200 "$status"
delta 6 "\"members\": [$(member payment 514)]"
check_is "as do news of one" 200 "$status"
delta 7 '"removed": [{"tag": "payment", "vni": 513}]'
check_is "as does one that goes" 200 "$status"
delta 8 "\"members\": [$(member payment 513)]"
check_is "which then is a new one" '507 members[0]' "$status $(j .field)"
check "the grant is as it was" vnimesh grant set host2 tag payment
stop KILL
start
VNIMESH_COORDINATOR=$url
report host2 2 3 "$(member db 513)"
check_is "also after kill -9" '403 members[0].tag' "$status $(j .field)"
is "tokens are as they were: taken back" '401 Authorization' "$reader" GET /v1/status
is "... and good" 200 "$registrar" GET /v1/status
is "... and used" '401 Authorization' "$second" POST /v1/join '{}'

# Nodes behind one address, and whoever else is there.
cat >"$work/clients.py" <<'PY'
# usage: clients.py PORT CA NODE NODE: nobodies take all connections that an address
# may have, then two nodes theirs; one of them asks for one more; more nobodies come, and
# all the while somebody who was to show its certificate yet. Or, with fast: the first one
# asks faster than it may. Or, with waiting TOKEN: who reads by that waits for a change by
# all connections that an address may have.
import http.client, json, socket, ssl, sys, time
port, ca, nodes = int(sys.argv[1]), sys.argv[2], sys.argv[3:5]
def connect(node=None):
	ctx = ssl.create_default_context(cafile=ca)
	if node: ctx.load_cert_chain(node + '/node.pem', node + '/node.key')
	c = http.client.HTTPSConnection('127.0.0.1', port, timeout=60, context=ctx)
	c.connect()
	c.auto_open = 0
	return c
def ask(c, path='/v1/status'):
	c.request('GET', path)
	r = c.getresponse()
	return r.status, r.read()
def served(make, path='/v1/status'):
	try:
		c = make()
		return c, ask(c, path)[0]
	except (OSError, http.client.HTTPException) as e: return None, type(e).__name__
if sys.argv[5:6] == ['waiting']:
	reader = {'Authorization': 'Bearer ' + sys.argv[6]}
	first = connect(nodes[0])
	def status(): return json.loads(ask(first)[1])
	now = status()
	here = [connect() for i in range(8)]
	path = '/v1/watch?incarnation=%s&index=%d&wait_ms=60000' % (now['incarnation'], now['index'])
	for c in here: c.request('GET', path, headers=reader)
	end = time.time() + 60
	while now['watchers'] + now['watchers_refused'] < 8 and time.time() < end:
		now = status()
	print(now['watchers'], [served(lambda: connect(nodes[1]), '/v1/status')[1] for i in range(2)], status()['watchers'])
	sys.exit()
if sys.argv[5:]:
	first = connect(nodes[0])
	codes = [ask(first)[0] for i in range(40)]
	print(codes[0], codes.count(429) > 0, ask(connect(nodes[1]))[0], ask(connect(), '/v1/ca')[0])
	sys.exit()
def come(n, node=None, path='/v1/ca'):
	got = [served(lambda: connect(node), path) for i in range(n)]
	there.extend(c for c, code in got)
	return [code for c, code in got].count(200)
there = []
print(come(8))
print(come(8, nodes[0], '/v1/status') + come(8, nodes[1], '/v1/status'))
agents = there[8:]
print(served(lambda: connect(nodes[0]))[1])
agents.pop().close()
there.pop()
def status(): return json.loads(ask(agents[0])[1])
def settle(n):
	end = time.time() + 60
	while status()['connections'] > n and time.time() < end: time.sleep(.1)
	return status()['connections']
print(settle(15 + 7))
# Who says nothing has ten seconds: a slow machine may take longer for all this.
quiet, since = connect(nodes[1]), time.time()
silent = [socket.create_connection(('127.0.0.1', port)) for i in range(6)]
came = come(4)
kept = served(lambda: quiet)[1]
print(came)
there_are = settle(15 + 8)
late = time.time() - since > 9
print('late' if late else there_are)
print('late' if late else kept)
print([ask(c)[0] for c in agents].count(200))
now = status()
print(now['refused_connections'], now['cut_off'] >= 1 + 6 + 4)
PY
clients() { timeout $((300 * VNIMESH_SLOW)) python3 "$work/clients.py" "$port" "$tls/ca.pem" "$work/host1" "$work/host2" "$@" 2>&1 | xargs; }
stop
config '.connections_per_client = 8'
start
clients >"$work/clients"
read -r -a out <"$work/clients"
out+=("" "" "" "" "" "" "" "" "" "")
check_is "nobodies have all connections of an address" 8 "${out[0]}"
check_is "nodes behind it get in, each has its own connections" 16 "${out[1]}"
check_is "and no more" 429 "${out[2]}"
check_is "one of the nobodies went for them" 22 "${out[3]}"
if [ "${out[5]}" = late ]; then
	tap_skip "more nobodies come, each in another one's place, not of who may show a certificate yet" "too slow"
else
	check_is "more nobodies come, each in another one's place" '4 23' "${out[4]} ${out[5]}"
	check_is "not of who may show a certificate yet" 200 "${out[6]}"
fi
check_is "nor of who has" 15 "${out[7]}"
check_is "which is counted" '1 True' "${out[8]} ${out[9]}" || diag "$(cat "$work/clients")"
check_is "nor is a node kept out by who waits behind its address" '6 [200, 200] 6' "$(clients waiting "$registrar")"
stop
config '.requests_per_second = 1'
start
check_is "one that asks too fast takes nothing of another one's, nor of the address" '200 True 200 200' "$(clients fast)"
stop
config
ulimit -n 16384 2>/dev/null
start
VNIMESH_COORDINATOR=$url

# Two nodes and 1,022 addresses have an event stream each.
cat >"$work/turns.py" <<'PY'
# usage: turns.py PORT CA TOKEN NODE NODE: ... and another address wants one.
import socket, ssl, sys, time
port, ca, token, nodes = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
def stream(address, node=None):
	ctx = ctxs[node]
	s = ctx.wrap_socket(socket.create_connection(('127.0.0.1', port), 60, (address, 0)), server_hostname='127.0.0.1')
	who = '' if node else 'Authorization: Bearer %s\r\n' % token
	s.sendall(b'GET /v1/events?tag=a HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n' % who.encode())
	return s, s.recv(65536).split(b'\r\n')[0].split()[1].decode()
def ended(s, wait):
	end = time.time() + wait
	try:
		while (left := end - time.time()) > 0:
			s.settimeout(left)
			if not (data := s.recv(65536)) or data.endswith(b'0\r\n\r\n'): return True
	except TimeoutError: pass
	return False
ctxs = {node: ssl.create_default_context(cafile=ca) for node in [None] + nodes}
for node in nodes: ctxs[node].load_cert_chain(node + '/node.pem', node + '/node.key')
there = [stream('127.0.2.1', node) for node in nodes]
there += [stream('127.0.%d.%d' % (3 + i // 128, 1 + i % 128)) for i in range(1022)]
print([code for s, code in there].count('200'))
end, code = time.time() + 60, ''
while code != '200' and time.time() < end:
	time.sleep(.1)
	new, code = stream('127.0.2.2')
print(code, ended(there[2][0], 60), [ended(there[i][0], .5) for i in range(2)])
PY
timeout $((100 * VNIMESH_SLOW)) python3 -u "$work/turns.py" "$port" "$tls/ca.pem" "$admin" "$work/host1" "$work/host2" >"$work/turns" 2>&1 || diag "$(cat "$work/turns")"
mapfile -t out <"$work/turns"
out+=("" "")
check_is "nodes and addresses have all event streams, one each" 1024 "${out[0]}"
check_is "one more takes an address' place, not a node's" '200 True [False, False]' "${out[1]}"
stop
start
VNIMESH_COORDINATOR=$url

# A copied state directory: the same key, another host.
node_join host1 host1 11
cp -a "$work/host1" "$work/copy"
node_join copy host1 99 6
check_is "a copied state directory is refused by name" '409 name' "$status $(j .field)"
check_match "as what it is" 'node 1 \\"host1\\" is held by another agent' cat "$body"

# --- renewal, and the end ------------------------------------------------------------

openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=host2 \
	-keyout "$work/new.key" -out "$work/new.csr" 2>/dev/null
csr=$(jq -nc --rawfile csr "$work/new.csr" '{csr: $csr}')
is "nobody renews another's certificate" '403 node' host1 POST /v1/nodes/2/certificate "$csr"
cp -a "$work/host2" "$work/host2.old"
is "a node renews its own" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
cp "$work/new.key" "$work/host2/node.key"
check_match "for itself, whatever it asks for" '^subject=CN = host2, OU = [0-9a-f]{16}$' openssl x509 -noout -subject -in "$work/host2/node.pem"
is "the new one is good" 200 host2 GET /v1/status
is "so is the one before, as the answer may be lost" 200 host2.old GET /v1/status
is "that one asks again" 200 host2.old POST /v1/nodes/2/certificate "$csr"
is "... whose answer is lost as well" 200 host2.old POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/last.pem"
is "and is as good as it was" 200 host2.old GET /v1/status
is "the one that nobody asks with is not" '403 certificate' host2 GET /v1/status
cp "$work/last.pem" "$work/host2/node.pem"
is "the last one is" 200 host2 GET /v1/status
is "renewed again, by that" 200 host2 POST /v1/nodes/2/certificate "$csr"
is "the old one is good no more" '403 certificate' host2.old GET /v1/status

# Cut off in the middle of a renewal, an agent goes on by what fits.
cp "$work/host2.old/node.pem" "$work/host2/node.pem"
cp "$work/last.pem" "$work/host2/node.pem.next"
jq --arg url "$url" '.coordinator = $url | .control = "none" | .device = "rights0"' "$work/host2.json" >"$work/agent.json"
vnimeshd --config "$work/agent.json" </dev/null >"$work/agent.log" 2>&1 &
agent=$!
defer kill -9 "$agent"
disown "$agent"
renewed() { [ ! -e "$work/host2/node.pem.next" ] && cmp -s "$work/last.pem" "$work/host2/node.pem"; }
check "an agent that was cut off while it renewed has a pair" waitfor 20 renewed
check_match "which is said" 'renewal of the certificate is completed' cat "$work/agent.log"
here() { req host2 GET /v1/nodes; [ "$(j '.nodes[] | select(.node == 2).epoch')" != 5 ]; }
check "and is known to the coordinator" waitfor 20 here
kill -9 "$agent"

check_match "a live node is not forgotten by mistake" 'is alive: stop its agent first' \
	bash -c '! "$@" 2>&1' bash vnimesh node forget host1
req "$admin" GET /v1/status
inc=$(j .incarnation) index=$(j .index)
check "unless it is meant" vnimesh node forget host1 force
is "its certificate is nothing any more" '403 certificate' host1 GET /v1/status
check_match "by name" 'node \\"host1\\" was forgotten' cat "$body"
req "$admin" GET "/v1/watch?incarnation=$inc&index=$index&tags=anything"
check_is "all are told, of its members too" '[1] []' "$(j '"\(.nodes_removed) \(.members.anything)"')"
req "$admin" POST /v1/nodes '{"name": "host3", "underlay": "192.0.2.13", "epoch": 5}'
check_is "its id rests" 3 "$(j .node.node)"
stop KILL
start
VNIMESH_COORDINATOR=$url
is "forgotten for good" '403 certificate' host1 GET /v1/status
req "$admin" POST /v1/nodes '{"name": "host4", "underlay": "192.0.2.14", "epoch": 5}'
check_is "and its id still rests" 4 "$(j .node.node)"
vnimesh token add tag '*' >"$work/join"
rm -rf "$work/host1" "$work/host1.json"
check_match "its host may join anew" '^node 5 "host1"' join_host host1 "$(awk '{ print $4 }' "$work/join")" underlay 192.0.2.11

# --- a backup that is put back ---------------------------------------------------------

backup() { sqlite3 "$db" ".backup $1"; }
# put_back FILE: in place of the store, under the same coordinator.
put_back() {
	stop KILL
	rm -f "$db-wal" "$db-shm"
	cp "$1" "$db"
	start
	VNIMESH_COORDINATOR=$url
}
cp -a "$work/host2" "$work/host2.kept"
is "a node has a certificate" 200 host2 GET /v1/status
check "a backup" backup "$work/old.db"
# The renewal is of a later second.
nap 1.1
is "it renews that" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
cp "$work/new.key" "$work/host2/node.key"
is "... and once more, by the new one" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
is "the first is good no more" '403 certificate' host2.kept GET /v1/status
check "a later backup" backup "$work/now.db"
vnimesh token add >"$work/join"
check_match "a node joins" '^node [0-9]* "late"' join_host late "$(awk '{ print $4 }' "$work/join")" underlay 192.0.2.19
check "the old one is put back" put_back "$work/old.db"
is "who renewed since is known by a certificate of a later time" 200 host2 GET /v1/status
check_match "... which is said" 'node 2 "host2": its certificate was signed after all' cat "$log"
is "who joined since is not" '403 certificate' late GET /v1/status
check_match "... and told what may be" 'joined after a backup' cat "$body"
cp -a "$work/host2" "$work/host2.lost"
# Of a later second than what the later backup has.
nap 1.1
is "it is renewed by that" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
is "... to a good one" 200 host2 GET /v1/status
is "... and again" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
is "the one of the lost time is good no more" '403 certificate' host2.lost GET /v1/status
check "the later backup is put back" put_back "$work/now.db"
is "what it does not know of is good" 200 host2 GET /v1/status
is "what was replaced before it is not" '403 certificate' host2.kept GET /v1/status
is "it is renewed, which is recorded" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
# As of a version that gave its joins no numbers.
stop
sqlite3 "$db" "UPDATE records SET value = json_remove(value, '$.joined') WHERE key LIKE 'node/%'"
start
VNIMESH_COORDINATOR=$url
is "an older node renews its certificate" 200 host2 POST /v1/nodes/2/certificate "$csr"
j .certificate >"$work/host2/node.pem"
check_match "... and has the number of its join from then on" 'OU = [0-9a-f]{16}$' openssl x509 -noout -subject -in "$work/host2/node.pem"
is "... which is good" 200 host2 GET /v1/status
twin() {
	vnimesh token add "$@" >"$work/join"
	join_host twin "$(awk '{ print $4 }' "$work/join")" underlay 192.0.2.29
}
check "a node joins" twin
mv "$work/twin" "$work/twin.first"
rm "$work/twin.json"
check "a backup" backup "$work/old.db"
check "it is forgotten" vnimesh node forget twin
nap 1.1
check "another one has its name" twin tag narrow
is "the first one's certificate is nothing for it" '403 certificate' twin.first GET /v1/status
is "... its own is" 200 twin GET /v1/status
check "the backup is put back" put_back "$work/old.db"
is "the first one is there again" 200 twin.first GET /v1/status
is "... and the other one, though later, not in its place" '403 certificate' twin GET /v1/status

# A clock that is set back makes no certificate a later one than was signed.
start_earlier() {
	local -x LD_PRELOAD=$preloads/earlier.so EARLIER=7200 ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0
	start
}
renew() {
	is "... renews its certificate" 200 host2 POST /v1/nodes/2/certificate "$csr"
	j .certificate >"$work/host2/node.pem"
	cp "$work/new.key" "$work/host2/node.key"
}
from() { date -d "$(openssl x509 -noout -startdate -in "$work/$1/node.pem" | cut -d= -f2)" +%s; }
nap 1.1
is "a node" 200 host2 GET /v1/status
renew
cp -a "$work/host2" "$work/host2.latest"
check "a backup" backup "$work/old.db"
stop
check "the clock is set back" start_earlier
VNIMESH_COORDINATOR=$url
is "the node is known" 200 host2 GET /v1/status
renew
check "... which is of an earlier time" test "$(from host2)" -lt $(($(from host2.latest) - 7000))
is "... and good" 200 host2 GET /v1/status
is "... as is the one before" 200 host2.latest GET /v1/status
renew
is "what was replaced is not, though it is of the latest time" '403 certificate' host2.latest GET /v1/status
is "... as is the last one" 200 host2 GET /v1/status
check "the backup is put back" put_back "$work/old.db"
is "which knows none of an earlier time as a later one" '403 certificate' host2 GET /v1/status
is "... but the one that it has" 200 host2.latest GET /v1/status
stop
check_is "exit" 0 "$stopped"
