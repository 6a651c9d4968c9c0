#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnimesh-coordinator: what it hands out, keeps, refuses and announces.
#
# COORDINATOR names another command (one under a sanitizer or valgrind).
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq sqlite3; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

# Nothing lapses but where it is meant to.
lease=600000
config=$work/coordinator.json
db=$work/state.db
pid=''
runs=0

# config [JQ]: the configuration, changed by a filter.
config() {
	jq -n --arg db "$db" --argjson lease "$lease" '{listen: "127.0.0.1:0",
		store: $db, lease_ms: $lease, mesh: {id: 77, port: 6081,
		prefix4: "10.77.0.0/16", prefix6: "fd77::/48", block4: 24,
		block6: 64, vni_block: 256, service_prefix4: "10.96.0.0/16",
		service_prefix6: "fd77:0:0:ffff::/64"}}' | jq "${1:-.}" >"$config"
}

start() {
	runs=$((runs + 1))
	log=$work/log.$runs
	"${coordinator[@]}" --config "$config" 2>"$log" &
	pid=$!
	waitfor 20 grep -q 'listening on' "$log" || { cat "$log"; return 1; }
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")
	url=http://127.0.0.1:$port
}

# stop [SIGNAL]: leaves the exit code in stopped.
stop() {
	[ -n "$pid" ] || return 0
	kill -"${1:-TERM}" "$pid" 2>/dev/null
	kill -CONT "$pid" 2>/dev/null
	stopped=0
	wait "$pid" 2>/dev/null || stopped=$?
	pid=''
}
defer stop KILL

