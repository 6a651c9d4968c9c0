#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1536 -t 900
# uml: -m 1024 -e VNIMESH_SLOW=4
#
# The primary of PostgreSQL and of Redis behind a tag; the two servers of each are
# on hosts of their own, clients on one of them and on a third. When the primary
# moves, sessions with the old one are reset although it lives, and new ones reach
# the new one: after it stepped down, after it was killed, after its host died. Of two
# that claim it the one that was stays, and the mesh says that there are two.
#
# With VNIMESH_FULL=1 MariaDB, too: to install it twice takes longer than all else.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:a host1:near host2:b host3:far
maria=${VNIMESH_FULL:-}
chmod 711 "$work"
(umask 077; echo word >"$work/secret")
export PGCONNECT_TIMEOUT=$((5 * VNIMESH_SLOW))

# --- servers ------------------------------------------------------------------

pg_settings() {
	cp -a /var/lib/vnimesh-test/pgdata "$work/pg-a" &&
		echo "host replication all all trust" >>"$work/pg-a/pg_hba.conf" &&
		cat >>"$work/pg-a/postgresql.conf" <<-CONF
			wal_level = replica
			max_wal_senders = 4
			wal_keep_size = 16MB
		CONF
}
# pg_follow NAME OF: a copy of OF that follows it
pg_follow() {
	local dir=$work/pg-$1
	rm -rf "$dir"
	install -d -o postgres -m 700 "$dir" || return
	in_ns "$1" setpriv --reuid postgres --regid postgres --clear-groups \
		pg_basebackup -h "${addr4[$2]}" -U postgres -D "$dir" -R -X fetch -c fast --no-sync || return
	mesh_pg "$1"
}
pg_at() { in_ns "$1" psql -XqAt -h 127.0.0.1 -U postgres -c "$2"; }
pg_has() { [ "$(pg_at "$1" "select string_agg(who, ' ' order by who) from notes")" = "$2" ]; }
redis_at() { in_ns "$1" redis-cli "${@:2}"; }
redis_follows() { redis_at "$1" role | grep -qx connected; }

maria_up() {
	local dir=$work/maria-$1
	install -d -o mysql "$dir" && mariadb-install-db --no-defaults --user=mysql --datadir="$dir" \
		--auth-root-authentication-method=normal --skip-test-db >"$work/log/maria-install-$1" 2>&1 || return
	mesh_spawn "maria-$1" "$1" mariadbd --no-defaults --user=mysql --datadir="$dir" --port=3306 \
		--bind-address=0.0.0.0 --socket="$dir/s" --pid-file="$dir/pid" --innodb-buffer-pool-size=8M
	waitfor 60 maria_at "$1" "select 1" &&
		maria_at "$1" "create user monitor@'%' identified by 'word'; grant super on *.* to monitor@'%'; set global read_only=$2"
}
maria_at() { mariadb -S "$work/maria-$1/s" -u root -N -e "$2"; }

check "PostgreSQL" eval 'pg_settings && mesh_pg a && waitfor 10 mesh_pg_ready a'
check "... with a standby" pg_follow b a
check "... that takes what is written" eval \
	'pg_at a "create table notes (who text); insert into notes values (1)" && waitfor 10 pg_has b 1'
mesh_redis a
mesh_redis b
check "Redis with a replica" eval \
	'waitfor 10 redis_at b replicaof "${addr4[a]}" 6379 && waitfor 10 redis_follows b'
[ -z "$maria" ] || check "MariaDB, twice" eval 'maria_up a 0 && maria_up b 1'

# A login of PostgreSQL is a process: twice a second is much for one processor. None
# of them is to time out here: what goes down says so itself, or its host is dead.
patience="\"timeout_ms\": $((VNIMESH_SLOW * 1000))"
for name in a b; do
	mesh_serve database $name tcp/5432 "{ \"type\": \"postgres\", \"user\": \"postgres\", \"password_file\": \"$work/secret\",
		$patience, \"primary_tag\": \"database-primary\", \"interval_ms\": $((mesh_check_ms * 2)) }"
	mesh_serve cache $name tcp/6379 "{ \"type\": \"redis\", $patience, \"primary_tag\": \"cache-primary\" }"
	[ -z "$maria" ] || mesh_serve shop $name tcp/3306 "{ \"type\": \"mysql\", \"user\": \"monitor\",
		\"password_file\": \"$work/secret\", \"primary_tag\": \"shop-primary\" }"
