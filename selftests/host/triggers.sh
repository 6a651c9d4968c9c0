#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Health_Check_Trigger at the coordinator: asked for, periodic, of evidence;
# bounded, counted, in the audit log.
#
# COORDINATOR names another command (one under a sanitizer or valgrind).
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

config=$work/coordinator.json
body=$work/body
jq -n --arg db "$work/state.db" '{listen: "127.0.0.1:0", store: $db, lease_ms: 600000,
	requests_per_second: 100000, mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/16",
	service_prefix6: "fd77:0:0:ffff::/64"}}' >"$config"
start() {
	log=$work/log.$((runs = ${runs:-0} + 1))
	"${coordinator[@]}" --config "$config" 2>"$log" &
	pid=$!
	waitfor 20 grep -q 'listening on' "$log" || { cat "$log"; exit 1; }
	url=http://127.0.0.1:$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")
}
stop() { kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; }
defer stop
req() {
	local args=(-s -m 60 -X "$1" -o "$body" -w '%{http_code}')
	[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
	status=$(curl "${args[@]}" "$url$2")
}
j() { jq -c "$1" "$body"; }
is() {
	local name=$1 want=$2
	shift 2
	req "$@"
	check_is "$name" "$want" "$status $(j '.field // empty')"
}
report() {
	req POST "/v1/nodes/$1/report" "{\"epoch\": 5, \"seq\": $2, \"full\": true, \"members\": [$3]}"
}
member() { echo "{\"tag\": \"$1\", \"vni\": $2, \"address4\": \"10.77.$(($2 / 256)).$(($2 % 256 + 1))\"}"; }
# queue NODE: what its watch would be told, as TAG/VNI.
queue() {
	req GET "/v1/watch?node=$1"
	jq -r '[.checks[] | "\(.tag)/\(.vni)"] | join(" ")' "$body"
}
# take NODE: as its watch does.
take() {
	local at
	req GET "/v1/watch?node=$1"
	at="incarnation=$(j .incarnation | tr -d '"')&index=$(j .index)"
	req GET "/v1/watch?node=$1&wait_ms=0&$at"
}
counter() { req GET /v1/status; j ".checks.$1"; }
audit() { req GET '/v1/audit'; jq -r '.entries[] | select(.what == "check") | "\(.object) \(.who): \(.cause)"' "$body"; }
audited() { [ "$(audit | wc -l)" = "$1" ]; }
# An entry in ten seconds, however slow this machine is.
grep_audit() { audit | grep -q "$1"; }
audited_few() { [ "$(audit | wc -l)" -le $(($1 + SECONDS / 10)) ]; }

start
for i in 1 2 3; do
	req POST /v1/nodes "{\"name\": \"host$i\", \"underlay\": \"192.0.2.$i\", \"epoch\": 5}"
done
report 1 1 "$(member web 257), $(member web 258)"
report 2 1 "$(member web 513), $(member db 514)"
req POST /v1/services/web/check
check_is "asked for: all members" '202 3' "$status $(j .members)"
check_is "each by its own agent" 'web/257 web/258|web/513|' "$(queue 1)|$(queue 2)|$(queue 3)"
check "which is in the audit log" waitfor 20 audited 1
check_match "with its cause" '^service web anybody: asked for; 0 requests' audit
for ((i = 0; i < 20; i++)); do
	req POST /v1/services/web/check
done
check_is "asked again before it is taken, asked once" 'web/257 web/258' "$(queue 1)"
check_is "all are counted" '21 63' "$(counter asked) $(counter members)"
check "but not each is in the log" audited_few 1
take 1
take 2
check_is "what was taken is not asked again" '|' "$(queue 1)|$(queue 2)"

observe() { req POST "/v1/nodes/$1/observations" "$2"; }
evidence() { observe "$1" "{\"evidence\": [{\"tag\": \"db\", \"vni\": 514, \"kind\": \"refused\", \"count\": 3}]}"; }
evidence 1
check_is "evidence of a client's kernel: that member is checked" '200 db/514' "$status $(queue 2)"
check "which is in the audit log" waitfor 20 grep_audit evidence
check_match "with the client and what it saw" '^service db anybody: evidence of VNI 514, 3 times refused' audit
observe 3 "$(jq -n '{evidence: [range(64) | {tag: "db", vni: 514, kind: "refused"}]}')"
check_is "64 times more at once: one check at most" true \
	"$(req GET /v1/status; j '.checks | .evidence == 65 and .coalesced >= 63 and .members - 63 + .coalesced == 65')"
check "the log has no more of it" audited_few 2
observe 1 '{"evidence": [{"tag": "nothing", "vni": 1, "kind": "icmp"}, {"tag": "db", "vni": 1, "kind": "reset"}]}'
check_is "of who is gone: no error, and nothing to do" '200 65' "$status $(counter evidence)"
is "a kind that is none" '400 "evidence[0].kind"' POST /v1/nodes/1/observations '{"evidence": [{"tag": "db", "vni": 514, "kind": "rumour"}]}'
is "too much at once" '400 "evidence[64]"' POST /v1/nodes/1/observations \
	"$(jq -n '{evidence: [range(65) | {tag: "db", vni: 514, kind: "icmp"}]}')"
is "a sight that is none" '400 "observations[0].sight"' POST /v1/nodes/1/observations '{"observations": [{"node": 2, "sight": "maybe"}]}'
is "a node that is none" '404 ' POST /v1/nodes/99/observations '{}'
take 2

is "periodically, but not so often" '400 "check_ms"' PUT /v1/services/db '{"check_ms": 999}'
is "nor so seldom" '400 "check_ms"' PUT /v1/services/db '{"check_ms": 86400001}'
is "a critical service" '200 ' PUT /v1/services/db '{"check_ms": 1000}'
check_is "as it is shown" 1000 "$(j .service.check_ms)"
asked() { [ "$(queue 2)" = db/514 ]; }
check "is checked" waitfor 20 asked
take 2
check "again and again" waitfor 20 asked
check "which is counted" test "$(counter periodic)" -ge 2
check "and is in no log" audited_few 2
stop
start
check "also after a restart" waitfor 20 asked
req PUT /v1/services/db '{}'
take 2
n=$(counter periodic)
nap 2
check_is "until it is no more" "$n" "$(counter periodic)"

# A node's queue is bounded.
report 2 1 ''
req POST /v1/nodes '{"name": "host2", "underlay": "192.0.2.2", "epoch": 5}'
report 2 2 "$(for ((i = 0; i < 300; i++)); do member "many-$((i / 150))" $((512 + i % 150)); echo ,; done | sed '$d')"
req POST /v1/services/many-0/check
req POST /v1/services/many-1/check
req GET '/v1/watch?node=2'
check_is "300 at once: the last 256 wait, the others are counted" '256 44' "$(j '.checks | length') $(counter dropped)"
