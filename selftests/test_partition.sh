#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# What each host and the coordinator hold of the others when a part of the network is
# cut: the expected view and the actual one, printed as a table. Connections through
# the tags run all the time, from two hosts, open ones and new ones: a member that is
# healthy and can be reached is lost for nobody.
#
# The coordinator whose etcd has no quorum is in test_quorum.sh.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"
. "$(dirname "$0")/partition.sh"

partition_up

partition "B and the coordinator cut" "drops coord 'ip saddr 192.0.2.12'" heal 1 '' \
	"${whole/coordinator: srv2 up/coordinator: srv2 up stale}"
partition "A and the coordinator cut" "drops coord 'ip saddr 192.0.2.11'" heal 2 '' "$whole"
# Neither has an answer then.
apart='A: B unreachable, C up, srv2 up
B: A unreachable, C up, srv2 up
C: A up, B up, srv2 up
coordinator: srv2 up'
partition "A to B, one way" "drops host2 'ip saddr 192.0.2.11'" heal 1 3 "$apart"
partition "A and B, only UDP 6081" "drops host2 'ip saddr 192.0.2.11 udp dport 6081' &&
	drops host1 'ip saddr 192.0.2.12 udp dport 6081'" heal 1 3 "$apart"
# Small echoes go on; of those of full size, one in four, three must be lost.
partition "A and B, only what is large" "drops host2 'ip saddr 192.0.2.11 meta length > 1000'" heal 1 3 "$apart"
partition "B's peer port" "drops host2 'udp dport 7901' && drops host1 'udp dport 7901' &&
	drops host3 'udp dport 7901'" heal 2 '' "$whole"
partition "coordinator frozen for five leases" freeze thaw 5 '' "${whole/coordinator: srv2 up/coordinator: frozen}"

partition_table
check "every daemon runs" mesh_all_run
[ "$tap_failed" = 0 ] || mesh_logs 25
