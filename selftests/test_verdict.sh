#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 600
# uml: -m 768
#
# What agents see of others: who is not reached is judged by several hosts,
# what fails for a client is checked at once, with a coordinator and without;
# and a person can see it.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "three hosts with agents and a coordinator" mesh_up 3
check "containers" mesh_containers host1:client host2:srv2
mesh_echo srv2 7000
# Its own agent would find out in ten minutes.
mesh_serve echo srv2 "tcp/7000" '{ "type": "tcp", "interval_ms": 600000, "fall": 1 }'
mesh_hup host2
check "a service" waitfor 15 mesh_is_up echo srv2
echo4=$(mesh_address echo 4)
use() { mesh_probe client connect -t $((3000 * VNIMESH_SLOW)) "$echo4" 7000; }
check "in use" use

# --- peers -----------------------------------------------------------------------

# peers HOST JQ
peers() { VNIMESH_CONTROL=$work/$1/control vnimesh -j peers | jq -c "$2"; }
peers_is() { [ "$(peers "$1" "$2")" = "$3" ]; }
text() { VNIMESH_CONTROL=$work/$1/control vnimesh peers; }
check "host1 reaches both others" waitfor 10 peers_is host1 '[.[] | .name, .path.state]' '["host2","up","host3","up"]'
check "and asks the agent of the one that it uses" waitfor 10 peers_is host1 '[.[].agent.state]' '["answers","not asked"]'
check_is "with its run, round trip, losses and ages" '[true,true,true,true,true]' \
	"$(peers host1 '.[0] | [.agent.epoch > 0, .path.rtt_us > 0, .path.lost <= .path.of, .path.age_ms >= 0, .agent.age_ms >= 0]')"
check "host2 is asked" waitfor 10 peers_is host2 '[.[].agent.asks_us]' '[true,false]'
check_match "in words" 'host2 node 2 .*'$'\n''    path up rtt [0-9]+us, [0-9] of [0-9] lost, [0-9.]+ s ago'$'\n''    agent answers run [0-9]+' text host1
check_fails "nothing else is taken" env VNIMESH_CONTROL="$work/host1/control" vnimesh peers now

# --- evidence -----------------------------------------------------------------------

refused() { ! use >"$work/refused"; }
down() { mesh_member_is host1 echo srv2 state down; }
audit() { mesh_api GET '/v1/audit'; }
audited() { audit | grep -E "$1"; }
mesh_kill echo-srv2
check "the server dies: a client is refused" refused
check "its agent is made to check at once: down for the client" waitfor 10 down
check "the audit log says why" waitfor 5 audited 'evidence of VNI [0-9]+, [0-9]+ times'
mesh_echo srv2 7000
mesh_api POST /v1/services/echo/check >/dev/null
up() { mesh_member_is host1 echo srv2 state up; }
check "asked for, it is checked again: up" waitfor 10 up

# --- verdicts ------------------------------------------------------------------------

ip -n underlay link set host3 down
down3() { peers_is "$1" '[.[] | select(.name == "host3") | .path.state, .verdict]' '["down","down"]'; }
check "host3 is cut off: two hosts do not reach it, it is judged down" waitfor 15 down3 host1
check "all are told" waitfor 10 down3 host2
check "the audit log has the cause" waitfor 5 audited '"node 3".*"down".*2 of 2 do not reach it: host[12], host[12]'
ip -n underlay link set host3 up
up3() { peers_is "$1" '[.[] | select(.name == "host3") | .path.state, .verdict]' '["up","up"]'; }
check "it is back: the first who reaches it says so" waitfor 15 up3 host1
check "to all" waitfor 10 up3 host2
check "also to the log" waitfor 5 audited '"node 3".*"reached"'

# --- without a coordinator ---------------------------------------------------------

check "the coordinator is killed" mesh_kill coord
away() { grep -q 'the coordinator does not answer' "$work/log/host1"; }
check "which host1 finds out" waitfor 20 away
mesh_kill echo-srv2
check "the server dies: a client is refused" refused
check "the owner's agent is asked itself: down for the client" waitfor 10 down
mesh_echo srv2 7000

mesh_coordinator_start
check "the coordinator is back" waitfor 20 mesh_coordinator_ready
check "nobody has died" mesh_all_run
