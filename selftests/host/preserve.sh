#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Self-preservation: when many agents fall silent at once no lease lapses, it
# is said, and it has an end.
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq python3; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

lease=$((700 * VNIMESH_SLOW))
config=$work/coordinator.json
jq -n --arg db "$work/state.db" --argjson lease "$lease" '{listen: "127.0.0.1:0", store: $db, lease_ms: $lease,
	requests_per_second: 100000, mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/16",
	service_prefix6: "fd77:0:0:ffff::/64"}}' >"$config"
# Minutes do not pass but are put on the clock, where there is a compiler.
clock=$work/clock
preload=$work/time.so
head -c 16 /dev/zero >"$clock"
${CC:-cc} -shared -fPIC -O1 -o "$preload" "$(dirname "$0")/../preload/clock.c" 2>/dev/null || preload=''
log=$work/log
LD_PRELOAD=$preload CLOCK_FILE=$clock "${coordinator[@]}" --config "$config" 2>"$log" &
pid=$!
defer kill "$pid"
waitfor 20 grep -q 'listening on' "$log" || { cat "$log"; exit 1; }
url=http://127.0.0.1:$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")

cat >"$work/herd.py" <<'PY'
# usage: herd.py PORT LEASE-MS: twelve agents with a member each; a line of
# ids on stdin: those are silent from now on.
import http.client, json, select, sys
port, lease = int(sys.argv[1]), int(sys.argv[2]) / 1000
conn = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
def post(path, o):
	# When the clock leaps, idle connections end.
	for again in range(3):
		try:
			conn.request('POST', path, json.dumps(o), {'Content-Type': 'application/json'})
			r = conn.getresponse()
			break
		except (ConnectionError, http.client.HTTPException): conn.close()
	body = r.read()
	assert r.status == 200, body
for i in range(1, 13): post('/v1/nodes', {'name': 'host%d' % i, 'underlay': '192.0.2.%d' % i, 'epoch': 5})
silent, seq = set(), 0
while True:
	seq += 1
	for i in range(1, 13):
		if i not in silent:
			post('/v1/nodes/%d/report' % i, {'epoch': 5, 'seq': seq, 'full': True,
				'members': [{'tag': 'web', 'vni': i * 256 + 1, 'address4': '10.77.%d.2' % i}]})
	if seq == 1: print('ready', flush=True)
	if select.select([sys.stdin], [], [], lease / 6)[0]:
		line = sys.stdin.readline()
		if not line: break
		silent = set(map(int, line.split()))
PY
coproc herd { exec python3 "$work/herd.py" "${url##*:}" "$lease" 2>"$work/herd.err"; }
herd_pid=$!
defer kill "$herd_pid"
read -r -t $((60 * VNIMESH_SLOW)) _ <&"${herd[0]}"
silent() { echo "$*" >&"${herd[1]}"; }
status() { curl -s "$url/v1/status" | jq -c "$1"; }
is() { [ "$(status "$1")" = "$2" ]; }
stale() { curl -s "$url/v1/nodes" | jq -r '[.nodes[] | select(.stale).node] | join(" ")'; }
is_stale() { [ "$(stale)" = "$1" ]; }
audit() { curl -s "$url/v1/audit" | jq -r '.entries[] | select(.object == "mesh") | "\(.who): \(.what): \(.cause)"' | tail -n 1; }
says() { [[ $(audit) =~ $1 ]]; }

check_is "twelve agents, none silent" ' false 0' "$(stale) $(status .preserving) $(status .preservations)"
silent 11 12
check "two of twelve fall silent: their figures go stale" waitfor 20 is_stale '11 12'
stale_audit() { curl -s "$url/v1/audit" | jq -r '.entries[] | select(.object == "node 12") | "\(.what): \(.cause)"' | tail -n 1; }
says_stale() { [[ $(stale_audit) =~ $1 ]]; }
check "which is in the audit log" waitfor 20 says_stale '^stale: no report for [0-9]+ ms$'
check_is "that is not many" false "$(status .preserving)"
silent
check "they come back" waitfor 20 is_stale ''
check "also in the log" waitfor 20 says_stale '^fresh: reports again after [0-9]+ ms$'
nap "$(awk "BEGIN { print $lease / 1000 }")"
silent 1 2 3 4 5 6
check "six of twelve fall silent: it is taken for the network's fault" waitfor 20 is .preserving true
check_is "no lease lapses" '' "$(stale)"
check_is "they are counted" 1 "$(status .preservations)"
check "which is in the audit log, with its cause" waitfor 20 says '^coordinator: preserving: [4-6] of 12 leases ran out within [0-9]+ ms$'
nap "$(awk "BEGIN { print $lease * 2 / 1000 }")"
check_is "nor do they two leases later" 'true ' "$(status .preserving) $(stale)"
check_is "nobody is lost meanwhile" 12 "$(curl -s "$url/v1/services/web?passing=1" | jq '.members | length')"
silent 1 2
check "four come back: it ends, and the others' leases lapse" waitfor 20 is_stale '1 2'
check_is "it is over" false "$(status .preserving)"
check "also in the audit log" waitfor 20 says '^coordinator: expiring: few enough: [0-3] of 12 are silent$'
if [ -z "$preload" ]; then
	tap_skip "those that do not come back" "no compiler"
else
	silent
	waitfor 20 is_stale ''
	nap "$(awk "BEGIN { print $lease / 1000 }")"
	silent 1 2 3 4 5 6 7
	check "seven again" waitfor 20 is .preserving true
	# 20 * 2^24 microseconds.
	printf '\x14' | dd of="$clock" bs=1 seek=3 conv=notrunc 2>/dev/null
	check "minutes later they are gone for good" waitfor 20 is_stale '1 2 3 4 5 6 7'
	check "as the audit log says" waitfor 20 says '^coordinator: expiring: they do not come back: ([7-9]|1[0-2]) of 12 are silent$' || diag "$(audit)"
	check_is "which does not begin it again" 'false 2' "$(status .preserving) $(status .preservations)"
fi
check_is "the agents had no trouble" '' "$(cat "$work/herd.err")"
