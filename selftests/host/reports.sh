#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reports of an agent, under the sanitizers, to a coordinator: what is refused, or
# went in numbers, keeps nothing back; what flaps is told a few times; what was not
# heard of a host is told again.
set -u
. "$(dirname "$0")/../lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=selftests/host/san.sh
. selftests/host/san.sh
for tool in curl jq; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
mapfile -t objects < <(san_agent)
{ san_build vnimeshd && san_link "$work/reports" selftests/host/reports.c selftests/preload/clock.c \
	-Wl,--wrap=report_joined,--wrap=http_start "${objects[@]}"; } >"$work/build" 2>&1 ||
	{ diag "$(cat "$work/build")"; exit 1; }

jq -n --arg db "$work/state.db" '{listen: "127.0.0.1:0", store: $db, mesh: {id: 77, prefix4: "10.0.0.0/8",
	prefix6: "fd77::/48", service_prefix4: "10.255.0.0/16", service_prefix6: "fd77:0:0:ffff::/64"}}' >"$work/coordinator.json"
vnimesh-coordinator --config "$work/coordinator.json" 2>"$work/coordinator.log" &
pid=$!
defer kill "$pid"
waitfor 20 grep -q 'listening on' "$work/coordinator.log" || { cat "$work/coordinator.log"; exit 1; }
url=http://127.0.0.1:$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$work/coordinator.log")

node='{"name": "b", "underlay": "192.0.2.2", "epoch": 7}'
check "a node called b" curl -sf -H 'Content-Type: application/json' -d "$node" "$url/v1/nodes"

san_options
mkdir "$work/agent"
head -c 16 /dev/zero >"$work/clock"
declare -A told=([damped]=0 [wild]=0)
# It says each step as it comes; the coordinator's process is stopped in between.
while IFS=' ' read -r word name; do
	case $word in
	ok) tap_ok "$name" ;;
	fail) tap_fail "$name" ;;
	told) told[${name% *}]=${name#* } ;;
	esac
done < <(CLOCK_FILE=$work/clock "$work/reports" "$work/agent" "$url" "$pid" 2>"$work/log")
members() { curl -sf "$url/v1/services/$1" | jq -r '[.members[].tag] | join(" ")'; }
check_is "the coordinator has the last one" wrong "$(members wrong)"
for tag in last s0 m0 m1000 m2047 x0 x9 refused astray0 restless; do
	check_is "... and not $tag" '' "$(members $tag)"
done

# turns TAG: how often the log has that it went down or came up
log() {
	local after=0 page
	while page=$(curl -sf "$url/v1/audit?after=$after") && [ "$(jq '.entries | length' <<<"$page")" != 0 ]; do
		jq -c '.entries[]' <<<"$page"
		after=$(jq .last <<<"$page")
	done
}
log >"$work/audit"
turns() { jq -r "select((.object | startswith(\"member $1/\")) and (.what == \"up\" or .what == \"down\")) | .what" "$work/audit" | wc -l; }
few() { [ "$1" -ge 1 ] && [ "$1" -le 5 ]; }
diag "up and down 120 times: told the others ${told[damped]} times, in the coordinator's log $(turns damped) times"
check "one that flaps is told the others 5 times at most" few "${told[damped]}"
check "and is as often in the coordinator's log" few "$(turns damped)"
check_is "without damping each time" '120 120' "${told[wild]} $(turns wild)"
[ "$tap_failed" = 0 ] || tail -n 20 "$work/log" | sed 's/^/# /'
