// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program as a check: exit code 0 passes, 1 warns, all else fails. Off
 * unless the host's configuration allows it.
 *
 * It runs without privileges in a process group of its own, which is killed
 * as a whole when the time is up. Whoever could change the program could be
 * anybody: such a one is not run.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_probe.h"

/* nobody, by Debian's and most others' count */
#define EXEC_UID	65534
#define EXEC_OUTPUT_MAX	4096
/* Programs at once, and such that were killed and do not die. */
#define EXEC_MAX	64
#define EXEC_KILLED_MAX	(2 * EXEC_MAX)
/* Reads in one turn of the loop, a full pipe: what writes faster than that has
 * no right to the time of others, this check's own timeout among them.
 */
#define EXEC_READS	16

struct exec {
	struct probe p;
	struct source *out_io, *end_io;
	int out, end;		/* pipe, pidfd */
	pid_t pid;		/* 0: none, or reaped */
	size_t n;
	char said[EXEC_OUTPUT_MAX];
};

/* Killed, but the kernel has not let go of them yet: a dead file server can
 * make that take long, and nobody waits for it here.
 */
static pid_t killed[EXEC_KILLED_MAX];
static unsigned int n_killed;
static unsigned int running;

static void reap(void)
{
	unsigned int i = 0;

	while (i < n_killed) {
		if (waitpid(killed[i], NULL, WNOHANG))
			killed[i] = killed[--n_killed];
		else
			i++;
	}
}

static void exec_free(struct probe *p)
{
	struct exec *e = (struct exec *)p;

	source_free(&e->out_io);
	source_free(&e->end_io);
	if (e->pid) {
		kill(-e->pid, SIGKILL);
		kill(e->pid, SIGKILL);
		/* There is room: exec_start() sees to it. */
		killed[n_killed++] = e->pid;
		reap();
	}
	if (e->out >= 0)
		close(e->out);
	if (e->end >= 0)
		close(e->end);
	running--;
	free(e);
}

/* The first line of what it said last. */
static const char *said(struct exec *e, char *buf, size_t len)
{
	return talk_printable(buf, len, e->said, strcspn(e->said, "\n"));
}

static void read_output(struct exec *e)
{
	char rest[4096];
	unsigned int i;
	ssize_t n = 1;

	for (i = 0; n > 0 && i < EXEC_READS; i++) {
		if (e->n < sizeof(e->said) - 1)
			n = read(e->out, e->said + e->n,
				 sizeof(e->said) - 1 - e->n);
		else
			n = read(e->out, rest, sizeof(rest));
		if (n > 0 && e->n < sizeof(e->said) - 1)
			e->n += n;
	}
	e->said[e->n] = '\0';
	/* Closed by all that had it; the end is told by the process. */
	if (!n)
		source_free(&e->out_io);
}

static void on_output(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	read_output(data);
}

/* False: it still runs. */
static bool ended(struct exec *e)
{
	uint32_t us = loop_now() - e->p.started_us;
	siginfo_t end = { 0 };
	char text[128];
	int status;

	if (waitid(P_PID, e->pid, &end, WEXITED | WNOHANG | WNOWAIT) ||
	    end.si_pid != e->pid)
		return false;
	/* What it left behind in its group goes with it, before it can say
	 * more; until it is reaped, the group is nobody else's.
	 */
	kill(-e->pid, SIGKILL);
	waitpid(e->pid, &status, 0);
	e->pid = 0;
	read_output(e);
	said(e, text, sizeof(text));
	if (WIFSIGNALED(status))
		probe_end(&e->p, HEALTH_FAIL, 0, "killed by signal %d: %s",
			  WTERMSIG(status), text);
	else if (!WEXITSTATUS(status))
		probe_end(&e->p, HEALTH_PASS, us, "exit 0: %s", text);
	else if (WEXITSTATUS(status) == 127 && !e->n)
		probe_end(&e->p, HEALTH_FAIL, 0, "%s cannot be run",
			  e->p.want.conf->argv[0]);
	else
		probe_end(&e->p, WEXITSTATUS(status) == 1 ? HEALTH_WARN :
			  HEALTH_FAIL, us, "exit %d: %s", WEXITSTATUS(status),
			  text);
	return true;
}

static void on_end(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	ended(data);
}

static void expired(struct probe *p)
{
	struct exec *e = (struct exec *)p;
	char text[128];

	if (ended(e))
		return;
	kill(-e->pid, SIGKILL);
	read_output(e);
	said(e, text, sizeof(text));
	probe_timeout(p, "still running after %u ms, killed: %s",
		      p->want.timeout_ms, text);
}

static const struct probe_ops ops = {
	.expired = expired,
	.free = exec_free,
};

/* NULL: nobody but root and us can change what would run. */
static const char *unsafe(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	if (st.st_uid && st.st_uid != geteuid())
		return "belongs neither to root nor to this process";
	if (st.st_mode & 022)
		return "can be changed by others than its owner";
	return NULL;
}

static void __attribute__((noreturn))
run(const struct probe_want *want, int out)
{
	char address[IP_TEXT_MAX + 32], port[48], tag[TAG_MAX + 32], vni[48];
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = { path, address, port, tag, vni, NULL };
	char text[IP_TEXT_MAX];
	sigset_t none;
	int null;

	snprintf(address, sizeof(address), "VNIMESH_ADDRESS=%s",
		 ip_text(&want->addr, text));
	snprintf(port, sizeof(port), "VNIMESH_PORT=%u", want->conf->port);
	snprintf(tag, sizeof(tag), "VNIMESH_TAG=%s", want->tag);
	snprintf(vni, sizeof(vni), "VNIMESH_VNI=%u", want->vni);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	/* All others are close-on-exec, but who knows every library. */
	syscall(SYS_close_range, 3, ~0U, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!geteuid() && (setgroups(0, NULL) || setgid(EXEC_UID) ||
			   setuid(EXEC_UID)))
		_exit(126);
	if (chdir("/"))
		_exit(126);
	execve(want->conf->argv[0], want->conf->argv, env);
	_exit(127);
}

static int spawn(struct exec *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	e->out = fds[0];
	e->pid = fork();
	if (!e->pid) {
		/* Programs expect a pipe that waits. */
		fcntl(fds[1], F_SETFL, 0);
		run(&e->p.want, fds[1]);
	}
	close(fds[1]);
	if (e->pid < 0) {
		e->pid = 0;
		return -errno;
	}
	/* Also here: the group must be there before anybody kills it. */
	setpgid(e->pid, e->pid);
	e->end = syscall(SYS_pidfd_open, e->pid, 0);
	return e->end < 0 ? -errno : 0;
}

int exec_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
	       void *data)
{
	struct probe *p;
	const char *why;
	struct exec *e;
	int err = 0;

	reap();
	if (running >= EXEC_MAX || n_killed >= EXEC_KILLED_MAX - EXEC_MAX)
		return -EAGAIN;
	e = probe_new(sizeof(*e), &ops, want, fn, data);
	if (!e)
		return -ENOMEM;
	p = (struct probe *)e;
	running++;
	e->out = -1;
	e->end = -1;
	why = unsafe(want->conf->argv[0]);
	if (why) {
		probe_early(p, HEALTH_FAIL, "%s: %s", want->conf->argv[0], why);
		*ret = p;
		return 0;
	}
	err = spawn(e);
	if (!err)
		err = loop_io(want->loop, &e->out_io, e->out, EPOLLIN,
			      on_output, e);
	if (!err)
		err = loop_io(want->loop, &e->end_io, e->end, EPOLLIN, on_end,
			      e);
	if (err) {
		probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