# req METHOD PATH [BODY]: the status in status, the answer in the file $body.
body=$work/body
req() {
	local args=(-s -m 100 -X "$1" -o "$body" -w '%{http_code}')
	[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
	: >"$body"
	status=$(curl "${args[@]}" "$url$2")
}

# ok METHOD PATH [BODY]: a request that is to succeed.
ok() {
	req "$@"
	[[ $status = 2* ]] && return
	echo "status $status: $(cat "$body")"
	return 1
}

# j FILTER: of the last answer.
j() { jq -r "$1" "$body"; }

# get PATH FILTER
get() { req GET "$1" && j "$2"; }

# join NAME NUMBER [EPOCH]
join() {
	ok POST /v1/nodes "{\"name\": \"$1\", \"underlay\": \"192.0.2.$2\", \"epoch\": ${3:-5}}"
}

# member TAG VNI SEQ [FIELDS]: of the node that has the VNI.
member() {
	echo "{\"tag\": \"$1\", \"vni\": $2, \"address4\": \"10.77.$(($2 / 256)).$(($2 % 256 + 1))\", \"seq\": $3${4:+, $4}}"
}

# report NODE SEQ FULL MEMBERS [FIELDS]
report() {
	req POST "/v1/nodes/$1/report" \
		"{\"epoch\": ${epoch:-5}, \"seq\": $2, \"full\": $3, \"members\": [$4]${5:+, $5}}"
}

# What there is, without ages, and its index.
state() { get /v1/mesh 'del(.. | .age_ms?)' >"$1"; }

# refused NAME METHOD PATH STATUS FIELD [BODY]: the answer says why, and
# nothing has changed.
refused() {
	local name=$1 method=$2 path=$3 want=$4 field=$5
	shift 5
	state "$work/before"
	req "$method" "$path" "$@"
	check_is "$name" "$want $want ${field:--}" \
		"$status $(j '"\(.status) \(.field // "-")"' 2>&1)" || diag "$(cat "$body")"
	state "$work/after"
	cmp -s "$work/before" "$work/after" || {
		tap_fail "$name: nothing changed"
		diag "$(diff "$work/before" "$work/after")"
	}
}

# --- configuration ---------------------------------------------------------

config
check "a good configuration passes" "${coordinator[@]}" --config "$config" --check

# bad_config NAME FILTER WORDS: refused, naming the file and the field.
bad_config() {
	config "$2"
	check_is "configuration: $1" "1 $config: field \"$3\":" \
		"$("${coordinator[@]}" --config "$config" --check 2>"$work/err" && echo 0 || echo 1) $(
			sed -En 's/^<3>(.*)(:[0-9]+): (field "[^"]*":).*/\1: \3/p; t; s/^<3>(.*: field "[^"]*":).*/\1/p' "$work/err")"
}
bad_config "unknown field" '.listne = 1' listne
bad_config "unknown field of the mesh" '.mesh.block5 = 1' mesh.block5
bad_config "no store" 'del(.store)' store
bad_config "no mesh id" 'del(.mesh.id)' mesh.id
bad_config "id out of range" '.mesh.id = 16777216' mesh.id
bad_config "id not an integer" '.mesh.id = "77"' mesh.id
bad_config "prefix with host bits" '.mesh.prefix4 = "10.77.0.1/16"' mesh.prefix4
bad_config "prefix of the wrong family" '.mesh.prefix6 = "10.77.0.0/16"' mesh.prefix6
bad_config "block not longer than its prefix" '.mesh.block4 = 16' mesh.block4
bad_config "service prefix that is no /64" '.mesh.service_prefix6 = "fd77:0:0:ff00::/56"' mesh.service_prefix6
bad_config "service prefix around the mesh" '.mesh.service_prefix4 = "10.0.0.0/8"' mesh.service_prefix4
bad_config "lease out of range" '.lease_ms = 1' lease_ms
bad_config "not an address to listen on" '.listen = "localhost:7900"' listen
bad_config "beyond loopback without insecure" '.listen = "0.0.0.0:0"' listen
bad_config "insecure not a boolean" '.insecure = 1' insecure
bad_config "a history of less than a second" '.etcd = {history_ms: 999}' etcd.history_ms
bad_config "a history of more than a day" '.etcd = {history_ms: 86400001}' etcd.history_ms
for ms in 0 1000 86400000; do
	config ".etcd = {history_ms: $ms}"
	check "a history of $ms ms" "${coordinator[@]}" --config "$config" --check
done
config '.insecure = true | .listen = "0.0.0.0:0"'
check "beyond loopback with insecure" "${coordinator[@]}" --config "$config" --check
printf '{ "listen": "127.0.0.1:0",\n  "store" }\n' >"$config"
check_match "a syntax error names file and line" "$config:2:[0-9]+: " \
	bash -c '! "$@" 2>&1' bash "${coordinator[@]}" --config "$config" --check
config
check_fails "no file" "${coordinator[@]}" --config "$work/none" --check
check_fails "no arguments" "${coordinator[@]}"

# --- identities ------------------------------------------------------------

check "starts" start
join host1 11
check_is "the first node's identity" \
	'1 host1 10.77.1.0/24 fd77:0:0:1::/64 256 256 256 10.77.1.1 fd77:0:0:1::1' \
	"$(j '.node | "\(.node) \(.name) \(.prefixes[0]) \(.prefixes[1]) \(.vni) \(.vni_first) \(.vni_count) \(.address4) \(.address6)"')"
check_is "the mesh in the answer" "77 $lease" "$(j '"\(.mesh.id) \(.lease_ms)"')"
uuid=$(j .mesh.uuid)
join host2 12
check_is "the second one's VNIs" "2 512" "$(j '"\(.node.node) \(.node.vni)"')"
get /v1/nodes '.nodes | map([.node, .name, .prefixes, .vni])' >"$work/nodes"
join host1 11
check_is "joining again changes nothing" 1 "$(j .node.node)"
check_match "live on another host: refused by name" '^409 name$' \
	bash -c 'echo "$1"' bash "$(req POST /v1/nodes '{"name": "host1", "underlay": "192.0.2.99", "epoch": 6}'; echo "$status $(j .field)")"
check_is "another's underlay address: refused" '409 underlay' \
	"$(req POST /v1/nodes '{"name": "host9", "underlay": "192.0.2.12", "epoch": 6}'; echo "$status $(j .field)")"

# The agents' keys.
key1=$(printf '1c%.0s' {1..32}) key2=$(printf 'e2%.0s' {1..32})
# join_key KEY [EPOCH]
join_key() {
	ok POST /v1/nodes "{\"name\": \"host1\", \"underlay\": \"192.0.2.11\", \"epoch\": ${2:-5},
		\"key\": \"$1\", \"peer_port\": 7901}"
}
key_of() { get /v1/nodes ".nodes[0] | \"\(.key) \(.peer_port)\""; }
check_is "a node without a key has none" 'null null' "$(key_of)"
get /v1/nodes .index >"$work/index"
check "a key is taken" join_key "$key1"
check_is "... and told in the answer" "$key1 7901" "$(j '.node | "\(.key) \(.peer_port)"')"
check_is "... and to all, as a change" "$key1" "$(req GET \
	"/v1/watch?node=2&index=$(cat "$work/index")&incarnation=$(get /v1/nodes .incarnation)"; j '.nodes[0].key')"
join host1 11
check_is "an agent that tells none leaves it" "$key1 7901" "$(key_of)"
check "a new one replaces it" join_key "$key2"
for bad in '"00"' "\"${key1^^}\"" 5; do
	check_is "no key: $bad" '400 key' "$(req POST /v1/nodes \
		"{\"name\": \"host1\", \"underlay\": \"192.0.2.11\", \"epoch\": 5, \"key\": $bad}"; echo "$status $(j .field)")"
done

stop KILL
start
check_is "keys survive kill -9" "$key2 7901" "$(key_of)"
get /v1/nodes '.nodes | map([.node, .name, .prefixes, .vni])' >"$work/nodes2"
check "identities survive kill -9" cmp "$work/nodes" "$work/nodes2"
check_is "so does the mesh's own" "$uuid" "$(get /v1/mesh .mesh.uuid)"
check_is "after a restart all are stale" 'true true' "$(get /v1/nodes '.nodes | map(.stale) | join(" ")')"
check_is "a known node may be alive just after a restart" '409 name' \
	"$(req POST /v1/nodes '{"name": "host1", "underlay": "192.0.2.99", "epoch": 6}'; echo "$status $(j .field)")"
join host2 12
join host1 11
check_is "the same name gets the same node" 1 "$(j .node.node)"
check_is "and is fresh" false "$(j .node.stale)"

# --- reports ---------------------------------------------------------------

report 1 1 false "$(member database 257 1)"
check_is "a delta on nothing asks for all" '409 true null' "$status $(j '"\(.resync) \(.seq)"')"
check_is "and registers nothing" '[]' "$(get /v1/services '.services' | jq -c .)"
report 1 1 true "$(member database 257 1),$(member cache 258 1)" \
	'"services": [{"tag": "database", "ports": [{"name": "pg", "proto": "tcp", "port": 5432, "target": 15432}]}]'
check_is "a full report" 200 "$status"
check_is "the service has its address, port and policy" \
	'10.96.0.1 pg/tcp/5432/15432 optimal' \
	"$(get /v1/services/database '.service | "\(.address4) \(.ports[0] | "\(.name)/\(.proto)/\(.port)/\(.target)") \(.policy)"')"
hash=$(printf vnimesh1database | sha256sum | cut -c1-16)
want=$(printf 'fd77:0:0:ffff:%s:%s:%s:%s' "${hash:0:4}" "${hash:4:4}" "${hash:8:4}" "${hash:12:4}")
check_is "the IPv6 address is computed from the tag" 1 "$(get "/v1/services?address=$want" '.services | length')"
check_is "a tag without definition has no ports" '[]' "$(get /v1/services/cache '.service.ports' | jq -c .)"
check_is "defaults of a member" '100 up 100 false' \
	"$(get /v1/services/database '.members[0] | "\(.weight) \(.state) \(.health) \(.stale)"')"

report 1 2 false "$(member database 259 2 '"health": 50, "latency_us": 420, "output": "slow"')"
check_is "a delta adds" '257 259' "$(get /v1/services/database '.members | map(.vni) | join(" ")')"
report 1 3 false ''
check_is "a heartbeat" 200 "$status"
report 1 3 false ''
check_is "a delta out of order asks for all" '409 true 3' "$status $(j '"\(.resync) \(.seq)"')"
report 1 2 true ''
check_is "a full report that is late is refused" '409 true' "$status $(j .resync)"
check_is "and nothing went" '257 259' "$(get /v1/services/database '.members | map(.vni) | join(" ")')"
report 1 4 false "$(member database 259 1 '"health": 10')"
check_is "an older fact does not replace a newer" '200 50' "$status $(get /v1/services/database '.members[1].health')"
report 1 5 false "$(member database 259 5 '"health": 10')"
check_is "a newer one does" 10 "$(get /v1/services/database '.members[1].health')"
report 1 6 false '' '"removed": [{"tag": "database", "vni": 259}, {"tag": "nothing", "vni": 300}]'
check_is "removed, and what never was" '200 257' "$status $(get /v1/services/database '.members | map(.vni) | join(" ")')"
report 1 7 true "$(member database 260 7)"
check_is "a full report replaces all" '260 0' \
	"$(get /v1/services/database '.members | map(.vni) | join(" ")') $(get /v1/services/cache '.members | length')"
many=$(for ((i = 0; i < 40; i++)); do printf '%s,' "$(member "s$((i * 7))" $((270 + i)) 8)"; done)
report 1 8 true "$many$(member database 260 8)"
check_is "many members in one report" "200 41" "$status $(get /v1/status .members)"
report 1 9 true "$(member database 260 9)"
for ((i = 0; i < 40; i++)); do
	ok DELETE "/v1/services/s$((i * 7))"
done
epoch=6 report 1 10 true ''
check_is "an epoch that did not register" '409 epoch null' "$status $(j '"\(.field) \(.resync)"')"

# The definition belongs to the one who created it.
report 2 1 true "$(member database 513 1)" '"services": [{"tag": "database", "ports": []}]'
check_is "another node does not change it" 5432 "$(get /v1/services/database '.service.ports[0].port')"
report 1 10 false '' '"services": [{"tag": "database", "ports": [{"proto": "tcp", "port": 5433}]}]'
check_is "its creator does" 5433 "$(get /v1/services/database '.service.ports[0].port')"

version() { get /v1/services/database '.members[0] | "\(.stale) \(.epoch) \(.seq)"'; }

# What clients do with connections, and who of the members is asked first.
settings='"policy": "failover", "on_down": "drain", "drain_time_ms": 60000, "load": "pool"'
flows='"\(.policy) \(.on_down) \(.drain_time_ms) \(.load)"'
check_is "a service's settings unless given" 'optimal abort 0 connections' "$(get /v1/services/database ".service | $flows")"
report 1 11 false "$(member set 262 11 '"priority": 7, "latency_kind": "response", "latency_us": 9')" \
	"\"services\": [{\"tag\": \"set\", $settings}]"
check_is "and as its creator says" '200 failover drain 60000 pool' "$status $(get /v1/services/set ".service | $flows")"
check_is "a member's priority and what its latency is of" '7 response' \
	"$(get /v1/services/set '.members[0] | "\(.priority) \(.latency_kind)"')"
ok PUT /v1/services/set '{"on_down": "keep"}'
check_is "as an operator says" 'optimal keep 0 connections' "$(get /v1/services/set ".service | $flows")"
ok PUT /v1/services/set "{$settings}"
stop KILL
start
check_is "they survive kill -9; what was measured does not" 'failover drain 60000 pool 7 connect' \
	"$(get /v1/services/set "(.service | $flows) + (.members[0] | \" \(.priority) \(.latency_kind)\")")"
join host1 11
join host2 12
report 1 12 true "$(member database 260 11)"
ok DELETE /v1/services/set
report 2 1 true "$(member database 513 1)" '"services": [{"tag": "database", "ports": []}]'
for i in 13 14 15; do
	report 1 "$i" false ''
done

report 1 16 false "$(member database 260 16)"
check_is "a member's version" 'false 5 16' "$(version)"

# Unless an operator said otherwise.
ok PUT /v1/services/database '{"ports": [{"proto": "tcp", "port": 5434}]}'
mine='"services": [{"tag": "database", "ports": [{"proto": "tcp", "port": 5433}]}]'
report 1 17 true "$(member database 260 12)" "$mine"
check_is "an operator's change stands against its creator" '200 5434' "$status $(get /v1/services/database '.service.ports[0].port')"
stop KILL
start
join host1 11
join host2 12
report 1 13 true "$(member database 260 13)" "$mine"
check_is "also over a restart" '200 5434' "$status $(get /v1/services/database '.service.ports[0].port')"
ok PUT /v1/services/taken '{}'
report 1 14 false '' '"services": [{"tag": "taken", "ports": [{"proto": "tcp", "port": 1}]}]'
check_is "what an operator created is not an agent's" 0 "$(get /v1/services/taken '.service.ports | length')"
rests=$(get /v1/services/taken .service.address4)
ok DELETE /v1/services/taken
# The address that an agent knows a tag by which the coordinator does not know.
wish() {
	report 1 "$1" false '' "\"services\": [{\"tag\": \"$2\", \"address4\": \"$3\"}]"
	echo "$status $(get "/v1/services/$2" .service.address4)"
}
check_is "a new tag gets the address that its agent knows it by" '200 10.96.0.77' "$(wish 15 back 10.96.0.77)"
n=15
# Another's, one that rests, one that is nobody's to have, one that is not of this mesh.
for addr in 10.96.0.77 "$rests" 10.96.0.0 10.200.0.1; do
	n=$((n + 1))
	got=$(wish $n back$n "$addr")
	check "... but not $addr: $got" eval '[[ $got == "200 10.96."* && $got != "200 $addr" ]]'
	ok DELETE /v1/services/back$n
done
ok DELETE /v1/services/back
report 2 1 true "$(member database 513 1)"
join host1 11 77
check_is "a new life of the agent: its members are stale, and of no known version" 'true null null' "$(version)"
epoch=77 report 1 0 false ''
check_is "until it has said all" '409 true' "$status $(j .resync)"
epoch=77 report 1 0 true "$(member database 260 0)"
check_is "then they are not" '200 false' "$status $(get /v1/services/database '.members[0].stale')"
for i in 78 79 80 81 82 83; do
	join host1 11 "$i"
done
check_is "an agent may start often" "200 83" "$status $(j .node.epoch)"
join host1 11
# An epoch that was replaced comes back only when both agents live.
taken=$(for i in 83 5 83 5 83; do
	req POST /v1/nodes "{\"name\": \"host1\", \"underlay\": \"192.0.2.11\", \"epoch\": $i}"
	echo "$status"
done | tr '\n' ' ')
check_is "two agents that take a node from each other: the one that has it keeps it" '200 200 200 409 200 ' "$taken"
refused "which the other is told" POST /v1/nodes 409 name '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}'
epoch=83 report 1 0 true "$(member database 260 0)"
check_is "and a start of it goes through" '200 84' "$(join host1 11 84; echo "$status $(j .node.epoch)")"
stop
start
join host2 12
report 2 1 true "$(member database 513 1)"
join host1 11
report 1 0 true "$(member database 260 0)"

# --- refusals --------------------------------------------------------------

m=$(member database 261 9)
refused "unknown path" GET /v1/nothing 404 ''
refused "path with a tail" GET /v1/services/database/members 404 ''
refused "unknown service" GET /v1/services/nothing 404 ''
refused "unknown node" POST /v1/nodes/9/report 404 '' '{}'
refused "node id that is no number" POST /v1/nodes/1x/report 404 '' '{}'
for row in 'PUT /v1/nodes' 'GET /v1/nodes/1/report' 'POST /v1/watch' 'POST /v1/services' \
	'POST /v1/services/database' 'GET /v1/services/database/check' 'PUT /v1/mesh' \
	'DELETE /v1/status'; do
	refused "method: $row" "${row% *}" "${row#* }" 405 ''
done
check_match "405 lists the methods" '^Allow: GET, HEAD, PUT, DELETE' \
	curl -s -i -X PATCH "$url/v1/services/database"
check_is "HEAD is GET without a body" 200 "$(curl -s -I -o "$work/head" -w '%{http_code}' "$url/v1/status")"
for row in 'POST /v1/nodes' 'POST /v1/nodes/1/report' 'PUT /v1/services/database'; do
	refused "no content type: $row" "${row% *}" "${row#* }" 415 ''
	refused "not JSON: $row" "${row% *}" "${row#* }" 400 '' '{"a":'
	refused "not an object: $row" "${row% *}" "${row#* }" 400 '' '[]'
	refused "a name twice: $row" "${row% *}" "${row#* }" 400 '' '{"a": 1, "a": 2}'
	refused "an empty body: $row" "${row% *}" "${row#* }" 400 '' ''
done
check_is "another content type" 415 "$(curl -s -o "$work/body" -w '%{http_code}' -d '{}' "$url/v1/nodes")"
req POST /v1/nodes '{"a": nul}'
check_match "bad JSON is told by its place" 'line 1 column [0-9]+' j .detail

refused "join without name" POST /v1/nodes 400 name '{"underlay": "192.0.2.1", "epoch": 1}'
refused "join with a bad name" POST /v1/nodes 400 name '{"name": "a b", "underlay": "192.0.2.1", "epoch": 1}'
refused "join with a long name" POST /v1/nodes 400 name "{\"name\": \"$(printf 'a%.0s' {1..64})\", \"underlay\": \"192.0.2.1\", \"epoch\": 1}"
refused "join without epoch" POST /v1/nodes 400 epoch '{"name": "a", "underlay": "192.0.2.1"}'
refused "join with an epoch too large" POST /v1/nodes 400 epoch '{"name": "a", "underlay": "192.0.2.1", "epoch": 9007199254740992}'
refused "join with a bad address" POST /v1/nodes 400 underlay '{"name": "a", "underlay": "192.0.2.1/24", "epoch": 1}'
refused "join of a mesh over IPv4 with an IPv6 underlay" POST /v1/nodes 409 underlay '{"name": "a", "underlay": "2001:db8::1", "epoch": 1}'
refused "join with a bad port" POST /v1/nodes 400 port '{"name": "a", "underlay": "192.0.2.1", "epoch": 1, "port": 65536}'
refused "join with a bad zone" POST /v1/nodes 400 zone '{"name": "a", "underlay": "192.0.2.1", "epoch": 1, "zone": 1}'

# bad_report NAME FIELD STATUS MEMBERS [FIELDS]
bad_report() {
	refused "report: $1" POST /v1/nodes/1/report "$3" "$2" \
		"{\"epoch\": 5, \"seq\": 1, \"members\": [$4]${5:+, $5}}"
}
bad_report "a member that is no object" 'members[0]' 400 1
bad_report "bad tag" 'members[1].tag' 400 "$m,$(member -x 262 1)"
bad_report "tag too long" 'members[0].tag' 400 "$(member "$(printf 'a%.0s' {1..64})" 262 1)"
bad_report "no tag" 'members[0].tag' 400 '{"vni": 261, "address4": "10.77.1.6"}'
bad_report "no address" 'members[0].address4' 400 '{"tag": "a", "vni": 261}'
bad_report "VNI 0" 'members[0].vni' 400 "$(member a 0 1)"
bad_report "health out of range" 'members[0].health' 400 "$(member a 261 1 '"health": 101')"
bad_report "weight out of range" 'members[0].weight' 400 "$(member a 261 1 '"weight": 1001')"
bad_report "latency out of range" 'members[0].latency_us' 400 "$(member a 261 1 '"latency_us": -1')"
bad_report "unknown state" 'members[0].state' 400 "$(member a 261 1 '"state": "dead"')"
bad_report "output no string" 'members[0].output' 400 "$(member a 261 1 '"output": 1')"
bad_report "another epoch's member" 'members[0].epoch' 400 "$(member a 261 1 '"epoch": 4')"
bad_report "port without protocol" 'members[0].ports[0].proto' 400 "$(member a 261 1 '"ports": [{"port": 1}]')"
bad_report "port out of range" 'members[0].ports[0].target' 400 "$(member a 261 1 '"ports": [{"proto": "tcp", "port": 1, "target": 0}]')"
bad_report "port twice" 'members[0].ports[1]' 400 "$(member a 261 1 '"ports": [{"proto": "tcp", "port": 1}, {"proto": "tcp", "port": 1}]')"
bad_report "a member twice" 'members[2]' 400 "$m,$(member a 261 1),$m"
bad_report "VNI of another node" 'members[1].vni' 403 "$m,$(member a 513 1)"
bad_report "address of another node" 'members[0].address4' 403 '{"tag": "a", "vni": 261, "address4": "10.77.2.6"}'
bad_report "IPv6 address of another node" 'members[0].address6' 403 '{"tag": "a", "vni": 261, "address6": "fd77:0:0:2::6"}'
bad_report "another node" 'members[0].node' 403 "$(member a 261 1 '"node": 2')"
bad_report "removal of another's member" 'removed[0].vni' 403 "$m" '"removed": [{"tag": "database", "vni": 513}]'
bad_report "bad service" 'services[0].ports[0].port' 400 "$m" '"services": [{"tag": "b", "ports": [{"proto": "udp", "port": 70000}]}]'
bad_report "unknown policy" 'services[0].policy' 400 "$m" '"services": [{"tag": "b", "policy": "magic"}]'
bad_report "unknown end of connections" 'services[0].on_down' 400 "$m" '"services": [{"tag": "b", "on_down": "pray"}]'
bad_report "draining without a time" 'services[0].drain_time_ms' 400 "$m" '"services": [{"tag": "b", "on_down": "drain"}]'
bad_report "draining for more than a day" 'services[0].drain_time_ms' 400 "$m" '"services": [{"tag": "b", "drain_time_ms": 86400001}]'
bad_report "unknown load" 'services[0].load' 400 "$m" '"services": [{"tag": "b", "load": 1}]'
bad_report "priority out of range" 'members[0].priority' 400 "$(member a 261 1 '"priority": 256')"
bad_report "unknown kind of latency" 'members[0].latency_kind' 400 "$(member a 261 1 '"latency_kind": "ping"')"
refused "service that drains for ever" PUT /v1/services/web 400 drain_time_ms '{"on_down": "drain", "drain_time_ms": 0}'
bad_report "full not a boolean" full 400 "$m" '"full": 1'
refused "service with a bad tag" PUT /v1/services/A_b 400 tag '{}'
refused "service with bad ports" PUT /v1/services/web 400 ports '{"ports": 80}'
refused "service that has members" DELETE /v1/services/database 409 ''

inc=$(get /v1/status .incarnation)
refused "wait out of range" GET '/v1/watch?wait_ms=60001' 400 wait_ms
refused "index no number" GET "/v1/watch?incarnation=$inc&index=-1" 400 index
refused "index without incarnation" GET '/v1/watch?index=1' 400 incarnation
refused "another incarnation" GET '/v1/watch?incarnation=x&index=1' 410 incarnation
refused "an index ahead" GET "/v1/watch?incarnation=$inc&index=999999" 410 index
refused "another incarnation, service" GET '/v1/services/database?incarnation=x&index=1' 410 incarnation
refused "bad tag to watch" GET '/v1/watch?tags=a,B' 400 tags
refused "too many tags" GET "/v1/watch?tags=$(seq -s, 1 4097)" 400 tags
refused "unknown node to watch" GET '/v1/watch?node=9' 404 node
refused "bad address" GET '/v1/services?address=10.96.0' 400 address
refused "bad near" GET '/v1/services/database?near=x' 404 near
refused "bad passing" GET '/v1/services/database?passing=yes' 400 passing
check_is "32 KiB of tags are taken" 200 "$(req GET "/v1/watch?tags=$(printf 'a%.0s' {1..58})-1$(printf ",$(printf 'a%.0s' {1..58})-%d" {2..512})"; echo "$status")"

check_is "and 4096" 200 "$(req GET "/v1/watch?tags=$(seq -s, 1 4096)"; echo "$status")"
long=$(printf "$(printf 'a%.0s' {1..58})-%d," {1..511})
check_is "and 32 KiB of fresh ones with them" 200 "$(req GET "/v1/watch?tags=$long&fresh=$long"; echo "$status")"
refused "more than 32 KiB of tags" GET "/v1/watch?tags=$long$long" 400 tags
refused "more than 32 KiB of fresh tags" GET "/v1/watch?fresh=$long$long" 400 fresh

# sent NAME WANT CURL-ARGUMENT...: the status and the field.
sent() {
	local name=$1 want=$2
	shift 2
	status=$(curl -s -m 100 -o "$body" -w '%{http_code}' "$@")
	check_is "$name" "$want" "$status $(j '.field // "-"')"
}
sent "a page's request is refused" '403 Origin' -X POST -H 'Origin: http://example.org' "$url/v1/services/database/check"
sent "so is one of no page in particular" '403 Origin' -X POST -H 'Origin: null' "$url/v1/services/database/check"
check_is "and asks for no check" 0 "$(get '/v1/watch?node=1' '.checks | length')"
sent "under a name of somebody's DNS" '403 Host' -H "Host: example.org:$port" "$url/v1/nodes"
for host in 127.0.0.1.example.org '[::1' '[::1]x' '[localhost]x' 127.0.0.1:7900x :1; do
	sent "host \"$host\"" '403 Host' -H "Host: $host" "$url/v1/nodes"
done
sent "an empty host" '403 Host' -H 'Host;' "$url/v1/nodes"
for host in localhost "LOCALHOST:$port" 192.0.2.7 '[::1]' "[2001:db8::1]:$port"; do
	sent "host \"$host\"" '200 -' -H "Host: $host" "$url/v1/status"
done

ok PUT /v1/services/a '{}'
refused "a path with %00" DELETE '/v1/services/a%00b' 404 ''
refused "a path with %2F" GET '/v1%2fservices/a' 404 ''
refused "a tag with %2F" PUT '/v1/services/a%2Fb' 400 tag '{}'
refused "tags with %00" GET '/v1/watch?tags=a%00b' 400 tags
check_is "other bytes may be encoded" a "$(get '/v1/services/%61' .service.tag)"
check_is "also in arguments" true "$(get '/v1/watch?tags=%61%2ca%2Db' '.members | has("a") and has("a-b")')"
check_is "half a code is itself" 404 "$(req GET '/v1/services/a%6'; echo "$status")"
ok DELETE /v1/services/a

head -c 1100000 /dev/zero | tr '\0' ' ' >"$work/large"
state "$work/before"
check_is "a body too large" 413 "$(curl -s -o "$work/body" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "@$work/large" "$url/v1/nodes")"
check_is "a body too large, in pieces" 413 "$(curl -s -o "$work/body" -w '%{http_code}' -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' --data-binary "@$work/large" "$url/v1/nodes")"
state "$work/after"
check "change nothing" cmp "$work/before" "$work/after"
check_is "unknown fields are ignored" 200 "$(req POST /v1/nodes '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5, "shoe_size": 46}'; echo "$status")"

# --- services and discovery --------------------------------------------------

ok PUT /v1/services/web '{"ports": [{"name": "http", "proto": "tcp", "port": 80}]}'
web=$(j .service.address4)
check_is "a service without members" "80 80" "$(j '.service.ports[0] | "\(.port) \(.target)"')"
ok PUT /v1/services/web '{"ports": []}'
check_is "changed, its address kept" "$web 0" "$(j '.service | "\(.address4) \(.ports | length)"')"
check_is "found by its address" web "$(get "/v1/services?address=$web" '.services[].tag')"
ok DELETE /v1/services/web
check_is "deleted" 404 "$(req GET /v1/services/web; echo "$status")"
ok PUT /v1/services/other '{}'
check_is "its address rests" true "$(j ".service.address4 != \"$web\"")"
stop KILL
start
ok PUT /v1/services/third '{}'
check_is "also over a restart" true "$(j ".service.address4 != \"$web\"")"
ok PUT /v1/services/web '{}'
check_is "but the tag gets it back" "$web" "$(j .service.address4)"
check_is "members after a restart: kept and stale, no version known" '260 true false false' \
	"$(get /v1/services/database '.members[] | select(.node == 1) | "\(.vni) \(.stale) \(has("epoch")) \(has("seq"))"')"
