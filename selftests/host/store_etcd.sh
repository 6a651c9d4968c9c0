#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three interchangeable coordinators over three etcd members. Registrations are
# acknowledged all the time, and recorded; each coordinator, each member and
# the leader is killed. Every acknowledged registration is there. Then there is
# no quorum, no answer at all, and the cluster of an old backup.
#
# STORE_ROUNDS sets how often each of them is killed (1), STORE_RATE how many
# acknowledgements a second there must be on the average (0: any).
set -u
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/host/etcd.sh
. "$(dirname "$0")/etcd.sh"
rounds=${STORE_ROUNDS:-1} rate_min=${STORE_RATE:-0}
store=etcd://127.0.0.1:2379,127.0.0.1:2479,127.0.0.1:2579/mesh

# The directory of member N.
generation=''
dir() { echo "$work/m$1$generation"; }
member() {
	local i=$1 port=$((2279 + 100 * $1))
	etcd --name "m$i" --data-dir "$(dir "$i")" --listen-client-urls "http://127.0.0.1:$port" \
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
		mesh: {id: 77, prefix4: "10.77.0.0/16", prefix6: "fd77::/48", service_prefix4: "10.96.0.0/14",
		service_prefix6: "fd77:0:0:ffff::/64"}}' >"$work/c$i.json"
	"${coordinator[@]}" --config "$work/c$i.json" 2>>"$work/c$i.log" &
	pid[c$i]=$!
	disown
}
ended() { ! kill -0 "${pid[$1]}" 2>/dev/null; }
# Its port is free then.
end() { kill -KILL "${pid[$1]}" 2>/dev/null; waitfor 20 ended "$1"; pid[$1]=''; }
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
# is_stale COORDINATOR NODE WANT
is_stale() { [ "$(get "$1" /v1/nodes ".nodes[] | select(.node == $2) | .stale")" = "$3" ]; }
for i in 1 2; do check "but the node itself is alive at coordinator $i" waitfor 10 is_stale $i 1 false; done
for i in 1 2; do check "as is one that never talked to it ($i)" waitfor 10 is_stale $i 2 false; done
end c3
for i in 1 2; do check "until nobody hears that one any more ($i)" waitfor 30 is_stale $i 2 true; done
check_is "it moves on to another, which asks for all" '409 true' "$(put 1 /v1/nodes/1/report POST '{"epoch": 5, "seq": 2}') $(jq .resync "$work/body")"
put 1 /v1/nodes/1/report POST '{"epoch": 5, "seq": 3, "full": true}' >/dev/null
coordinate 3
check "the one that had it is back" waitfor 20 answers 3
for i in 1 2 3; do check "who moved on is alive at coordinator $i" waitfor 10 is_stale $i 1 false; done
for i in 1 2 3; do check "who did not is not ($i)" is_stale $i 2 true; done
for i in 2 3; do check "a removal too is at coordinator $i" waitfor 10 has $i 0; done
check_is "and a service that is deleted" 200 "$(put 2 /v1/services/a DELETE)"
gone() { [ "$(get "$1" /v1/services/a .status)" = 404 ]; }
for i in 1 3; do check "is gone from $i" waitfor 10 gone $i; done
check_is "many at once, all over, each with an address of its own" '150 150' "$(
	for ((n = 0; n < 150; n++)); do echo "url = http://127.0.0.1:790$((n % 3 + 1))/v1/services/many$n"; done >"$work/urls"
	# Who comes too late twenty times is told to come again.
	curl -s -m 60 -Z --parallel-max 30 --retry 5 -X PUT -H 'Content-Type: application/json' -d '{}' -K "$work/urls" >/dev/null
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
for ((i = 2; i < 1002; i++)); do
	echo "next
url = http://127.0.0.1:7901/v1/nodes/2/report
data = \"{\\\"epoch\\\": 5, \\\"seq\\\": $i, \\\"members\\\": [{\\\"tag\\\": \\\"many1\\\", \\\"vni\\\": 513, \\\"address4\\\": \\\"10.77.2.2\\\", \\\"health\\\": $((50 + i % 50)), \\\"latency_us\\\": $i, \\\"seq\\\": $i}]}\"
header = \"Content-Type: application/json\"
output = /dev/null"
done | sed 1d >"$work/scores"
curl -s -m 120 -K "$work/scores"
check_is "1000 changes of scores are taken" 1001 "$(get 1 /v1/services/many1 '.members[0].seq')"
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
	began = time.time()
	while True:
		try:
			if conn is None:
				conn = http.client.HTTPConnection('127.0.0.1', 7901 + at, timeout=10)
			conn.request('PUT', '/v1/services/' + tag, '{}', {'Content-Type': 'application/json'})
			r = conn.getresponse()
			r.read()
			if r.status == 200:
				out.write('%s %.3f\n' % (tag, time.time()))
				# Some 35 a second of each client.
				time.sleep(max(0, began + .028 - time.time()))
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
for c in 1 2 3 4 5 6; do
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
check "which is enough" test "$rate" -ge "$rate_min"
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
check_is "scores do not need it" 200 "$(put 1 /v1/nodes/2/report POST '{"epoch": 5, "seq": 2000, "full": true,
	"members": [{"tag": "many1", "vni": 513, "address4": "10.77.2.2", "health": 7}]}')"
