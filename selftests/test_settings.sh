#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 768 -t 600
# uml: -m 768
#
# What is said of a service and its members at one place is in every kernel:
# policy, end of connections, load, priority, what a latency is of.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "two hosts with agents and a coordinator" mesh_up 2
check "containers" mesh_containers host1:client host2:srv
mesh_echo srv 7000
mesh_serve echo srv "tcp/7000" tcp \
	'"policy": "failover", "on_down": "drain", "drain_time_ms": 60000, "load": "pool", "priority": 7'
mesh_serve web srv "tcp/80" '{ "type": "http" }'
mesh_hup host2
check "a service with settings" waitfor 15 mesh_is_up echo srv
echo4=$(mesh_address echo 4)
use() { mesh_probe client connect -t $((3000 * VNIMESH_SLOW)) "$echo4" 7000; }
check "it is used" use

# row HOST FILTER: of the service's row
row() { mesh_jq "$1" ".[0] | $2" service show echo; }
row_is() { [ "$(row "$1" "$2")" = "$3" ]; }
settings='[.policy, .on_down, .drain_time_ms, .load]'
for host in host1 host2; do
	check_is "the kernel of $host has what its file says" '["failover","drain",60000,"pool"]' "$(row $host "$settings")"
	check "and the member's priority" mesh_member_is $host echo srv priority 7
done
check "a connection check times round trips" mesh_member_is host2 echo srv latency-kind connect
check "an HTTP check times responses" waitfor 10 mesh_member_is host2 web srv latency-kind response
check "and the coordinator knows" waitfor 10 mesh_registered_is web srv latency_kind response

mesh_api PUT /v1/services/echo '{ "ports": [{ "proto": "tcp", "port": 7000 }], "on_down": "keep" }' >/dev/null
for host in host1 host2; do
	check "an operator's word is in the kernel of $host" waitfor 10 row_is $host "$settings" '["optimal","keep",0,"connections"]'
done
mesh_serve echo srv "tcp/7000" tcp '"priority": 9, "policy": "failover"'
mesh_hup host2
check "a changed priority goes everywhere" waitfor 10 mesh_member_is host1 echo srv priority 9
check_is "and the operator's settings stay" '["optimal","keep",0,"connections"]' "$(row host1 "$settings")"
check "it works on" use
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
