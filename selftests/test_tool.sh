#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line tool against the module: two hosts by hand, every object,
# uml: -m 768
# what it prints, what the kernel refuses and how that is said.
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/lib.sh
. ./lib.sh

modprobe vnimesh || skip_all "no module"
ns_add h1 h2 c1 c2
ip link add u1 netns h1 type veth peer name u2 netns h2
for i in 1 2; do
	ip -n h$i addr add 192.0.2.1$i/24 dev u$i
	ip -n h$i link set u$i up
done

h1() { vnimesh -n h1 "$@"; }
h2() { vnimesh -n h2 "$@"; }
c1() { ip netns exec c1 "$@"; }

# json FILTER ARG...: what jq finds in the JSON of a command on host 1.
json()
{
	h1 -j "${@:2}" | jq -rc "$1"
}

# refused TEXT CMD...: exit code 2, TEXT on stderr, nothing on stdout.
refused()
{
	local text=$1 rc=0
	shift
	"$@" > "$work/stdout" 2> "$work/stderr" || rc=$?
	check_is "refused: $*" "2||Error: $text" \
		"$rc|$(cat "$work/stdout")|$(cat "$work/stderr")"
}

# shellcheck disable=SC2154 # work is set by lib.sh
ip netns exec h1 vnimesh -j monitor > "$work/monitor" &
monitor=$!
defer kill $monitor

# Devices
check_is "no mesh yet" "" "$(h1 dev)"
check_is "no mesh yet in JSON" "[]" "$(h1 -j dev)"
check "dev add" h1 dev add mesh0 mesh 77 node 1 vni 256 local 192.0.2.11 \
	address 10.77.1.1/16 address fd77:0:0:1::1/48
check "dev add on the other host" h2 dev add mesh0 mesh 77 node 2 vni 512 \
	local 192.0.2.12 address 10.77.2.1/16 address fd77:0:0:2::1/48
check_match "dev show" '^[0-9]+: mesh0: up mtu [0-9]+ mesh 77 node 1 vni 256 local 192.0.2.11 port 6081 ' \
	h1 dev show mesh0
refused "vnimesh answers: File exists." h1 dev add mesh0 mesh 78 node 1 vni 256 \
	local 192.0.2.11
refused "vnimesh: mesh-id: there is such a mesh on this local address and port." \
	h1 dev add mesh1 mesh 77 node 1 vni 256 local 192.0.2.11
check_fails "a refused device leaves nothing" ip -n h1 link show mesh1
for h in h1 h2; do
	check "dev set service prefixes on $h" $h dev set mesh0 miss-timeout 200ms \
		service-prefix 10.96.0.0/16 service-prefix fd77:0:0:ffff::/64
done
check_is "parameters in JSON" '["10.96.0.0/16","fd77:0:0:ffff::/64",200]' \
	"$(json '.[]|[.service_prefix4,.service_prefix6,.miss_timeout_ms]' dev)"
check_match "the host is led to services" 'dev mesh0 .*src 10.77.1.1' \
	ip -n h1 route show 10.96.0.0/16
check_is "counters only if asked for" "[false,true]" \
	"$(jq -sc 'map(.[0]|has("stats"))' <(h1 -j dev) <(h1 -j -s dev))"

# Nodes
check "node set self" h1 node set 1 prefix 10.77.1.0/24 prefix fd77:0:0:1::/64
check "node set self on the other host" \
	h2 node set 2 prefix 10.77.2.0/24 prefix fd77:0:0:2::/64
check "node add" h1 node add 2 underlay 192.0.2.12 prefix 10.77.2.0/24 \
	prefix fd77:0:0:2::/64 name 'host\two' zone a
check "node replace creates" h2 node replace 1 underlay 192.0.2.11 \
	prefix 10.77.1.0/24 prefix fd77:0:0:1::/64
check "node replace changes" h2 node replace 1 zone b
check_match "node show" '^node 2 name host\\x5ctwo zone a underlay 192.0.2.12 port 6081 prefix 10.77.2.0/24 prefix fd77:0:0:2::/64 state up latency 0us$' \
	h1 node show 2
check_is "node show in JSON" '[[1,true,""],[2,null,"host\\two"]]' \
	"$(json 'map([.node,.self,.name])' node)"
refused "exists already." h1 node add 2 underlay 192.0.2.12
refused "does not exist." h1 node set 9 latency 1ms
refused "missing attribute: addr." h1 node add 3
refused 'id: no such node (attribute "id").' h1 node show 9
refused 'state: of a node, up or down (attribute "state").' \
	h1 node set 2 state drain