report 1 9 false ''
check_is "their agent is asked for all" '409 true' "$status $(j .resync)"
report 1 10 true "$(member database 260 1),$(member database 261 1 '"state": "down", "health": 0')"
report 2 1 true "$(member database 513 1)"
ok POST /v1/nodes '{"name": "host3", "underlay": "192.0.2.13", "epoch": 5, "zone": "b"}'
ok POST /v1/nodes '{"name": "host2", "underlay": "192.0.2.12", "epoch": 5, "zone": "b"}'
report 3 1 true "$(member database 769 1)"
check_is "passing only" '260 513 769' "$(get '/v1/services/database?passing=1' '.members | map(.vni) | join(" ")')"
check_is "of one node" 769 "$(get '/v1/services/database?node=3' '.members | map(.vni) | join(" ")')"
check_is "in one state" "$(get /v1/services/database '.members | map(select(.state == "up").vni) | join(" ")')" \
	"$(get '/v1/services/database?state=up' '.members | map(.vni) | join(" ")')"
refused "bad state" GET '/v1/services/database?state=fine' 400 state
check_is "services by name" 'database' "$(get '/v1/services?tag=data*' '.services | map(.tag) | join(" ")')"
refused "bad name" GET '/v1/services?tag=A' 400 tag
check_is "near: the node, its zone, the rest" '769 513 260' "$(get '/v1/services/database?passing=1&near=3' '.members | map(.vni) | join(" ")')"
check_is "near: a zone, the rest" '513 769 260' "$(get '/v1/services/database?passing=1&zone=b' '.members | map(.vni) | join(" ")')"
check_is "the mesh table has it all" '3 4 database' \
	"$(get /v1/mesh '"\(.nodes | length) \(.members.database | length) \(.members | keys | map(select(. == "database")) | join(" "))"')"

