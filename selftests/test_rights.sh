#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1024 -t 900
# uml: -m 768
#
# A mesh with TLS and rights: hosts join by tokens, and an agent that serves
# what it was not granted is refused. No kernel anywhere has its member, that
# of its own host included, before it is granted or after it is revoked; and
# what was granted outlives coordinator and agent.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

mesh_secure tag 'web-*'

check "two hosts join over TLS, each by a token" mesh_up 2
check "containers" mesh_containers host1:c1 host2:srv2
mesh_echo srv2 7000

# --- not granted ---------------------------------------------------------------

for host in host1 host2; do mesh_spawn "rows-$host" "$host" vnimesh monitor config; done
mesh_serve web-a srv2 "tcp/7000" tcp
mesh_serve db srv2 "tcp/7000" tcp
mesh_hup host2
check "what host2 is granted comes about" waitfor 20 mesh_is_up web-a srv2
refused() { grep -q "refuses db on VNI ${vni[srv2]}: .*node \"host2\" has no grant for \"db\"" "$work/log/host2"; }
check "what it is not is refused, by name" waitfor 20 refused
grant_is() { [[ $(VNIMESH_CONTROL=$work/host2/control vnimesh -j service status db) =~ \"grant\":\ *\{\"state\":\ *\"$1\" ]]; }
check "as its status says" waitfor 10 grant_is refused
check_match "the coordinator's own word to it" '^403 ' in_ns host2 curl -s -m 30 -o /dev/null -w '%{http_code} ' \
	--cacert "$work/host2/state/ca.pem" --cert "$work/host2/state/node.pem" --key "$work/host2/state/node.key" \
	-X PUT -H 'Content-Type: application/json' -d '{}' "$mesh_url/v1/services/db"
web4=$(mesh_address web-a 4)
reach() { mesh_probe c1 connect -t $((1000 * VNIMESH_SLOW)) "$1" 7000; }
check "the rest is reached" waitfor 10 reach "$web4"
check_fails "the coordinator has no such member" mesh_registered db srv2
has() { mesh_member "$1" db srv2 >/dev/null 2>&1; }
gone() { ! has "$1"; }
for host in host1 host2; do
	check_fails "nor has the kernel of $host" has "$host"
	# The other one's row is the sign that all was told.
	check_match "which would have said so" 'member .*web-a' cat "$work/log/rows-$host"
	check_fails "nor had it ever" grep -q 'member .*db' "$work/log/rows-$host"
done

# --- granted ---------------------------------------------------------------------

check "granted" in_ns coord vnimesh grant set host2 tag db tag 'web-*'
now_ms
since=$REPLY
check "it comes about by itself" waitfor 10 mesh_is_up db srv2
db4=$(mesh_address db 4)
check "and is reached" waitfor 10 reach "$db4"
now_ms
diag "reached $((REPLY - since)) ms after the grant, at a report each $mesh_report_ms ms"
for host in host1 host2; do check "the kernel of $host has it" waitfor 10 has "$host"; done
check "its status says so" waitfor 10 grant_is granted

# --- the coordinator is away --------------------------------------------------------

# It is written within a second.
cached() {
	jq -e '[.. | objects | select(.tag? == "db" and has("granted")) | .granted] | any' "$work/host2/state/state.json"
}
check "its agent's cache has it" waitfor 5 cached
mesh_kill coord
mesh_kill host2
check "a row that is lost while neither is there" mesh host2 member del db vni "${vni[srv2]}"
mesh_agent_start host2
check "is there again, from the agent's cache" waitfor 20 has host2
check "and in the other kernel, as it was" has host1
check "the service works" waitfor 10 reach "$db4"
mesh_coordinator_start
check "the coordinator is back" waitfor 20 mesh_coordinator_ready
check "what was granted stays" waitfor 20 mesh_is_up db srv2
for host in host1 host2; do check "in the kernel of $host" has "$host"; done

# --- revoked --------------------------------------------------------------------

check "revoked" in_ns coord vnimesh grant set host2 tag 'web-*'
check_fails "at once the coordinator has it no more" mesh_registered db srv2
for host in host1 host2; do check "nor, soon, the kernel of $host" waitfor 10 gone "$host"; done
check "its status says so" waitfor 10 grant_is refused
check_fails "nobody reaches it" reach "$db4"
check "what is granted is" reach "$web4"
mesh_kill coord
mesh_kill host2
mesh_agent_start host2
check "its agent starts without a coordinator" waitfor 20 grep -q 'does not answer' "$work/log/host2"
check "what is granted is there" waitfor 20 mesh_member host2 web-a srv2
check "it knows what was revoked" waitfor 10 gone host2
check "both agents run" mesh_runs host2
[ "$tap_failed" = 0 ] || mesh_logs 25