member 1
member 2
back() { [ "$(put 1 /v1/services/after)" = 200 ]; }
check "a quorum again: writes work" waitfor 30 back
check_is "reads have no age" null "$(get 1 /v1/services .store_age_ms)"
check "all have the same" waitfor 20 same

# --- no answer -------------------------------------------------------------------------

freeze() { local name; for name in "${@:2}"; do kill "-$1" "${pid[$name]}"; done; }
freeze STOP m1 m2 m3
put 1 /v1/services/frozen >"$work/frozen" &
waiter=$!
nap 0.3
check_is "all members are frozen under a change: reads go on" 200 "$(curl -s -m 20 -o /dev/null -w '%{http_code}' \
	http://127.0.0.1:7901/v1/services)"
check "while it still waits" kill -0 "$waiter"
check_is "figures of an agent are taken" 200 "$(put 1 /v1/nodes/2/report POST '{"epoch": 5, "seq": 2001,
	"members": [{"tag": "many1", "vni": 513, "address4": "10.77.2.2", "health": 9}]}')"
wait "$waiter"
check_is "it is told that nobody knows what became of it" 503 "$(cat "$work/frozen")"
check_is "the next one is refused at once" 503 "$(put 1 /v1/services/frozen2)"
freeze CONT m1 m2 m3
check "they go on: so do changes" waitfor 30 back
end c3
# This one's exit code is of interest.
"${coordinator[@]}" --config "$work/c3.json" 2>>"$work/c3.log" &
pid[c3]=$!
check "a coordinator begins" waitfor 20 answers 3
before=$(get 3 /v1/status .requests) asked=0
freeze STOP m1 m2 m3
curl -s -m 60 -o "$work/read" http://127.0.0.1:7903/v1/audit &
waiter=$!
reading() { asked=$((asked + 1)); [ "$(get 3 /v1/status .requests)" -gt $((before + asked)) ]; }
check "all members are frozen, and its log is being read" waitfor 20 reading
kill -TERM "${pid[c3]}"
wait "$waiter"
check_is "it stops: the reader is told" '503 the store cannot be read: the coordinator stops' \
	"$(jq -r '"\(.status) \(.detail)"' "$work/read")"
wait "${pid[c3]}"
check_is "and it ends as it should" 0 $?
freeze CONT m1 m2 m3
check "they go on: so do changes" waitfor 30 back
coordinate 3
check "the one that stopped is back" waitfor 20 answers 3
check "all have the same" waitfor 20 same

# --- the cluster of an old backup ----------------------------------------------------------

# restore: all three from the one backup, as a cluster of the same names
restore() {
	local i
	generation=.$((${generation#.} + 1))
	for i in 1 2 3; do
		etcdctl snapshot restore "$work/backup" --name "m$i" --data-dir "$(dir "$i")" \
			--initial-cluster m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2480,m3=http://127.0.0.1:2580 \
			--initial-advertise-peer-urls "http://127.0.0.1:$((2280 + 100 * i))" >>"$work/restore.log" 2>&1 || return
	done
	for i in 1 2 3; do member $i; done
	for i in 1 2 3; do waitfor 20 quorum $((2279 + 100 * i)) || return; done
}
misfits() { grep -c "history is not the one seen so far" "$work/c$1.log"; }
begin_anew() {
	local i
	for i; do
		check "coordinator $i ends, as what it knew is not there" waitfor 20 ended c$i
		check "which its log has" test "$(misfits $i)" -ge 1
	done
	for i; do coordinate $i; done
	for i; do check "started anew, coordinator $i has what is there" waitfor 20 answers $i; done
	check "all have the same" waitfor 20 same
}
generation=0
check "a backup" etcdctl --endpoints=http://127.0.0.1:2379 snapshot save "$work/backup"
for n in 1 2 3; do put 1 "/v1/services/late$n" >/dev/null; done
inc=$(get 2 /v1/status .incarnation) index=$(get 2 /v1/status .index)
for i in 1 2 3; do end m$i; done
check "three changes later it is restored" restore
begin_anew 1 2 3
check_is "what came after it is not there" 404 "$(get 1 /v1/services/late1 .status)"
check_is "who watched is told to list anew" '410 incarnation' \
	"$(put 2 "/v1/watch?incarnation=$inc&index=$index&tags=late1" GET) $(jq -r .field "$work/body")"
check_is "and may register" 200 "$(put 2 /v1/services/late1)"

# Nobody sees it go back: by the time they look it has gone further than before.
for n in 1 2 3; do put 3 "/v1/services/late$n" >/dev/null; done
check "all have the same" waitfor 10 same
freeze STOP c1 c2
for i in 1 2 3; do end m$i; done
end c3
check "restored again, under coordinators that do not run" restore
coordinate 3
check "another one begins from it" waitfor 20 answers 3
check_is "and goes further than they had come" '20' "$(for ((n = 0; n < 20; n++)); do put 3 "/v1/services/other$n"; echo; done | grep -c 200)"
freeze CONT c1 c2
begin_anew 1 2
check_is "with what the third one did" 20 "$(get 1 /v1/services '[.services[].tag | select(startswith("other"))] | length')"
[ "$tap_failed" = 0 ] || for i in 1 2 3; do tail -n 15 "$work/c$i.log" | sed "s/^/# c$i: /"; done
