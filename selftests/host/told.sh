#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What an agent is told at run time, under the sanitizers: how long registrations
# and intent live, what a failing disk leaves of them, whose share they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=selftests/host/san.sh
. selftests/host/san.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t objects < <(san_agent)
{ san_build vnimeshd && san_link "$work/told" selftests/host/told{,_share}.c \
	-Wl,--wrap=malloc,--wrap=realloc "${objects[@]}"; } 2>&1 | sed 's/^/# /'
# The leak check at exit stops the process with ptrace(2), which not every
# machine allows.
ASAN_OPTIONS=detect_leaks=${LEAKS:-0} "$work/told" "$work" 2>"$work/log" || { sed 's/^/# /' "$work/log"; exit 1; }
