#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the selection promises, by simulation: a short run. The whole table is
# printed by "make sim".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
kmod=../../kmod
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Werror -I../../uapi -o "$bin" ../sim/sim.c \
	$kmod/{aggregate,select,maglev}.c -lm 2>&1 | sed 's/^/# /'
"$bin" -c
