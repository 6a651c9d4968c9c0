#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ICMP errors about flows to a service: to the right socket, about what that
# socket sent; in both directions, IPv4 and IPv6, with any quote; and what a host
# answers to a packet for a VNI that it has not.
# vm: -m 1024 -t 600
# uml: -m 768
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "four containers" topo_container 110 111 210 211
services() {
	topo_service 1 far 1 && topo_member 1 far 210 &&
		topo_service 1 near 2 && topo_member 1 near 111 &&
		topo_service 1 ports 3 port udp/53:7053 port tcp/80:7000 &&
		topo_member 1 ports 210 &&
		topo_service 1 self 4 && topo_member 1 self 110 &&
		topo_service 1 again 5 && topo_member 1 again 210
}
check "services" services
# All are asked for more of them than a host answers in a second.
any_number() {
	local ns
	for ns in c110 c111 c210 c211 h1 h2; do
		in_ns "$ns" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 || return
	done
}
check "errors without a limit" any_number

ask() { in_ns c110 icmperr ask "$@"; }

# The member's stack says: port unreachable. The socket hears it from the
# service, about what it sent to the service.
refused() {
	check_match "$1: connected socket, ECONNREFUSED, from the service" \
		"^ECONNREFUSED type $2 code $3 from $4 to $4 $5 mtu 0 read ECONNREFUSED$" \
		ask "${@:6}" "$4" "$5"
}
count_from 1 icmp_translated icmp_no_flow
# With offload what a veth underlay brings has no checksum yet; nor has its quote.
in_ns c110 ethtool -K vni110 tx off >"$work/out" 2>&1
capture c110 vni110 "$work/c.pcap" icmp or icmp6
refused "remote, IPv4" 3 3 10.96.0.1 9000
refused "remote, IPv6" 1 4 fd77:96::1 9000
refused "on this host, IPv4" 3 3 10.96.0.2 9000
refused "on this host, IPv6" 1 4 fd77:96::2 9000
refused "a port rule, IPv4" 3 3 10.96.0.3 53
refused "a port rule, IPv6" 1 4 fd77:96::3 53
refused "the client is the member, IPv4" 3 3 10.96.0.4 9000
refused "the client is the member, IPv6" 1 4 fd77:96::4 9000
refused "first of two tags on one VNI, IPv4" 3 3 10.96.0.1 9001 -p 32001
refused "second of two tags, other source port" 3 3 10.96.0.5 9001 -p 32001
refused "direct after two tags, other source port" 3 3 10.77.2.10 9001 -p 32001
refused "first of two tags on one VNI, IPv6" 1 4 fd77:96::1 9001 -p 32002
refused "second of two tags, IPv6" 1 4 fd77:96::5 9001 -p 32002
refused "direct after two tags, IPv6" 1 4 fd77:0:0:2::10 9001 -p 32002
check_rose "all of them were translated" 1 icmp_translated 14
refused "direct" 3 3 10.77.2.10 9002
refused "direct, IPv6" 1 4 fd77:0:0:2::10 9002
check_rose "... those not: no flow owns them" 1 icmp_translated 14
capture_end
in_ns c110 ethtool -K vni110 tx on >"$work/out" 2>&1
refused "with offload, IPv4" 3 3 10.96.0.1 9000
check "tcpdump reads them" tcpdump -vvv -n -r "$work/c.pcap"
cp "$work/.output" "$work/c.txt"
check_is "every checksum is right, outside and inside" "" \
	"$(grep -wE 'bad|wrong|incorrect' "$work/c.txt" | head -n 3)"
check "... and they were shown" grep -q "UDP, length 5" "$work/c.txt"

# A router on the way keeps its own name. From the host's VNI, by hand.
by_hand() {
	local name=$1 want=$2 dst=$3 port=$4
	shift 4
	local patience=$((2000 * VNIMESH_SLOW))
	# What does not come cannot be waited for.
	[ "$want" != "^nothing" ] || patience=3000
	rm -f "$work/ask"
	start ask in_ns c110 icmperr ask -p "$port" -t "$patience" "$dst" 7000
	waitfor 2 grep -q "^udp 210 .* $port 7000 " "$work/serve210"
	in_ns "${forger:-h2}" icmperr forge "$@"
	waitfor 5 grep -q . "$work/ask"
	stop ask
	check_match "$name" "$want" cat "$work/ask"
}
# A server that answers nothing.
in_ns c210 nft -f - <<-END
	table inet mute { chain out { type filter hook output priority 0; udp sport 7000 drop; }; }