# --- watching ----------------------------------------------------------------

check_is "without index: everything" 'true 3 5 4 0' \
	"$(get '/v1/watch?node=1&tags=database,nobody' '"\(.full) \(.nodes | length) \(.services | length) \(.members.database | length) \(.members.nobody | length)"')"
index=$(j .index) inc=$(j .incarnation)
# watch QUERY: from the last index on; leaves the new one in index.
watch() {
	req GET "/v1/watch?node=1&incarnation=$inc&index=$index&$1"
	index=$(j .index)
}
now_ms
t0=$REPLY
watch 'wait_ms=300&tags=database'
now_ms
check_is "nothing changed: empty lists" '200 false 0 0 {}' "$status $(j '"\(.full) \(.nodes | length) \(.services | length) \(.members)"')"
check "after the wait" test $((REPLY - t0)) -ge 290
ok PUT /v1/services/late '{}'
watch 'wait_ms=5000'
check_is "a change before the request: at once" late "$(j '.services[].tag')"
check_is "and only that" '0 {}' "$(j '"\(.nodes | length) \(.members)"')"
ok DELETE /v1/services/late
watch 'wait_ms=5000'
check_is "a removal" late "$(j '.services_removed[]')"
report 2 2 false "$(member database 513 2 '"latency_us": 77')"
watch 'wait_ms=5000&tags=database'
check_is "members are the complete list" '4 77' "$(j '"\(.members.database | length) \(.members.database[] | select(.vni == 513).latency_us)"')"
watch 'wait_ms=0&tags=database&fresh=database,nobody'
check_is "fresh tags in any case" '4 0' "$(j '"\(.members.database | length) \(.members.nobody | length)"')"

