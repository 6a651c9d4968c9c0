#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's checks against real servers: PostgreSQL with a standby, MariaDB,
# Redis with a replica, nginx, etcd. Each goes down for each failure its users
# meet, says which, and comes back; a role moves with the primary. What shows
# which failure of which type is printed at the end, for Documentation/checks.md.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1-}" != inside ]; then
	exec unshare -n -m --propagation unchanged bash "selftests/host/${0##*/}" inside
fi
# shellcheck source=selftests/lib.sh
. selftests/lib.sh
ip link set lo up
pgbin=$(echo /usr/lib/postgresql/*/bin)
# The servers are bound to 127.0.0.1; the checks go to what stands before them,
# but those from inside.
at=127.0.0.2
chmod 755 "$work"

# shellcheck source=selftests/host/checkrun.sh
. selftests/host/checkrun.sh
check "builds" checkrun_build || exit 1

secret=$work/secret
(umask 077; echo word >"$secret")

define() {
	local times='"interval_ms": 300, "timeout_ms": 2500, "rise": 1, "fall": 1, "damping": false'
	local tls="\"tls\": { \"name\": \"web.example\", \"ca\": \"$work/cert.pem\" }"
	local login="\"password_file\": \"$secret\"" monitor="\"user\": \"monitor\", \"password_file\": \"$secret\""
	local inside='"where": "inside"' list='' tag vni rest
	while read -r tag vni rest; do
		list+="${list:+,}{ \"tag\": \"$tag\", \"vni\": $vni, \"check\": { $rest } }"
	done <<-DEF
	web 1 "type": "http", "port": 8080, "host": "web.example", "path": "/state", "body": "ready", "expect_headers": { "Server": "nginx" }, $times
	webs 1 "type": "https", "port": 8443, "path": "/state", $tls, $times
	other-name 1 "type": "https", "port": 8443, "tls": { "name": "other.example", "ca": "$work/cert.pem" }, $times
	system 1 "type": "https", "port": 8444, "path": "/state", "tls": { "name": "web.example" }, $times
	stapled 1 "type": "https", "port": 8445, "path": "/state", "tls": { "name": "web.example", "ca": "$work/cert3.pem" }, $times
	stapled-line 1 "type": "tcp", "port": 8445, "send": "GET /state HTTP/1.0\\r\\n\\r\\n", "expect": "ready", "tls": { "name": "web.example", "ca": "$work/cert3.pem" }, $times
	client-only 1 "type": "https", "port": 8446, "path": "/state", "tls": { "name": "web.example", "ca": "$work/cert4.pem" }, $times
	client-only-line 1 "type": "tcp", "port": 8446, "send": "GET /state HTTP/1.0\\r\\n\\r\\n", "expect": "ready", "tls": { "name": "web.example", "ca": "$work/cert4.pem" }, $times
	client-only-keys 1 "type": "grpc", "port": 8446, "tls": { "name": "web.example", "ca": "$work/cert4.pem" }, $times
	server-line 1 "type": "tcp", "port": 8444, "send": "GET /state HTTP/1.0\\r\\n\\r\\n", "expect": "ready", "tls": { "name": "web.example" }, $times
	not-ours 1 "type": "https", "port": 8444, "path": "/state", $tls, $times
	line 1 "type": "tcp", "port": 8443, "send": "GET /state HTTP/1.0\\r\\n\\r\\n", "expect": "ready", $tls, $times
	plain 1 "type": "tcp", "port": 6379, "send": "PING\\r\\n", "expect": "NOAUTH", $times
	echo 1 "type": "udp", "port": 7777, "send": "ping", "expect": "ping", $times
	cache 1 "type": "redis", "port": 6379, $times
	store 1 "type": "redis", "port": 6379, $login, "primary_tag": "store-primary", $times
	store 2 "type": "redis", "port": 6380, $login, "primary_tag": "store-primary", $times
	store-writes 2 "type": "redis", "port": 6380, $login, "writable": true, $times
	db 1 "type": "postgres", "port": 5432, $times
	db 2 "type": "postgres", "port": 5433, $times
	database 1 "type": "postgres", "port": 5432, $monitor, "primary_tag": "database-primary", $times
	database 2 "type": "postgres", "port": 5433, $monitor, "primary_tag": "database-primary", $times
	writes 1 "type": "postgres", "port": 5432, $monitor, "writable": true, $times
	shop 1 "type": "mysql", "port": 3306, $times
	shop-login 1 "type": "mysql", "port": 3306, $monitor, "primary_tag": "shop-primary", $times
	shop-writes 1 "type": "mysql", "port": 3306, $monitor, "writable": true, $times
	keys 1 "type": "grpc", "port": 2379, $times
	keys-of 1 "type": "grpc", "port": 2379, "service": "none.such", $times
	not-grpc 1 "type": "grpc", "port": 8080, $times
	in-web 1 "type": "http", "port": 8080, "path": "/state", $inside, $times
	in-line 1 "type": "tcp", "port": 8443, "send": "GET /state HTTP/1.0\\r\\n\\r\\n", "expect": "ready", $tls, $inside, $times
	in-store 1 "type": "redis", "port": 6379, $login, $inside, $times
	in-db 1 "type": "postgres", "port": 5432, $inside, $times
	in-database 1 "type": "postgres", "port": 5432, $monitor, $inside, $times
	in-shop 1 "type": "mysql", "port": 3306, $monitor, $inside, $times
	in-keys 1 "type": "grpc", "port": 2379, $inside, $times
	all 1 "type": "all-of", "damping": false, "checks": [ { "type": "alias", "tag": "web", "interval_ms": 500 }, { "type": "alias", "tag": "cache", "interval_ms": 500 } ]
	DEF
	mkdir -p "$work/d"
	echo "[ $list ]" >"$work/d/all.json"
}

# What is told by the table, and which of them fail like what is before them.
declare -A types=([web]=http [webs]=https [line]="tcp, TLS" [plain]=tcp [echo]=udp [cache]=redis
	[store]="redis, login" [db]=postgres [database]="postgres, login" [shop]=mysql [shop-login]="mysql, login"
	[keys]=grpc [writes]="postgres, login" [shop-writes]="mysql, login" [store-writes]="redis, login"
	[in-web]="http, inside" [in-line]="tcp, TLS, inside" [in-store]="redis, login, inside" [in-db]="postgres, inside"
	[in-database]="postgres, login, inside" [in-shop]="mysql, login, inside" [in-keys]="grpc, inside")
outside=(web webs line plain echo cache store db database shop shop-login keys)
within=(in-web in-line in-store in-db in-database in-shop in-keys)

# fails FAILURE EXPR TAG...: all of them go down for it
fails() {
	local failure=$1 expr=$2 tag
	shift 2
	for tag; do
		says "$failure: ${types[$tag]}" "${tag%/*}/1" "down [a-z]+ 0 $expr" &&
			echo "${types[$tag]}|$failure" >>"$work/cells"
	done
}
# back FAILURE TAG...: and come back after
back() {
	local failure=$1 tag
	shift
	for tag; do
		says "after $failure, up: ${types[$tag]}" "$tag/1" 'up '
	done
}
# before MODE: what stands before the servers does that now
before() {
	local said
	echo "$1" >&"$faulty"
	while read -r -t $((20 * VNIMESH_SLOW)) said <&"$faulty_says"; do
		[ "$said" != "$1" ] || return 0
	done
	return 1
}

certificate() { # KEY CERT [OPTION...]
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/$1.pem" \
		-out "$work/$2.pem" -days 2 -subj /CN=web.example -addext subjectAltName=DNS:web.example "${@:3}" 2>/dev/null
}
nginx_conf() {
	mkdir -p "$work/www" "$work/ngx"
	echo "is ready" >"$work/www/state"
	certificate key cert
	certificate key2 cert2 -addext extendedKeyUsage=serverAuth,clientAuth
	# Good only with a fresh answer of its authority, which this server has not.
	certificate key3 cert3 -addext tlsfeature=status_request
	# For whoever asks, not for who is asked.
	certificate key4 cert4 -addext extendedKeyUsage=clientAuth
	# What this system trusts is the second alone.
	mount -t tmpfs none /etc/ssl/certs && cp "$work/cert2.pem" /etc/ssl/certs/ca-certificates.crt &&
		cp "$work/cert2.pem" /etc/ssl/certs/cert2.pem
	cat >"$work/ngx/nginx.conf" <<-CONF
	daemon off; master_process off; user root; pid $work/ngx/pid; error_log $work/ngx/error.log;
	events { }
	http { access_log off; client_body_temp_path $work/ngx/b; proxy_temp_path $work/ngx/p;
	  fastcgi_temp_path $work/ngx/f; uwsgi_temp_path $work/ngx/u; scgi_temp_path $work/ngx/s;
	  server { listen 127.0.0.1:8080; root $work/www;
	    location /state { default_type text/plain; } }
	  server { listen 127.0.0.1:8443 ssl; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; root $work/www; }
	  server { listen 127.0.0.1:8444 ssl; ssl_certificate $work/cert2.pem; ssl_certificate_key $work/key2.pem; root $work/www; }
	  server { listen 127.0.0.1:8445 ssl; ssl_certificate $work/cert3.pem; ssl_certificate_key $work/key3.pem; root $work/www; }
	  server { listen 127.0.0.1:8446 ssl; ssl_certificate $work/cert4.pem; ssl_certificate_key $work/key4.pem; root $work/www; } }
	CONF
}
nginx_up() { spawn nginx nginx -c "$work/ngx/nginx.conf"; }

redis_up() { # NAME PORT ARG...
	local name=$1 port=$2
	shift 2
	mkdir -p "$work/$name"
	spawn "$name" redis-server --port "$port" --dir "$work/$name" --bind 127.0.0.1 --requirepass word \
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
		-c "listen_addresses=127.0.0.1" -c "unix_socket_directories=" -c fsync=off \
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
		--bind-address=127.0.0.1 --socket="$work/maria/s" --pid-file="$work/maria/pid" \
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
	spawn etcd etcd --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
}

# None needs another to be there.
prepare() {
	local jobs=() job
	maria_make >"$work/maria_make" 2>&1 &
	jobs+=($!)
	pg_make >"$work/pg_make" 2>&1 || return
	for job in "${jobs[@]}"; do wait "$job" || return; done
	# The job's own.
	pid[maria]=$(cat "$work/maria/pid")
}
nginx_conf
nginx_up
redis_up redis1 6379
redis_up redis2 6380 --replicaof 127.0.0.1 6379
etcd_up
check "PostgreSQL with a copy for its standby, and MariaDB" prepare || { cat "$work"/{maria,pg}_make; exit 1; }
pg_up pg2 5433 -c hot_standby=off
ip link add vni1 type veth peer name v1
mkfifo "$work/faulty" "$work/faulty.says"
exec {faulty}<>"$work/faulty" {faulty_says}<>"$work/faulty.says"
python3 selftests/host/faulty.py $at 8080 8443 6379 6380 5432 5433 3306 2379 8444 8445 8446 7777/udp \
	<"$work/faulty" >"$work/faulty.says" 2>"$work/faulty.err" &
pid[faulty]=$!
disown "${pid[faulty]}"
check "what stands before them" before refuse
check "does nothing yet" before pass
define
check "the checks begin" checkrun_start $at || exit 1

back "a start" "${outside[@]}" "${within[@]}"
says "a certificate for another name is none" other-name/1 'down none 0 '
says "an authority of the system" system/1 'up none [0-9]+ status 200'
says "... is none for who names another one" not-ours/1 'down none 0 .*(certificate|verification)'
says "a certificate that its authority has to confirm, and has not" stapled/1 'down none 0 .*(OCSP|status)'
says "... as for a check over TLS of another type" stapled-line/1 'down none 0 .*(OCSP|status)'
says "a certificate for clients alone is none of a server" client-only/1 'down none 0 .*purpose'
says "... for a check over TLS of another type" client-only-line/1 'down none 0 .*purpose'
says "... for grpc" client-only-keys/1 'down none 0 .*purpose'
says "... but one for both is" server-line/1 'up '
says "the redis primary is known" store/1 'up primary'
says "its tag follows" store-primary/1 'up '
says "the replica is known" store/2 'up replica'
says "the replica has no part in it" store-primary/2 'down none 0 not the primary'
says "one that starts up is not" db/2 'down none 0 not ready'
echo "postgres|loading" >>"$work/cells"
says "nor can one log in" database/2 'down none 0 .*not (currently )?accepting|down none 0 .*starting up'
echo "postgres, login|loading" >>"$work/cells"
says "the postgres primary is known" database-primary/1 'up '
says "also from inside" in-database/1 'up primary'
says "the mysql primary is known" shop-primary/1 'up '
says "also from inside" in-shop/1 'up primary'
says "a service that it does not know" keys-of/1 'down none 0 does not know service'
says "a web server is no grpc" not-grpc/1 'down '
says "all of several" all/1 'up '

# All at once, whatever stands before them does.
refused="(.*[Rr]efused|.*[Cc]ould.?n.t connect|.*Can.t connect|port unreachable)"
late="(.*no answer|.*handshake|.*not logged in|.*incomplete)"
check "nobody listens but on 127.0.0.1" before refuse
fails "refused, bound to 127.0.0.1" "$refused" "${outside[@]}"
says "all-of: the one that fails is named" all/1 'down none 0 (web|cache) is down: '
back "that, never down" "${within[@]}"
check "silence" before silence
fails "timeout" "$late" "${outside[@]}"
check "the servers are there again" before pass
back "silence" "${outside[@]}"
check "a slow drip" before drip
fails "slow drip" "$late" "${outside[@]}"
check "a mail server" before wrong
fails "wrong answer" "" "${outside[@]}"
check "nothing at all" before close
fails "closed at once" "" "${outside[@]:0:4}" "${outside[@]:5}"
check "the servers are there again" before pass
# Those that were cut off are counted against whoever asks.
mariadb -S "$work/maria/s" -u root -e 'flush hosts'
back "all that" "${outside[@]}"
says "all-of: back" all/1 'up '

# The servers themselves.
everyone() { # SIGNAL
	kill "-$1" "${pid[nginx]}" "${pid[redis1]}" "${pid[etcd]}" "$(pg_postmaster pg1)" "$(cat "$work/maria/pid")"
}
server_tags=(web webs line plain cache store db database shop shop-login keys "${within[@]}")
everyone STOP
fails "hangs" "$late" "${server_tags[@]}"
everyone CONT
back "hanging" "${server_tags[@]}"
drop() {
	nft add table inet t && nft add chain inet t in '{ type filter hook input priority 0; }' &&
		nft add rule inet t in ip daddr $at drop
}
check "a firewall that drops" drop
fails "firewall drop" "$late" "${outside[@]}"
nft delete table inet t
back "a firewall that drops" "${outside[@]}"
ip link set lo down
fails "link down" "" "${outside[@]}" "${within[@]}"
ip link set lo up
back "a link that is down" "${outside[@]}" "${within[@]}"

# The authority is another one: its file is read again.
halt nginx
says "a web server is gone" line/1 'down '
certificate key cert
nginx_up
back "another certificate and authority" web webs line

# What only some can say.
mv "$work/www/state" "$work/www/gone"
fails "wrong answer" 'status 404' web in-web
fails "wrong answer" 'expected "ready"' line in-line
echo "starting" >"$work/www/state"
fails "loading" 'status 200, but no "ready"' web
echo "is ready" >"$work/www/state"
chmod 0644 "$secret"
says "a password that others may read is not used" store/1 'down none 0 .*chmod 0600'
chmod 0600 "$secret"
echo wrong >"$secret"
fails "wrong password" 'cannot log in: WRONGPASS' store in-store
fails "wrong password" '.*password authentication failed' writes in-database
fails "wrong password" '.*Access denied' shop-login in-shop
echo word >"$secret"
back "a wrong password" store in-store in-database in-shop writes shop-login
says "read-only: redis" store-writes/2 'down replica 0 read-only'
echo "redis, login|read-only" >>"$work/cells"
sql 5432 "alter system set default_transaction_read_only = on"
sql 5432 "select pg_reload_conf()" >/dev/null
maria "set global read_only = 1"
fails "read-only" 'read-only' writes shop-writes
says "postgres: that is no primary" database-primary/1 'down '
says "postgres: but up" database/1 'up '
says "mysql: no primary" shop-primary/1 'down '
says "mysql: but up" shop-login/1 'up replica'
says "... from inside" in-shop/1 'up replica'
psql -XqAt -h 127.0.0.1 -U postgres -c "set default_transaction_read_only = off" \
	-c "alter system reset default_transaction_read_only" -c "select pg_reload_conf()" >/dev/null
maria "set global read_only = 0"
back "being read-only" writes shop-writes
says "mysql: the primary again" shop-primary/1 'up '

# The primary moves. Redis:
redis 6380 replicaof no one >/dev/null
says "redis: a second primary is seen" store/2 'up primary'
redis 6379 replicaof 127.0.0.1 6380 >/dev/null
says "redis: the old one follows it" store/1 'up replica'
says "redis: the tag leaves the old" store-primary/1 'down '
says "redis: and goes to the new" store-primary/2 'up '
halt redis2
says "redis: a replica without its primary" store/1 'down none 0 replica without its primary'
says "redis: killed" store/2 'down none 0 '
says "redis: no primary is left" store-primary/2 'down '
redis 6379 replicaof no one >/dev/null
says "redis: promoted" store-primary/1 'up '
redis 6379 debug populate 5000 key 100 >/dev/null
redis 6379 save >/dev/null
halt redis1
redis_up redis1 6379 --key-load-delay 300 --loading-process-events-interval-bytes 1024
# Without a login it asks for one first.
fails "loading" 'loading' store in-store
says "redis: loaded" store/1 'up primary'
# PostgreSQL:
pg_stop pg2
pg_up pg2 5433
says "postgres: a hot standby is up" db/2 'up '
says "postgres: and known as one" database/2 'up replica'
pg_stop pg1 immediate
fails "killed" "$refused" in-db in-database
says "postgres: the tag leaves the dead primary" database-primary/1 'down '
sql 5433 "select pg_promote()" >/dev/null
says "postgres: the promoted standby is the primary" database-primary/2 'up '
# And the others come back from their death.
halt maria
halt etcd
halt nginx
fails "killed" "$refused" in-shop in-keys in-web in-line
maria_up
etcd_up
nginx_up
back "being killed" in-shop in-keys in-web in-line shop-login keys web

check "the checks run on" kill -0 "${pid[checkrun]}"
check_is "without a complaint" "" "$(head -n 20 "$work/checkrun.err")"
diag "$(sort -u "$work/cells" | awk -F'|' '
	{ cells[$1] = cells[$1] (cells[$1] ? "; " : "") $2 }
	END { for (t in cells) print "| " t " | " cells[t] " |" }' | sort)"
