#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fields of inner and outer header: ECN as RFC 6040 has it, every pair of
# marks; DSCP and TTL stay inside; the outer packet is never fragmented; VLANs.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "two containers" topo_container 110 210
topo_serve 110 7000
topo_serve 210 7000
# Neighbours are known, so that the first packet seen is the one asked for.
check_match "they talk" "^0 210 " in_ns c110 peer talk 10.77.2.10 7000

# sent NAME RE CMD...: the first packet that CMD puts on the underlay, outer header
# first, matches RE.
sent() {
	local name=$1 re=$2
	shift 2
	capture h1 u0 "$work/sent.pcap" -c 1 udp port 6081 and src 192.0.2.11
	"$@" >"$work/sent.out" 2>&1
	waitfor 3 captured "$work/sent.pcap"
	capture_end
	tcpdump -v -n -r "$work/sent.pcap" 2>/dev/null | tr -s '\n\t ' ' ' >"$work/sent"
	check_match "$name" "$re" cat "$work/sent"
}
ping4() { in_ns c110 ping -c 1 -W 5 "$@" 10.77.2.10; }
ping6() { in_ns c110 ping -c 1 -W 5 "$@" fd77:0:0:2::10; }

# In: RFC 6040, normal mode, copies.
for e in 0 1 2 3; do
	tos=$(printf '0x%x' $e)
	sent "sent with ECN $e, IPv4: so is the outer header" \
		"^[^>]*\(tos $tos,[^>]* > 192.* IP \(tos $tos," ping4 -Q "$e"
	class=
	[ $e = 0 ] || class="class 0x0$e, "
	sent "... IPv6" "^[^>]*\(tos $tos,[^>]* > 192.* IP6 \($class" ping6 -Q "$e"
done
sent "DSCP stays inside, IPv4" "^[^>]*\(tos 0x0,.* IP \(tos 0xb8," ping4 -Q 0xb8
sent "... IPv6" "^[^>]*\(tos 0x0,.* IP6 \(class 0xb8," ping6 -Q 0xb8
sent "... of the two fields only ECN is copied" "^[^>]*\(tos 0x2,.* IP \(tos 0xba," ping4 -Q 0xba

# Out: every pair, inner and outer, gives the receiver this, x is dropped.
result() {
	case $1$2 in
	03) REPLY=x ;;
	[123]3 | 3?) REPLY=3 ;;
	21) REPLY=1 ;;		# ECT(0), marked ECT(1) on the way
	*) REPLY=$1 ;;
	esac
}
for family in IPv4 IPv6; do
	args=() from=10.77.2.10
	if [ $family = IPv6 ]; then
		args=(-S fd77:0:0:2::10 -D fd77:0:0:1::10)
		from=fd77:0:0:2::10
	fi
	count_from 1 rx_ecn
	: >"$work/want"
	for inner in 0 1 2 3; do
		for outer in 0 1 2 3; do
			# The length tells which one it was.
			len=$((10 + inner * 4 + outer))
			in_ns h2 geneve_inject -d 192.0.2.11 "${args[@]}" -t $inner -T $outer \
				-p "$(printf "%0${len}d" 0)"
			result $inner $outer
			[ "$REPLY" = x ] || echo "udp 110 $from 40000 7000 $REPLY $len" >>"$work/want"
		done
	done
	waitfor 3 grep -q "^udp 110 $from 40000 7000 . 25$" "$work/serve110"
	grep "^udp 110 $from 40000" "$work/serve110" >"$work/got"
	check "$family: each of 16 pairs of marks gives what RFC 6040 says" diff "$work/want" "$work/got"
	check_rose "... CE on a packet without ECT is dropped, counted" 1 rx_ecn 1
done
in_ns h2 geneve_inject -d 192.0.2.11 -t 0xb8 -T 0x20 -p dscp
check "DSCP arrives as it was sent, whatever the underlay made of its own" \
	waitfor 2 grep -q "^udp 110 10.77.2.10 40000 7000 184 4$" "$work/serve110"

