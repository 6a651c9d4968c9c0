#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1536 -t 900
# uml: -m 1024
#
# PostgreSQL, Redis and nginx behind tags, their own clients, across hosts and
# on one host, IPv4 and IPv6; the server sees the address of the client's VNI.
# A container made a moment ago connects at the first try.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:near host2:far host1:srv host3:other
mesh_pg srv
mesh_redis srv
mesh_nginx srv
check "PostgreSQL runs" waitfor 20 mesh_pg_ready srv
mesh_serve database srv tcp/5432 tcp
mesh_serve cache srv tcp/6379 tcp
mesh_serve web srv tcp/80 '{ "type": "http", "path": "/" }'
mesh_hup host1
for tag in database cache web; do
	check "$tag is registered and healthy" waitfor 10 mesh_is_up "$tag" srv
done

export PGCONNECT_TIMEOUT=$((5 * VNIMESH_SLOW))

# The server's port as well: a client that came to the right place by another
# way than the service address would show another one.
sql() {
	in_ns "$1" psql -XAt -F ' ' -h "$2" -U postgres \
		-c 'select host(inet_client_addr()), host(inet_server_addr()), inet_server_port()'
}

redis_addr() {
	in_ns "$1" redis-cli -h "$2" CLIENT INFO | tr ' ' '\n' | sed -n 's/^addr=\(.*\):[0-9]*$/\1/p' | tr -d '[]'
}

web() {
	in_ns "$1" curl -sS --max-time $((5 * VNIMESH_SLOW)) "http://$2/"
}

declare -A where=([near]="on one host" [far]="across hosts")
for family in 4 6; do
	for client in near far; do
		mine=$(mesh_addr $client $family) its=$(mesh_addr srv $family)
		name="${where[$client]}, IPv$family"
		db=$(mesh_address database $family)
		check_is "psql reaches the database $name; both ends see the VNIs" \
			"$mine $its 5432" "$(sql $client "$db" 2>&1)"
		kv=$(mesh_address cache $family)
		check_is "redis-cli reaches the cache $name, which sees the client" \
			"$mine" "$(redis_addr $client "$kv" 2>&1)"
		host=$(mesh_address web $family)
		[ $family = 4 ] || host="[$host]"
		check_is "curl reaches the web server $name, which sees the client" \
			"web server $its answers $mine" "$(web $client "$host" 2>&1)"
	done
done
log_has() { grep -q "^$1 .*GET / " "$work/nginx-srv.log"; }
check "nginx logged the client on another host by its own address" log_has "${addr4[far]}"
flow_used() { mesh_jq host2 '[.[] | select(.stats.flows > 0)] | length' -s member show | grep -qx 3; }
check "all three went over members of the kernel's table" flow_used

# Several hosts' clients at once, one answer each, none mixed up.
burst() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		in_ns far redis-cli -h "$cache" CLIENT INFO >"$work/burst.$i" 2>&1 &
		in_ns other redis-cli -h "$cache" CLIENT INFO >"$work/burst.o$i" 2>&1 &
	done
	wait
	head -c 60 "$work"/burst.*
	[ "$(grep -l "addr=${addr4[far]}:" "$work"/burst.[0-9] | wc -l)" = 8 ] &&
		[ "$(grep -l "addr=${addr4[other]}:" "$work"/burst.o[0-9] | wc -l)" = 8 ]
}
cache=$(mesh_address cache 4)
# The question about a service that a host never used is test_discovery's.
pong() { in_ns "$1" redis-cli -h "$cache" PING | grep -q PONG; }
check "both hosts know the service" waitfor 5 eval "pong far && pong other"
check "16 clients of two hosts at once" burst

# Nothing on the way may have to learn of the new container first.
mesh_echo srv 7000
fresh() {
	local ns=$1 host=$2 target=$3 port=$4
	ip netns add "$ns" || return
	defer ns_del "$ns"
	now_ms
	start=$REPLY
	mesh_vni "$host" "$ns" || return
	now_ms
	made=$REPLY
	mesh_probe "$ns" connect -t $((1000 * VNIMESH_SLOW)) "$target" "$port" >"$work/fresh" || {
		cat "$work/fresh"
		return 1
	}
	read -r ms _ <"$work/fresh"
	now_ms
	echo "VNI made in $((made - start)) ms, connected in $ms ms, all in $((REPLY - start)) ms"
}
fresh_check() {
	local name=$1
	shift
	check "$name" fresh "$@" && diag "$(cat "$work/.output")"
}
fresh_check "a container made this moment reaches a service on another host" \
	new1 host2 "$(mesh_address cache 4)" 6379
fresh_check "... by IPv6" new2 host2 "$(mesh_address cache 6)" 6379
fresh_check "... on a host where nobody used the service before" \
	new3 host3 "$(mesh_address web 4)" 80
fresh_check "... and a VNI's own address on another host" new4 host2 "${addr4[srv]}" 7000
fresh_check "... by IPv6" new5 host3 "${addr6[srv]}" 7000
mesh_echo new1 7001
waitfor 3 mesh_probe new1 connect 127.0.0.1 7001 >/dev/null
check "the others reach it as well" mesh_probe near connect -l "${addr4[new1]}" 7001

check "every daemon lived through it" mesh_all_run