# wake NAME FILTER WANT COMMAND...: the command wakes a waiting watcher. The
# middle of the times goes into the list.
wakes=()
wake() {
	local name=$1 filter=$2 want=$3 woken
	shift 3
	curl -s "$url/v1/watch?node=1&incarnation=$inc&index=$index&wait_ms=20000&tags=database" >"$work/woken" &
	local waiter=$!
	waitfor 10 waiting 1 >/dev/null
	now_ms
	woken=$REPLY
	"$@"
	wait "$waiter"
	now_ms
	wakes+=($((REPLY - woken)))
	index=$(jq .index "$work/woken")
	check_is "wakes: $name" "$want" "$(jq -rc "$filter" "$work/woken")"
}
waiting() { [ "$(curl -s "$url/v1/status" | jq .watchers)" = "$1" ]; }
wake "a state" '.members.database[] | select(.vni == 513).state' down \
	report 2 3 false "$(member database 513 3 '"state": "down", "health": 0')"
wake "a score" '.members.database[] | select(.vni == 769).latency_us' 5 \
	report 3 2 false "$(member database 769 2 '"latency_us": 5')"
wake "a new member" '.members.database | length' 5 \
	report 3 3 false "$(member database 770 3)"
wake "a removal" '.members.database | length' 4 \
	report 3 4 false '' '"removed": [{"tag": "database", "vni": 770}]'
wake "a service" '.services[].tag' new ok PUT /v1/services/new '{}'
wake "a removed service" '.services_removed[]' new ok DELETE /v1/services/new
wake "a node" '.nodes[].zone' c \
	ok POST /v1/nodes '{"name": "host2", "underlay": "192.0.2.12", "epoch": 5, "zone": "c"}'
wake "a check on this node" '.checks | map("\(.tag)/\(.vni)") | join(" ")' 'database/260 database/261' \
	ok POST /v1/services/database/check
median=$(printf '%s\n' "${wakes[@]}" | sort -n | sed -n "$((${#wakes[@]} / 2 + 1))p")
check "within 100 ms (${wakes[*]} ms, requests included)" test "$median" -lt $((100 * VNIMESH_SLOW))

curl -s "$url/v1/services/database?incarnation=$inc&index=$index&wait_ms=20000" >"$work/woken" &
waiter=$!
waitfor 10 waiting 1
report 3 5 false "$(member database 769 5 '"health": 20')"
wait "$waiter"
check_is "a single service as a blocking query" '20 4' \
	"$(jq -r '"\(.members[] | select(.vni == 769).health) \(.members | length)"' "$work/woken")"
index=$(jq .index "$work/woken")
curl -s "$url/v1/services?incarnation=$inc&index=$index&wait_ms=20000" >"$work/woken" &
waiter=$!
waitfor 10 waiting 1
report 3 6 false "$(member database 769 6 '"health": 30')"
check "the list of services does not wake for scores" waiting 1
ok PUT /v1/services/new '{}'
wait "$waiter"
check_is "but for a service" 1 "$(jq '[.services[] | select(.tag == "new")] | length' "$work/woken")"

# Scores come gathered: a watcher that always comes back is not answered for
# each of 30 reports.
: >"$work/answers"
index=$(get /v1/status .index)
(
	while :; do
		curl -s "$url/v1/watch?incarnation=$inc&index=$index&wait_ms=5000&tags=database" >"$work/w" || break
		index=$(jq .index "$work/w")
		echo "$index" >>"$work/answers"
	done
) &
watching=$!
now_ms
t0=$REPLY
for ((i = 7; i < 37; i++)); do
	report 3 "$i" false "$(member database 769 "$i" "\"latency_us\": $i")"
done
now_ms
nap 0.2
kill "$watching"
wait "$watching" 2>/dev/null
n=$(wc -l <"$work/answers")
check "at most one answer in 50 ms: $n in $((REPLY - t0 + 200)) ms" test "$n" -le $(((REPLY - t0 + 200) / 50 + 1))

