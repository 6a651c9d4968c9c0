#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The coordinator's tests under the address and undefined behaviour sanitizers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(mktemp -d "${TMPDIR:-/tmp}/coordinator-san.XXXXXX")
# Sources may be shared with a build that is under way: objects go elsewhere.
if ! make -s -C "$here/../../tools" SAN=1 CFLAGS='-O1 -g' O="$build" -j2 \
	vnimesh-coordinator >"$build/log" 2>&1; then
	tail -n 20 "$build/log" | sed 's/^/# /'
	echo "not ok 1 - compiles with sanitizers"
	echo "1..1"
	rm -rf "$build"
	exit 1
fi
trap 'rm -rf "$build"' EXIT
# The leak check at exit stops the process with ptrace(2), which not every
# machine allows; valgrind finds leaks too.
ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1 \
	COORDINATOR_SAN=1 COORDINATOR=$build/coordinator/vnimesh-coordinator "$here/coordinator.sh"