# TTL: the mesh is no hop.
sent "TTL 1 is sent as it is, in an outer header with its own, IPv4" \
	"^[^>]*ttl 64,.* IP \(tos 0x0, ttl 1," ping4 -t 1
check_match "... and arrives" " 0% packet loss" cat "$work/sent.out"
sent "... IPv6" "^[^>]*ttl 64,.* IP6 \([^>]*hlim 1," ping6 -t 1
check_match "... and arrives" " 0% packet loss" cat "$work/sent.out"

# The outer packet says: do not fragment, whatever the inner one says.
sent "the outer header has DF, with DF inside" "^[^>]*flags \[DF\].* IP \([^>]*flags \[DF\]" ping4 -M do
sent "... without" "^[^>]*flags \[DF\].* IP \([^>]*flags \[none\]" ping4 -M dont
sent "... IPv6" "^[^>]*flags \[DF\].* IP6 " ping6
check_is "over IPv4 there is no outer UDP checksum" 1 \
	"$(tcpdump -n -r "$work/sent.pcap" 'udp[6:2] = 0' 2>/dev/null | wc -l)"

# VLANs: the device has no link layer to put a tag in; the underlay may have one.
fails() { ! "$@"; }
check_match "a VLAN over a VNI is refused" "VLANs not supported" \
	fails ip -n c110 link add link vni110 name v5 type vlan id 5
check "the underlay on a VLAN" bash -c '
	for n in 1 2; do
		ip -n h$n link add link u0 name u0.5 type vlan id 5 &&
		ip -n h$n addr del 192.0.2.1$n/24 dev u0 &&
		ip -n h$n addr add 192.0.2.1$n/24 dev u0.5 &&
		ip -n h$n link set u0.5 up || exit
	done'
check_match "works" "^0 210 10.77.1.10 " in_ns c110 peer talk 10.77.2.10 7000
check_match "... IPv6" "^0 210 fd77:0:0:1::10 " in_ns c110 peer talk fd77:0:0:2::10 7000
capture h1 u0 "$work/sent.pcap" -c 1 vlan 5
check_match "... with packets of full size" " 0% packet loss" ping4 -M do -s 1436
waitfor 3 captured "$work/sent.pcap"
capture_end
check "... tagged" captured "$work/sent.pcap"

# A sender on a VLAN behind the host, masqueraded.
box() {
	ns_add box
	ip -n h1 link add b0 type veth peer name eth0 netns box &&
		ip -n h1 link set b0 up && ip -n box link set eth0 up &&
		ip -n h1 link add link b0 name b0.7 type vlan id 7 &&
		ip -n box link add link eth0 name eth0.7 type vlan id 7 &&
		ip -n h1 addr add 172.31.7.1/24 dev b0.7 && ip -n h1 link set b0.7 up &&
		ip -n box addr add 172.31.7.2/24 dev eth0.7 && ip -n box link set eth0.7 up &&
		ip -n box route add default via 172.31.7.1 &&
		in_ns h1 sysctl -qw net.ipv4.ip_forward=1 &&
		in_ns h1 nft -f - <<-'END'
			table ip nat {
				chain post {
					type nat hook postrouting priority srcnat;
					oifname "mesh0" masquerade
				}
			}
		END
}
check "a box on a VLAN of host 1, masqueraded" box
check_match "reaches the mesh, TCP" "^0 210 10.77.1.1 " in_ns box peer talk 10.77.2.10 7000
check_match "... UDP" "^0 210 10.77.1.1 " in_ns box peer talk -u 10.77.2.10 7000
capture h1 u0.5 "$work/sent.pcap" -c 1 udp port 6081 and src 192.0.2.11
in_ns box ping -c 1 -W 5 10.77.2.10 >"$work/sent.out" 2>&1
waitfor 3 captured "$work/sent.pcap"
capture_end
check_match "its own tag does not cross: plain IPv4 inside" "Geneve, .*vni 0x4d IP [^>]* > 10.77.2.10" \
	bash -c "tcpdump -v -n -r '$work/sent.pcap' 2>/dev/null | tr -s '\n\t ' ' '"