done
mesh_hup host1 host2
tags=(database cache ${maria:+shop})
for tag in "${tags[@]}"; do
	check "$tag: both are up" eval "waitfor 20 mesh_is_up $tag a && waitfor 20 mesh_is_up $tag b"
	check "... the primary is known, the other is not it" eval \
		"waitfor 20 mesh_is_up $tag-primary a && waitfor 20 mesh_registered_is $tag-primary b state down"
done
declare -A at=()
for tag in "${tags[@]}"; do
	at[$tag]=$(mesh_address "$tag-primary")
done

# --- clients ------------------------------------------------------------------

# Who is reached: the address of the server, by itself, if it takes writes.
pg_who() {
	in_ns "$1" psql -XqAt -h "${at[database]}" -U postgres -c \
		"insert into notes values ('$1') returning host(inet_server_addr())"
}
redis_who() {
	printf 'incr n\nclient info\n' | in_ns "$1" redis-cli -h "${at[cache]}" | sed -n '1{/^[0-9]*$/!q}; s/.* laddr=\([^ ]*\):6379.*/\1/p'
}
shop_who() { in_ns "$1" mariadb -h "${at[shop]}" -u monitor -pword -N -e 'select @@global.socket' | sed 's/.*maria-\(.\).*/\1/'; }
reaches() { # WHO CLIENT WANTED
	local got
	got=$("$1" "$2" 2>&1)
	echo "$got"
	[ "$got" = "$3" ]
}
# new_reach WHO NAME...: new ones of all clients reach the first NAME, by the tag
new_reach() {
	local client
	for client in near far; do
		check "... new sessions of $client reach the primary, and write" waitfor 10 reaches "$1" $client "$2"
	done
}
new_reach pg_who "${addr4[a]}"
new_reach redis_who "${addr4[a]}"
[ -z "$maria" ] || new_reach shop_who a

# Sessions, each with a log that ends with it: "wait" says nothing while the server
# does not, "use" does all the time. One that is late may write after FIN and RST
# both: SIGPIPE would have the trap write to the socket, whose printf it is in.
# shellcheck disable=SC2016 # expanded by the inner shell
redis_session='trap "echo over" EXIT
	trap "" PIPE
	exec 3<>"/dev/tcp/$1/6379" || exit
	while printf "PING\r\n" >&3 && read -r -u 3 line; do
		echo "$line"
		if [ "$2" = wait ]; then
			read -r -u 3 line || exit
		else
			read -r -t 0.5 -u 3 line
			[ $? -gt 128 ] || exit
		fi
	done'
pg_session() { # CLIENT
	mesh_spawn "pg-wait-$1" "$1" psql -XqAt -h "${at[database]}" -U postgres -c 'select pg_sleep(5000)'
	echo "select 'PONG' \\watch 0.5" >"$work/watch.sql"
	mesh_spawn "pg-use-$1" "$1" psql -XqAt -v ON_ERROR_STOP=1 -h "${at[database]}" -U postgres -f "$work/watch.sql"
}
redis_sessions() { # SERVICE CLIENT
	local how
	for how in wait use; do
		mesh_spawn "$1-$how-$2" "$2" bash -c "$redis_session" session "${at[$1]}" $how
	done
}
# Each session has come about: the server has them, and those in use have answers.
in_use() { [ "$(grep -c PONG "$work/log/$1-use-$2")" -ge 3 ]; }
pg_sleeps() { [ "$(pg_at "$1" "select count(*) from pg_stat_activity where query like '%pg_sleep(5%' and pid <> pg_backend_pid()")" = "$2" ]; }
redis_waits() { grep -q PONG "$work/log/$1-wait-$2"; }
open_sessions() { # NAME of the server
	local client
	rm -f "$work"/log/{pg,cache,shop}-{wait,use}-*
	for client in near far; do
		pg_session $client
		redis_sessions cache $client
		[ -z "$maria" ] || mesh_spawn "shop-wait-$client" $client mariadb -h "${at[shop]}" -u monitor -pword -e 'select sleep(5000)'
	done
	check "sessions with the primaries, idle and in use" eval "waitfor 10 pg_sleeps $1 2 &&
		waitfor 10 in_use pg near && waitfor 10 in_use pg far && waitfor 10 in_use cache near &&
		waitfor 10 in_use cache far && waitfor 10 redis_waits cache near && waitfor 10 redis_waits cache far"
}

