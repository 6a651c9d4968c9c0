#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# Bad configuration and bad JSON: refused with file, line or field and an exit
# code, and what runs goes on as it is.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

# refuses NAME RE CMD...: ends with a code from 1 to 125 and says RE
refuses() {
	local name=$1 expr=$2
	shift 2
	tap_run timeout $((5 * VNIMESH_SLOW)) "$@"
	# 124: it runs with what it should have refused.
	if [ "$tap_rc" -ge 1 ] && [ "$tap_rc" -lt 124 ] && grep -Eq -- "$expr" "$work/.output"; then
		tap_ok "$name"
		return
	fi
	tap_fail "$name"
	diag "exit code $tap_rc, wanted a refusal that says /$expr/ from: $*"
	tap_output
}

bad=$work/bad.json

# agent_refuses NAME RE FILTER: the good configuration, changed by jq
agent_refuses() {
	jq "$3" "$work/host1/vnimeshd.json" >"$bad"
	refuses "agent: $1" "$2" vnimeshd --config "$bad" --check
}

coordinator_refuses() {
	jq "$3" "$work/coord/config.json" >"$bad"
	refuses "coordinator: $1" "$2" vnimesh-coordinator --config "$bad" --check
}

check "two hosts with agents and a coordinator" mesh_up 2
check "containers" mesh_containers host1:client host2:srv
mesh_echo srv 7000
mesh_serve echo srv tcp/7000 tcp
mesh_hup host2
check "a service" waitfor 10 mesh_is_up echo srv
echo4=$(mesh_address echo 4)
new_flow() { [ "$(mesh_server client "$echo4")" = srv ]; }
check "it is used" new_flow
mesh_hold flow client "$echo4" 7000
check "a flow is open" mesh_hold_goes_on flow
mesh_snapshot "$work/before"

check "agent: a good configuration passes --check" vnimeshd --config "$work/host1/vnimeshd.json" --check
agent_refuses "an unknown field, by name" 'bad\.json.*colour' '.colour = 1'
agent_refuses "an unknown field inside, by its path" 'bad\.json.*node\.colour' '.node.colour = 1'
agent_refuses "a wrong type" 'bad\.json.*report_ms' '.report_ms = "soon"'
agent_refuses "a number out of range" 'bad\.json.*node\.port' '.node.port = 65536'
agent_refuses "a missing field" 'bad\.json.*node\.name' 'del(.node.name)'
agent_refuses "an address that is none" 'bad\.json.*node\.underlay' '.node.underlay = "192.0.2"'
agent_refuses "null for a value" 'bad\.json.*coordinator' '.coordinator = null'
printf '{ "coordinator": "http://192.0.2.1:7900",\n  "device": "mesh0",\n  "node": { "name" "x" } }\n' >"$bad"
refuses "agent: bad JSON, by line" 'bad\.json:3' vnimeshd --config "$bad" --check
refuses "agent: ... without --check as well" 'bad\.json:3' vnimeshd --config "$bad"
: >"$bad"
refuses "agent: an empty file" 'bad\.json' vnimeshd --config "$bad" --check
printf '{ "device": "mesh0", "device": "mesh1" }\n' >"$bad"
refuses "agent: a field given twice" 'bad\.json.*device' vnimeshd --config "$bad" --check
refuses "agent: a file that is not there" 'nothere\.json' vnimeshd --config "$work/nothere.json" --check
refuses "agent: a directory for a file" "$work" vnimeshd --config "$work" --check
refuses "agent: an unknown option" 'sage|unrecognized' vnimeshd --colour

check "coordinator: a good configuration passes --check" \
	vnimesh-coordinator --config "$work/coord/config.json" --check
coordinator_refuses "an unknown field, by name" 'bad\.json.*colour' '.colour = 1'
coordinator_refuses "an unknown field inside, by its path" 'bad\.json.*mesh\.colour' '.mesh.colour = 1'
coordinator_refuses "a wrong type" 'bad\.json.*lease_ms' '.lease_ms = "long"'
coordinator_refuses "a number out of range" 'bad\.json.*mesh\.id' '.mesh.id = 16777216'
coordinator_refuses "a missing field" 'bad\.json.*store' 'del(.store)'
coordinator_refuses "a prefix with host bits" 'bad\.json.*mesh\.prefix4' '.mesh.prefix4 = "10.77.0.1/16"'
coordinator_refuses "beyond loopback without saying so" 'bad\.json.*listen.*tls_dir' '.insecure = false'
printf '{ "listen": "127.0.0.1:7900",\n  "store" }\n' >"$bad"
refuses "coordinator: bad JSON, by line" 'bad\.json:2' vnimesh-coordinator --config "$bad" --check
refuses "coordinator: a file that is not there" 'nothere\.json' \
	vnimesh-coordinator --config "$work/nothere.json"