# Checks: kept until the node's watcher has shown that it got them.
stop
start
report 1 1 true "$(member database 260 1),$(member database 261 1)"
get '/v1/watch?node=1' .index >/dev/null
index=$(j .index) inc=$(j .incarnation)
ok POST /v1/services/database/check
check_is "a trigger" '4 4' "$(j '"\(.id) \(.members)"')"
req GET "/v1/watch?node=1&incarnation=$inc&index=$index"
first=$(j '.checks | map(.id) | join(" ")')
req GET "/v1/watch?node=1&incarnation=$inc&index=$index"
check_is "asked for again with the old index: given again" "$first" "$(j '.checks | map(.id) | join(" ")')"
check_is "ids of this node's members only" 2 "$(wc -w <<<"$first")"
index=$(j .index)
watch 'wait_ms=0'
check_is "with the new one: taken" 0 "$(j '.checks | length')"
check_is "and gone" 0 "$(get '/v1/watch?node=1' '.checks | length')"
ok POST /v1/services/database/check
ok POST /v1/services/database/check
check_is "asked twice, done once" 2 "$(get '/v1/watch?node=1' '.checks | length')"

# --- many watchers -------------------------------------------------------------

index=$(get /v1/status .index)
curl -s -Z --no-progress-meter --parallel-immediate --parallel-max 300 -o "$work/many.#1" \
	"$url/v1/watch?incarnation=$inc&index=$index&wait_ms=50000&tags=database&x=[1-200]" &
many=$!
check "200 watchers wait" waitfor 20 waiting 200
now_ms
t0=$REPLY
report 1 2 false "$(member database 260 2 '"state": "drain"')"
wait "$many"
now_ms
check_is "all are told, in $((REPLY - t0)) ms" 200 \
	"$(jq -c 'select(.members.database[] | select(.vni == 260).state == "drain") | 1' "$work"/many.* | wc -l)"
rm -f "$work"/many.*
index=$(get /v1/status .index)
curl -s -Z --no-progress-meter --parallel-immediate --parallel-max 300 -o "$work/many.#1" \
	"$url/v1/watch?incarnation=$inc&index=$index&wait_ms=50000&x=[1-50]" &
many=$!
waitfor 20 waiting 50
kill -9 "$many"
wait "$many" 2>/dev/null
check "watchers that hang up are noticed" waitfor 5 waiting 0

# --- leases ----------------------------------------------------------------------

# beat NODE SEQ...: heartbeats until killed.
beat() {
	local seq=$2 body=$work/beat.$1
	while :; do
		report "$1" "$seq" false ''
		seq=$((seq + 1))
		nap "$(awk "BEGIN { print $lease / 5000 }")"
	done
}
stop
lease=$((800 * VNIMESH_SLOW))
config
start
join host1 11
join host2 12
join host3 13
report 1 1 true "$(member database 260 1)"
report 2 1 true "$(member database 513 1)"
report 3 1 true "$(member database 769 1)"
(beat 1 2) &
beat1=$!
(beat 2 2) &
beat2=$!
defer kill "$beat1" "$beat2"
stale() { get /v1/nodes '.nodes | map(select(.stale).node) | join(" ")'; }
is_stale() { [ "$(stale)" = "$1" ]; }
check_is "all are fresh" '' "$(stale)"
inc=$(get /v1/status .incarnation) index=$(get /v1/status .index)
watch "wait_ms=$((lease * 3))&tags=database"
check_is "a lease lapses: the node and its members are stale, told at once" '3 769' \
	"$(j '"\(.nodes | map(select(.stale).node) | join(" ")) \(.members.database | map(select(.stale).vni) | join(" "))"')"
check_is "nothing is removed or down" '260/up 513/up 769/up' \
	"$(get /v1/services/database '.members | map("\(.vni)/\(.state)") | join(" ")')"
check_is "only that one" 3 "$(stale)"
report 3 2 false ''
check_is "it goes on where it was" '200 ' "$status $(stale)"
check "and lapses again" waitfor $((lease / 200)) is_stale 3

report 3 3 false ''
kill -STOP "$pid"
nap "$(awk "BEGIN { print $lease * 5 / 1000 }")"
kill -CONT "$pid"
now_ms
since=$REPLY
check_is "stopped for five leases: nobody is stale" '' "$(stale)"
nap "$(awk "BEGIN { print $lease * 0.6 / 1000 }")"
later=$(stale)
now_ms
if ((REPLY - since < lease)); then
	check_is "nor a good part of a lease later" '' "$later"
else
	tap_skip "nor a good part of a lease later" "it took $((REPLY - since)) ms to look"
fi
check_is "nor lost" 3 "$(get /v1/services/database '.members | length')"
check "who does not report lapses after a full term" waitfor $((lease / 200)) is_stale 3
check "it says so in its log" grep -q 'leases start anew' "$log"
report 3 4 false ''
exec 5<>"/dev/tcp/127.0.0.1/$port"
nap 0.1
kill -STOP "$pid"
second='{"name": "host3", "underlay": "192.0.2.99", "epoch": 9}'
printf 'POST /v1/nodes HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "${#second}" "$second" >&5
nap "$(awk "BEGIN { print $lease * 2 / 1000 }")"
kill -CONT "$pid"
read -r -t $((20 * VNIMESH_SLOW)) _ status _ <&5
check_is "nor may another host take a node while it was stopped" 409 "$status"
exec 5>&-
kill "$beat1" "$beat2"
wait "$beat1" "$beat2" 2>/dev/null
check_is "a lapsed node may move to another host" "200 192.0.2.99" \
	"$(waitfor 20 is_stale '1 2 3'; epoch=9; req POST /v1/nodes '{"name": "host3", "underlay": "192.0.2.99", "epoch": 9}'; echo "$status $(j .node.underlay)")"

# --- durability ------------------------------------------------------------------

stop
lease=600000
config
start
join host1 11
report 1 900 true ''
lost=''
for ((i = 1; i <= 20; i++)); do
	report 1 $((900 + i)) false "$(member "svc$i" $((256 + i)) $((900 + i)))"
	stop KILL
	[ "$status" = 200 ] || lost+=" $i: status $status"
	start || break
	[ "$(get "/v1/services/svc$i" '.members[0].vni')" = $((256 + i)) ] || lost+=" $i"
	# Registrations of this round, and all there were before.
	all=$(for ((k = 1; k <= i; k++)); do printf '%s%s' "$(member "svc$k" $((256 + k)) 900)" "$([ "$k" = "$i" ] || echo ,)"; done)
	report 1 $((900 + i)) true "$all"
	[ "$status" = 200 ] || lost+=" $i: full $status"
done
check_is "killed right after the acknowledgement, 20 times: nothing is lost" '' "$lost"
check_is "every service has an address of its own" true \
	"$(get /v1/services '[.services[].address4] | length == (unique | length)')"

# A store that cannot take the change: refused, and nothing is half done.
mkfifo "$work/sql"
sqlite3 "$db" <"$work/sql" >/dev/null 2>&1 &
locker=$!
exec 5>"$work/sql"
echo 'BEGIN IMMEDIATE;' >&5
nap 0.5
refused "the store is locked: new service" PUT /v1/services/unstored 503 '' '{}'
refused "the store is locked: report" POST /v1/nodes/1/report 503 '' \
	"{\"epoch\": 5, \"seq\": 921, \"members\": [$(member unstored 290 921)]}"
refused "the store is locked: node" POST /v1/nodes 503 '' '{"name": "host8", "underlay": "192.0.2.8", "epoch": 1}'
check_is "scores do not need it" 200 "$(report 1 921 false "$(member svc1 257 921 '"health": 9')"; echo "$status")"
echo 'ROLLBACK;' >&5
exec 5>&-
wait "$locker"
check_is "free again: taken" 200 "$(req PUT /v1/services/unstored '{}'; echo "$status")"

check_match "a second coordinator on the same store" 'in use by another coordinator' \
	bash -c '! timeout 20 "$@" 2>&1' bash "${coordinator[@]}" --config "$config"
ln -s "$db" "$work/alias.db"
mkdir "$work/elsewhere"
ln "$db" "$work/elsewhere/hard.db"
for name in alias.db elsewhere/hard.db; do
	check_match "... that it finds by another name: $name" 'in use by another coordinator' \
		bash -c '! timeout 20 "$@" 2>&1' bash "${coordinator[@]}" --config "$config" --store "$work/$name"
