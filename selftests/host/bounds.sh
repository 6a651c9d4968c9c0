#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is said about bounds in several places is the same: kmod/limits.h,
# tools/vnimeshd/limits.h and Documentation/defaults.md; the counters of the uapi header, of the module's
# table (name, drop reason), of the tool, and Documentation/tracing.md.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/lib.sh
. selftests/lib.sh

limits=kmod/limits.h prefix=VNIMESH_
defaults=Documentation/defaults.md
header=uapi/linux/vnimesh.h

# value MACRO: of $limits, without its prefix, by the compiler's own arithmetic.
value() {
	local text
	text=$(echo "$prefix$1" | ${CC:-cc} -DHZ=1 -E -P -include $limits -x c - | tail -n 1)
	echo $((text))
}

# numbers LABEL UNIT: of the row's second and third column, times in UNIT.
numbers() {
	grep -F "| $1 |" $defaults | awk -F'|' -v unit="$2" '
	BEGIN { ms["us"] = 0.001; ms["ms"] = 1; ms["s"] = 1000; ms["min"] = 60000; ms["h"] = 3600000 }
	{
		gsub(/`[^`]*`/, "", $4)
		n = split($3 ", " $4, parts, /, |; | to /)
		for (i = 1; i <= n; i++) {
			words = split(parts[i], w, " ")
			sum = 0; found = 0
			for (j = 1; j <= words; j++) {
				if (w[j] !~ /^[0-9][0-9,]*$/)
					continue
				gsub(/,/, "", w[j])
				found = 1
				if (w[j + 1] in ms && unit in ms)
					sum += w[j] * ms[w[j + 1]] / ms[unit]
				else
					sum += w[j]
			}
			if (found)
				print sum
		}
	}' | paste -sd' '
}

declare -A documented=()
# row LABEL UNIT MACRO...: the row's numbers are those of the macros.
row() {
	local label=$1 unit=$2 want='' name
	shift 2
	for name; do
		want="$want${want:+ }$(value "$name")"
		documented[$prefix$name]=1
	done
	check_is "$defaults: $label" "$want" "$(numbers "$label" "$unit")"
}

row "nodes, VNIs, services per mesh" "" NODES_MAX VNIS_MAX SERVICES_MAX
row "members per service" "" MEMBERS_MAX
row "flows per mesh" "" FLOW_MAX_DEFAULT FLOW_MAX_MIN FLOW_MAX_MAX
row "flows of a VNI: what is left, but at least" "" FLOW_FLOOR
row "UDP flow that may go for another" s UDP_IDLE
row "TCP half-open, established, closing" s TCP_HALF_OPEN TCP_ESTABLISHED TCP_CLOSING
row "UDP before, after the first reply" s UDP_UNREPLIED UDP_REPLIED
row "members that a SYN is moved on to" "" RESTEER_MAX RESTEER_MAX_LEAST RESTEER_MAX_MAX
row "moves of one VNI at once, beyond a tenth of its flows" "" RESTEER_FLOOR
row "SYNs kept for that" "" SYN_MAX
row "resets to members on other hosts, in a second" "" TOLD_RATE
row "penalty, first and longest" s EJECT_TIME_FIRST EJECT_TIME_MAX
row "(client, member, port) remembered, per client" "" EJECT_MAX EJECT_VNI_MAX
row "packets held per mesh, per VNI" "" HOLD_MAX HOLD_VNI_MAX
row "addresses asked for at once" "" HOLD_KEYS_MAX
row "... of a VNI: as much as is left of both, but at least" "" HOLD_FLOOR
row "questions for the agent a second, at once: of a VNI" "" UPCALL_VNI_RATE UPCALL_VNI_BURST
row "... of the mesh" "" UPCALL_RATE UPCALL_BURST
row "time a packet is held" ms MISS_TIMEOUT
row "negative entries, longest life" ms NEGATIVE_MAX NEGATIVE_TTL_MAX
row "resolves waiting per mesh, per netns, per socket" "" PARKED_MAX PARKED_NET_MAX PARKED_SOCK_MAX
row "datagrams in fragments, fragments before their first: per mesh, per VNI" "" \
	DATAGRAMS_MAX FRAGMENTS_HELD_MAX FRAGMENTS_HELD_VNI_MAX
row "life of a datagram in fragments" s DATAGRAM_TIME
row "ICMP errors at once, a second" "" ANSWER_BURST ANSWER_RATE
check_is "$defaults: drain-time, up to 24 h" "$(value DRAIN_TIME_MAX)" "$((24 * 3600 * 1000))"
documented[VNIMESH_DRAIN_TIME_MAX]=1
row "encapsulations inside each other" "" DEPTH_MAX

all_documented() {
	local missing
	missing=$(awk -v name="^$prefix[A-Z0-9_]+\$" '$1 == "#define" && $2 ~ name && NF > 2 { print $2 }' $limits |
		while read -r name; do [ "${documented[$name]-}" ] || echo "$name"; done)
	check_is "every bound of $limits has its row in $defaults (or is missing here)" "" "$missing"
}
all_documented

limits=tools/vnimeshd/limits.h prefix=
row "grants" "" GRANTS_MAX
row "registrations, intents kept" "" REGISTERED_MAX INTENTS_MAX
row "... of one user but root; of all of them" "" SHARE_REGISTERED SHARE_INTENTS SHARE_REGISTERED_ALL SHARE_INTENTS_ALL
row "... changes of one user but root: at once, a second" "" SHARE_BURST SHARE_RATE
row "control socket: connections of root, of users with a grant, of all others" "" \
	CONTROL_CONNECTIONS CONTROL_CONNECTIONS CONTROL_STRANGERS
row "... of one user but root" "" CONTROL_UID
row "... a line, time without a whole one" ms CONTROL_LINE_MAX CONTROL_IDLE_MS
row "... wait for a descriptor for one" ms CONTROL_PAUSE_MS
row "... answers in a turn, its time" us CONTROL_TURN CONTROL_TURN_US
check "a user has a registration and an intent for each grant" \
	test "$(value SHARE_REGISTERED)" -ge "$(value GRANTS_MAX)" -a "$(value SHARE_INTENTS)" -ge "$(value GRANTS_MAX)"
all_documented

# Counters: NAME NAME-AS-SHOWN, without the gauges.
counters() {
	awk '/VNIMESH_A_STATS_PAD = 1/ { on = 1; next } /__VNIMESH_A_STATS_MAX,/ { exit }
		on && /VNIMESH_A_STATS_/ && !/gauge/ { sub(/,.*/, ""); sub(/.*VNIMESH_A_STATS_/, ""); print }' $header
}
shown() { tr 'A-Z_' 'a-z-' <<<"$1"; }
check_match "there are counters" . counters
wrong=$(counters | while read -r name; do
	grep -Eq "(COUNTER|DROP)\($name, \"$(shown "$name")\"" kmod/drop.c || echo "$name"
done)
check_is "each counter has its name in kmod/drop.c" "" "$wrong"
wrong=$(counters | while read -r name; do
	grep -Eq "STAT\($name, \"$(shown "$name")\"\)" tools/lib/record_stats.c || echo "$name"
done)
check_is "... and the same in the tool" "" "$wrong"
wrong=$(sed -n 's/^\tDROP(\([A-Z_]*\), "\([a-z-]*\)", \([A-Z_]*\)),$/\2 \3/p' kmod/drop.c |
	while read -r name reason; do
		grep -q "^|.*\`$name\`.*| \`$reason\` |$" Documentation/tracing.md || echo "$name: $reason"
	done)
check_is "... and its drop reason in Documentation/tracing.md" "" "$wrong"
# Nothing that drops a packet goes around kmod/drop.c; answer.c and reset.c free what
# they could not make.
around=$(grep -nE '\b(dev_)?kfree_skb(_any|_irq)?\(|rx_dropped_inc|tx_dropped_inc|stats->c\[' kmod/*.c kmod/*.h |
	grep -v '^kmod/\(answer\|reset\)\.c.*kfree_skb(skb)\|^kmod/drop\.c\|^kmod/mesh\.h.*this_cpu_add\|^kmod/device\.c.*per_cpu_ptr' || :)
check_is "a packet ends through kmod/drop.c only" "" "$around"