check "a list is emptied" h1 node set 2 prefix none
check_is "and is empty" "[]" "$(json '.[0].prefixes' node show 2)"
check "and filled" h1 node set 2 prefix 10.77.2.0/24 prefix fd77:0:0:2::/64

# VNIs
check "vni add in a container" h1 vni add 257 netns c1 name eth0 \
	address 10.77.1.2/16 address fd77:0:0:1::2/48
check "vni add in a container of the other host" h2 vni add 513 netns c2 \
	name eth0 address 10.77.2.2/16 address fd77:0:0:2::2/48
check_match "addresses are there" 'inet6? 10.77.1.2/16' ip -n c1 addr show eth0
check_match "lo is up" 'UP' ip -n c1 link show lo
check_match "services are led over it" 'dev eth0' \
	ip -n c1 route show 10.96.0.0/16
check_match "services are led over it, IPv6" 'dev eth0' \
	ip -n c1 -6 route show fd77:0:0:ffff::/64
check "the VNIs reach each other" c1 ping -c 3 -i 0.2 -W 5 10.77.2.2
check "the VNIs reach each other, IPv6" c1 ping -c 3 -i 0.2 -W 5 fd77:0:0:2::2
refused "vnimesh answers: File exists." h1 vni add 258 netns c1 name eth0
refused "addr4: outside the prefixes of the node." h1 vni add 258 netns c1 \
	name eth1 address 10.99.0.1
check_fails "a refused VNI leaves nothing" ip -n c1 link show eth1
ip -n c1 link add taken type dummy
ip -n c1 link set taken up
ip -n c1 addr add 10.77.1.9/32 dev taken
check "vni add remote" h1 vni add 513 node 2 address 10.77.2.2 \
	address fd77:0:0:2::2
check "vni set" h1 vni set 513 health 90 latency 1ms
check_is "vni show in JSON" '[[256,true,100],[257,true,100],[513,null,90]]' \
	"$(json 'map([.vni,.local,.health])' vni)"
check_match "inside of the container its own is shown" '^vni 257 ' c1 vnimesh vni
check_match "also to anybody" '^vni 257 ' \
	c1 setpriv --reuid 65534 --clear-groups vnimesh vni

# Services and members
check "service add" h1 service add database address 10.96.0.1 \
	address fd77:0:0:ffff::1 port pg:tcp/5432:5433 port udp/53
refused 'addr4: outside the service prefix (attribute "addr4").' \
	h1 service add web address 10.1.1.1
check "member add" h1 member add database vni 513 latency 400us
check "member add with weight" h1 member add database vni 257 weight 0
refused 'vni-id: no such VNI (attribute "vni-id").' h1 member add database vni 999
refused 'tag: no such service (attribute "tag").' h1 member add web vni 513
check_match "service show" '^service database address 10.96.0.1 address fd77:0:0:ffff::1 port pg:tcp/5432:5433 port udp/53 policy optimal members 2 on-down abort drain-time 0ms$' \
	h1 service
check_is "ports in JSON" '[{"name":"pg","proto":"tcp","port":5432,"target":5433},{"proto":"udp","port":53,"target":53}]' \
	"$(json '.[0].ports' service show database)"
check_is "members in order" '[257,513]' "$(json 'map(.vni)' member)"
check_is "members of a VNI" '[["database",400]]' \
	"$(json 'map([.tag,.latency_us])' member show vni 513)"
check_is "one member" '[100]' \
	"$(json 'map(.weight)' member show database vni 513)"

# Questions
check_match "route get" '^tag database from 10.77.1.2 proto tcp vni 513 node 2 .*member-address 10.77.2.2 member-port 5433 underlay 192.0.2.12 policy optimal by cost$' \
	h1 route get database from 10.77.1.2 proto tcp dport 5432
check_is "route get says why" '[[513,true,"none"],[257,null,"weight"]]' \
	"$(json '.[0].candidates|map([.vni,.chosen,.excluded])' route get database proto tcp dport 5432)"
check_match "route get for an address" 'node 2 .*underlay 192.0.2.12' \
	h1 route get 10.77.2.2
check_is "the seed stays in JSON's range" number \
	"$(json '.[0].seed|type' route get database)"
check_match "resolve" '^tag database address 10.96.0.1 address fd77:0:0:ffff::1' \
	c1 vnimesh resolve database
check_match "resolve without privilege" 'address 10.96.0.1' \
	c1 setpriv --reuid 65534 --clear-groups vnimesh resolve database
