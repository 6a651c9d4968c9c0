#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: probe.sh INCLUDE
#
# Print, as a C header, in which of its ways a kernel does what compat.h has to
# know. INCLUDE is its include directory. The headers are asked, and not the
# version: stable and distribution kernels take changes of interfaces back.
# The answers for the kernels of selftests/vm/stock are in compat/golden/.
set -eu

include=$1
[ -e "$include/linux/netdevice.h" ] || {
	echo "probe.sh: no kernel headers in $include" >&2
	exit 1
}

# answer NAME YES: NAME is defined if YES is not empty.
answer() {
	if [ -n "$2" ]; then
		echo "#define VNIMESH_HAVE_$1 1"
	else
		echo "/* VNIMESH_HAVE_$1 is not set */"
	fi
}

# found NAME HEADER REGEX: a line of HEADER matches.
found() {
	answer "$1" "$(grep -E -s -m 1 -e "$3" "$include/$2" || :)"
}

# proto NAME HEADER START REGEX: the declaration in HEADER that begins with a
# line that has START, up to its semicolon, matches, however it is wrapped. What
# a backslash means in REGEX is different from awk to awk: it has none.
proto() {
	answer "$1" "$(awk -v start="$3" -v want="$4" '
		!text && index($0, start) { text = " " }
		text { text = text " " $0 }
		text && /;/ {
			gsub(/[ \t]+/, " ", text)
			if (text ~ want)
				print "yes"
			exit
		}' "$include/$2")"
}

# exists NAME HEADER
exists() {
	answer "$1" "$([ ! -e "$include/$2" ] || echo yes)"
}

echo "/* Made by probe.sh from the kernel's headers. */"
found NETDEV_LLTX linux/netdevice.h '^[[:space:]].*[[:space:]]lltx:1;'
found NETNS_IMMUTABLE linux/netdevice.h '^[[:space:]].*[[:space:]]netns_immutable:1;'
found NETNS_LOCAL linux/netdevice.h '^[[:space:]].*[[:space:]]netns_local:1;'
found PCPU_STAT_TYPE linux/netdevice.h '^[[:space:]].*[[:space:]]pcpu_stat_type[:;]'
found NEWLINK_PARAMS net/rtnetlink.h '^struct rtnl_newlink_params \{'
proto UDP_TUNNEL_XMIT_FLAGS net/udp_tunnel.h 'udp_tunnel_xmit_skb(' 'u16 '
proto UDP_TUNNEL6_XMIT_FLAGS net/udp_tunnel.h 'udp_tunnel6_xmit_skb(' 'u16 '
proto SETUP_UDP_TUNNEL_SK net/udp_tunnel.h 'void setup_udp_tunnel_sock(' 'struct sock [*]'
proto RELEASE_UDP_TUNNEL_SK net/udp_tunnel.h 'void udp_tunnel_sock_release(' 'struct sock [*]'
proto ENCAP_ERR_RCV_INFO linux/udp.h '(*encap_err_rcv)(' 'u32 info'
found FLOWI4_DSCP net/flow.h '^#define flowi4_dscp'
found TIMER_CONTAINER_OF linux/timer.h '^#define timer_container_of\('
found HRTIMER_SETUP linux/hrtimer.h 'void hrtimer_setup\('
found ASSIGN_STR_ONE trace/stages/stage6_event_callback.h '^#define __assign_str\(dst\)'
found SYSTEM_DFL_WQ linux/workqueue.h '^extern struct workqueue_struct [*]system_dfl_wq;'
exists NET_GSO_H net/gso.h
exists LINUX_UNALIGNED_H linux/unaligned.h
