# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A whole mesh in one guest, daemons included. Sourced after lib.sh.
#
#	mesh_up [HOSTS]			underlay, coordinator, HOSTS agents (3)
#	mesh_container HOST NAME	netns NAME with the next free VNI of HOST;
#					sets vni[NAME] addr4[NAME] addr6[NAME]
#	mesh_serve TAG NAME RULES CHECK [MORE]	NAME serves TAG: a file in the
#					services_dir of its host
#	mesh_hup HOST...		SIGHUP the agents
#	mesh_secure WORDS...		before mesh_up: with TLS, tokens and grants
#
# The hosts are namespaces host1, host2, ... with an underlay address
# 192.0.2.11, .12, ... on a bridge in namespace "underlay"; the coordinator is
# at 192.0.2.1 in "coord". Everything of HOST lies in $work/HOST, the logs in
# $work/log. All waiting is polling for the fact itself.
#
# $node[HOST], $pid[HOST] and $pid[coord] are the node ids and the daemons.

declare -gA pid=() node=() home=() vni=() addr4=() addr6=() mesh_used=()
mesh_hosts=()
mesh_coordinator=192.0.2.1
mesh_asks=coord
mesh_url=http://$mesh_coordinator:7900
# By host, in JSON, for who is to have others.
declare -gA mesh_urls=()
# The shortest times in which a guest that shares its machine can still keep
# its leases; a lease lapses within seconds then.
mesh_lease_ms=1500
mesh_report_ms=300
mesh_check_ms=500
if ((VNIMESH_SLOW > 5)); then
	mesh_lease_ms=2400 mesh_report_ms=600 mesh_check_ms=1000
fi
mesh_echo_ms=$((VNIMESH_SLOW * 60))
((mesh_echo_ms > 300)) || mesh_echo_ms=300
((mesh_echo_ms < 1500)) || mesh_echo_ms=1500

# in_ns NS CMD...: much cheaper than ip netns exec, and CMD keeps the process.
in_ns() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" "$@"
}

mesh() {
	local host=$1
	shift
	vnimesh -n "$host" "$@"
}

# mesh_jq HOST FILTER ARGS...: the tool's JSON through jq
mesh_jq() {
	local host=$1 filter=$2
	shift 2
	vnimesh -n "$host" -j "$@" | jq -cS "$filter"
}

# mesh_api METHOD PATH [BODY]: the body of a good answer
mesh_api() {
	mesh_probe "$mesh_asks" http -t $((3000 * VNIMESH_SLOW)) "$1" $mesh_coordinator 7900 "${@:2}"
}

# mesh_counters HOST NAME...: counters of the kernel, in one line
mesh_counters() {
	local text name values=()
	text=$(mesh "$1" -s -d dev show mesh0) || return
	for name in "${@:2}"; do
		[[ $text =~ [[:space:]]$name\ ([0-9]+) ]] || return
		values+=("${BASH_REMATCH[1]}")
	done
	echo "${values[*]}"
}

mesh_underlay() {
	ns_add underlay coord
	ip -n underlay link add br0 type bridge
	ip -n underlay link set br0 up
	mesh_attach coord 192.0.2.1
}

# mesh_attach NS ADDRESS
mesh_attach() {
	ip -n underlay link add "$1" type veth peer name eth0 netns "$1"
	ip -n underlay link set "$1" master br0 up
	ip -n "$1" addr add "$2/24" dev eth0
	ip -n "$1" link set eth0 up
}

# mesh_spawn NAME NS CMD...: a daemon whose messages go to its log
mesh_spawn() {
	local name=$1 ns=$2
	shift 2
	mkdir -p "$work/log"
	nsenter --net="/run/netns/$ns" "$@" </dev/null >>"$work/log/$name" 2>&1 &
	pid[$name]=$!
	# The shell would tell of each death otherwise.
	disown "${pid[$name]}"
}

# mesh_kill NAME [SIGNAL]: and wait until it is gone
mesh_kill() {
	kill "-${2:-KILL}" "${pid[$1]}"
	waitfor 5 mesh_gone "$1"
}