refused 'tag: unknown here, and no agent is bound (attribute "tag").' \
	c1 vnimesh resolve nosuch

# Flows
# The default of half a second is short for a slow guest.
ip netns exec c2 socat -t 60 TCP6-LISTEN:5433,fork,reuseaddr EXEC:'sed s/^/got_/' &
defer kill $!
waitfor 5 ip netns exec c2 sh -c 'ss -ltn | grep -q 5433'
check_is "connect" "got_hello" "$(echo hello | c1 vnimesh connect database 5432)"
check_is "connect, IPv6" "got_hello" \
	"$(echo hello | c1 vnimesh connect database 5432 -6)"
check_is "connect by the name of the port" "got_hello" \
	"$(echo hello | ip netns exec h1 vnimesh connect database pg)"
check_is "connect to the only port of the protocol" "got_hello" \
	"$(echo hello | ip netns exec h1 vnimesh connect database)"
head -c 3000000 /dev/urandom | base64 -w 999 > "$work/much"
check_is "connect carries much both ways" \
	"$(sed s/^/got_/ "$work/much" | cksum)" \
	"$(c1 vnimesh connect database 5432 < "$work/much" | cksum)"
ip netns exec c2 socat -t 60 UDP6-RECVFROM:53,fork,reuseaddr EXEC:cat &
defer kill $!
waitfor 5 ip netns exec c2 sh -c 'ss -lun | grep -q :53'
check_is "connect by UDP" "hello" \
	"$(echo hello | c1 vnimesh connect database 53 -u timeout $((5 + VNIMESH_SLOW))s)"
check "a VNI in the namespace of a process" h1 vni add 258 netns $! \
	address 10.77.1.3
check_match "is there under its number" '10.77.1.3/32' \
	ip -n c2 addr show vni258
check "and found there again" h1 vni del 258
check_fails "connect to a port that is not of the service" \
	c1 vnimesh connect database 81
# Closed ones are soon forgotten.
mkfifo "$work/open"
c1 vnimesh connect database 5432 <"$work/open" >/dev/null &
defer kill $!
exec 8>"$work/open"
open_flow='[.[]|select(.src=="10.77.1.2" and .dst=="10.96.0.1" and .proto=="tcp")][0]'
is_open() { [ "$(json "$open_flow|.member_port" flow)" = 5433 ]; }
waitfor 5 is_open
check_is "flows are shown" '["tcp",5432,"database",513,"10.77.2.2",5433]' \
	"$(json "$open_flow"'|[.proto,.dport,.tag,.vni,.member_address,.member_port]' flow)"
count_agrees() { [ "$(json length flow)" = "$(h1 flow count)" ]; }
check "flow count agrees" waitfor 5 count_agrees
check_is "of another VNI there are none" 0 "$(h1 flow count vni 257)"
# shellcheck disable=SC2046 # words
check "flow del by tuple" h1 flow del $(json \
	"$open_flow"'|"proto \(.proto) src \(.src) sport \(.sport) dst \(.dst) dport \(.dport)"' flow)
check "flow flush by tag" h1 flow flush tag database
check "flow flush" h1 flow flush
check_is "none is left" 0 "$(h1 flow count)"

# The end of each
refused 'VNI 257 is a member of service "database".' h1 vni del 257
check "and keeps its device" ip -n c1 link show eth0
check "member del" h1 member del database vni 257
check "vni del finds the device in the container" h1 vni del 257
check_fails "which is gone" ip -n c1 link show eth0
refused 'id: member of a service (attribute "id").' h1 vni del 513
check "member del of a remote one" h1 member del database vni 513
check "vni del of a record" h1 vni del 513
check "service del" h1 service del database
check "node del" h1 node del 2
check_is "tables are empty but for this host" '[1,[256],0,0]' \
	"$(jq -sc '[(.[0]|length),(.[1]|map(.vni)),(.[2]|length),(.[3]|length)]' \
		<(h1 -j node) <(h1 -j vni) <(h1 -j service) <(h1 -j member))"
check "dev del" h1 dev del mesh0
check_fails "dev del again" h1 dev del mesh0

waitfor 5 grep -q '"action":"del".*"node":2' "$work/monitor"
kill $monitor
wait $monitor
check "each line of the monitor is JSON" jq -e . "$work/monitor"
check_is "the monitor saw the objects" \
	'["event","member","mesh","node","service","vni"]' \
	"$(jq -sc 'map(.object)|unique' "$work/monitor")"
check_is "the monitor saw the actions" '["del","event","set"]' \
	"$(jq -sc 'map(.action)|unique' "$work/monitor")"