# New ones all the time: "START END WHO" of each, ms of the wall clock.
# shellcheck disable=SC2016 # expanded by the inner shell
knocks='while :; do
		from=${EPOCHREALTIME/./}
		got=$("${@:2}" 2>&1 | tail -n 1)
		echo "$((from / 1000)) $((${EPOCHREALTIME/./} / 1000)) ${got##* laddr=}" >>"$1"
		read -r -t 0.3 <> <(:)
	done'
knock() { # NAME CMD...
	mesh_spawn "knock-$1" far bash -c "$knocks" knock "$work/knock-$1" "${@:2}"
}
knock pg psql -XqAt -h "${at[database]}" -U postgres -c 'select host(inet_server_addr())'
knock cache redis-cli -h "${at[cache]}" client info

# --- what a switch shows ------------------------------------------------------

ended_at() { # LOG: sets REPLY to the ms since the event
	REPLY=$(stat -c %.3Y "$work/log/$1")
	REPLY=$((${REPLY/./} - event))
	# A file's time is that of the last tick.
	[ "$REPLY" -gt 0 ] || [ "$REPLY" -lt -20 ] || REPLY=0
}
table=()
# A client of PostgreSQL says the latter of a reset, too.
reset='reset by peer|closed the connection unexpectedly'
# resets WHAT SAYS SESSION...: each ends, which its log has in words that match SAYS,
# in ms since $event
resets() {
	local what=$1 says=$2 session client text=
	shift 2
	for session; do
		for client in near far; do
			check "... the session $session of $client ends" waitfor 10 mesh_gone "$session-$client" || continue
			check "... and not by the server's word" grep -Eqi "$says" "$work/log/$session-$client"
			ended_at "$session-$client"
			text+=", $session-$client $REPLY"
		done
	done
	table+=("$what to the end of sessions, ms:${text#,}")
}
# told TAG DOWN UP: every kernel has it; sets told_at
told() {
	local host
	for host in host1 host3; do
		check "... the kernel of $host has one primary" eval \
			"waitfor 10 mesh_member_is $host $1-primary $2 state down && waitfor 10 mesh_member_is $host $1-primary $3 state up"
	done
	now_ms
	told_at=$REPLY
}
# first_new KNOCK ADDRESS: sets REPLY to when the first session with it was there
first_new() {
	REPLY=$(awk -v since="$event" -v who="$2" '$1 >= since && index($3, who) == 1 { print $2; exit }' "$work/knock-$1")
	[ -n "$REPLY" ]
}
# knocked KNOCK N: so many since all were told
knocked() { [ "$(awk -v since="$told_at" '$1 >= since' "$work/knock-$1" | wc -l)" -ge "$2" ]; }
# moved WHAT KNOCK OLD NEW: all that began after all were told reach NEW
moved() {
	local bad
	check "... who knocks reaches the new one" waitfor 10 first_new "$2" "${addr4[$4]}"
	first_new "$2" "${addr4[$4]}"
	table+=("$1 to the first new session with the new one: $((REPLY - event)) ms")
	# A login each, beside all the others: of all steps the slowest.
	check "... again and again" waitfor 30 knocked "$2" 5
	bad=$(awk -v since="$told_at" -v who="${addr4[$4]}" '$1 >= since && index($3, who) != 1' "$work/knock-$2")
	check_is "... and nobody the old one since all were told" '' "$bad"
}
# happens SESSION...: what ends these sessions, which live until then
happens() {
	local session client
	for session; do
		for client in near far; do
			mesh_runs "$session-$client" || tap_fail "the session $session of $client lives until then"
		done
	done
	now_ms
	event=$REPLY
}

# --- two that claim it --------------------------------------------------------

said_two() { grep -q "cache-primary: VNI ${vni[b]} and VNI ${vni[a]} both say" "$work/log/host2"; }
check "a second Redis claims to be the primary" redis_at b replicaof no one
check "its agent says so" waitfor 10 said_two
check "the coordinator has it" waitfor 10 mesh_registered_is cache-primary b output "two primaries: VNI ${vni[a]} is it already.*"
for host in host1 host3; do
	check "the one that was stays, on $host" mesh_member_is $host cache-primary a state up