# The shell may take its time to see that a child has ended.
mesh_gone() {
	local stat=''
	kill -0 "${pid[$1]}" 2>/dev/null || return 0
	read -r stat <"/proc/${pid[$1]}/stat" || return 0
	[[ $stat == *') Z '* ]]
} 2>/dev/null

mesh_runs() { ! mesh_gone "$1"; }

# Every daemon of the mesh that was started and not killed by mesh_kill.
mesh_all_run() {
	local name
	for name in coord "${mesh_hosts[@]}"; do
		mesh_runs "$name" || {
			echo "$name has died:"
			tail -n 20 "$work/log/$name"
			return 1
		}
	done
}

mesh_coordinator_config() {
	mkdir -p "$work/coord"
	cat >"$work/coord/config.json" <<-CONF
		{ "listen": "192.0.2.1:7900", "insecure": true,
		  "store": "$work/coord/state.db", "lease_ms": $mesh_lease_ms,
		  "mesh": { "id": 77, "prefix4": "10.77.0.0/16", "prefix6": "fd77::/48",
		            "service_prefix4": "10.96.0.0/16",
		            "service_prefix6": "fd77:0:0:ffff::/64" } }
	CONF
}

mesh_coordinator_start() {
	mesh_spawn coord coord vnimesh-coordinator --config "$work/coord/config.json"
}

mesh_coordinator_ready() { mesh_api GET /v1/status >/dev/null; }

# mesh_agent_config HOST NUMBER
mesh_agent_config() {
	mkdir -p "$work/$1/services.d" "$work/$1/state"
	cat >"$work/$1/vnimeshd.json" <<-CONF
		{ "coordinator": ${mesh_urls[$1]-"\"$mesh_url\""}, "device": "mesh0",
		  "node": { "name": "$1", "underlay": "192.0.2.$((10 + $2))" },
		  "state_dir": "$work/$1/state", "services_dir": "$work/$1/services.d",
		  "control": "$work/$1/control",
		  "report_ms": $mesh_report_ms, "echo_ms": $mesh_echo_ms }
	CONF
}

mesh_agent_start() {
	mesh_spawn "$1" "$1" vnimeshd --config "$work/$1/vnimeshd.json"
}

# The agent of HOST has joined, made the device and claimed the mesh.
mesh_agent_ready() {
	[[ $(mesh "$1" dev show mesh0 2>&1) =~ ': up '.*' agent '[1-9] ]]
}

