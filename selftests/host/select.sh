#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The selection, from the file that the module is built of.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
${CC:-cc} -O1 -Wall -Wextra -Werror -I ../../uapi -fsanitize=undefined -fno-sanitize-recover \
	-o "$bin" select.c 2>&1 | sed 's/^/# /'
"$bin"
