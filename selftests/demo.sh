#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demonstration, inside the guest (selftests/demo runs it): three hosts,
# real servers and clients, one failure. Every step is checked; the exit code
# is 0 only if all of it happened.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

title() { printf '\n=== %s\n\n' "$*"; }

# say TEXT: a sentence or two, folded
say() { fold -s -w 78 <<<"$*" | sed 's/ *$//'; }

fail() {
	printf '\nThe demonstration failed: %s\n' "$*"
	mesh_logs 15
	exit 1
}

# A test of a step that is not shown.
need() {
	local what=$1
	shift
	"$@" >"$work/need" 2>&1 || { cat "$work/need"; fail "$what"; }
}

# show WHERE CMD...: as a person would type it there
show() {
	local where=$1 text
	shift
	text=$(printf '%s ' "$@")
	show_as "$where" "${text% }" "$@"
}

# show_as WHERE TEXT CMD...: where quoting matters to the eye
show_as() {
	local where=$1 text=$2
	shift 2
	printf '%s$ %s\n' "$where" "$text"
	shown_rc=0
	in_ns "$where" "$@" >"$work/shown" 2>&1 </dev/null || shown_rc=$?
	sed 's/^/  /' "$work/shown"
	[ "$shown_rc" = 0 ] || fail "$text"
	echo
}

shown() { grep -q -- "$1" "$work/shown" || fail "expected to see: $1"; }

