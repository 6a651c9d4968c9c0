# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The agent's checks against servers of a test, by checkrun. Sourced after
# lib.sh, in a network namespace of its own.
#
#	checkrun_build		$work/checkrun, with the sanitizers
#	checkrun_start ADDRESS	run the definitions of $work/d against ADDRESS
#	is TAG/VNI EXPR		what its check said last
#	says NAME TAG/VNI EXPR	a test: it comes to say that
#	spawn NAME CMD...	a server; ${pid[NAME]}
#	halt NAME [SIGNAL]	end it, and wait until it is gone

# shellcheck source=selftests/host/san.sh
. selftests/host/san.sh
declare -gA pid=()

checkrun_build() {
	local objects
	mapfile -t objects < <(san_agent)
	san_build vnimeshd && san_link "$work/checkrun" -Wl,--wrap=sendmsg \
		selftests/host/checkrun.c "${objects[@]}"
}

checkrun_start() {
	mkfifo "$work/in"
	exec {in}<>"$work/in"
	ASAN_OPTIONS=detect_leaks=0 "$work/checkrun" "$work/d" "$1" <"$work/in" >"$work/said" 2>"$work/checkrun.err" &
	pid[checkrun]=$!
	disown "${pid[checkrun]}"
	waitfor 5 checkrun_begun
}

checkrun_begun() {
	cat "$work/checkrun.err"
	[ -s "$work/said" ]
}

spawn() {
	local name=$1
	shift
	"$@" </dev/null >"$work/$name.log" 2>&1 &
	pid[$name]=$!
	disown "${pid[$name]}"
}

gone() { ! kill -0 "${pid[$1]}" 2>/dev/null; }

halt() {
	kill "-${2:-KILL}" "${pid[$1]}"
	waitfor 10 gone "$1"
}

checkrun_cleanup() {
	local name
	for name in "${!pid[@]}"; do
		# A stopped one must go on to die with its children.
		pkill -KILL -P "${pid[$name]}" 2>/dev/null
		kill -KILL "${pid[$name]}" 2>/dev/null
	done
}
defer checkrun_cleanup

is() {
	local line
	gone checkrun && tail -n 20 "$work/checkrun.err"
	line=$(grep "^$1 " "$work/said" | tail -n 1)
	echo "$line"
	grep -Eq "^$1 $2" <<<"$line"
}

says() {
	check "$1" waitfor 20 is "$2" "$3"
}