END
topo_serve 210 7000
by_hand "a router's host unreachable, 8 bytes quoted (RFC 792)" \
	"^EHOSTUNREACH type 3 code 1 from 10.77.2.1 to 10.96.0.1 7000 " 10.96.0.1 32101 \
	-C 1 10.77.1.10 udp 10.77.1.10 32101 10.77.2.10 7000
by_hand "... more quoted" "^EHOSTUNREACH .* from 10.77.2.1 to 10.96.0.1 7000 " 10.96.0.1 32102 \
	-C 1 -l 80 10.77.1.10 udp 10.77.1.10 32102 10.77.2.10 7000
by_hand "... time exceeded" "^EHOSTUNREACH type 11 code 0 from 10.77.2.1 to 10.96.0.1 7000" \
	10.96.0.1 32103 -T 11 10.77.1.10 udp 10.77.1.10 32103 10.77.2.10 7000
by_hand "... IPv6" "^EHOSTUNREACH type 1 code 3 from fd77:0:0:2::1 to fd77:96::1 7000 " \
	fd77:96::1 32104 -C 3 fd77:0:0:1::10 udp fd77:0:0:1::10 32104 fd77:0:0:2::10 7000
by_hand "... IPv6, behind an extension header" "^EHOSTUNREACH .* to fd77:96::1 7000 " \
	fd77:96::1 32105 -x -C 3 fd77:0:0:1::10 udp fd77:0:0:1::10 32105 fd77:0:0:2::10 7000
by_hand "... a quote of 4 bytes is nobody's" "^nothing" 10.96.0.1 32106 \
	-C 1 -l 4 10.77.1.10 udp 10.77.1.10 32106 10.77.2.10 7000
by_hand "... a quoted later fragment neither" "^nothing" 10.96.0.1 32107 \
	-C 1 -f 185 10.77.1.10 udp 10.77.1.10 32107 10.77.2.10 7000
by_hand "... IPv6" "^nothing" fd77:96::1 32108 \
	-C 3 -f 185 fd77:0:0:1::10 udp fd77:0:0:1::10 32108 fd77:0:0:2::10 7000
by_hand "... a wrong port" "^nothing" 10.96.0.1 32109 \
	-C 1 10.77.1.10 udp 10.77.1.10 32100 10.77.2.10 7000
by_hand "an error quotes a fragment, its first" "^EHOSTUNREACH .* to fd77:96::1 7000 " \
	fd77:96::1 32110 -C 3 -x fd77:0:0:1::10 udp fd77:0:0:1::10 32110 fd77:0:0:2::10 7000
# Who has no part in it, and knows the ports: a neighbour of the member's, of the
# client's, the client's host.
count_from 2 tx_bad_source
forger=c211 by_hand "another container of the member's host is not believed" "^nothing" \
	10.96.0.1 32111 -C 1 10.77.1.10 udp 10.77.1.10 32111 10.77.2.10 7000
check_rose "... counted where it is" 2 tx_bad_source 1
count_from 1 tx_bad_source rx_bad_source
forger=c111 by_hand "... nor one of the client's host" "^nothing" \
	10.96.0.1 32112 -C 1 10.77.1.10 udp 10.77.1.10 32112 10.77.2.10 7000
forger=c111 by_hand "... IPv6, too big" "^nothing" fd77:96::1 32113 \
	-T 2 -m 1300 fd77:0:0:1::10 udp fd77:0:0:1::10 32113 fd77:0:0:2::10 7000
check_rose "... counted" 1 tx_bad_source 2
forger=h1 by_hand "... nor the host itself, of a member of another host" "^nothing" \
	10.96.0.1 32114 -C 1 10.77.1.10 udp 10.77.1.10 32114 10.77.2.10 7000
check_rose "... counted" 1 rx_bad_source 1
# What the client's socket knows is the service's address; a quote that says too
# little for a flow must not get there as it is.
count_from 1 tx_bad_source
forger=c111 by_hand "... nor with a later fragment of what the client sent" "^nothing" \
	10.96.0.1 32115 -C 3 -f 1 10.77.1.10 udp 10.77.1.10 32115 10.96.0.1 7000