done
check_is "the first one goes on" 200 "$(req PUT /v1/services/unstored '{}'; echo "$status")"
rm -r "$work/alias.db" "$work/elsewhere"
stop
check_is "SIGTERM: a clean exit" 0 "$stopped"
faraway=$(cd "$(dirname "$0")/../preload" && pwd)/faraway.so
# Where flock() is one of SQLite's locks, somebody's here stands for its own.
start_far() {
	local -x LD_PRELOAD=$faraway FSTYPE=$1 ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0
	start
}
exec 5<>"$db"
flock -n 5
for type in 6969 517b fe534d42 ff534d42; do
	check "a store on NFS or SMB ($type) is not locked against SQLite" start_far $type
	check "... which is said" grep -q 'on NFS or SMB, where it can be locked by its name only' "$log"
	check_match "... and a second coordinator of that name is refused" 'in use by another coordinator' \
		bash -c '! timeout 20 "$@" 2>&1' bash "${coordinator[@]}" --config "$config"
	stop
done
exec 5>&-
start
curl -s -Z --no-progress-meter --parallel-immediate --parallel-max 30 -o "$work/many.#1" \
	"$url/v1/watch?incarnation=$(get /v1/status .incarnation)&index=$(get /v1/status .index)&wait_ms=50000&x=[1-20]" &
waiter=$!
waitfor 10 waiting 20
# One connection that wants nothing, one that stopped in the middle.
exec 5<>"/dev/tcp/127.0.0.1/$port" 6<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{' >&6
now_ms
t0=$REPLY
stop INT
now_ms
check_is "SIGINT with watchers: a clean exit" 0 "$stopped"
check "soon" test $((REPLY - t0)) -lt $((3000 * VNIMESH_SLOW))
exec 5>&- 6>&-
wait "$waiter"
check_is "they are answered" 20 "$(cat "$work"/many.* | jq -c 'select(.full == false) | 1' | wc -l)"
rm -f "$work"/many.*

# changed NAME FILTER FIELD: a mesh parameter that is not the store's.
changed() {
	config "$2"
	check_match "the mesh is not to be changed: $1" "^<3>.*field \"$1\"" \
		bash -c '! timeout 20 "$@" 2>&1' bash "${coordinator[@]}" --config "$config"
}
changed mesh.id '.mesh.id = 78'
changed mesh.port '.mesh.port = 6082'
changed mesh.prefix4 '.mesh.prefix4 = "10.78.0.0/16"'
changed mesh.prefix6 '.mesh.prefix6 = "fd78::/48"'
changed mesh.block4 '.mesh.block4 = 25'
changed mesh.block6 '.mesh.block6 = 63'
changed mesh.vni_block '.mesh.vni_block = 512'
changed mesh.service_prefix4 '.mesh.service_prefix4 = "10.97.0.0/16"'
changed mesh.service_prefix6 '.mesh.service_prefix6 = "fd77:0:0:fffe::/64"'
config
check "unchanged it starts" start
stop

# --- exhaustion --------------------------------------------------------------------

# Blocks 1 to 3; block 2 is the services': two nodes. Service addresses .1, .2.
db=$work/small.db
config '.mesh.prefix4 = "10.78.0.0/22" | .mesh.service_prefix4 = "10.78.2.0/30"'
start
join host1 11
a=$(j .node.prefixes[0])
join host2 12
check_is "blocks around the service prefix" '10.78.1.0/24 10.78.3.0/24' "$a $(j .node.prefixes[0])"
refused "no block is left" POST /v1/nodes 507 '' '{"name": "host3", "underlay": "192.0.2.13", "epoch": 5}'
ok PUT /v1/services/a '{}'
ok PUT /v1/services/b '{}'
check_is "service addresses" '10.78.2.1 10.78.2.2' "$(get /v1/services '[.services[].address4] | join(" ")')"
refused "no service address is left" PUT /v1/services/c 507 tag '{}'
refused "nor in a report, which item is told" POST /v1/nodes/1/report 507 'members[1].tag' \
	'{"epoch": 5, "seq": 1, "full": true, "members": [{"tag": "a", "vni": 257, "address4": "10.78.1.2"}, {"tag": "c", "vni": 257, "address4": "10.78.1.2"}]}'
refused "nor for a definition in a report" POST /v1/nodes/1/report 507 'services[1].tag' \
	'{"epoch": 5, "seq": 1, "full": true, "services": [{"tag": "a"}, {"tag": "c"}], "members": [{"tag": "c", "vni": 257, "address4": "10.78.1.2"}]}'
ok DELETE /v1/services/b
ok PUT /v1/services/b '{}'
refused "a single one" POST /v1/nodes/1/report 507 'members[0].tag' \
	'{"epoch": 5, "seq": 1, "full": true, "members": [{"tag": "c", "vni": 257, "address4": "10.78.1.2"}]}'
ok DELETE /v1/services/a
refused "a resting one is not given away" PUT /v1/services/c 507 tag '{}'
check_is "except to its own tag" '200 10.78.2.1' "$(req PUT /v1/services/a '{}'; echo "$status $(j .service.address4)")"
# large N FILTER: a full report of N members of one service, each as large as
# can be. Ports only override their targets.
large() {
	jq -nc --argjson n "$1" '("\u0001" * 255) as $output
		| [range(16) | {name: ("p" * 63), proto: "tcp", port: (60000 + .), target: 65535}] as $ports
		| {epoch: 5, seq: 1, full: true, members: [range($n)
			| {tag: "a", vni: (257 + . % 255), address4: "10.78.1.255",
			   address6: "fd77:0:0:1:ffff:ffff:ffff:ffff", weight: 1000, state: "maint",
			   health: 100, latency_us: 60000000, $output, $ports}]}' | jq -c "${2:-.}" >"$work/large"
}
large 2049
check_is "too many members in a report" '400 members[2048]' \
	"$(req POST /v1/nodes/1/report "@$work/large"; echo "$status $(j .field)")"
large 1 '.members = [] | .services = [range(2049) | {tag: "a"}]'
check_is "too many definitions in a report" '400 services[2048]' \
	"$(req POST /v1/nodes/1/report "@$work/large"; echo "$status $(j .field)")"
stop

# A node full of members.
db=$work/full.db
config '.mesh.vni_block = 65536'
start
join host1 11
# The largest member there is, 2048 times.
large 2048 '.members |= [to_entries[] | .value + {vni: (65537 + .key), address4: "10.77.1.255"}]'
check_is "the largest report ($(($(wc -c <"$work/large") >> 10)) KiB) is taken" '200 2048' \
	"$(req POST /v1/nodes/1/report "@$work/large"; echo "$status $(get /v1/status .members)")"
check_is "a member too many, which one is told" '507 members[2] 2048' "$(req POST /v1/nodes/1/report \
	'{"epoch": 5, "seq": 2, "removed": [{"tag": "a", "vni": 65537}], "members": [{"tag": "a", "vni": 65538, "address4": "10.77.1.2"}, {"tag": "b", "vni": 65537, "address4": "10.77.1.2"}, {"tag": "c", "vni": 65537, "address4": "10.77.1.2"}, {"tag": "a", "vni": 65539, "address4": "10.77.1.2"}]}'
	echo "$status $(j .field) $(get /v1/status .members)")"
check_is "without it they are" 200 "$(req POST /v1/nodes/1/report \
	'{"epoch": 5, "seq": 2, "removed": [{"tag": "a", "vni": 65537}], "members": [{"tag": "b", "vni": 65537, "address4": "10.77.1.2"}, {"tag": "a", "vni": 65539, "address4": "10.77.1.2"}]}'; echo "$status")"
stop
check_is "exit" 0 "$stopped"

# --- the rest of addresses -----------------------------------------------------------

# It takes minutes, so the clock is moved on.
clock=$work/clock
preload=$work/coordinator_time.so
if [ -n "${COORDINATOR_SAN:-}" ]; then
	tap_skip "the end of a rest" "a sanitizer wants to be loaded first"
