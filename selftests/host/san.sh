# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The programs with the address and undefined behaviour sanitizers, compiled once
# for all tests of a checkout. Sourced from the top directory.
#
#	san_build PROGRAM...		into $san, with all objects that they consist of
#	san_link OUT FILE...		a program of OUT's own from C files, objects and
#					options: vnimeshd/NAME.o or lib/NAME.o of $san
#					are enough
#	san_options [PATH]		what the sanitizers are to do; reports to PATH...
#
# The objects stay where the test runner keeps what it builds.

san=${TMPDIR:-/tmp}/vnimesh-san
[ ! -d /out/stage ] || san=/out/san

san_build() {
	mkdir -p "$san"
	flock "$san" make -s -C tools SAN=1 CFLAGS='-O1 -g' O="$san" -j2 "$@"
}

san_link() {
	local target=$1 file words=()
	shift
	for file in "$@"; do
		[[ $file == *.c || $file == -* ]] || file=$san/$file
		words+=("$file")
	done
	# shellcheck disable=SC2046 # flags are words
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror \
		-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
		-Iuapi -Itools/lib -Itools/vnimeshd -Iselftests/host \
		$(pkg-config --cflags jansson libnl-3.0 libnl-route-3.0 libpq libmariadb) \
		-o "$target" "${words[@]}" "$san/lib/libvnimesh.a" \
		$(pkg-config --libs libnl-3.0 libnl-genl-3.0 libnl-route-3.0 jansson nettle \
			libcurl libsystemd gnutls libsodium libpq libmariadb)
}

# The agent's objects but its main().
san_agent() {
	local file
	for file in tools/vnimeshd/*.c; do
		file=${file##*/}
		[ "$file" = main.c ] || echo "vnimeshd/${file%.c}.o"
	done
}

# The leak check at exit stops the process with ptrace(2), which not every machine
# allows; and one in some hundred processes it stopped for ever, so only lanes that
# somebody looks at ask for it (VNIMESH_LEAKS=1).
san_options() {
	local leaks=${VNIMESH_LEAKS:-0}
	if [ "$leaks" = 1 ] && ! { echo 'int main(void) { return 0; }' |
		gcc -fsanitize=address -x c - -o "$work/leaks" && "$work/leaks"; } 2>/dev/null; then
		leaks=0
		diag "no leak check on this machine"
	fi
	export ASAN_OPTIONS=detect_leaks=$leaks:abort_on_error=1${1:+:log_path=$1}
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1${1:+:log_path=$1}
}