done
new_reach redis_who "${addr4[a]}"
check "it follows again" eval 'redis_at b replicaof "${addr4[a]}" 6379 && waitfor 10 redis_follows b'
check "... and claims nothing" waitfor 10 mesh_registered_is cache-primary b output "not the primary"

# --- the old one steps down, and lives ----------------------------------------

open_sessions a

happens cache-wait cache-use pg-wait pg-use
check "Redis: FAILOVER" redis_at a failover
resets "Redis, from FAILOVER" "$reset" cache-wait cache-use
told cache a b
moved "Redis, from FAILOVER" cache a b
new_reach redis_who "${addr4[b]}"

happens pg-wait pg-use
check "PostgreSQL: the primary is made read-only" pg_at a "alter system set default_transaction_read_only = on"
check "... and knows" pg_at a "select pg_reload_conf()"
resets "PostgreSQL, from read-only" "$reset" pg-wait pg-use
diag "of those two sessions that wait the old server has: $(pg_at a "select count(*) from pg_stat_activity where query like '%pg_sleep(5%' and pid <> pg_backend_pid()")"
happens
check "... the standby is promoted" pg_at b "select pg_promote()"
told database a b
moved "PostgreSQL, from pg_promote()" pg a b
new_reach pg_who "${addr4[b]}"

if [ -n "$maria" ]; then
	happens shop-wait
	check "MariaDB: the primary is made read-only" maria_at a "set global read_only = 1"
	resets "MariaDB, from read-only" "$reset|lost connection" shop-wait
	check "... the other takes writes" maria_at b "set global read_only = 0"
	told shop a b
	new_reach shop_who b
fi

# --- it is killed -------------------------------------------------------------

check "the old PostgreSQL stops, and" mesh_kill pg-a INT
check "... follows the new one as a copy of it" eval 'pg_follow a b && waitfor 10 mesh_pg_ready a'
check "... and is up again" waitfor 10 mesh_is_up database a
check "the old Redis follows the new one" waitfor 10 redis_follows a
open_sessions b

happens cache-wait cache-use pg-wait pg-use
check "Redis: the primary is killed" mesh_kill redis-b
check "... nobody is it, then" waitfor 10 mesh_registered_is cache-primary b state down
resets "Redis, from SIGKILL" over cache-wait cache-use
happens
check "... the replica is promoted" redis_at a replicaof no one
told cache b a
moved "Redis, from REPLICAOF NO ONE" cache b a
new_reach redis_who "${addr4[a]}"

# Nothing that it does not send any more ends a session: the mesh does.
host_dies() {
	ip -n underlay link set host2 down
	mesh_kill host2
	mesh_kill_all b
}
happens pg-wait pg-use
check "PostgreSQL: the whole host of the primary dies" host_dies
resets "PostgreSQL, from the death of its host" "$reset" pg-wait pg-use
happens
check "... the standby is promoted" pg_at a "select pg_promote()"
check "... the kernels of the others have it" eval \
	'waitfor 10 mesh_member_is host1 database-primary a state up && waitfor 10 mesh_member_is host3 database-primary a state up'
now_ms
told_at=$REPLY
moved "PostgreSQL, from pg_promote()" pg b a
new_reach pg_who "${addr4[a]}"
check "all that was written there is here" eval \
	'pg_at a "select string_agg(distinct who, '"' '"' order by who) from notes" | grep -x "1 far near"'

# --- what is left of it -------------------------------------------------------

audit=$(mesh_api GET /v1/audit | jq -r '.entries[] | select(.object | test("-primary/")) | "\(.object) \(.what): \(.cause)"')
# audited MEMBER WHAT CAUSE
audited() { grep -Eqx "member $1 $2: $3" <<<"$audit" || { echo "$audit"; false; }; }
check "audit log: a primary that stepped down" audited "database-primary/${vni[a]}" down 'was up: not the primary'
check "... one that came" audited "database-primary/${vni[b]}" up 'was down: the primary'
check "... one that was killed" audited "cache-primary/${vni[b]}" down 'was up: cache is down: .*'
for line in "${table[@]}"; do
	diag "$line"
done
pid[host2]=${pid[host1]}
check "every daemon lived through it" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 20
