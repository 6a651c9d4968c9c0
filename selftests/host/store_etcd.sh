#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three interchangeable coordinators over three etcd members. Registrations are
# acknowledged all the time, and recorded; each coordinator, each member and
# the leader is killed. Every acknowledged registration is there.
#
# STORE_ROUNDS sets how often each kind is killed (1).
set -u
. "$(dirname "$0")/../lib.sh"

coordinator=${COORDINATOR:-vnimesh-coordinator}
read -r -a coordinator <<<"$coordinator"
command -v "${coordinator[0]}" >/dev/null || skip_all "no ${coordinator[0]}"
for tool in curl jq python3 etcd etcdctl; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done
export ETCDCTL_API=3
rounds=${STORE_ROUNDS:-1}
store=etcd://127.0.0.1:2379,127.0.0.1:2479,127.0.0.1:2579/mesh
endpoints=http://127.0.0.1:2379,http://127.0.0.1:2479,http://127.0.0.1:2579
declare -A pid=()

member() {
	local i=$1 port=$((2279 + 100 * $1))
	etcd --name "m$i" --data-dir "$work/m$i" --listen-client-urls "http://127.0.0.1:$port" \
		--advertise-client-urls "http://127.0.0.1:$port" --listen-peer-urls "http://127.0.0.1:$((port + 1))" \
		--initial-advertise-peer-urls "http://127.0.0.1:$((port + 1))" --max-txn-ops 8192 \
		--initial-cluster m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2480,m3=http://127.0.0.1:2580 \
		>>"$work/m$i.log" 2>&1 &
	pid[m$i]=$!
	disown
}
coordinate() {
	local i=$1
	jq -n --arg store "$store" --argjson i "$i" '{listen: "127.0.0.1:790\($i)", store: $store, lease_ms: 600000,
		requests_per_second: 100000,
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/16",
		service_prefix6: "fd77:0:0:ffff::/64"}}' >"$work/c$i.json"
	"${coordinator[@]}" --config "$work/c$i.json" 2>>"$work/c$i.log" &
	pid[c$i]=$!
	disown
}
end() { kill -KILL "${pid[$1]}" 2>/dev/null; pid[$1]=''; }
end_all() { local name; for name in "${!pid[@]}"; do [ -z "${pid[$name]}" ] || end "$name"; done; }
defer end_all

quorum() { curl -s -m 5 "http://127.0.0.1:$1/health" | grep -q '"true"'; }
answers() { curl -s -m 5 -o /dev/null "http://127.0.0.1:790$1/v1/status"; }
# get COORDINATOR PATH FILTER
get() { curl -s -m 20 "http://127.0.0.1:790$1$2" | jq -r "$3"; }
for i in 1 2 3; do member $i; done
for i in 1 2 3; do check "member $i" waitfor 20 quorum $((2279 + 100 * i)); done
coordinate 1
check "the first coordinator makes the mesh" waitfor 20 answers 1
for i in 2 3; do coordinate $i; done
for i in 2 3; do check "coordinator $i is another one of it" waitfor 20 answers $i; done
check_is "one mesh" 1 "$(for i in 1 2 3; do get $i /v1/mesh .mesh.uuid; done | sort -u | wc -l)"

# --- each sees what the others do --------------------------------------------------

put() { curl -s -m 20 -o "$work/body" -w '%{http_code}' -X "${3:-PUT}" -H 'Content-Type: application/json' -d "${4:-{\}}" "http://127.0.0.1:790$1$2"; }
inc=$(get 2 /v1/status .incarnation) index=$(get 2 /v1/status .index)
curl -s -m 30 -o "$work/woken" "http://127.0.0.1:7902/v1/watch?incarnation=$inc&index=$index&wait_ms=20000&tags=a" &
waiter=$!
nap 0.3
check_is "a service made at one" 200 "$(put 1 /v1/services/a)"
wait "$waiter"
check_is "wakes who watches at another" a "$(jq -r '.services[].tag' "$work/woken")"
check_is "a node that joins at one" '200 1' "$(put 1 /v1/nodes POST '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}') $(jq .node.node "$work/body")"
check_is "gets no other id at another" '200 1' "$(put 2 /v1/nodes POST '{"name": "host1", "underlay": "192.0.2.11", "epoch": 5}') $(jq .node.node "$work/body")"
check_is "nor does the next one get the same" '200 2' "$(put 3 /v1/nodes POST '{"name": "host2", "underlay": "192.0.2.12", "epoch": 5}') $(jq .node.node "$work/body")"
check_is "its agent may report to any" 200 "$(put 3 /v1/nodes/1/report POST '{"epoch": 5, "seq": 1, "full": true,
	"members": [{"tag": "a", "vni": 257, "address4": "10.77.1.2"}]}')"