on_exit() {
	local rc=$? i
	trap - EXIT
	for ((i = ${#tap_deferred[@]} - 1; i >= 0; i--)); do
		eval "${tap_deferred[i]}" >/dev/null 2>&1
	done
	[ "$rc" = 0 ] || [ ! -d /artifacts ] || cp -r "$work/log" /artifacts/
	rm -rf "$work"
	exit "$rc"
}
trap on_exit EXIT

counters() {
	mesh_counters host1 upcall hold release flow-new
}

query='select inet_server_addr() as server, inet_client_addr() as client'

ask='select host(inet_server_addr())'

ask_database() {
	in_ns app env PGCONNECT_TIMEOUT=$((2 * VNIMESH_SLOW)) \
		psql -h "$database" -U postgres -Atc "$ask"
}

cat <<'TEXT'

vnimesh: a container connects to a service by its tag. The kernel of its own
host picks the best server there is, for this one connection, and sends it
there. No DNS server, load balancer, proxy or sidecar is in the path.
TEXT

title "1. Three hosts, a coordinator, an agent on each host"
say "Hosts and containers are network namespaces of this virtual machine. Starting" \
	"the coordinator, three agents, two PostgreSQL, one Redis and one nginx ..."
need "the mesh starts" mesh_up 3
for c in "host1 app" "host2 pg1" "host3 pg2" "host3 redis" "host2 nginx"; do
	# shellcheck disable=SC2086 # two words
	need "the container ${c#* }" mesh_container $c
done
mesh_pg pg1
mesh_pg pg2
mesh_redis redis
mesh_nginx nginx
need "PostgreSQL in pg1" waitfor 20 mesh_pg_ready pg1
need "PostgreSQL in pg2" waitfor 20 mesh_pg_ready pg2
mesh_serve database pg1 tcp/5432 tcp
mesh_serve database pg2 tcp/5432 tcp
mesh_serve cache redis tcp/6379 tcp
mesh_serve web nginx tcp/80 '{ "type": "http", "path": "/" }'
mesh_hup host2 host3
echo
show host1 vnimesh node show
say "A service is a file on the host that serves it; its agent checks it and" \
	"registers it with the coordinator:"
echo
cd "$work/host2" || fail "no $work/host2"
show host2 jq -c . services.d/database-pg1.json
cd / || exit
for c in "database pg1" "database pg2" "cache redis" "web nginx"; do
	# shellcheck disable=SC2086 # two words
	need "$c is healthy" waitfor 20 mesh_is_up $c
done
# shellcheck disable=SC2016 # jq's
table='.services[] | "\(.tag) \(.address4) \(.address6)"'
show_as coord "curl -s $mesh_url/v1/services | jq -r '$table'" \
	bash -c "set -o pipefail; curl -sf $mesh_url/v1/services | jq -r '$table'"
shown database
# shellcheck disable=SC2016 # jq's
table='.members[][] | "\(.tag) on node \(.node), VNI \(.vni) \(.address4): \(.state), health \(.health), \(.latency_us) us"'
show_as coord "curl -s $mesh_url/v1/mesh | jq -r '$table'" \
	bash -c "set -o pipefail; curl -sf $mesh_url/v1/mesh | jq -r '$table'"
[ "$(grep -c '^database on' "$work/shown")" = 2 ] || fail "two databases in the table"
database=$(mesh_address database)

title "2. The first connection, and the miss behind it"
[ "$(mesh_jq host1 length service show)" = 0 ] || fail "host1 should know no service yet"
say "The kernel of host1 knows no service yet: nobody there has asked. The SYN" \
	"of the first connection waits in the kernel while the agent asks."
echo
mesh_spawn monitor host1 vnimesh monitor all
counters=$(counters)
show_as app "psql -h $database -U postgres -c '$query'" \
	env PGCONNECT_TIMEOUT=$((5 * VNIMESH_SLOW)) psql -X -h "$database" -U postgres -c "$query"
shown "${addr4[app]}"
server=
for c in pg1 pg2; do
	grep -q -w -F "${addr4[$c]}" "$work/shown" && server=$c
done
[ -n "$server" ] || fail "no database of ours answered"
other=pg1
[ "$server" = pg2 ] || other=pg2
say "$server on ${home[$server]} answered, and saw the client's own address. What host1's" \
	"kernel did meanwhile:"
echo
monitor_saw() { [ "$(grep -c '^\[service\]' "$work/log/monitor")" -ge 2 ]; }
need "the monitor saw the service" waitfor 5 monitor_saw
kill "${pid[monitor]}"
printf 'host1$ vnimesh monitor\n'
# Up to the second row of the service: that its members are complete.
awk '/^\[(service|member)\]/ { print "  " $0 } /^\[service\]/ && ++n == 2 { exit }' \
	"$work/log/monitor"
echo
read -r upcall hold release flows <<<"$(counters)"
read -r upcall0 hold0 release0 flows0 <<<"$counters"
say "  questions to the agent:     $((upcall - upcall0))"
say "  packets held for an answer: $((hold - hold0)), released: $((release - release0))"
say "  flows bound to a server:    $((flows - flows0))"
[ $((upcall - upcall0)) = 1 ] || fail "one upcall"
if [ $((hold - hold0)) -lt 1 ] || [ $((hold - hold0)) != $((release - release0)) ]; then
	fail "what was held was released"
fi

title "3. Why this one?"
show host1 vnimesh member show database
show host1 vnimesh route get database from "${addr4[app]}" proto tcp dport 5432
[ "$(grep -c '^ *candidate' "$work/shown")" = 2 ] || fail "two candidates"
say "Latency is measured on the data path, by the agents and by the kernel" \
	"itself; the lowest cost wins. The same for the other services, by their real clients:"
echo
show app vnimesh resolve cache
cache=$(in_ns app vnimesh -j resolve cache | jq -r '.[0].address4')
show app redis-cli -h "$cache" set greeting hello
shown OK
show app redis-cli -h "$cache" get greeting
shown hello
web=$(mesh_address web 6)
show app curl -sS "http://[$web]/"
shown "answers ${addr6[app]}"
get="printf 'GET / HTTP/1.0\\r\\n\\r\\n' | vnimesh connect web 80 | tail -n 1"
show_as app "$get" bash -c "$get"
shown "answers"

title "4. The serving database dies"
mesh_hold_sql() {
	mesh_spawn session app psql -XAtq -h "$database" -U postgres -c 'select pg_sleep(600)'
}
mesh_hold_sql
session_there() { mesh_jq host1 '.[]' flow show tag database | grep -q established; }
need "an open session" waitfor 10 session_there
show host1 vnimesh flow show tag database
victim=$(mesh_jq host1 '[.[] | select(.state == "established")][0].vni' flow show tag database)
server=pg1 other=pg2
[ "$victim" = "${vni[pg1]}" ] || server=pg2 other=pg1
now_ms
start=$REPLY
need "a query" ask_database
now_ms
usual=$((REPLY - start))
say "A session is open to $server (VNI $victim). Now kill -9 every process of it:"
echo
# shellcheck disable=SC2016 # shown as typed
printf '%s$ kill -9 $(ip netns pids %s)\n' "${home[$server]}" "$server"
now_ms
killed=$REPLY
mesh_kill_all "$server"
failures=0
until answer=$(ask_database 2>"$work/shown"); do
	failures=$((failures + 1))
	now_ms
	[ $((REPLY - killed)) -lt $((10000 * VNIMESH_SLOW)) ] || fail "no database answers: $(cat "$work/shown")"
done
now_ms
took=$((REPLY - killed))
printf "app\$ psql -h %s -U postgres -Atc '%s'\n  %s\n\n" "$database" "$ask" "$answer"
[ "$answer" = "${addr4[$other]}" ] || fail "the answer should come from $other, ${addr4[$other]}"
refusals="no attempt before it failed"
[ "$failures" = 0 ] || refusals="$failures attempts before it were refused at once"
say "Answered by $other on ${home[$other]}, $took ms after the kill; $refusals. (With both" \
	"alive the same query took $usual ms, most of which is psql starting.) The session" \
	"that was open to $server has ended with an error instead of hanging:"
echo
need "the open session ends" waitfor 10 mesh_gone session
sed 's/^/  /' "$work/log/session"
[ -s "$work/log/session" ] || fail "the open session should tell of the loss"
echo
say "The table now:"
echo
down() { mesh_member_is host1 database "$server" state down; }
need "the dead one is down" waitfor 10 down
show host1 vnimesh member show database
shown 'state down'
show host1 vnimesh route get database from "${addr4[app]}" proto tcp dport 5432
shown excluded
say "No client was reconfigured, nothing was restarted; the address of the" \
	"service is the same."
for name in coord host1 host2 host3; do
	mesh_runs "$name" || fail "the daemon of $name died"
done
slow=
[ "$VNIMESH_SLOW" = 1 ] || slow=" (this emulated machine is about $VNIMESH_SLOW times slower than a real one)"
title "Done: from kill -9 to the first answer of the other database $took ms$slow"
exit 0
