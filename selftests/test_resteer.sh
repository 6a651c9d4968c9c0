#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A SYN that a member refuses or does not answer goes to another one, and the
# application sees only a slower connect.
# vm: -m 1024 -t 600
set -u
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/topo.sh"

check "two hosts" topo_up 2
check "four containers" topo_container 110 111 210 211
check "a service" topo_service 1 web 1
for vni in 210 211; do
	topo_member 1 web $vni latency 10s
done
topo_serve 211 7000

# connects N: N connections by tag, one after the other. Sets bad and slowest.
connects() {
	local left=$1
	: >"$work/talk"
	while [ "$left" -gt 0 ]; do
		in_ns c110 peer talk -s -t 20000 10.96.0.1 "7000x$((left > 500 ? 500 : left))" >>"$work/talk"
		left=$((left - 500))
	done
	bad=$(grep -c error "$work/talk")
	slowest=$(awk '{ if ($(NF - 1) > max) max = $(NF - 1) } END { print max + 0 }' "$work/talk")
	diag "$1 connects: $bad failed, slowest $slowest ms; $(awk '{ n[$2]++ } END { for (k in n) printf "%s: %d ", k, n[k] }' "$work/talk")"
}
forget() {
	# A member made anew is a member of which nothing is known.
	vnimesh -n h1 member del web vni 210
	vnimesh -n h1 member add web vni 210 latency 10s "$@"
}
show() { vnimesh -n h1 -s member show web; stats 1; tr ',{' '\n\n' <"$work/stats" | grep -E 'resteer|eject|evid|syn_lost|rst_ign' | xargs; }

# Refused at once: nobody listens at 210.
connects 1000
check_is "a member refuses: of 1000 connects fail" 0 "$bad"
stat_of 1 resteer_refused
check "... some were moved" [ "$REPLY" -gt 0 ]
diag "$(show)"

# Powered off without a word.
forget
in_ns c210 nft add table inet t
in_ns c210 nft add chain inet t input '{ type filter hook input priority 0; policy drop; }'
connects 1000
check_is "a member is silent: of 1000 connects fail" 0 "$bad"
# The next one after that would be at 3 s.
check "... the slowest within one SYN timeout" [ "$slowest" -lt 2900 ]
stat_of 1 resteer_silent
check "... some were moved" [ "$REPLY" -gt 0 ]
diag "$(show)"