has() { [ "$(get "$1" /v1/services/a '.members | length')" = "$2" ]; }
for i in 1 2; do check "its member is at coordinator $i" waitfor 10 has $i 1; done
check_is "with figures that are stale there, as nobody told them there" true "$(get 1 /v1/services/a '.members[0].stale')"
check_is "it moves on to another, which asks for all" '409 true' "$(put 1 /v1/nodes/1/report POST '{"epoch": 5, "seq": 2}') $(jq .resync "$work/body")"
put 1 /v1/nodes/1/report POST '{"epoch": 5, "seq": 3, "full": true}' >/dev/null
for i in 2 3; do check "a removal too is at coordinator $i" waitfor 10 has $i 0; done
check_is "and a service that is deleted" 200 "$(put 2 /v1/services/a DELETE)"
gone() { [ "$(get "$1" /v1/services/a .status)" = 404 ]; }
for i in 1 3; do check "is gone from $i" waitfor 10 gone $i; done
check_is "many at once, all over, each with an address of its own" '150 150' "$(
	for ((n = 0; n < 150; n++)); do echo "url = http://127.0.0.1:790$((n % 3 + 1))/v1/services/many$n"; done >"$work/urls"
	curl -s -m 60 -Z --parallel-max 30 -X PUT -H 'Content-Type: application/json' -d '{}' -K "$work/urls" >/dev/null
	nap 1
	get 1 /v1/services '[.services[] | select(.tag | startswith("many")).address4] | "\(length) \(unique | length)"')"
same() { [ "$(for i in 1 2 3; do get $i /v1/mesh '[.nodes, .services, .members] | del(.. | .age_ms?, .stale?, .epoch?, .seq?, .health?, .latency_us?, .output?) | tojson'; done | sort -u | wc -l)" = 1 ]; }
check "all have the same" waitfor 10 same