ip -n c111 link set vni111 mtu 1280
forger=c111 by_hand "... nor in fragments" "^nothing" \
	10.96.0.1 32116 -C 3 -l 1400 10.77.1.10 udp 10.77.1.10 32116 10.96.0.1 7000
forger=c111 by_hand "... IPv6" "^nothing" fd77:96::1 32117 \
	-C 4 -l 1400 fd77:0:0:1::10 udp fd77:0:0:1::10 32117 fd77:96::1 7000
ip -n c111 link set vni111 mtu 1450
forger=c111 by_hand "... nor as a redirect" "^nothing" \
	10.96.0.1 32118 -T 5 -C 1 10.77.1.10 udp 10.77.1.10 32118 10.96.0.1 7000
check_rose "... counted" 1 tx_bad_source 4
in_ns c210 nft delete table inet mute
# What is quoted of ICMP itself is nobody's socket, but says how large a packet may be.
narrows() {
	in_ns "$1" icmperr forge -T "$3" -m 1290 -C "$4" "$5" icmp "$5" "$6" "$2" 0
	sleep 0.3
	! ip -n c110 route get "$2" | grep 'mtu 1290'
}
ip -n c110 route flush cache
for forger in c111 c211; do
	count_from "${forger:1:1}" tx_bad_source
	check "$forger does not narrow the client's way to a service" \
		narrows $forger 10.96.0.1 3 4 10.77.1.10 0
	check "... IPv6" narrows $forger fd77:96::1 2 0 fd77:0:0:1::10 33024
	check_rose "... counted" "${forger:1:1}" tx_bad_source 2
done
forger=

# The client's stack complains of the server's packet.
complains() {
	local name=$1 dst=$2 port=$3 member=$4 mport=$5 seen=$6 err=$7
	start "late$member" in_ns "c$member" icmperr late "$mport"
	waitfor 2 says "late$member" ready
	in_ns c110 icmperr ask -t 1 ${8:+-p "$8"} "$dst" "$port" >"$work/out"
	kill -USR1 "${pids[late$member]}"
	waitfor 5 grep -qE "type|nothing|answer" "$work/late$member"
	check_match "$name: the server hears it from the client, about its own packet" \
		"^ECONNREFUSED type $err from $seen to $seen [0-9]+ " cat "$work/late$member"
	stop "late$member"
}
count_from 1 icmp_translated icmp_no_flow
complains "remote, IPv4" 10.96.0.1 9100 210 9100 10.77.1.10 "3 code 3"
complains "remote, IPv6" fd77:96::1 9101 210 9101 fd77:0:0:1::10 "(1 code 4|0 code 0)"
complains "on this host, IPv4" 10.96.0.2 9102 111 9102 10.77.1.10 "3 code 3"
complains "on this host, IPv6" fd77:96::2 9103 111 9103 fd77:0:0:1::10 "1 code 4"
complains "a port rule" 10.96.0.3 53 210 7053 10.77.1.10 "3 code 3"
complains "a port rule, IPv6" fd77:96::3 53 210 7053 fd77:0:0:1::10 "1 code 4"
complains "the client is the member" 10.96.0.4 9104 110 9104 10.96.0.4 "3 code 3"
complains "... IPv6" fd77:96::4 9105 110 9105 fd77:96::4 "1 code 4"
check_rose "all of them were translated" 1 icmp_translated 8
ask -t 1 -p 32201 10.96.0.1 9106 >"$work/out"
complains "another source port" 10.96.0.5 9106 210 9106 10.77.1.10 "3 code 3" 32201
in_ns c110 icmperr forge 10.96.0.1 udp 10.96.0.1 1 10.77.1.10 2
check_rose "an error to a service about nothing is dropped, counted" 1 icmp_no_flow 1

