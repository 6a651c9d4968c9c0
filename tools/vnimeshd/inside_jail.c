// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the helper of checks from inside may do: enter network namespaces, make
 * sockets, hand them over. Files are opened for reading alone, no program is
 * run, no other process is touched, although CAP_SYS_ADMIN would allow nearly
 * everything.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "inside.h"

#if defined(__x86_64__)
#define JAIL_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define JAIL_ARCH	AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define JAIL_ARCH	AUDIT_ARCH_RISCV64
#endif

struct caps {
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3];
};

static struct __user_cap_header_struct header = {
	.version = _LINUX_CAPABILITY_VERSION_3,
};

static int caps_get(struct caps *c)
{
	return syscall(SYS_capget, &header, c->set) ? -errno : 0;
}

static int caps_set(const struct caps *c)
{
	return syscall(SYS_capset, &header, c->set) ? -errno : 0;
}

#define ADMIN_WORD	CAP_TO_INDEX(CAP_SYS_ADMIN)
#define ADMIN_BIT	CAP_TO_MASK(CAP_SYS_ADMIN)

int inside_jail_give(void)
{
	struct caps c;
	int err;

	err = caps_get(&c);
	if (err)
		return err;
	if (!(c.set[ADMIN_WORD].permitted & ADMIN_BIT))
		return -EPERM;
	/* Nothing that is executed gets it back. Without CAP_SETPCAP that is
	 * not for us to say.
	 */
	prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0);
	c.set[ADMIN_WORD].effective &= ~ADMIN_BIT;
	c.set[ADMIN_WORD].permitted &= ~ADMIN_BIT;
	c.set[ADMIN_WORD].inheritable &= ~ADMIN_BIT;
	return caps_set(&c);
}

int inside_jail_caps(void)
{
	struct caps c = { 0 };
	unsigned int i;

	for (i = 0; i <= CAP_LAST_CAP; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	c.set[ADMIN_WORD].effective = ADMIN_BIT;
	c.set[ADMIN_WORD].permitted = ADMIN_BIT;
	return caps_set(&c);
}

#ifdef JAIL_ARCH

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SAY(what)	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##what)
#define ALLOW(nr) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##nr, 0, 1), SAY(ALLOW)
/* Of system call @nr the next @n statements decide. */
#define RULES(nr, n)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##nr, 0, n)
#define IS(v, yes, no)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, yes, no)
/* The lower half, where the machines that we know have it. */
#define ARG(n)		LOAD(args[n])
#define WRITES	(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND)

static struct sock_filter filter[] = {
	LOAD(arch),
	IS(JAIL_ARCH, 1, 0),
	SAY(KILL_PROCESS),
	LOAD(nr),
	RULES(setns, 4),
	ARG(1),
	IS(CLONE_NEWNET, 0, 1),
	SAY(ALLOW),
	SAY(ERRNO | EPERM),
	RULES(socket, 6),
	ARG(0),
	IS(AF_INET, 2, 0),
	IS(AF_INET6, 1, 0),
	IS(AF_NETLINK, 0, 1),
	SAY(ALLOW),
	SAY(ERRNO | EPERM),
	RULES(openat, 4),
	ARG(2),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, WRITES, 1, 0),
	SAY(ALLOW),
	SAY(ERRNO | EPERM),
	ALLOW(recvmsg), ALLOW(sendmsg), ALLOW(recvfrom), ALLOW(sendto),
	ALLOW(read), ALLOW(write), ALLOW(close), ALLOW(fstat), ALLOW(lseek),
	ALLOW(getdents64), ALLOW(fcntl), ALLOW(bind), ALLOW(getsockname),
	ALLOW(setsockopt), ALLOW(getsockopt), ALLOW(ppoll), ALLOW(brk),
	ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise),
	ALLOW(futex), ALLOW(getpid), ALLOW(gettid), ALLOW(clock_gettime),
	ALLOW(gettimeofday), ALLOW(getrandom), ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn), ALLOW(sigaltstack), ALLOW(exit_group),
#ifdef __NR_poll
	ALLOW(poll),
#endif
#ifdef __NR_time
	ALLOW(time),
#endif
#ifdef __NR_newfstatat
	ALLOW(newfstatat),
#endif
	SAY(ERRNO | EPERM),
};

int inside_jail_calls(void)
{
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter,
	};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

#else

int inside_jail_calls(void)
{
	return -EOPNOTSUPP;
}

#endif
