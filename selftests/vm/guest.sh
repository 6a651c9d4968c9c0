# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What process 1 of any guest does before and after the command: sourced there.

# give_entropy FILE: a guest has none of its own. Who asks for random numbers would
# wait for minutes in User Mode Linux; and when an emulated one has enough at last, it
# changes its code under the other processor, which panics now and then in emulation.
give_entropy() {
	python3 - "$1" <<-'END'
		import fcntl, struct, sys
		RNDADDENTROPY = 0x40085203
		seed = open(sys.argv[1], "rb").read()
		with open("/dev/random", "wb") as random:
		    fcntl.ioctl(random, RNDADDENTROPY, struct.pack("ii", len(seed) * 8, len(seed)) + seed)
	END
}

# What the kernel prepares at the first use of TCP and UDP it switches on by changing
# its own code, soon after it. Here nobody runs that on the other processor meanwhile.
first_sockets() {
	ip link set lo up
	python3 - <<-'END'
		import socket
		for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
		    server = socket.create_server((host, 0), family=family)
		    client = socket.create_connection(server.getsockname()[:2])
		    server.accept()[0].send(b"x")
		    client.recv(1)
		    udp = socket.socket(family, socket.SOCK_DGRAM)
		    udp.bind((host, 0))
		    udp.connect(udp.getsockname()[:2])
		    udp.send(b"x")
		    udp.recv(1)
	END
	sleep 0.2
	ip link set lo down
}

# slowness LEAST: how much slower than a plain machine is this? Tests scale their
# patience by it. 6000 rounds take less than 18 ms natively; a guest shares the host
# with whatever else runs there, so never assume less than LEAST.
slowness() {
	local start=${EPOCHREALTIME/./} slow i
	for ((i = 0; i < 6000; i++)); do :; done
	slow=$(((${EPOCHREALTIME/./} - start + 17999) / 18000))
	((slow >= $1)) || slow=$1
	((slow <= 50)) || slow=50
	echo "$slow"
}

kmemleak=/sys/kernel/debug/kmemleak

# True if this kernel looks for leaks: from now on, for those of the command.
watch_leaks() {
	[ -w "$kmemleak" ] || return
	echo scan=off >"$kmemleak"
	echo clear >"$kmemleak"
}

# complaints MARK: unload the module and print what is wrong: a reference that was
# lost, a leak, what the kernel said after MARK.
complaints() {
	local pattern i leaks
	# A module that cannot be removed now has lost a reference. What it reports
	# while going, and what it leaves behind, is part of the verdict.
	if [ -d /sys/module/vnimesh ]; then
		for ((i = 0; i < 20; i++)); do
			modprobe -r vnimesh 2>/dev/null && break
			sleep 0.2
		done
		[ ! -d /sys/module/vnimesh ] ||
			echo "vnimesh cannot be unloaded, use count $(cat /sys/module/vnimesh/refcnt)"
	fi
	if [ -w "$kmemleak" ]; then
		# Only what is older than 5 s is reported, and only at the second look.
		echo scan >"$kmemleak"
		sleep 6
		echo scan >"$kmemleak"
		leaks=$(head -c 20000 "$kmemleak")
		[ -z "$leaks" ] || echo "$leaks"
	fi
	pattern='BUG|WARNING|Oops|KASAN|KCSAN|UBSAN|possible recursive|unreferenced object'
	pattern+='|refcount|unregister_netdevice: waiting|page allocation failure'
	pattern+='|circular locking|inconsistent lock|suspicious RCU|ODEBUG|soft lockup'
	pattern+='|detected stall|blocked for more than|\[vnimesh\] enqueued on deprecated'
	dmesg | sed "1,/$1/d" | grep -E "$pattern" |
		grep -v 'unreliable refcount tracker' # failslab hit the tracker itself
}
