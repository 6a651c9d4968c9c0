#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who may not: somebody without CAP_NET_ADMIN, and the root of a container's own
# user namespace. Every configuring command is refused and changes nothing; what
# a container needs works.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "a host" topo_up 1
check "a container" topo_container 110
check "a service" topo_service 1 web 1
topo_member 1 web 110

# A container with a user namespace of its own.
unshare -Urn sleep 1000 &
box=$!
defer kill $box
mapped() { [ "$(readlink /proc/$box/ns/user)" != "$(readlink /proc/self/ns/user)" ] && grep -q . /proc/$box/uid_map; }
waitfor 2 mapped
check "its VNI" vnimesh -n h1 vni add 111 dev mesh0 netns $box address 10.77.1.11/16 address fd77:0:0:1::11/48
in_box() { nsenter -t $box -U -n --preserve-credentials "$@"; }
# In the host's namespace, as nobody.
as_nobody() { nsenter --net=/run/netns/h1 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }
check_is "it has all capabilities there" "CapEff: 000001ffffffffff" \
	"$(in_box grep CapEff /proc/self/status | xargs)"

tables() {
	local what
	for what in dev vni node service member; do
		vnimesh -n h1 -j $what show | jq -c 'del(.. | .age_ms?, .used_ms?, .generation?)'
	done
}
tables >"$work/before"

# COMMAND do|dump RESULT. A container's root asks with the index of its own VNI,
# which is all that it can name, and with that of the host's mesh device.
mesh=$(ip -n h1 -o link show mesh0 | cut -d: -f 1)
own=$(in_box ip -o link show vni111 | cut -d: -f 1)
allowed='^(vni-get do|resolve do|mesh-get d.*) '
granted() { grep -E ' (ok)$' "$1" | grep -vE "$allowed"; }

in_box nlrow perms vni111 "$own" >"$work/own"
check_is "all 26 commands were tried" 26 "$(wc -l <"$work/own")"
# vni-get needs the number left out to be one's own: with a number it is refused.
check_is "a container's root, with its VNI: nothing but resolve is granted" "" "$(granted "$work/own")"
diag "$(xargs -n 3 <"$work/own" | tr '\n' ',')"
check_match "... resolve is" "^resolve do ok" cat "$work/own"
in_box nlrow perms vni111 "$mesh" >"$work/foreign"
check_is "... with the index of the mesh device: nothing at all" "" "$(grep ' ok$' "$work/foreign")"
as_nobody nlrow perms mesh0 "$mesh" >"$work/nobody"
check_is "nobody, in the host's own namespace: nothing but reading and resolve" "" "$(granted "$work/nobody")"
diag "$(xargs -n 3 <"$work/nobody" | tr '\n' ',')"
check_is "... each configuring command says EPERM" "13" \
	"$(grep -cE '^(mesh-set|.*-(set|del)|agent-bind|miss-answer|sweep) do EPERM' "$work/nobody")"
tables >"$work/after"
check "nothing changed" cmp "$work/before" "$work/after"

# The command line.
for cmd in "service add evil dev vni111 address 10.96.0.66" "member add web dev vni111 vni 111" \
	"node add 66 dev vni111 underlay 192.0.2.66" "vni set 111 dev vni111 health 1" "vni del 111 dev vni111" \
	"flow flush dev vni111" "dev set vni111 hold-max 1" "dev del vni111" "service show dev vni111" \
	"member show web dev vni111" "node show dev vni111" "flow show dev vni111" "vni add 166 dev vni111"; do
	# shellcheck disable=SC2086
	[ "$cmd" = "dev del vni111" ] || check_fails "in the container: vnimesh $cmd" in_box timeout 20 vnimesh $cmd
done
check_match "resolve" "10\.96\.0\.1" in_box vnimesh resolve web
check_match "its own record" "\"vni\":111" in_box vnimesh -j vni show
check_fails "... not that of another VNI" in_box vnimesh -j vni show 110 dev vni111
check_fails "... nor the list" in_box vnimesh -j vni show 101 dev vni111
# In its own namespace it may listen, and hears nothing: the mesh is in another.
start listener nsenter -t $box -U -n --preserve-credentials vnimesh monitor
nap 1
vnimesh -n h1 service set web port tcp/80
vnimesh -n h1 service set web port none
nap 0.5
check "in its own namespace the container may listen" kill -0 "${pids[listener]}"
check_is "the groups stay in the namespace of the mesh" "" "$(<"$work/listener")"
stop listener
check_fails "nobody: group config" as_nobody nlrow group config
check_fails "nobody: group events" as_nobody nlrow group events
check "the host's root: group config" in_ns h1 nlrow group config

# Its own device.
check "the container sets the MTU of its device" in_box ip link set vni111 mtu 1300
check "... takes it down" in_box ip link set vni111 down
check "... and up" in_box ip link set vni111 up
check "... renames it" in_box sh -c 'ip link set vni111 down && ip link set vni111 name eth0'
check "... and back" in_box sh -c 'ip link set eth0 name vni111 && ip link set vni111 up'
check_fails "changing its VNI id is refused" in_box nlrow changelink vni111
check_fails "... even to the host's root" in_ns c110 nlrow changelink vni110
check_fails "no further VNI beside its own" in_box ip link add link vni111 name more type vnimesh
check_match "it still works" " 0% packet loss" in_box ping -c 1 -W 5 10.77.1.10
check "another address does not make it another" in_box ip addr add 10.77.1.10/32 dev vni111
count_from 1 tx_bad_source
in_box peer burst -u -n 1 -t 100 -b 10.77.1.10 10.77.1.1 7000 >"$work/out"
check_rose "... dropped, counted" 1 tx_bad_source 1
tables >"$work/after"
check "nothing changed in the mesh" cmp <(grep -v mtu "$work/before") <(grep -v mtu "$work/after")
check "the container's root deletes its own device" in_box ip link del vni111
check_match "... its record stays, down" '"vni":111.*"link_up":false' vnimesh -n h1 -j vni show 111
