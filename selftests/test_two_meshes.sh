#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two meshes, a and b, on the same two hosts, over one underlay address and UDP
# port, with the same node ids, VNI ids, inner addresses, service addresses and
# tags. Nothing of one reaches the other; one ends without the other.
# Container I of host N is the namespace aNII in mesh a, bNII in mesh b.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

ns_add under
ip -n under link add br0 up type bridge forward_delay 0 mcast_snooping 0

# host N, in both meshes
host() {
	local n=$1 m
	for m in a b; do
		mesh_add "$n" $m || return
	done
}
mesh_add() {
	local n=$1 m=$2 id=77
	[ "$m" = a ] || id=78
	vnimesh -n "h$n" dev add "$m" mesh $id node "$n" vni "${n}01" local "192.0.2.1$n" &&
		vnimesh -n "h$n" dev set "$m" service-prefix $prefix4 service-prefix $prefix6 &&
		vnimesh -n "h$n" node set "$n" dev "$m" prefix "10.77.$n.0/24" prefix "fd77:0:0:$n::/64" &&
		vnimesh -n "h$n" node add $((3 - n)) dev "$m" underlay "192.0.2.1$((3 - n))" \
			prefix "10.77.$((3 - n)).0/24" prefix "fd77:0:0:$((3 - n))::/64"
}
containers() {
	local m=$1 vni
	shift
	for vni; do
		ip4 "$vni"
		local a4=$REPLY
		ip6 "$vni"
		vnimesh -n "h$((vni / 100))" vni add "$vni" dev "$m" netns "$m$vni" \
			address "$a4/16" address "$REPLY/48" || return
	done
}
# the tag "web", served by VNI 210, known to host 1
service() {
	local m=$1
	vnimesh -n h1 service add web dev "$m" address 10.96.0.1 address fd77:96::1 &&
		vnimesh -n h1 vni add 210 dev "$m" node 2 address 10.77.2.10 address fd77:0:0:2::10 &&
		vnimesh -n h1 member add web dev "$m" vni 210
}

topo_plug h1 192.0.2.11
topo_plug h2 192.0.2.12
check "host 1 in two meshes, one address and port" host 1
check "host 2" host 2
ns_add a110 b110 a111 b111 a210 b210
for m in a b; do
	check "containers of mesh $m" containers $m 110 111 210
	check "the same service in mesh $m" service $m
done
for m in a b; do
	for vni in 111 210; do
		start "$m$vni" in_ns "$m$vni" peer serve -v -n "$m$vni" 7000
		waitfor 2 says "$m$vni" ready
	done
done
check_is "one socket in host 1 for both" 1 "$(in_ns h1 ss -Hlun sport = 6081 | wc -l)"

# reach M: each path in mesh M leads to mesh M, from one source port.
reach() {
	local m=$1 proto dst server src word
	for proto in -t10000 -u; do
		word=TCP
		[ $proto != -u ] || word=UDP
		for dst in 10.77.2.10 10.77.1.11 10.96.0.1 fd77:0:0:2::10 fd77:0:0:1::11 fd77:96::1; do
			server=${m}210 src=10.77.1.10
			case $dst in
			*1.11 | *1::11) server=${m}111 ;;
			esac
			[ "${dst#fd}" = "$dst" ] || src=fd77:0:0:1::10
			check_match "mesh $m, $word to $dst" "^0 $server $src " \
				in_ns "${m}110" peer talk $proto -p 45000 "$dst" 7000
		done
	done
}

# What mesh b has seen so far: packets of its devices, flows, all drops.
of_b() {
	local dev ns
	for dev in h1/b h2/b b110/vni110 b111/vni111 b210/vni210; do
		ns=${dev%/*}
		ip -n "$ns" -s -j link show "${dev#*/}" |
			jq -c '.[0].stats64 | [.rx.packets, .rx.dropped, .tx.packets, .tx.dropped]'
	done
	for ns in h1 h2; do
		vnimesh -n "$ns" -j -s dev show b | jq -cS '.[0].stats | del(.nodes)'
	done
	wc -l <"$work/b111"
	wc -l <"$work/b210"
}
of_b >"$work/b.before"
capture h1 u0 "$work/a.pcap" udp port 6081
(exec nsenter --net=/run/netns/b210 tcpdump -U --immediate-mode -Z root -i vni210 -w "$work/b.pcap" \
	2>"$work/b.err") &