# The kept identity of a mesh is not a matter of configuration.
jq '.mesh.id = 78 | .listen = "127.0.0.1:7901"' "$work/coord/config.json" >"$bad"
refuses "coordinator: another mesh id than the store's" 'mesh|store' \
	vnimesh-coordinator --config "$bad"

# Services of the running agent: a bad file, SIGHUP, and all stays.
file=$work/host2/services.d/bad.json
log=$work/log/host2
# hup_refused NAME RE TEXT
hup_refused() {
	local from
	from=$(wc -l <"$log")
	printf '%s\n' "$3" >"$file"
	mesh_hup host2
	said() { tail -n +$((from + 1)) "$log" | grep -Eq -- "$1"; }
	check "SIGHUP with $1: an error with file and place" waitfor 5 said "$2"
	check "... and the running state is kept" kept
	rm "$file"
}
kept() { mesh_runs host2 && mesh_is_up echo srv && mesh_same "$work/before" && new_flow; }
hup_refused "bad JSON" 'bad\.json:2' $'{ "tag": "x",\n "vni" }'
hup_refused "an unknown field" 'bad\.json.*colour' '{ "tag": "x", "vni": 513, "colour": 1 }'
hup_refused "a bad tag" 'bad\.json.*tag' '{ "tag": "No Tag", "vni": 513 }'
hup_refused "a bad check" 'bad\.json.*check\.(type|interval_ms)' \
	'{ "tag": "x", "vni": 513, "check": { "type": "tcp", "port": 1, "interval_ms": 0 } }'
hup_refused "a bad entry in a list" 'bad\.json.*\[1\].*vni' \
	'[{ "tag": "x", "vni": 513 }, { "tag": "y", "vni": "many" }]'
hup_refused "a service that is there already" '(bad|echo-srv)\.json.*tag' '{ "tag": "echo", "vni": 513 }'
# One bad file refuses all: half a change is worse than none.
mesh_serve other srv tcp/7000 tcp
hup_refused "a good file beside the bad one" 'bad\.json' '{'
check_fails "... of which nothing was taken" mesh_registered other srv
mesh_hup host2
check "without the bad file the good one is taken" waitfor 10 mesh_is_up other srv
mesh_unserve other srv
mesh_hup host2
gone() { ! mesh_registered other srv; }
check "... and goes with its file" waitfor 10 gone
# The tag keeps its definition and address.
mesh_snapshot "$work/before"

# The agent's own configuration.
cp "$work/host2/vnimeshd.json" "$work/good.json"
from=$(wc -l <"$log")
jq '.colour = 1' "$work/good.json" >"$work/host2/vnimeshd.json"
mesh_hup host2
said() { tail -n +$((from + 1)) "$log" | grep -Eq "$1"; }
check "SIGHUP with a bad configuration: an error with file and field" \
	waitfor 5 said 'vnimeshd\.json.*colour'
check "... and the agent goes on" kept
cp "$work/good.json" "$work/host2/vnimeshd.json"

# The coordinator: requests that are wrong change nothing.
api() { # METHOD PATH BODY: code and body
	in_ns coord curl -sS --max-time $((3 * VNIMESH_SLOW)) -o "$work/answer" -w '%{http_code}' -X "$1" \
		-H 'Content-Type: application/json' --data-binary "$3" "$mesh_url$2"
}
# api_refused NAME CODE RE METHOD PATH BODY
api_refused() {
	check_is "coordinator: $1: $2" "$2" "$(api "$4" "$5" "$6")"
	check_match "... and says where" "$3" cat "$work/answer"
}
n2=${node[host2]}
api_refused "bad JSON" 400 'line 2' POST /v1/nodes $'{ "name": "x",\n "underlay" }'
api_refused "a report that is no object" 400 'detail' POST "/v1/nodes/$n2/report" '[1]'
api_refused "a field of a wrong type" 400 '"field": *"underlay"' POST /v1/nodes \
	'{ "name": "x", "underlay": 5, "epoch": 1 }'
api_refused "a missing field" 400 '"field": *"name"' POST /v1/nodes '{ "underlay": "192.0.2.50", "epoch": 1 }'
api_refused "a bad port of a service" 400 '"field": *"ports\[0\]\.port"' PUT /v1/services/echo \
	'{ "ports": [{ "proto": "tcp", "port": 0 }] }'
api_refused "an unknown node" 404 'detail|title' POST /v1/nodes/4000/report '{ "epoch": 1, "seq": 1, "full": true }'
api_refused "another epoch than the node's" 409 '"field": *"epoch"' POST "/v1/nodes/$n2/report" \
	'{ "epoch": 1, "seq": 1, "full": true, "members": [] }'
api_refused "a live node's name from elsewhere" 409 '"field": *"name"' POST /v1/nodes \
	'{ "name": "host2", "underlay": "192.0.2.50", "epoch": 77 }'
api_refused "a service with members is not deleted" 409 'detail|title' DELETE /v1/services/echo ''
check "all of it changed nothing" kept
check "the open flow went on" mesh_hold_goes_on flow
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 15