# Scores do not reach the store.
writes() { get "$1" /v1/status .store_writes; }
put 1 /v1/nodes/2/report POST '{"epoch": 5, "seq": 1, "full": true, "members": [{"tag": "many1", "vni": 513, "address4": "10.77.2.2"}]}' >/dev/null
before=$(writes 1)
revision() { etcdctl --endpoints=http://127.0.0.1:2379 get x -w json | jq .header.revision; }
rev=$(revision)
for ((i = 2; i < 202; i++)); do
	echo "next
url = http://127.0.0.1:7901/v1/nodes/2/report
data = \"{\\\"epoch\\\": 5, \\\"seq\\\": $i, \\\"members\\\": [{\\\"tag\\\": \\\"many1\\\", \\\"vni\\\": 513, \\\"address4\\\": \\\"10.77.2.2\\\", \\\"health\\\": $((50 + i % 50)), \\\"latency_us\\\": $i, \\\"seq\\\": $i}]}\"
header = \"Content-Type: application/json\"
output = /dev/null"
done | sed 1d >"$work/scores"
curl -s -m 60 -K "$work/scores"
check_is "200 changes of scores are taken" 201 "$(get 1 /v1/services/many1 '.members[0].seq')"
check_is "and make no write" "0 0" "$(($(writes 1) - before)) $(($(revision) - rev))"

# --- deaths under load ---------------------------------------------------------------

# A client that registers at whichever coordinator answers, and writes down
# what was acknowledged, and when.
cat >"$work/client.py" <<'PY'
import http.client, itertools, json, sys, time
name, out = sys.argv[1], open(sys.argv[2], 'w', buffering=1)
at = int(name[-1]) % 3
conn = None
for n in itertools.count():
	tag = '%s-%d' % (name, n)
	while True:
		try:
			if conn is None:
				conn = http.client.HTTPConnection('127.0.0.1', 7901 + at, timeout=10)
			conn.request('PUT', '/v1/services/' + tag, '{}', {'Content-Type': 'application/json'})
			r = conn.getresponse()
			r.read()
			if r.status == 200:
				out.write('%s %.3f\n' % (tag, time.time()))
				break
			time.sleep(.05)
		except OSError:
			pass
		except http.client.HTTPException:
			pass
		if conn: conn.close()
		conn = None
		at = (at + 1) % 3
		time.sleep(.02)
PY
clients=()
for c in 1 2 3; do
	python3 "$work/client.py" "load$c" "$work/acked.$c" &
	clients+=($!)
	disown
done
end_clients() { kill -KILL "${clients[@]}" 2>/dev/null; }
defer end_clients
acked() { cat "$work"/acked.* | wc -l; }
more() { [ "$(acked)" -ge "$1" ]; }
check "registrations are acknowledged" waitfor 20 more 100
go_on() { check "$1: registrations go on" waitfor 30 more $(($(acked) + 50)); }
leader() {
	local i
	for i in 1 2 3; do
		etcdctl --endpoints="http://127.0.0.1:$((2279 + 100 * i))" endpoint status -w json 2>/dev/null |
			jq -e '.[0].Status | .leader == .header.member_id' >/dev/null && { echo "m$i"; return; }
	done
}
started=$(date +%s.%N) begun=$(acked)
for ((r = 0; r < rounds; r++)); do
	for i in 1 2 3; do
		end c$i
		go_on "coordinator $i killed"
		coordinate $i
		check "and back" waitfor 20 answers $i
	done
	for i in 1 2 3; do
		end m$i
		go_on "member $i killed"
		member $i
		check "and back" waitfor 30 quorum $((2279 + 100 * i))
	done
	l=$(leader)
	end "$l"
	go_on "the leader, $l, killed"
	member "${l#m}"
	check "and back" waitfor 30 quorum $((2279 + 100 * ${l#m}))
done
rate=$(awk "BEGIN { print int(($(acked) - $begun) / ($(date +%s.%N) - $started)) }")
end_clients
nap 1
cat "$work"/acked.* | cut -d' ' -f1 | sort >"$work/acked"
check "$(wc -l <"$work/acked") were acknowledged, $rate a second on the average, deaths included" test -s "$work/acked"
for i in 1 2 3; do
	check_is "every one of them is at coordinator $i" 0 \
		"$(get $i /v1/services '.services[].tag' | sort | comm -23 "$work/acked" - | wc -l)"
done
check "all have the same" waitfor 10 same
check_is "no address was given twice" true "$(get 1 /v1/services '[.services[].address4] | length == (unique | length)')"

# --- no quorum -----------------------------------------------------------------------

members=$(get 1 /v1/services '.services | length')
end m1
end m2
away() { [ "$(get 1 /v1/status .store_away)" = true ]; }
check "two of three members killed: it is noticed" waitfor 15 away
check_is "reads go on" "$members" "$(get 1 /v1/services '.services | length')"
check "marked with their age" test "$(get 1 /v1/services .store_age_ms)" -gt 0
code=$(put 1 /v1/services/nowhere)
check_match "writes fail with a clear error" '^503 .*etcd has no quorum; nothing was changed' echo "$code $(jq -r .detail "$work/body")"
check_is "and at once" true "$(curl -s -o /dev/null -w '%{time_total}' -X PUT -H 'Content-Type: application/json' -d '{}' \
	http://127.0.0.1:7901/v1/services/nowhere | awk -v s="$VNIMESH_SLOW" '{ print ($1 < 0.3 * s) ? "true" : $1 }')"
check_is "scores do not need it" 200 "$(put 1 /v1/nodes/2/report POST '{"epoch": 5, "seq": 300, "full": true,
	"members": [{"tag": "many1", "vni": 513, "address4": "10.77.2.2", "health": 7}]}')"
member 1
member 2
back() { [ "$(put 1 /v1/services/after)" = 200 ]; }
check "a quorum again: writes work" waitfor 30 back
check_is "reads have no age" null "$(get 1 /v1/services .store_age_ms)"
check "all have the same" waitfor 20 same
[ "$tap_failed" = 0 ] || for i in 1 2 3; do tail -n 15 "$work/c$i.log" | sed "s/^/# c$i: /"; done
