#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's checks against real servers: PostgreSQL with a standby, MariaDB,
# Redis with a replica, nginx, etcd. Each goes down for each failure its users
# meet, says which, and comes back; a role moves with the primary. Runs in a
# network namespace of its own.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	exec unshare -n bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh
ip link set lo up
lib=tools/lib agent=tools/vnimeshd
pgbin=$(echo /usr/lib/postgresql/*/bin)
# The servers listen on both; the checks go to the second.
at=127.0.0.2
chmod 755 "$work"

build() {
	# shellcheck disable=SC2046 # flags are words
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		-Iuapi -I$lib -I$agent -o "$work/checkrun" selftests/host/checkrun.c \
		$agent/check*.c $agent/{health,late,services,sorted,facts,reach,wire,log}.c \
		$lib/{json,json_place,ip,loop,tag,http,curl_loop,secret}.c \
		$(pkg-config --cflags --libs jansson nettle libsystemd libcurl gnutls libpq libmariadb)
}
check "builds" build || exit 1

declare -A pid=()
# spawn NAME CMD...
spawn() {
	local name=$1
	shift
	"$@" </dev/null >"$work/$name.log" 2>&1 &
	pid[$name]=$!
	disown "${pid[$name]}"
}
gone() { ! kill -0 "${pid[$1]}" 2>/dev/null; }
# halt NAME [SIGNAL]: and wait until it is gone
halt() {
	kill "-${2:-KILL}" "${pid[$1]}"
	waitfor 10 gone "$1"
}
cleanup() {
	local name
	for name in "${!pid[@]}"; do
		# A stopped one must go on to die with its children.
		pkill -KILL -P "${pid[$name]}" 2>/dev/null
		kill -KILL "${pid[$name]}" 2>/dev/null
	done
}
defer cleanup

# is TAG/VNI EXPR: what its check said last
is() {
	local line
	line=$(grep "^$1 " "$work/said" | tail -n 1)
	echo "$line"
	grep -Eq "^$1 $2" <<<"$line"
}
# says NAME TAG/VNI EXPR
says() {
	check "$1" waitfor 20 is "$2" "$3"
}

secret=$work/secret
(umask 077; echo word >"$secret")

define() {
	local times='"interval_ms": 500, "timeout_ms": 1500, "damping": false'
	mkdir -p "$work/d"
	cat >"$work/d/all.json" <<-DEF
	[ { "tag": "web", "vni": 1, "check": { "type": "http", "port": 8080, "host": "web.example",
	    "path": "/state", "body": "ready", "expect_headers": { "Server": "nginx" }, $times } },
	  { "tag": "webs", "vni": 1, "check": { "type": "https", "port": 8443, "path": "/state",
	    "tls": { "name": "web.example", "ca": "$work/cert.pem" }, $times } },
	  { "tag": "other-name", "vni": 1, "check": { "type": "https", "port": 8443,
	    "tls": { "name": "other.example", "ca": "$work/cert.pem" }, $times } },
	  { "tag": "line", "vni": 1, "check": { "type": "tcp", "port": 8443, "send": "GET /state HTTP/1.0\r\n\r\n",
	    "expect": "ready", "tls": { "name": "web.example", "ca": "$work/cert.pem" }, $times } },
	  { "tag": "cache", "vni": 1, "check": { "type": "redis", "port": 6379, $times } },
	  { "tag": "store", "vni": 1, "check": { "type": "redis", "port": 6379, "password_file": "$secret",
	    "primary_tag": "store-primary", $times } },
	  { "tag": "store", "vni": 2, "check": { "type": "redis", "port": 6380, "password_file": "$secret",
	    "primary_tag": "store-primary", $times } },
	  { "tag": "db", "vni": 1, "check": { "type": "postgres", "port": 5432, $times } },
	  { "tag": "db", "vni": 2, "check": { "type": "postgres", "port": 5433, $times } },
	  { "tag": "database", "vni": 1, "check": { "type": "postgres", "port": 5432, "user": "monitor",
	    "password_file": "$secret", "primary_tag": "database-primary", $times } },
	  { "tag": "database", "vni": 2, "check": { "type": "postgres", "port": 5433, "user": "monitor",
	    "password_file": "$secret", "primary_tag": "database-primary", $times } },
	  { "tag": "writes", "vni": 1, "check": { "type": "postgres", "port": 5432, "user": "monitor",
	    "password_file": "$secret", "writable": true, $times } },
	  { "tag": "shop", "vni": 1, "check": { "type": "mysql", "port": 3306, $times } },
	  { "tag": "shop-login", "vni": 1, "check": { "type": "mysql", "port": 3306, "user": "monitor",
	    "password_file": "$secret", "primary_tag": "shop-primary", $times } },
	  { "tag": "shop-writes", "vni": 1, "check": { "type": "mysql", "port": 3306, "user": "monitor",
	    "password_file": "$secret", "writable": true, $times } },
	  { "tag": "keys", "vni": 1, "check": { "type": "grpc", "port": 2379, $times } },
	  { "tag": "keys-of", "vni": 1, "check": { "type": "grpc", "port": 2379, "service": "none.such", $times } },
	  { "tag": "not-grpc", "vni": 1, "check": { "type": "grpc", "port": 8080, $times } },
	  { "tag": "all", "vni": 1, "check": { "type": "all-of", "damping": false, "checks": [
	    { "type": "alias", "tag": "web", "interval_ms": 500 }, { "type": "alias", "tag": "cache", "interval_ms": 500 } ] } } ]
	DEF
}

nginx_conf() {
	mkdir -p "$work/www" "$work/ngx"
	echo "is ready" >"$work/www/state"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" \
		-days 2 -subj /CN=web.example -addext subjectAltName=DNS:web.example 2>/dev/null
	cat >"$work/ngx/nginx.conf" <<-CONF
	daemon off; master_process off; user root; pid $work/ngx/pid; error_log $work/ngx/error.log;
	events { }
	http { access_log off; client_body_temp_path $work/ngx/b; proxy_temp_path $work/ngx/p;
	  fastcgi_temp_path $work/ngx/f; uwsgi_temp_path $work/ngx/u; scgi_temp_path $work/ngx/s;
	  server { listen 8080; root $work/www;
	    location /state { default_type text/plain; } }
	  server { listen 8443 ssl; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; root $work/www; } }
	CONF
}
nginx_up() { spawn nginx nginx -c "$work/ngx/nginx.conf"; }

redis_up() { # NAME PORT ARG...
	local name=$1 port=$2
	shift 2
	mkdir -p "$work/$name"
	spawn "$name" redis-server --port "$port" --dir "$work/$name" --bind 127.0.0.1 $at --requirepass word \
		--masterauth word --enable-debug-command yes --save "" --repl-ping-replica-period 1 \
		--repl-diskless-sync-delay 0 --replica-serve-stale-data no --rdb-key-save-delay 0 "$@"
}
redis() { # PORT WORD...
	local port=$1
	shift
	redis-cli -p "$port" -a word --no-auth-warning "$@"
}

pg() { runuser -u postgres -- "$@"; }
pg_up() { # NAME PORT ARG...
	local name=$1 port=$2
	shift 2
	# One process, without a parent that stops with it.
	spawn "$name" setpriv --reuid postgres --regid postgres --init-groups "$pgbin/postgres" -D "$work/$name" -p "$port" \
		-c "listen_addresses=127.0.0.1,$at" -c "unix_socket_directories=" -c fsync=off \
		-c wal_level=replica -c max_wal_senders=4 "$@"
}
pg_stop() { pg "$pgbin/pg_ctl" -D "$work/$1" -m "${2:-fast}" stop >/dev/null && waitfor 10 gone "$1"; }
sql() { psql -XqAt -h 127.0.0.1 -p "$1" -U postgres -c "$2"; }
pg_postmaster() { head -n 1 "$work/$1/postmaster.pid"; }
pg_make() {
	cp -a /var/lib/vnimesh-test/pgdata "$work/pg1" && chown -R postgres "$work/pg1" || return
	{ echo "host all monitor all scram-sha-256"; cat "$work/pg1/pg_hba.conf"
	  echo "host replication postgres 127.0.0.0/8 trust"; } >"$work/hba"
	cat "$work/hba" >"$work/pg1/pg_hba.conf"
	pg_up pg1 5432
	waitfor 20 sql 5432 "select 1" || return
	sql 5432 "create role monitor login password 'word'" || return
	install -d -m 700 -o postgres "$work/pg2"
	pg "$pgbin/pg_basebackup" -h 127.0.0.1 -p 5432 -U postgres -D "$work/pg2" -R -c fast
}

maria() { mariadb -h 127.0.0.1 -P 3306 -u root --protocol=tcp -N -e "$1"; }
maria_up() {
	spawn maria mariadbd --no-defaults --user=mysql --datadir="$work/maria" --port=3306 \
		--bind-address=0.0.0.0 --socket="$work/maria/s" --pid-file="$work/maria/pid" \
		--max-connect-errors=3 --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=16M "$@"
}
maria_make() {
	mkdir -p "$work/maria" && chown mysql "$work/maria" &&
		mariadb-install-db --no-defaults --user=mysql --datadir="$work/maria" \
			--auth-root-authentication-method=normal --skip-test-db >"$work/maria-install.log" 2>&1 || return
	maria_up
	waitfor 30 maria "select 1" &&
		maria "create user monitor@'%' identified by 'word'"
}

etcd_up() {
	mkdir -p "$work/etcd"
	spawn etcd etcd --data-dir "$work/etcd" --listen-client-urls http://0.0.0.0:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
}

nginx_conf
nginx_up
redis_up redis1 6379
redis_up redis2 6380 --replicaof 127.0.0.1 6379
etcd_up
check "PostgreSQL and a copy for its standby" pg_make
pg_up pg2 5433 -c hot_standby=off
check "MariaDB" maria_make
define
mkfifo "$work/in"
exec {in}<>"$work/in"
ASAN_OPTIONS=detect_leaks=0 "$work/checkrun" "$work/d" $at <"$work/in" >"$work/said" 2>"$work/checkrun.err" &
pid[checkrun]=$!
disown "${pid[checkrun]}"
begun() {
	cat "$work/checkrun.err"
	[ -s "$work/said" ]
}
check "the checks begin" waitfor 5 begun || exit 1

says "http is up" web/1 'up none [0-9]+ status 200'
says "https is up, by its name and authority" webs/1 'up none [0-9]+ status 200'
says "a certificate for another name is none" other-name/1 'down none 0 '
says "tcp with TLS, send and expect is up" line/1 'up '
says "redis is up without a login" cache/1 'up none [0-9]+ up, asks'
says "the redis primary is known" store/1 'up primary'
says "its tag follows" store-primary/1 'up '
says "the replica is known" store/2 'up replica'
says "the replica has no part in it" store-primary/2 'down none 0 not the primary'
says "postgres is up without a login" db/1 'up none [0-9]+ takes connections'
says "one that starts up is not" db/2 'down none 0 not ready'
says "nor can one log in" database/2 'down none 0 .*not (currently )?accepting|down none 0 .*starting up'
says "the postgres primary is known" database-primary/1 'up '
says "mysql is up without a login" shop/1 'up none [0-9]+ up, refuses the probe'
says "the mysql primary is known" shop-primary/1 'up '
says "grpc is up" keys/1 'up none [0-9]+ SERVING'
says "a service that it does not know" keys-of/1 'down none 0 does not know service'
says "a web server is no grpc" not-grpc/1 'down '
says "all of several" all/1 'up '

# nginx
mv "$work/www/state" "$work/www/gone"
says "http: a page that is gone" web/1 'down none 0 status 404'
says "tcp: the wrong answer, through TLS" line/1 'down none 0 expected "ready"'
says "all-of: the one that fails is named" all/1 'down none 0 web is down: status 404'
echo "starting" >"$work/www/state"
says "http: the wrong body" web/1 'down none 0 status 200, but no "ready"'
echo "is ready" >"$work/www/state"
says "http: back" web/1 'up '
kill -STOP "${pid[nginx]}"
says "http: a server that hangs" web/1 'down none 0 no answer in [0-9]+ ms'
says "tls: a server that hangs" line/1 'down none 0 connected, but no TLS handshake'
kill -CONT "${pid[nginx]}"
says "http: back" web/1 'up '
halt nginx
says "http: refused" web/1 'down none 0 .*(refused|[Cc]ould.?n.t connect)'
nginx_up
says "http: back" web/1 'up '
says "tcp with TLS: back" line/1 'up '
says "all-of: back" all/1 'up '

# Redis
redis 6379 config set bind 127.0.0.1 >/dev/null
says "redis: bound to 127.0.0.1 alone" cache/1 'down none 0 connect: Connection refused'
redis 6379 config set bind "127.0.0.1 $at" >/dev/null
says "redis: back" cache/1 'up '
kill -STOP "${pid[redis1]}"
says "redis: a server that hangs" cache/1 'down none 0 connected, but no answer'
kill -CONT "${pid[redis1]}"
says "redis: back" cache/1 'up '
chmod 0644 "$secret"
says "a password that others may read is not used" store/1 'down none 0 .*chmod 0600'
chmod 0600 "$secret"
says "redis: back" store/1 'up primary'
echo wrong >"$secret"
says "redis: the wrong password" store/1 'down none 0 cannot log in: WRONGPASS'
says "postgres: the wrong password" writes/1 'down none 0 .*password authentication failed'
says "mysql: the wrong password" shop-login/1 'down none 0 .*Access denied'
echo word >"$secret"
says "redis: back" store/1 'up primary'
redis 6380 replicaof no one >/dev/null
says "redis: a second primary is seen" store/2 'up primary'
redis 6379 replicaof 127.0.0.1 6380 >/dev/null
says "redis: the old one follows it" store/1 'up replica'
says "redis: the tag leaves the old" store-primary/1 'down '
says "redis: and goes to the new" store-primary/2 'up '
halt redis2
says "redis: a replica without its primary" store/1 'down none 0 replica without its primary'
says "redis: killed" store/2 'down none 0 connect: Connection refused'
says "redis: no primary is left" store-primary/2 'down '
redis 6379 replicaof no one >/dev/null
says "redis: promoted" store-primary/1 'up '
redis 6379 debug populate 20000 key 100 >/dev/null
redis 6379 save >/dev/null
halt redis1
redis_up redis1 6379 --key-load-delay 300 --loading-process-events-interval-bytes 1024
says "redis: loading" store/1 'down none 0 loading'
says "redis: loaded" store/1 'up primary'

# PostgreSQL
pg_stop pg2
pg_up pg2 5433
says "postgres: a hot standby is up" db/2 'up '
says "postgres: and known as one" database/2 'up replica'
sql 5432 "alter system set default_transaction_read_only = on"
sql 5432 "select pg_reload_conf()" >/dev/null
says "postgres: read-only by its settings" writes/1 'down none 0 read-only'
says "postgres: that is no primary" database-primary/1 'down '
says "postgres: but up" database/1 'up '
psql -XqAt -h 127.0.0.1 -U postgres -c "set default_transaction_read_only = off" \
	-c "alter system reset default_transaction_read_only" -c "select pg_reload_conf()" >/dev/null
says "postgres: back" writes/1 'up primary'
kill -STOP "$(pg_postmaster pg1)"
says "postgres: a postmaster that hangs" db/1 'down none 0 connected, but no answer'
says "postgres: the login hangs, too" database/1 'down none 0 .*after [0-9]+ ms'
kill -CONT "$(pg_postmaster pg1)"
says "postgres: back" database-primary/1 'up '
pg_stop pg1 immediate
says "postgres: killed" db/1 'down none 0 connect: Connection refused'
says "postgres: the tag leaves the dead primary" database-primary/1 'down '
sql 5433 "select pg_promote()" >/dev/null
says "postgres: the promoted standby is the primary" database-primary/2 'up '

# MariaDB. Three broken connections would block this host.
maria "set global read_only = 1"
says "mysql: read-only" shop-writes/1 'down replica 0 read-only'
says "mysql: no primary" shop-primary/1 'down '
says "mysql: but up" shop-login/1 'up replica'
maria "set global read_only = 0"
says "mysql: back" shop-primary/1 'up '
kill -STOP "$(cat "$work/maria/pid")"
says "mysql: hangs" shop/1 'down none 0 connected, but no answer'
says "mysql: the login hangs, too" shop-login/1 'down none 0 not logged in after'
kill -CONT "$(cat "$work/maria/pid")"
says "mysql: back" shop/1 'up '
halt maria
says "mysql: killed" shop/1 'down none 0 connect: Connection refused'
maria_up
says "mysql: back" shop-primary/1 'up '

# etcd
kill -STOP "${pid[etcd]}"
says "grpc: a server that hangs" keys/1 'down none 0 no answer'
kill -CONT "${pid[etcd]}"
says "grpc: back" keys/1 'up '
halt etcd
says "grpc: killed" keys/1 'down none 0 '
etcd_up
says "grpc: back" keys/1 'up '

# A firewall that drops.
if nft add table inet t 2>/dev/null && nft add chain inet t in '{ type filter hook input priority 0; }' 2>/dev/null; then
	nft add rule inet t in ip daddr $at tcp dport '{ 6379, 8080, 2379 }' drop
	says "a firewall that drops: redis" cache/1 'down none 0 no answer to the connection'
	says "a firewall that drops: http" web/1 'down none 0 no answer'
	says "a firewall that drops: grpc" keys/1 'down none 0 no answer'
	nft delete table inet t
	says "the firewall is gone: redis" cache/1 'up '
	says "the firewall is gone: http" web/1 'up '
else
	tap_skip "a firewall that drops" "no nftables here"
fi
# A link that is down.
ip link set lo down
says "a link that is down" cache/1 'down none 0 '
ip link set lo up
says "a link that is up again" cache/1 'up '
check "the checks run on" kill -0 "${pid[checkrun]}"
check_is "without a complaint" "" "$(cat "$work/checkrun.err")"
