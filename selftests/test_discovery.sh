#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# What a client gets when there is nothing to connect to, and how soon a new
# service is there: each cause gives a blocking connect and a connected UDP
# socket an error within a second and counts for itself.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

# The promise is for a plain machine.
limit=$((1000 * VNIMESH_SLOW))
soon=$((250 * VNIMESH_SLOW))
reasons="no-service no-member coordinator-away no-agent no-answer no-port"

check "two hosts with agents and a coordinator" mesh_up 2
check "containers" mesh_containers host1:client host2:srv host2:sick
mesh_echo srv 7000
mesh_serve echo srv "tcp/7000 udp/7000" tcp
# Nobody listens there, ever.
mesh_serve ill sick "tcp/7000 udp/7000" tcp
mesh_hup host2
check "a service that is up" waitfor 10 mesh_is_up echo srv
check "a service that is down" waitfor 10 mesh_registered_is ill sick state down

# shellcheck disable=SC2086 # several
counters() { mesh_counters host1 $reasons; }

# refused WHAT COUNTER CODES ADDR: TCP and UDP end with an error of CODES, soon
# enough, and nothing but COUNTER moved.
refused() {
	local counter=$1 codes=$2 addr=$3 proto rc ms result before after i
	for proto in '' -u; do
		read -ra before <<<"$(counters)"
		rc=0
		# shellcheck disable=SC2086 # empty or an option
		mesh_probe client connect $proto -t $((20000 * VNIMESH_SLOW)) "$addr" 7000 >"$work/refused" || rc=$?
		read -r ms result _ <"$work/refused"
		echo "${proto:-tcp}: $result after $ms ms"
		[ "$rc" = 1 ] || return
		[[ " $codes " == *" $result "* ]] || return
		[ "$ms" -lt "$limit" ] || return
		read -ra after <<<"$(counters)"
		i=0
		for name in $reasons; do
			if [ "$name" = "$counter" ]; then
				[ "${after[i]}" -gt "${before[i]}" ] || { echo "$name did not move"; return 1; }
			elif [ "${after[i]}" != "${before[i]}" ]; then
				echo "$name moved from ${before[i]} to ${after[i]}"
				return 1
			fi
			i=$((i + 1))
		done
	done
}

refusal() {
	local name=$1
	shift
	check "$name" refused "$@" && diag "$(cat "$work/.output")"
}

codes="ECONNREFUSED EHOSTUNREACH ENETUNREACH EACCES"
refusal "no such service, IPv6: an error within 1 s, counted as such" \
	no-service "$codes" "$(mesh_address6 nobody)"
refusal "no such service, IPv4" no-service "$codes" 10.96.77.77
refusal "no healthy member" no-member "$codes" "$(mesh_address ill 4)"
refusal "no healthy member, IPv6" no-member "$codes" "$(mesh_address ill 6)"
check_fails "resolve of an unknown tag is refused" mesh host1 resolve nobody

# One miss, one question; the rest is answered by the kernel.
upcalls() { mesh_counters host1 upcall; }
one_upcall() {
	local before after
	before=$(upcalls)
	mesh_probe client connect -l "$(mesh_address echo 4)" 7000 || return
	mesh_probe client connect -l "$(mesh_address echo 6)" 7000 || return
	mesh_probe client connect -u "$(mesh_address echo 4)" 7000 || return
	after=$(upcalls)
	echo "$((after - before)) upcalls for three connections to one new service"
	[ $((after - before)) = 1 ]
}
check "the first use of a service asks the agent once" one_upcall

# A node without an agent of ours registers over HTTP: the reply is the
# acknowledgement. Its host is set up by hand.
ns_add host9
mesh_attach host9 192.0.2.19
lone_up() {
	local host
	mesh_api POST /v1/nodes '{ "name": "host9", "underlay": "192.0.2.19", "epoch": 9 }' >"$work/host9" || return
	node[host9]=$(jq .node.node "$work/host9")
	mesh host9 dev add mesh0 mesh 77 node "${node[host9]}" vni "$(jq .node.vni "$work/host9")" \
		local 192.0.2.19 address "$(jq -r .node.address4 "$work/host9")/16" \
		address "$(jq -r .node.address6 "$work/host9")/48" || return
	for host in host1 host2; do
		mesh host9 node add "${node[$host]}" underlay "192.0.2.1${host#host}" \
			prefix "10.77.${node[$host]}.0/24" prefix "fd77:0:0:${node[$host]}::/64" || return
	done
	waitfor 5 mesh_knows host1 3
}
check "a third host, whose services are registered by hand" lone_up
check "its container" mesh_container host9 late
mesh_echo late 7000