spy=$!
waitfor 5 grep -q "listening on" "$work/b.err"
reach a
capture_end
kill -TERM $spy
wait $spy
of_b >"$work/b.after"
check "mesh b has noticed nothing: devices, counters, servers" diff -u "$work/b.before" "$work/b.after"
check_fails "... its container no packet" captured "$work/b.pcap"
check_is "the underlay carried mesh 77 only" "vni 0x4d" \
	"$(tcpdump -n -r "$work/a.pcap" 2>/dev/null | grep -o 'vni 0x[0-9a-f]*' | sort -u)"
reach b
check_is "each mesh has its own flows" "6 6" \
	"$(for m in a b; do vnimesh -n h1 -j flow show dev $m | jq '[.[] | select(.tag == "web")] | length'; done |
		awk '{ print ($1 >= 2 ? 6 : $1) }' | xargs)"

# A spoofed mesh id: somebody in mesh a's node is as good as in mesh b's, which is
# the underlay's to keep apart; a container has no way to name one.
check "mesh b has no such service" vnimesh -n h1 service add only-a dev a address 10.96.0.7
check_fails "... by tag" vnimesh -n h1 resolve only-a dev b
check "its rows are not in the other" bash -c \
	"! vnimesh -n h1 service show dev b | grep only-a"

# One ends, the other goes on.
mkfifo "$work/in"
(exec nsenter --net=/run/netns/b110 peer talk -i 10.96.0.1 7000 fd77:0:0:2::10 7000 <"$work/in" >"$work/held" 2>&1) &
held=$!
defer kill $held
exec {go}>"$work/in"
round() {
	echo >&"$go"
	waitfor 3 bash -c "[ \$(grep -c 'round ok' $work/held) -ge $1 ]"
}
check "connections in mesh b" waitfor 3 grep -q open "$work/held"
check "... work" round 1
check "mesh a is stopped on host 1" vnimesh -n h1 dev del a
check_fails "... its containers' devices are gone" ip -n a110 link show vni110
check "the connections of mesh b work on" round 2
reach b
count_from_b() { vnimesh -n h1 -j -s dev show b | jq ".[0].stats.$1"; }
before=$(count_from_b rx_foreign) foreign=$(count_from_b port_foreign)
in_ns a210 peer burst -u -n 3 -t 200 10.77.1.10 7000 >"$work/out"
foreign_are() { [ "$(count_from_b port_foreign)" = "$1" ]; }
check "packets that still come for mesh a are foreign to the port, counted" \
	waitfor 2 foreign_are $((foreign + 3))
check_is "... not against the mesh that is left" "$before" "$(count_from_b rx_foreign)"
check "mesh a comes back" mesh_add 1 a
check "... with its containers" containers a 110 111
check "... and service" service a
check_match "... and works" "^0 a210 " in_ns a110 peer talk 10.96.0.1 7000
check "the connections of mesh b work on" round 3
exec {go}>&-

# Who has the port.
new() { vnimesh -n h1 dev add c mesh "$1" node 1 vni 1 local "$2" port "$3"; }
fails() { ! "$@"; }
check_match "the same mesh id twice" "mesh-id: there is such a mesh" fails new 78 192.0.2.11 6081
check "another port is another socket" new 78 192.0.2.11 6082
check "... goes" vnimesh -n h1 dev del c
start other in_ns h1 peer serve 7777
waitfor 2 says other ready
check_match "somebody else's port is refused, by name" "port: in use by another socket" \
	fails new 79 192.0.2.11 7777
stop other
check "... when he is gone, it is taken" new 79 192.0.2.11 7777
check "... and given back" vnimesh -n h1 dev del c
check "by whoever comes" ip -n h1 link add gnv0 type geneve id 5 remote 192.0.2.12 dstport 7777
check "... up" ip -n h1 link set gnv0 up
check_match "the kernel's own geneve has it now" "port: in use by another socket" \
	fails new 79 192.0.2.11 7777
check "both meshes end" bash -c 'for m in a b; do vnimesh -n h1 dev del $m || exit; done'
check_is "... and with the last one the socket" 0 "$(in_ns h1 ss -Hlun sport = 6081 | wc -l)"
