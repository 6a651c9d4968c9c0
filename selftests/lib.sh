# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# TAP for the tests, in kselftest's form. A test script sources this file first
# and then calls check and friends; the plan is printed at exit. It must run as
# bash, alone in its guest (or in its own network namespace), with `set -u` at
# most: a failed check is counted, not fatal.
#
#   check NAME CMD...          passes if CMD succeeds
#   check_fails NAME CMD...    passes if CMD ends with a code from 1 to 125
#   check_is NAME WANT GOT     passes if the two strings are equal
#   check_match NAME RE CMD... passes if CMD succeeds and prints a match of RE
#   waitfor SECONDS CMD...     repeat CMD until it succeeds; SECONDS are scaled
#                              by VNIMESH_SLOW, a guest can be 10 times slower
#   nap SECONDS                sleep without starting a process, not scaled
#   defer CMD...               run CMD at exit, last deferred first
#   ns_add NAME... / ns_del    named network namespaces, removed at exit
#   tap_ok/tap_fail NAME, tap_skip NAME REASON, skip_all REASON, diag TEXT
#   now_ms                     sets REPLY to milliseconds of the wall clock
#   $work                      directory of this test, kept if something fails

VNIMESH_SLOW=${VNIMESH_SLOW:-1}
tap_count=0 tap_failed=0 tap_skipped=0
tap_deferred=()

work=$(mktemp -d "${TMPDIR:-/tmp}/vnimesh-test.XXXXXX")
# A descriptor that never becomes readable: reading it with a time limit is a
# sleep without a process.
exec {tap_never}<> <(:)

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

now_ms() { REPLY=$((${EPOCHREALTIME/./} / 1000)); }

nap() { read -r -t "$1" -u "$tap_never" _ || :; }

tap_ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1${2:+ # $2}"
}

tap_fail() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1${2:+ # $2}"
}

tap_skip() {
	tap_count=$((tap_count + 1))
	tap_skipped=$((tap_skipped + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

skip_all() {
	tap_skip "all" "$*"
	exit 4
}

# tap_run CMD...: runs in this shell, so that functions can set variables; as
# they see ours, too, ours have a prefix. Leaves the code in tap_rc, the
# output in $work/.output, the time in tap_time.
tap_run() {
	local tap_start=${EPOCHREALTIME/./}
	tap_rc=0
	"$@" >"$work/.output" 2>&1 </dev/null || tap_rc=$?
	tap_time="$(((${EPOCHREALTIME/./} - tap_start) / 1000)) ms"
}

# Long output would hide the result; the end of it says most.
tap_output() {
	[ ! -s "$work/.output" ] || tail -n "${VNIMESH_OUTPUT_LINES:-40}" "$work/.output" | sed 's/^/#   /'
}

check() {
	local tap_name=$1
	shift
	tap_run "$@"
	if [ "$tap_rc" = 0 ]; then
		tap_ok "$tap_name" "$tap_time"
		return 0
	fi
	tap_fail "$tap_name" "$tap_time"
	diag "exit code $tap_rc of: $*"
	tap_output
	return 1
}

check_fails() {
	local tap_name=$1
	shift
	tap_run "$@"
	# 126 and more: not executable, not found, killed by a signal. That is
	# not the refusal the test is about.
	if [ "$tap_rc" -gt 0 ] && [ "$tap_rc" -lt 126 ]; then
		tap_ok "$tap_name" "$tap_time"
		return 0
	fi
	tap_fail "$tap_name" "$tap_time"
	diag "exit code $tap_rc instead of a refusal from: $*"
	tap_output
	return 1
}

check_is() {
	if [ "$2" = "$3" ]; then
		tap_ok "$1"
		return 0
	fi
	tap_fail "$1"
	diag "wanted: $2"
	diag "got:    $3"
	return 1
}

check_match() {
	local tap_name=$1 tap_expr=$2
	shift 2
	tap_run "$@"
	if [ "$tap_rc" = 0 ] && grep -Eq -- "$tap_expr" "$work/.output"; then
		tap_ok "$tap_name" "$tap_time"
		return 0
	fi
	tap_fail "$tap_name" "$tap_time"
	diag "exit code $tap_rc, wanted a match of /$tap_expr/ from: $*"
	tap_output
	return 1
}

waitfor() {
	local tap_end=$((${EPOCHREALTIME/./} + $1 * VNIMESH_SLOW * 1000000))
	local tap_patience=$(($1 * VNIMESH_SLOW))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "${EPOCHREALTIME/./}" -ge "$tap_end" ]; then
			# Once more, for what it has to say.
			"$@" && return 0
			echo "not within $tap_patience s: $*"
			return 1
		fi
		nap 0.02
	done
}

defer() { tap_deferred+=("$(printf '%q ' "$@")"); }

ns_add() {
	local ns
	for ns in "$@"; do
		ip netns add "$ns" || return
		ip -n "$ns" link set lo up || return
		defer ns_del "$ns"
	done
}

ns_del() {
	local ns
	for ns in "$@"; do
		[ ! -e "/run/netns/$ns" ] && continue
		ip netns pids "$ns" | xargs -r kill -KILL 2>/dev/null
		ip netns del "$ns"
	done
}

tap_exit() {
	local rc=$? last=$BASH_COMMAND i
	trap - EXIT
	set +e
	for ((i = ${#tap_deferred[@]} - 1; i >= 0; i--)); do
		eval "${tap_deferred[i]}" >/dev/null 2>&1
	done
	if [ "$rc" != 0 ] && [ "$rc" != 4 ] && [ "$tap_failed" = 0 ]; then
		tap_fail "the script runs to its end"
		diag "exit code $rc after: $last"
	fi
	echo "1..$tap_count"
	if [ "$tap_failed" -gt 0 ]; then
		[ ! -d /artifacts ] || cp -r "$work" "/artifacts/" 2>/dev/null
	fi
	rm -rf "$work"
	[ "$tap_failed" = 0 ] || exit 1
	[ "$tap_count" != "$tap_skipped" ] || exit 4
	exit 0
}
trap tap_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