epoch_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# register TAG SEQ: the client keeps knocking meanwhile
registered_soon() {
	local tag=$1 seq=$2 addr acked ok attempts body
	addr=$(mesh_address6 "$tag")
	# The negative answer first, so that there is one to be cleared.
	refused no-service "$codes" "$addr" || return
	mesh_probe client until -t $((20000 * VNIMESH_SLOW)) "$addr" 7000 >"$work/until" &
	body=$(jq -nc --arg tag "$tag" --argjson seq "$seq" --argjson vni "${vni[late]}" \
		--arg a4 "${addr4[late]}" --arg a6 "${addr6[late]}" \
		'{ epoch: 9, seq: $seq, full: true,
		   services: [{ tag: $tag, ports: [{ proto: "tcp", port: 7000, target: 7000 }] }],
		   members: [{ tag: $tag, vni: $vni, address4: $a4, address6: $a6, state: "up", health: 100 }] }')
	mesh_api POST "/v1/nodes/${node[host9]}/report" "$body" || return
	acked=$(epoch_ms)
	wait
	read -r ok attempts <"$work/until"
	[ "$ok" != never ] || { cat "$work/until"; return 1; }
	echo "reachable $((ok - acked)) ms after the acknowledgement, attempt $attempts"
	[ $((ok - acked)) -lt "$soon" ] && [ "$attempts" -gt 1 ]
}
for i in 1 2 3; do
	check "registered after a negative answer: reachable within 250 ms of the acknowledgement ($i)" \
		registered_soon "late-$i" $((i * 10)) && diag "$(tail -n 1 "$work/.output")"
done

# The same with the agent: a file and SIGHUP.
mesh_echo sick 7001
refusal "no such service yet" no-service "$codes" "$(mesh_address6 filed)"
by_file() {
	mesh_serve filed sick tcp/7000:7001 tcp
	mesh_hup host2
	mesh_probe client until -t $((20000 * VNIMESH_SLOW)) "$(mesh_address6 filed)" 7000
}
check "registered by a file and SIGHUP: reachable" by_file && diag "after $tap_time in all"

# Health_Check_Trigger: with a check so rare that nothing else can explain it.
mesh_echo sick 7002
mesh_serve rare sick tcp/7002 '{ "type": "tcp", "interval_ms": 3600000, "fall": 1 }'
mesh_hup host2
check "a service with an hourly check is up" waitfor 10 mesh_is_up rare sick
kill -KILL "${pid[echo-sick]}"
waitfor 3 mesh_gone echo-sick
nap 1
check "... and stays so when its server dies" mesh_is_up rare sick
triggered() {
	mesh_api POST /v1/services/rare/check | jq -e '.members == 1' || return
	waitfor 5 mesh_registered_is rare sick state down
}
check "a triggered check finds it down, and the table shows it" triggered && diag "in $tap_time"
check_match "its output is in the table" 'refused' mesh_registered rare sick
mesh_echo sick 7002
retriggered() {
	mesh_api POST /v1/services/rare/check || return
	waitfor 5 mesh_is_up rare sick
}
check "a triggered check finds it up again" retriggered

# The coordinator away: dead, then frozen. Known services go on.
echo4=$(mesh_address echo 4) echo6=$(mesh_address echo 6)
mesh_kill coord
refusal "coordinator dead: an error within 1 s, counted as such" \
	coordinator-away "$codes" "$(mesh_address6 away-dead)"
known() { mesh_probe client connect -l "$echo4" 7000 && mesh_probe client connect -u "$echo6" 7000; }
check "... a known service is reachable" known
mesh_coordinator_start
check "the coordinator is back" waitfor 10 mesh_coordinator_ready
resumed() { mesh_probe client connect "$(mesh_address6 away-dead)" 7000 >"$work/resumed"; [ "$(mesh_counters host1 no-service)" -gt "$1" ]; }
check "... and the agent asks it again: no such service" waitfor 10 resumed "$(mesh_counters host1 no-service)"
kill -STOP "${pid[coord]}"
refusal "coordinator frozen: an error within 1 s, counted as such" \
	coordinator-away "$codes" "$(mesh_address6 away-frozen)"
check "... a known service is reachable" known
kill -CONT "${pid[coord]}"
check "the coordinator goes on" waitfor 10 mesh_coordinator_ready

# No agent, while somebody watches: a watcher answers nothing.
mesh_spawn monitor host1 vnimesh monitor all
kill -STOP "${pid[host1]}"
refusal "agent frozen: an error within 1 s, counted as no answer" \
	no-answer "$codes" "$(mesh_address6 away-agent)"
kill -CONT "${pid[host1]}"
mesh_kill host1
refusal "no agent while a monitor runs: an error within 1 s, counted as such" \
	no-agent "$codes" "$(mesh_address6 away-gone)"
check "... a known service is reachable" known
check "the monitor told of the lost agent" waitfor 3 grep -q 'agent-lost' "$work/log/monitor"
mesh_agent_start host1
check "the agent is back" waitfor 10 mesh_agent_ready host1
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 20
