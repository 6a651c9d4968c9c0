#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1536 -t 900
# uml: -m 1024 -e VNIMESH_SLOW=4
#
# The partition in which a coordinator is left with the minority: three of them over
# three members of etcd, and A's agent reaches no other than the one that is cut off
# from the quorum. It goes on by what it knows and by its peers: it loses no member
# that is healthy and can be reached, and learns of one that dies from the agent of
# its host. What must be stored is refused until there is a quorum again. Nor does A
# lose what came while that one was alone, when its agent comes to it from another. Then
# etcd's members die one at a time, and the coordinator that A's agent talks to: it moves
# over to another one. No connection fails for that, and what is registered arrives.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"
. "$(dirname "$0")/partition.sh"

# The coordinators are coord (1), coord2, coord3, each beside a member of etcd.
spaces=('' coord coord2 coord3)
store=etcd://192.0.2.1:2379,192.0.2.2:2379,192.0.2.3:2379/mesh
cluster=m1=http://192.0.2.1:2380,m2=http://192.0.2.2:2380,m3=http://192.0.2.3:2380
url() { printf '"http://192.0.2.%s:7900"' "$1"; }
mesh_urls=([host1]="[$(url 3), $(url 1), $(url 2)]" [host2]="[$(url 1), $(url 2), $(url 3)]"
	[host3]="[$(url 2), $(url 1), $(url 3)]")
parties+=(coordinator3)
# It has no figures of who reports to another of its kind.
whole+='
coordinator3: srv2 up stale'

mesh_coordinator_config() {
	local i
	for i in 1 2 3; do
		mkdir -p "$work/${spaces[i]}"
		cat >"$work/${spaces[i]}/config.json" <<-CONF
			{ "listen": "192.0.2.$i:7900", "insecure": true, "store": "$store", "lease_ms": $mesh_lease_ms,
			  "mesh": { "id": 77, "prefix4": "10.77.0.0/16", "prefix6": "fd77::/48",
			            "service_prefix4": "10.96.0.0/16", "service_prefix6": "fd77:0:0:ffff::/64" } }
		CONF
	done
}
member() {
	local i=$1 ip=192.0.2.$1
	mesh_spawn "m$i" "${spaces[i]}" etcd --name "m$i" --data-dir "$work/m$i" --max-txn-ops 8192 \
		--listen-client-urls "http://$ip:2379" --advertise-client-urls "http://$ip:2379" \
		--listen-peer-urls "http://$ip:2380" --initial-advertise-peer-urls "http://$ip:2380" \
		--initial-cluster $cluster
}
quorum() { mesh_probe "${spaces[$1]}" http -t 3000 GET "192.0.2.$1" 2379 /health | grep -q '"true"'; }
answers() { mesh_coordinator=192.0.2.$1 mesh_coordinator_ready; }
mesh_coordinator_start() {
	local i
	for i in 2 3; do
		ns_add "${spaces[i]}"
		mesh_attach "${spaces[i]}" "192.0.2.$i"
	done
	for i in 1 2 3; do
		member $i
	done
	for i in 1 2 3; do
		waitfor 30 quorum $i
	done
	for i in 1 2 3; do
		mesh_spawn "${spaces[i]}" "${spaces[i]}" vnimesh-coordinator --config "$work/${spaces[i]}/config.json"
		waitfor 15 answers $i
	done
}

partition_up

cut_off() {
	local ns
	for ns in coord coord2; do
		drops $ns 'ip saddr { 192.0.2.3, 192.0.2.11 }' || return
	done
	drops coord3 'ip saddr { 192.0.2.1, 192.0.2.2, 192.0.2.12, 192.0.2.13 }' &&
		drops host1 'ip saddr { 192.0.2.1, 192.0.2.2 }'
}
no_quorum() { minority mesh_api PUT /v1/services/nowhere '{}' 2>&1; }
refused() { grep -q "no quorum" "$work/log/host1"; }
meanwhile() {
	local host
	check_match "... what must be stored is refused there, with the reason" 'etcd has no quorum; nothing was changed' \
		eval 'no_quorum || :'
	mesh_serve late client1 tcp/7000 none
	check "... a new service of A, too" eval 'mesh_hup host1 && waitfor 10 refused'
	check_fails "... which nobody has: not the other coordinators" mesh_registered late client1
	check "a server dies: A learns of it from its host" eval \
		'mesh_kill echo-srv3 && waitfor 10 mesh_member_is host1 both srv3 state down'
	check "... as the coordinators of the majority do" waitfor 10 mesh_registered_is both srv3 state down
	check "... the one of the minority does not" minority mesh_registered_is both srv3 state up
	check "... and that it is back" eval 'mesh_echo srv3 7000 && waitfor 10 mesh_member_is host1 both srv3 state up'
}
also=meanwhile
partition "A with a coordinator of no quorum" cut_off heal 2 '' "$whole, of no quorum"
check "the service of A is taken now" waitfor 15 mesh_is_up late client1
for i in 2 3; do
	check "... by all, coordinator $i" eval "mesh_coordinator=192.0.2.$i waitfor 10 mesh_registered_is late client1 state up"
done

partition_table
check "every daemon runs" eval 'mesh_all_run && mesh_runs coord2 && mesh_runs coord3 && mesh_runs m1 && mesh_runs m2 && mesh_runs m3'

# --- an older list --------------------------------------------------------------------

