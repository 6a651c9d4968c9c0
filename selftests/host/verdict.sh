#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shared verdicts: a thousand observers of one death, under the sanitizers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
lib=../../tools/lib agent=../../tools/vnimeshd
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
# shellcheck disable=SC2046 # flags are words
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-I../../uapi -I$lib -I$agent -o "$bin" verdict.c $lib/verdict.c \
	$(pkg-config --cflags --libs libsodium) 2>&1 | sed 's/^/# /'
"$bin"