# mesh_knows HOST N: the kernel of HOST has N nodes
mesh_knows() {
	local list
	mapfile -t list < <(mesh "$1" node show)
	[ ${#list[@]} = "$2" ]
}

# mesh_host NUMBER: its place in the underlay and its files
mesh_host() {
	ns_add "host$1"
	mesh_attach "host$1" "192.0.2.$((10 + $1))"
	mesh_agent_config "host$1" "$1"
	mesh_hosts+=("host$1")
}

mesh_host_start() {
	mesh_agent_start "$1"
	waitfor 10 mesh_agent_ready "$1" || return
	[[ $(mesh "$1" dev show mesh0) =~ ' node '([0-9]+) ]]
	node[$1]=${BASH_REMATCH[1]}
}

mesh_up() {
	local n=${1:-3} i host
	modprobe vnimesh || return
	# The daemons outlive their agent's namespace entry otherwise.
	defer mesh_down
	mesh_underlay
	mesh_coordinator_config
	mesh_coordinator_start
	for ((i = 1; i <= n; i++)); do
		mesh_host "$i"
	done
	waitfor 10 mesh_coordinator_ready || return
	# One after the other, so that host N is node N.
	for host in "${mesh_hosts[@]}"; do
		mesh_host_start "$host" || return
	done
	for host in "${mesh_hosts[@]}"; do
		waitfor 10 mesh_knows "$host" "$n" || return
	done
}

# mesh_secure WORDS...: before mesh_up: TLS, and hosts that join by tokens. The
# first one has that of init, the others what `vnimesh token add WORDS` gives.
mesh_secure() {
	mesh_grant=("$@")
	mesh_url=https://$mesh_coordinator:7900
	mesh_tls=$work/coord/tls
	export VNIMESH_COORDINATOR=$mesh_url VNIMESH_TOKEN_FILE=$mesh_tls/admin.token VNIMESH_CA_FILE=$mesh_tls/ca.pem

	mesh_coordinator_config() {
		mkdir -p "$work/coord"
		cat >"$work/coord/config.json" <<-CONF
			{ "listen": "192.0.2.1:7900", "tls_dir": "$mesh_tls",
			  "store": "$work/coord/state.db", "lease_ms": $mesh_lease_ms,
			  "mesh": { "id": 77, "prefix4": "10.77.0.0/16", "prefix6": "fd77::/48",
			            "service_prefix4": "10.96.0.0/16",
			            "service_prefix6": "fd77:0:0:ffff::/64" } }
		CONF
		vnimesh-coordinator init --config "$work/coord/config.json" >"$work/coord/join"
	}

	mesh_api() {
		local args=(-s -f -m 30 --cacert "$mesh_tls/ca.pem" -X "$1" -H "Authorization: Bearer $(cat "$mesh_tls/admin.token")")
		[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
		in_ns coord curl "${args[@]}" "$mesh_url$2"
	}

	mesh_agent_config() { mkdir -p "$work/$1/services.d"; }

	mesh_agent_start() {
		[ -e "$work/$1/vnimeshd.json" ] || mesh_join "$1" || return
		mesh_spawn "$1" "$1" vnimeshd --config "$work/$1/vnimeshd.json"
	}
}

mesh_join() {
	local words=(vnimesh join x x)
	[ "$1" = host1 ] || in_ns coord vnimesh token add "${mesh_grant[@]}" >"$work/coord/join" || return
	read -r -a words <"$work/coord/join"
	in_ns "$1" "${words[@]}" name "$1" config "$work/$1/joined.json" state-dir "$work/$1/state" || return
	jq --arg dir "$work/$1/services.d" --arg control "$work/$1/control" --argjson report "$mesh_report_ms" \
		--argjson echo "$mesh_echo_ms" '. + { services_dir: $dir, control: $control, report_ms: $report,
		echo_ms: $echo }' "$work/$1/joined.json" >"$work/$1/vnimeshd.json"
}

mesh_down() {
	local name
	for name in "${!pid[@]}"; do
		kill -KILL "${pid[$name]}" 2>/dev/null
	done
}

# mesh_vni HOST NAME: a VNI for the namespace NAME, which is there already
mesh_vni() {
	local n=${node[$1]} i=$((${mesh_used[$1]:-0} + 1)) hex
	mesh_used[$1]=$i
	printf -v hex '%x' "$n"
	home[$2]=$1
	vni[$2]=$((n * 256 + i))
	addr4[$2]=10.77.$n.$((i + 1))
	printf -v "addr6[$2]" 'fd77:0:0:%s::%x' "$hex" $((i + 1))
	mesh "$1" vni add "${vni[$2]}" netns "$2" \
		address "${addr4[$2]}/16" address "${addr6[$2]}/48"
}

mesh_container() {
	ip netns add "$2" || return
	defer ns_del "$2"
	mesh_vni "$1" "$2"
}

# mesh_containers HOST:NAME...
mesh_containers() {
	local pair
	for pair in "$@"; do
		mesh_container "${pair%%:*}" "${pair#*:}" || return
	done
}

# mesh_addr NAME [4|6]
mesh_addr() {
	if [ "${2:-4}" = 4 ]; then
		echo "${addr4[$1]}"
	else
		echo "${addr6[$1]}"
	fi
}

# mesh_serve TAG NAME RULES CHECK [MORE]
# RULES is a list such as "tcp/5432 udp/53:5353", CHECK the JSON of the check
# or one of tcp, none; MORE are further fields.
mesh_serve() {
	local tag=$1 name=$2 rules=$3 check=$4 more=${5-} rule ports='' host=${home[$2]}
	local target
	for rule in $rules; do
		target=${rule#*/}
		ports+="${ports:+, }{ \"proto\": \"${rule%%/*}\", \"port\": ${target%%:*}, \"target\": ${target#*:} }"
	done
	case $check in
	tcp | none) check="{ \"type\": \"$check\" }" ;;
	esac
	local field
	# Here things die more often than they do elsewhere.
	for field in damping:false fall:2 rise:1 timeout_ms:$((200 * VNIMESH_SLOW)) interval_ms:$mesh_check_ms; do
		[[ $check == *'"none"'* || $check == *"\"${field%:*}\""* ]] ||
			check="{ \"${field%:*}\": ${field#*:}, ${check#\{ }"
	done
	cat >"$work/$host/services.d/$tag-$name.tmp" <<-CONF
		{ "tag": "$tag", "vni": ${vni[$name]}, "ports": [ $ports ],
		  "check": $check${more:+, $more} }
	CONF
	mv "$work/$host/services.d/$tag-$name.tmp" "$work/$host/services.d/$tag-$name.json"
}

mesh_unserve() { rm "$work/${home[$2]}/services.d/$1-$2.json"; }

mesh_hup() {
	local host
	for host in "$@"; do
		kill -HUP "${pid[$host]}" || return
	done
}

# Polled facts are read without jq, which takes a second to start in a guest.

# mesh_registered TAG NAME: what the coordinator has of the member, in JSON
mesh_registered() {
	local body line
	body=$(mesh_api GET "/v1/services/$1") || return
	while read -r line; do
		[[ $line =~ ^'{"tag":'.*'"vni":'\ *${vni[$2]}[,}] ]] || continue
		echo "$line"
		return 0
	done <<<"${body//'{"tag":'/$'\n{"tag":'}"
	return 1
}

# mesh_registered_is TAG NAME KEY VALUE: for instance state up, stale true
mesh_registered_is() {
	local member
	member=$(mesh_registered "$1" "$2") || return
	echo "$member"
	[[ $member =~ \"$3\":\ *\"?$4\"?[,}] ]]
}

mesh_is_up() {
	mesh_registered_is "$1" "$2" state up && ! mesh_registered_is "$1" "$2" health 0
}

# mesh_fresh: no figure of the coordinator is stale
mesh_fresh() {
	local body
	body=$(mesh_api GET /v1/mesh) && [[ $body == *'"members"'* ]] &&
		! [[ $body =~ \"stale\":\ *true ]]
}

# mesh_member HOST TAG NAME: the same of the kernel of HOST, in words
mesh_member() {
	mesh "$1" -d member show "$2" vni "${vni[$3]}"
}

# mesh_member_is HOST TAG NAME KEY VALUE: for instance state up, stale on
mesh_member_is() {
	local member
	member=$(mesh_member "$1" "$2" "$3" 2>&1)
	echo "$member"
	[[ $member =~ \ $4\ $5(\ |$) ]]
}

# mesh_address TAG [4|6]: the service's address, from the registry
mesh_address() {
	local body
	body=$(mesh_api GET "/v1/services/$1") || return
	[[ ${body#*\"service\"} =~ \"address${2:-4}\":\ *\"([^\"]*)\" ]] && echo "${BASH_REMATCH[1]}"
}

# mesh_address6 TAG: of any tag, registered or not: computed
mesh_address6() {
	local sum
	sum=$(printf 'vnimesh1%s' "$1" | sha256sum)
	echo "fd77:0:0:ffff:${sum:0:4}:${sum:4:4}:${sum:8:4}:${sum:12:4}"
}

# mesh_echo NAME [PORT]: an echo server in the namespace NAME, called so, which
# listens when this returns
mesh_echo() {
	mesh_spawn "echo-$1" "$1" "$mesh_dir/meshprobe" echo -n "$1" "${2:-7000}"
	waitfor 5 mesh_listens "$1" "${2:-7000}"
}

# The datagram socket is the last that it opens.
mesh_listens() { [ -n "$(in_ns "$1" ss -Huln "sport = :$2")" ]; }

# mesh_probe NS ARGS...
mesh_probe() {
	local ns=$1
	shift
	in_ns "$ns" "$mesh_dir/meshprobe" "$@"
}

# mesh_hold ID NS ARGS...: a flow held open; its state stands in $work/hold.ID
mesh_hold() {
	local id=$1
	shift
	# One of that name before says nothing any more.
	rm -f "$work/hold.$id"
	mesh_spawn "hold-$id" "$1" "$mesh_dir/meshprobe" hold -t $((2000 * VNIMESH_SLOW)) \
		"${@:2}" "$work/hold.$id"
}

# Sets hold_state, hold_rounds, hold_longest, hold_lost, hold_server.
mesh_hold_read() {
	hold_state=none hold_rounds=0 hold_longest=0 hold_lost=0 hold_server=
	[ ! -s "$work/hold.$1" ] ||
		read -r hold_state hold_rounds hold_longest hold_lost hold_server _ <"$work/hold.$1"
}

# mesh_hold_past ID ROUNDS: the flow lives and has gone further than that
mesh_hold_past() {
	mesh_hold_read "$1"
	[ "$hold_state" = ok ] && [ "$hold_rounds" -gt "$2" ]
}

# mesh_hold_goes_on ID...: each flow exchanges data now
mesh_hold_goes_on() {
	local id
	for id in "$@"; do
		mesh_hold_read "$id"
		waitfor 5 mesh_hold_past "$id" $((hold_rounds + 2)) || {
			mesh_hold_read "$id"
			echo "flow $id: $hold_state after $hold_rounds rounds, server $hold_server"
			return 1
		}
	done
}

# mesh_tables HOST...: what the kernels have of others and themselves, without
# what moves by itself: figures, ages, generations.
mesh_tables() {
	local host what
	for host in "$@"; do
		for what in node vni service member; do
			printf '"%s %s"\n' "$host" "$what"
			mesh "$host" -j -d "$what" show || return
		done
	done >"$work/tables"
	jq -rn 'foreach inputs as $x ({}; if ($x | type) == "string" then { name: $x }
			else .rows = $x end; select(.rows)) |
		.name as $name | .rows[] | del(.dev, .ifindex, .age_ms, .gen, .epoch, .seq, .latency_us,
			.health, .stale, .used_ms, .link_ifindex, .link_made_us, .source, .stats, .loading) |
		$name + " " + tojson' "$work/tables" | sort
}

# mesh_registry: what the coordinator has, in the same spirit
mesh_registry() {
	mesh_api GET /v1/mesh | jq -rS '.nodes[], .services[], .members[][] |
		del(.age_ms, .epoch, .seq, .latency_us, .health, .stale, .output) |
		"coordinator " + tojson' | sort
}

# mesh_exact HOST: the agent's rows in the kernel of HOST are what the
# coordinator has: all nodes, and services in use with all their members.
mesh_exact() {
	{
		mesh_api GET /v1/mesh && mesh "$1" -j -d node show &&
			mesh "$1" -j -d service show && mesh "$1" -j -d member show
	} >"$work/exact" || return
	jq -rs 'def own: .[] | select(.origin != "static");
		def node: { node, underlay, port, prefixes: (.prefixes | sort) };
		def service: { tag, address4, address6, policy,
			ports: [.ports[]? | { proto, port, target }] };
		def member: { tag, vni, weight, state, up: (.health > 0) };
		[.[2] | own | .tag] as $tags |
		(.[1] | own | "kernel " + (node | tojson)),
		(.[2] | own | "kernel " + (service | tojson)),
		(.[3] | own | "kernel " + (member | tojson)),
		(.[0] | (.nodes[] | "coord " + (node | tojson)),
			(.services[] | select(.tag as $t | $tags | index($t)) |
				"coord " + (service | tojson)),
			(.members | to_entries[] | .key as $t | select($tags | index($t)) |
				.value[] | "coord " + (. + { tag: $t } | member | tojson)))
		' "$work/exact" | sort >"$work/exact.rows" || return
	diff -u --label "the coordinator" --label "the kernel of $1" \
		<(sed -n 's/^coord //p' "$work/exact.rows") <(sed -n 's/^kernel //p' "$work/exact.rows")
}

# mesh_logs: the end of each log, for who must find out why
mesh_logs() {
	local file
	for file in "$work"/log/*; do
		diag "$(printf '%s:\n' "${file##*/}"; tail -n "${1:-12}" "$file")"
	done
}

mesh_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# mesh_server NS ADDRESS [PORT] [-u]: who answers one new connection
mesh_server() {
	local ms result name rest
	read -r ms result name rest < <(mesh_probe "$1" connect -l ${4:+"$4"} -t $((3000 * VNIMESH_SLOW)) "$2" "${3:-7000}")
	echo "${name:-$result}"
}

# mesh_leases N: let N leases go by
mesh_leases() { nap "$(($1 * mesh_lease_ms / 1000 + 1))"; }

# mesh_watch: follow the tables of all hosts; mesh_nothing_deleted [BUT]: no row
# went since, but those that match. A watcher that lost messages is a failure as well.
mesh_watch() {
	local host
	for host in "${mesh_hosts[@]}"; do
		mesh_spawn "watch-$host" "$host" vnimesh -j monitor config
	done
}

mesh_nothing_deleted() {
	local host
	for host in "${mesh_hosts[@]}"; do
		mesh_runs "watch-$host" || { echo "the monitor of $host died"; return 1; }
		if grep -E '"action":"del"|overrun' "$work/log/watch-$host" | grep -Ev "${1:-^$}"; then
			echo "on $host"
			return 1
		fi
	done
}

mesh_watch_anew() {
	local host
	for host in "${mesh_hosts[@]}"; do
		: >"$work/log/watch-$host"
	done
}

# mesh_snapshot FILE: the tables of all hosts and the coordinator's.
mesh_snapshot() {
	{
		mesh_tables "${mesh_hosts[@]}" && mesh_registry
	} >"$1"
}

# mesh_same FILE: and nothing of it has changed
mesh_same() {
	mesh_snapshot "$work/same" && diff -u --label before --label now "$1" "$work/same"
}

# Real servers, in the namespace of a container; mesh_pg NAME and so on.

mesh_pg() {
	local dir=$work/pg-$1
	if [ ! -d "$dir" ]; then
		# PostgreSQL walks the path as its own user.
		chmod 711 "$work"
		cp -a /var/lib/vnimesh-test/pgdata "$dir" || return
	fi
	mesh_spawn "pg-$1" "$1" setpriv --reuid postgres --regid postgres --clear-groups \
		/usr/lib/postgresql/bin/postgres -D "$dir"
}

# From the container itself, so that it says nothing about the mesh.
mesh_pg_ready() {
	in_ns "$1" env PGCONNECT_TIMEOUT=$((2 * VNIMESH_SLOW)) \
		psql -XAtq -h 127.0.0.1 -U postgres -c 'select 1'
}

mesh_redis() {
	mesh_spawn "redis-$1" "$1" redis-server --port 6379 --bind 0.0.0.0 :: \
		--protected-mode no --save '' --daemonize no --dir "$work"
}

mesh_nginx() {
	# Where it keeps what it writes may be read only here.
	mkdir -p "$work/ngx-$1"
	cat >"$work/nginx-$1.conf" <<-CONF
		daemon off;
		worker_processes 1;
		pid $work/nginx-$1.pid;
		error_log stderr warn;
		events { worker_connections 64; }
		http {
			access_log $work/nginx-$1.log;
			client_body_temp_path $work/ngx-$1/b;
			proxy_temp_path $work/ngx-$1/p;
			fastcgi_temp_path $work/ngx-$1/f;
			uwsgi_temp_path $work/ngx-$1/u;
			scgi_temp_path $work/ngx-$1/s;
			server {
				listen 80;
				listen [::]:80;
				default_type text/plain;
				location / {
					return 200 "web server \$server_addr answers \$remote_addr\n";
				}
			}
		}
	CONF
	mesh_spawn "nginx-$1" "$1" nginx -c "$work/nginx-$1.conf"
}

# mesh_kill_all NAME: kill -9 every process of a container
mesh_kill_all() {
	local list
	list=$(ip netns pids "$1")
	# shellcheck disable=SC2086 # several
	[ -z "$list" ] || kill -KILL $list
}
