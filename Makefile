# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make                 module and tools
#   make module KDIR=... module, for the kernel whose build directory is KDIR
#   make tools           vnimesh, vnimeshd, vnimesh-coordinator, ...
#   make selftests       helper programs of the tests
#   make install         module and tools (DESTDIR, PREFIX)
#   make sim             the simulation of the choice, and its table
#   make check, demo     all tests, a demonstration; both in a virtual machine
#   make check-kernels   those that depend on the kernel, on 6.1, 6.12 and Debian's newest
#   make check-debug     all tests on a kernel with KASAN, lockdep, failing memory, ...,
#                        then those of the module on one for several processors
#   make check-static    W=1 of gcc and clang, sparse, coccicheck, checkpatch, shellcheck
#   make soak            100,000 flows of a member that dies, 10,000 past one that
#                        fails; a million hostile datagrams to an agent; ten deaths
#                        of each coordinator and etcd member, and of the leader; 10,000 slow
#                        clients; MariaDB's primary, too; 30 losses of power; the
#                        three below
#   make check-san, check-valgrind
#                        the tests of agent, coordinator and tool under sanitizers
#                        with leak check, under valgrind; then those of whole meshes
#   make fuzz            each parser of others' input for FUZZ_SECONDS by libFuzzer
#   make kunit           unit tests, in User Mode Linux
#   make bench-quick     what a packet costs, beside other ways, likewise

VERSION := 0.1.0
KDIR    ?= /lib/modules/$(shell uname -r)/build
PREFIX  ?= /usr/local
DESTDIR ?=

export VERSION PREFIX DESTDIR

all: module tools

module:
	@test -e $(KDIR)/Makefile || { \
		echo "make: no kernel headers in $(KDIR)." >&2; \
		echo "Install them (Debian: linux-headers-amd64) or name another" \
			"kernel: make module KDIR=/lib/modules/VERSION/build" >&2; \
		exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

# A subdirectory takes part once it has a Makefile.
subdir = if [ -e $(1)/Makefile ]; then $(MAKE) -C $(1) $(2); \
	else echo "$(1): nothing to $(2)"; fi

tools:
	+@$(call subdir,tools,all)

# The helpers use the tools' library.
selftests: tools
	+@$(call subdir,selftests,all)

# Both ends of a flow, for the benchmark.
pump:
	$(MAKE) -C $(KDIR) M=$(CURDIR)/selftests/uml/pump modules

install-module: module
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) \
		INSTALL_MOD_DIR=updates modules_install
	@$(if $(DESTDIR),:,depmod -a)

install-tools:
	+@$(call subdir,tools,install)

install: install-module install-tools

sim:
	+@$(MAKE) -s -C selftests/sim table

check demo:
	selftests/$@

check-kernels:
	selftests/check -k 6.1 -k 6.12 -k newest

soak:
	selftests/vm/build
	selftests/vm/run -m 6144 -t 3000 -e VNIMESH_ABORT_FLOWS=100000 -- selftests/test_abort_many.sh
	selftests/vm/run -t 3000 -e VNIMESH_FLOOD=1000000 -- selftests/test_flood.sh
	selftests/vm/chroot env VNIMESH_SOAK=1 selftests/host/peers.sh
	selftests/vm/run -t 3000 -e EJECT_FLOWS=10000 -- selftests/test_eject.sh
	selftests/vm/chroot env STORE_ROUNDS=10 STORE_RATE=50 selftests/host/store_etcd.sh
	selftests/vm/chroot env API_SLOW=10000 selftests/host/api.sh
	selftests/vm/run -m 2048 -t 3000 -e VNIMESH_FULL=1 -- selftests/test_primary.sh
	selftests/vm/powerfail -n 30
	selftests/vm/powerfail -n 5 -o
	+$(MAKE) check-san check-valgrind fuzz FUZZ_SECONDS=600

check-san:
	selftests/vm/build tools
	selftests/vm/chroot env VNIMESH_LEAKS=1 selftests/host/lane san
	selftests/check -s

check-valgrind:
	selftests/vm/build tools
	selftests/vm/chroot -l selftests/host/lane valgrind
	selftests/check -g

fuzz:
	selftests/vm/build tools
	selftests/vm/chroot -l env FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) selftests/host/fuzz.sh

check-debug:
	selftests/check -d -u
	selftests/check -d

check-static:
	selftests/static

kunit:
	selftests/uml/kunit

bench-quick:
	selftests/uml/bench

clean:
	@test ! -e $(KDIR)/Makefile || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	+@$(call subdir,tools,clean)
	+@$(call subdir,selftests,clean)
	+@$(call subdir,selftests/sim,clean)

.PHONY: all module tools selftests pump install install-module install-tools \
	sim check demo check-kernels check-debug check-static check-san check-valgrind \
	fuzz soak kunit bench-quick \
	clean