elif ! ${CC:-cc} -shared -fPIC -O1 -o "$preload" "$(dirname "$0")/../preload/clock.c" 2>/dev/null; then
	tap_skip "the end of a rest" "no compiler"
else
	word() { od -An -td8 -j $(($1 * 8)) -N8 "$clock" | tr -d ' '; }
	resting() { [ "$(sqlite3 "$db" "SELECT count(*) FROM records WHERE key LIKE 'resting/%'")" = "$1" ]; }
	head -c 16 /dev/zero >"$clock"
	db=$work/rest.db
	lease=$((800 * VNIMESH_SLOW))
	config '.mesh.service_prefix4 = "10.96.0.0/27"'
	start_at_clock() {
		local -x LD_PRELOAD=$preload CLOCK_FILE=$clock
		start
	}
	start_at_clock
	for ((i = 1; i <= 30; i++)); do
		ok PUT "/v1/services/rest$i" '{}'
	done
	for ((i = 1; i <= 30; i++)); do
		ok DELETE "/v1/services/rest$i"
	done
	check "30 addresses rest" resting 30
	check_is "and none is left" 507 "$(req PUT /v1/services/new '{}'; echo "$status")"
	writes=$(word 1)
	# 2^29 microseconds are not enough, 2^29 + 2^27 are.
	printf '\x20' | dd of="$clock" bs=1 seek=3 conv=notrunc 2>/dev/null
	nap 0.5
	check "not yet over" resting 30
	printf '\x28' | dd of="$clock" bs=1 seek=3 conv=notrunc 2>/dev/null
	check "their rest ends" waitfor 10 resting 0
	check_is "they can be had" 200 "$(req PUT /v1/services/new '{}'; echo "$status")"
	writes=$(($(word 1) - writes))
	check "with one commit for all: $writes writes" test "$writes" -le 8
	stop
fi

# A store of the first version is taken over, one of the second with its keys.
db=$work/first.db
lease=600000
config
sqlite3 "$db" <<-SQL
	CREATE TABLE mesh (field TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
	CREATE TABLE nodes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, zone TEXT NOT NULL,
		underlay TEXT NOT NULL, port INTEGER NOT NULL, prefix4 TEXT NOT NULL UNIQUE,
		prefix6 TEXT NOT NULL UNIQUE, address4 TEXT NOT NULL, address6 TEXT NOT NULL,
		vni INTEGER NOT NULL, vni_first INTEGER NOT NULL UNIQUE, vni_count INTEGER NOT NULL,
		epoch INTEGER NOT NULL) STRICT;
	CREATE TABLE services (tag TEXT PRIMARY KEY, address4 TEXT NOT NULL UNIQUE,
		address6 TEXT NOT NULL UNIQUE, policy INTEGER NOT NULL, creator INTEGER NOT NULL,
		ports TEXT NOT NULL) STRICT;
	CREATE TABLE members (tag TEXT NOT NULL REFERENCES services(tag), vni INTEGER NOT NULL,
		node INTEGER NOT NULL REFERENCES nodes(id), address4 TEXT NOT NULL, address6 TEXT NOT NULL,
		weight INTEGER NOT NULL, state INTEGER NOT NULL, ports TEXT NOT NULL,
		PRIMARY KEY (tag, vni)) STRICT;
	CREATE TABLE resting (tag TEXT PRIMARY KEY, address4 TEXT NOT NULL UNIQUE) STRICT;
	INSERT INTO mesh VALUES ('uuid', '00000000-0000-4000-8000-000000000001'), ('id', '77'),
		('port', '6081'), ('prefix4', '10.77.0.0/16'), ('prefix6', 'fd77::/48'),
		('block4', '24'), ('block6', '64'), ('vni_block', '256'),
		('service_prefix4', '10.96.0.0/16'), ('service_prefix6', 'fd77:0:0:ffff::/64');
	INSERT INTO nodes VALUES (3, 'host3', 'b', '192.0.2.13', 6081, '10.77.3.0/24', 'fd77:0:0:3::/64',
		'10.77.3.1', 'fd77:0:0:3::1', 768, 768, 256, 5);
	INSERT INTO services VALUES ('a', '10.96.0.9', 'fd77:0:0:ffff::9', 3, 3,
		'[{"name": "x", "proto": "udp", "port": 53, "target": 54}]');
	INSERT INTO members VALUES ('a', 769, 3, '10.77.3.2', '', 42, 2, '[]');
	INSERT INTO resting VALUES ('b', '10.96.0.10');
	PRAGMA user_version = 1;
SQL
check "a store of the first version" start
check_is "is taken over" \
	'00000000-0000-4000-8000-000000000001 3 host3 b 10.77.3.0/24 a 10.96.0.9 random 54 769 42 drain false' \
	"$(get /v1/mesh '"\(.mesh.uuid) \(.nodes[0] | "\(.node) \(.name) \(.zone) \(.prefixes[0])") \(.services[0] |
		"\(.tag) \(.address4) \(.policy) \(.ports[0].target)") \(.members.a[0] |
		"\(.vni) \(.weight) \(.state) \(has("address6"))")"')"
check "a node takes a key" join_key "$key1"
check_is "with the addresses that rest" 10.96.0.10 "$(ok PUT /v1/services/b '{}'; j .service.address4)"
stop
check "... durably" start
check_is "..." "$key1 7901" "$(get /v1/nodes '.nodes[] | select(.node == 1) | "\(.key) \(.peer_port)"')"
stop

# An old backup, restored under watchers that wait: nothing is skipped silently.
db=$work/backup.db
config
start
join host1 11
ok PUT /v1/services/kept '{}'
sqlite3 "$db" ".backup $work/old.db"
join host2 12
ok PUT /v1/services/newer '{}'
ok DELETE /v1/services/kept
report 2 1 true "$(member newer 513 1)"
inc=$(get /v1/status .incarnation) index=$(get /v1/status .index) seq=$(get /v1/audit .last)
check_is "who reads the log reads on" 200 "$(req GET "/v1/audit?after=$seq"; echo "$status")"
curl -s -o "$work/woken" "$url/v1/watch?incarnation=$inc&index=$index&wait_ms=50000&tags=newer" &
waiter=$!
waitfor 10 waiting 1
stop KILL
wait "$waiter"
rm -f "$db" "$db-wal" "$db-shm"
cp "$work/old.db" "$db"
check "an old backup is restored" start
check_is "who watched lists anew" '410 incarnation' \
	"$(req GET "/v1/watch?incarnation=$inc&index=$index&tags=newer"; echo "$status $(j .field)")"
check_is "who read the log does, too" '410 after' "$(req GET "/v1/audit?after=$seq"; echo "$status $(j .field)")"
check_is "and sees what there is" 'true host1 kept' \
	"$(get '/v1/watch?tags=newer' '"\(.full) \(.nodes | map(.name) | join(" ")) \(.services | map(.tag) | join(" "))"')"
report 2 2 false ''
check_is "a node that it does not know any more is told" 404 "$status"
join host2 12
report 2 1 true "$(member newer 513 1)"
check_is "and comes back with all it has" '200 513' "$status $(get /v1/services/newer '.members[0].vni')"
cp "$work/old.db" "$work/put.db"
mv "$work/put.db" "$db"
req PUT /v1/services/nowhere '{}'
check_is "put in place of the file that is in use it takes no change" 503 "$status"
check_match "with the reason" 'is another file than at the start' cat "$body"
check_is "reads go on" 200 "$(req GET /v1/services/newer; echo "$status")"
stop KILL
rm -f "$db-wal" "$db-shm"
check "started anew the coordinator takes what is there" start
check_is "..." '200 404' "$(req GET /v1/services/kept; echo "$status") $(req GET /v1/services/newer; echo "$status")"
stop

# A damaged file is not used.
db=$work/full.db
config
head -c 20000 /dev/urandom | dd of="$db" bs=4096 seek=1 conv=notrunc 2>/dev/null
rm -f "$db-wal" "$db-shm"
check_match "a damaged store is refused" '^<3>.*full.db: ' \
	bash -c '! timeout 20 "$@" 2>&1' bash "${coordinator[@]}" --config "$config"
