#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: -m 1536 -t 900
# uml: -m 768
#
# What a container's own software tells the agent of its host: registration at
# run time, which lives as long as its device and outlives the agent; a ttl
# check; drain and maintenance, which reach every kernel.
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mesh.sh"

check "two hosts" mesh_up 2
check "containers" mesh_containers host1:srv host2:cli
agent() { VNIMESH_CONTROL=$work/host1/control vnimesh "$@"; }
check "the agent listens" waitfor 10 agent service status
check "a service is registered at run time" \
	agent service register app vni "${vni[srv]}" port tcp/7000 ttl 1h
check "its application says that it is well" agent ttl pass app vni "${vni[srv]}" text fine
check "the coordinator has it" waitfor 10 mesh_is_up app srv
mesh_echo srv
reached() { mesh_probe cli connect -l -t $((3000 * VNIMESH_SLOW)) "$(mesh_address app 4)" 7000; }
check "the other host reaches it" waitfor 10 reached
check "it is drained" agent service drain app reason upgrade
for host in host1 host2; do
	check "the kernel of $host knows" waitfor 10 mesh_member_is $host app srv state drain
done
check "the coordinator knows" waitfor 10 mesh_registered_is app srv state drain
mesh_kill host1
mesh_agent_start host1
check "the agent is killed and back" waitfor 15 agent service status
said() { agent service status app | tee "$work/status" | grep -q 'state drain by registered'; }
check "the registration and the intent outlived it" waitfor 15 said
check "its health as well" mesh_member_is host2 app srv state drain
check "it serves again" agent service ready app
for host in host1 host2; do
	check "the kernel of $host knows" waitfor 10 mesh_member_is $host app srv state up
done
check "its application is ill" agent ttl fail app vni "${vni[srv]}" text "disk full"
check "the other host knows" waitfor 10 mesh_member_is host2 app srv state down
check "and well" agent ttl pass app vni "${vni[srv]}"
check "the other host knows" waitfor 10 mesh_member_is host2 app srv state up
device=$(ip -n srv -o link show type vnimesh | sed 's/^[0-9]*: \([^@:]*\).*/\1/')
check "the device goes" ip -n srv link del "$device"
none() { [ "$(agent -j service status)" = '[]' ]; }
check "the registration goes with it" waitfor 10 none
unregistered() { ! mesh_registered app srv; }
check "from the coordinator, too" waitfor 10 unregistered
check_fails "what is not there cannot be registered" agent service register app vni "${vni[srv]}" check none

# A new namespace numbers its devices from the start: another container may have
# the same VNI on a device of the same index.
ns_index() { ip -n srv -j link show type vnimesh | jq .[0].ifindex; }
made() { mesh_jq host1 '.[].link_made_us // empty' -d vni show "${vni[srv]}"; }
anew() {
	mesh_used[host1]=$((${mesh_used[host1]} - 1))
	ns_del srv && waitfor 10 no_device && ip netns add srv && mesh_vni host1 srv
}
no_device() { [ -z "$(made 2>/dev/null)" ]; }
registers() { waitfor 10 agent service register app vni "${vni[srv]}" port tcp/7000 check none; }
check "a container anew" anew
index=$(ns_index)
first=$(made)
for how in "while the agent is away" "while it does not look"; do
	check "registered there" registers
	check "the other host knows" waitfor 10 mesh_member_is host2 app srv state up
	case $how in
	*away) mesh_kill host1 ;;
	*) kill -STOP "${pid[host1]}" ;;
	esac
	check "$how, the container is made anew" anew
	case $how in
	*away) mesh_agent_start host1 ;;
	*) kill -CONT "${pid[host1]}" ;;
	esac
	check_is "... with a device of the same index" "$index" "$(ns_index)"
	check "... that is another" test "$(made)" -gt "$first"
	check "... and not registered" waitfor 15 none
	check "... nor at the coordinator" waitfor 10 unregistered
done
check "all daemons run" mesh_all_run