# The third one is alone. Then a server of C comes, A uses it, and A's agent is left
# with the third one, whose list is without it.
alone() {
	drops coord 'ip saddr 192.0.2.3' && drops coord2 'ip saddr 192.0.2.3' &&
		drops coord3 'ip saddr { 192.0.2.1, 192.0.2.2, 192.0.2.11, 192.0.2.12, 192.0.2.13 }'
}
has_aged() { [[ $(minority mesh_api GET /v1/services) =~ store_age_ms ]]; }
moves_there() {
	in_ns coord3 nft delete table ip cut && drops coord3 'ip saddr { 192.0.2.1, 192.0.2.2, 192.0.2.12, 192.0.2.13 }' &&
		drops host1 'ip saddr { 192.0.2.1, 192.0.2.2 }'
}
a_has_it() { mesh_member_is host1 newer srv3 state up && mesh_hold_goes_on newer; }
check "the third coordinator is alone" eval 'alone && waitfor 15 has_aged'
mesh_serve newer srv3 tcp/7000 tcp
check "a service comes that it cannot hear of" eval 'mesh_hup host3 && waitfor 20 mesh_is_up newer srv3'
at[newer]=$(mesh_address newer)
check "... which A uses" waitfor 15 eval 'mesh_probe client1 connect -l -t $patience "${at[newer]}" 7000'
check "... and has an open flow to" eval 'mesh_hold newer client1 "${at[newer]}" 7000 && a_has_it'
mesh_watch_anew
check "A's agent comes to that coordinator" eval 'moves_there && waitfor 30 grep -q "it only adds" "$work/log/host1"'
check "... and keeps what it does not know" a_has_it
mesh_leases 2
check "... for longer than a lease" a_has_it
check "... no row was removed" mesh_nothing_deleted
check "healed: it has a quorum again" eval 'heal; waitfor 30 grep -q "a quorum again" "$work/log/host1"'
mesh_leases 2
check "... A has it, as its coordinator has" eval 'waitfor 15 minority mesh_is_up newer srv3 && a_has_it'
check "... no row was removed" mesh_nothing_deleted

# --- a member of etcd dies -------------------------------------------------------------

# The one that the others follow.
leader() {
	local i text
	for i in 1 2 3; do
		text=$(mesh_probe "${spaces[i]}" http -t 3000 POST "192.0.2.$i" 2379 /v3/maintenance/status '{}')
		[[ $text =~ \"member_id\":\"([0-9]+)\" && $text == *"\"leader\":\"${BASH_REMATCH[1]}\""* ]] || continue
		echo $i
		return
	done
	return 1
}
reaches() { mesh_probe "$1" connect -l -t $patience "${at[$2]}" "${3:-7000}"; }
all_reach() { reaches client1 "$1" && reaches srv2 "$1" && reaches client3 "$1"; }
# everywhere TAG NAME: up in the kernel of each host and at each coordinator
everywhere() {
	local i
	for i in 1 2 3; do
		mesh_member_is "host$i" "$1" "$2" state up &&
			mesh_coordinator=192.0.2.$i mesh_registered_is "$1" "$2" state up || return
	done
}
none_down() { ! grep -HE '"tag":.*"state":"down"' "$work"/log/watch-*; }
# unnoticed [ROWS]: since marks and mesh_watch_anew; but those rows may go
unnoticed() {
	local text=''
	check "... new connections go on" eval 'waitfor 10 more 1 both 10 && waitfor 10 more 3 only2 10'
	none_failed
	diag "${text#; }"
	check "... open flows, too" mesh_hold_goes_on 1 3 newer
	check "... no row was removed, on no host" mesh_nothing_deleted "$@"
	check "... no member was down" none_down
}

check "one more server of A" mesh_containers host1:srv1
mesh_echo srv1 7000
for who in follower leader; do
	marks
	mesh_watch_anew
	check "etcd has a leader" waitfor 10 leader
	dead=$(leader)
	[ $who = leader ] || dead=$((dead % 3 + 1))
	check "etcd's $who, m$dead, is killed" mesh_kill "m$dead"
	mesh_serve no-$who srv3 tcp/7000 tcp
	check "... a service made then is taken" eval 'mesh_hup host3 && waitfor 15 mesh_is_up no-$who srv3'
	at[no-$who]=$(mesh_address no-$who)
	check "... and used from all hosts" waitfor 15 all_reach no-$who
	check "... it is started again" eval 'member $dead && waitfor 30 quorum $dead'
	mesh_serve no-$who srv1 tcp/7000 tcp
	check "... a member made now is in all kernels and at all coordinators" eval \
		'mesh_hup host1 && waitfor 15 everywhere no-$who srv1'
	# Whether the change that made it was taken may be unknown: it is made again, and
	# nobody has had anything of it before its first member.
	unnoticed "\"tag\":\"no-$who\".*\"n_members\":0"
done

# --- its coordinator dies ------------------------------------------------------------

# The one that has figures of A's members that are not stale.
talks_to() {
	local i
	for i in 1 2 3; do
		mesh_coordinator=192.0.2.$i mesh_registered_is late client1 stale false >/dev/null && echo $i && return
	done
	return 1
}
dead=$(talks_to)
marks
mesh_watch_anew
check "A's agent talks to coordinator ${dead:=3}, which is killed" mesh_kill "${spaces[dead]}"
mesh_coordinator=192.0.2.$((dead % 3 + 1))
moved() { local i; i=$(talks_to) && [ "$i" != "$dead" ]; }
check "it is fresh at another one" waitfor 15 moved
mesh_echo client1 7001
mesh_serve after client1 tcp/7001 none
check "a new service of A is taken there" eval 'mesh_hup host1 && waitfor 15 mesh_is_up after client1'
at[after]=$(mesh_address after)
for from in srv2 client3; do
	check "... and used from $from, by its host's kernel" waitfor 15 reaches $from after 7001
done
unnoticed
others_run() {
	local name
	for name in "${mesh_hosts[@]}" m1 m2 m3; do
		mesh_runs "$name" || { echo "$name has died"; return 1; }
	done
}
check "every agent runs" others_run
[ "$tap_failed" = 0 ] || mesh_logs 25