# TCP: a soft error; the connection lives.
topo_serve 111 7000
soft() {
	local name=$1 dst=$2 member=$3
	rm -f "$work/tcp" "$work/tcp.in"
	mkfifo "$work/tcp.in"
	nsenter --net=/run/netns/c110 icmperr tcp -t $((5000 * VNIMESH_SLOW)) "$dst" 7000 \
		<"$work/tcp.in" >>"$work/tcp" 2>&1 &
	pids[tcp]=$!
	defer kill "$!"
	exec 8>"$work/tcp.in"
	waitfor 5 grep -q open "$work/tcp"
	in_ns "c$member" nft -f - <<-END
		table inet fence { chain in { type filter hook input priority 0;
			tcp dport 7000 reject with icmpx host-unreachable; }; }
	END
	echo one >&8
	waitfor 5 grep -qE "^(soft|back|none|closed|failed)" "$work/tcp"
	check_match "$name: TCP gets the soft error" "^soft EHOSTUNREACH$" cat "$work/tcp"
	in_ns "c$member" nft delete table inet fence
	# What was refused is sent again, after a time that grew meanwhile.
	waitfor 10 grep -qE "^(back|none|closed|failed)" "$work/tcp"
	check_is "... and lives" back "$(grep -v "^soft" "$work/tcp" | tail -n +2)"
	exec 8>&-
	stop tcp
}
soft "remote, IPv4" 10.96.0.1 210
soft "remote, IPv6" fd77:96::1 210
soft "on this host, IPv4" 10.96.0.2 111
soft "on this host, IPv6" fd77:96::2 111

# A VNI that is not there, or down: its host's own VNI says so.
count_from 2 icmp_answer icmp_limited rx_no_vni rx_down
check_match "no such VNI: host unreachable from its node" \
	"^EHOSTUNREACH type 3 code 1 from 10.77.2.1 to 10.77.2.99 7000" ask 10.77.2.99 7000
check_match "... IPv6" \
	"^EHOSTUNREACH type 1 code 3 from fd77:0:0:2::1 to fd77:0:0:2::99 7000" ask fd77:0:0:2::99 7000
check_match "... ping says who" "From 10.77.2.1 .*Destination Host Unreachable" \
	bash -c 'nsenter --net=/run/netns/c110 ping -c 1 -W 5 10.77.2.99; true'
check_rose "... counted there" 2 icmp_answer 3
check_rose "... with the reason" 2 rx_no_vni 3
vnimesh -n h1 member set far vni 210 weight 0
topo_member 1 far 211
ip -n c211 link set vni211 down
check_match "a member's device is down: the socket hears of the service" \
	"^EHOSTUNREACH type 3 code 1 from 10.77.2.1 to 10.96.0.1 7000" ask 10.96.0.1 7000
check_match "... IPv6" \
	"^EHOSTUNREACH type 1 code 3 from fd77:0:0:2::1 to fd77:96::1 7000" ask fd77:96::1 7000
check_rose "... counted there" 2 rx_down 2
# To a SYN it is evidence; another member has the next one.
topo_service 1 heal 7
topo_member 1 heal 210
topo_member 1 heal 211
count_from 1 resteer_refused
tap_run in_ns c110 peer talk -s 10.96.0.7 7000x12 fd77:96::7 7000x8
check_is "20 connects to a service of which one member is down: none fails" 20 \
	"$(grep -c '^[0-9]* 210 ' "$work/.output")"
rose 1 resteer_refused
check "... its node's answer moved the SYN at once ($REPLY)" [ "$REPLY" -ge 1 ]
count_from 2 icmp_answer icmp_limited rx_no_vni rx_down
in_ns c110 icmperr forge 10.77.2.99 udp 10.77.2.99 1 10.77.1.10 2
rose 2 rx_no_vni
check_is "an error to nobody arrives there" 1 "$REPLY"
check_rose "... and is not answered" 2 icmp_answer 0
# Bounded, per sender.
in_ns c110 icmperr forge -T 8 -n 2000 10.77.2.99 udp 10.77.2.99 1 10.77.1.10 2
rose 2 icmp_answer
answers=$REPLY
rose 2 icmp_limited
limited=$REPLY
check "a flood is answered in part ($answers answers, $limited not)" \
	[ "$answers" -lt 1900 ] && [ "$limited" -gt 100 ]
check_match "... while another sender is answered" "^EHOSTUNREACH .* from 10.77.2.1" \
	in_ns c111 icmperr ask 10.77.2.99 7000
check_match "TCP: a connect to it fails with the first SYN, or the second if its lock was held" \
	"^0 error EHOSTUNREACH [12]?[0-9]{1,3} ms" \
	bash -c 'nsenter --net=/run/netns/c110 peer talk 10.77.2.99 7000; true'
