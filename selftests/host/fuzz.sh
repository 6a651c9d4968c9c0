#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every parser of what others send, fed with seeds and with what is made of them
# (selftests/fuzz): a fixed number of inputs from a fixed start, so that the same
# sources make the same run. The compiler's sanitizers and each target's own
# statements judge.
#
#	FUZZ_SECONDS=N	each target for so long, from a random start, by libFuzzer
#			if clang has it (make soak)
#	FUZZ_RUNS=N	instead of the number in its seeds' first line
#	FUZZ_KEEP=DIR	what libFuzzer found to reach new code is kept there
#
# Arguments name targets; without any all run.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/lib.sh
. selftests/lib.sh
# shellcheck source=selftests/host/san.sh
. selftests/host/san.sh
fuzz=$PWD/selftests/fuzz

engine=own cc=gcc
if [ -n "${FUZZ_SECONDS-}" ] && echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
	clang -fsanitize=fuzzer -x c - -o "$work/try" 2>/dev/null; then
	engine=libfuzzer cc=clang
fi
# With coverage, so not what san_build has.
out=$san-$engine
mkdir -p "$out"
check "the targets compile" flock "$out/lock" make -s -j2 -C "$fuzz" O="$out" CC=$cc ENGINE=$engine all || exit
san_options

# seeds TARGET: a file for each line.
seeds() {
	local line n=0
	mkdir -p "$work/$1"
	while IFS= read -r line; do
		n=$((n + 1))
		printf %b "$line" >"$work/$1/$n"
	done <"$fuzz/seeds/$1"
}

# Those that start a server or write files for each input get fewer.
declare -A runs=([requests]=250 [control]=500 [services]=3000 [settings]=2000 [stored]=1500 [etcd]=2000 [peer]=4000 [wire]=5000 [json]=5000
	[record]=8000 [inside]=3000)
drive() {
	local dirs=("$work/$1") args
	if [ -z "${FUZZ_SECONDS-}" ]; then
		args=(-runs="${FUZZ_RUNS:-${runs[$1]:-20000}}" -seed=1)
	elif [ $engine = own ]; then
		args=(-runs=$((${runs[$1]:-20000} * FUZZ_SECONDS / 2)) -seed="$RANDOM")
	else
		if [ -n "${FUZZ_KEEP-}" ]; then
			mkdir -p "$FUZZ_KEEP/$1"
			dirs=("$FUZZ_KEEP/$1" "${dirs[@]}")
		fi
		args=(-max_total_time="$FUZZ_SECONDS" -timeout=60 -rss_limit_mb=1024 -max_len=4096)
	fi
	(cd "$work" && "$out/fuzz/$1" "${args[@]}" "${dirs[@]}" 2>&1 | tail -n 60; exit "${PIPESTATUS[0]}")
}

# Its input belongs into seeds/TARGET.
show_crash() {
	local file
	for file in "$work"/crash-* "$work"/timeout-* "$work"/leak-* "$work"/oom-*; do
		[ ! -s "$file" ] || diag "$(base64 -w 0 <"$file")"
	done
}

for file in "$fuzz"/seeds/*; do
	name=${file##*/}
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	seeds "$name"
	if check "$name" drive "$name"; then
		diag "$(tail -n 1 "$work/.output")"
	else
		show_crash
	fi
done
missing=$(for file in "$fuzz"/*.c; do
	name=${file##*/} name=${name%.c}
	case $name in common | driver | gateway) ;; *) [ -e "$fuzz/seeds/$name" ] || echo "$name" ;; esac
done)
check_is "every target has seeds" "" "$missing"
