// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper of checks from inside: finds the network namespace that a VNI's
 * device is in, makes a socket there, hands it over.
 *
 * It keeps no namespace open between two requests: that would keep a container
 * that is gone, its devices with it. What it remembers is a path.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"
#include "log.h"
#include "loop.h"
#include "netns.h"
#include "rtnl.h"

/* VNIs whose place is remembered; others are sought each time. */
#define PLACES_MAX	1024
#define PATH_LEN	256
/* A helper that dies young waits longer for its successor each time. */
#define DELAY_MS	100
#define DELAY_MAX_MS	10000
#define YOUNG_US	(10 * LOOP_USEC_PER_SEC)

struct place {
	uint32_t mesh, vni;	/* 0: free */
	char path[PATH_LEN];	/* "": this one */
};

struct helper {
	inside_match_fn match;
	int sock, home;
	struct place places[PLACES_MAX];
};

bool inside_match(struct vnm_nl *nl, const struct inside_device *device)
{
	struct vnm_link link;
	struct vnm_error e;

	return !vnm_rtnl_link_get(nl, device->ifindex, -1, &link, &e) &&
	       link.vni == device->vni && link.mesh == device->mesh;
}

static struct place *place_of(struct helper *h, const struct inside_device *d)
{
	return &h->places[d->vni % PLACES_MAX];
}

/* The namespace that we are in has the device. */
static bool is_here(struct helper *h, const struct inside_device *device)
{
	struct vnm_error e;
	struct vnm_nl *nl;
	bool ret;

	if (vnm_rtnl_open(&nl, &e))
		return false;
	ret = h->match(nl, device);
	vnm_nl_close(nl);
	return ret;
}

static void go_home(const struct helper *h)
{
	/* To go on in the wrong namespace would answer for the wrong one. */
	if (setns(h->home, CLONE_NEWNET))
		_exit(1);
}

struct search {
	struct helper *h;
	const struct inside_request *r;
	int fd;			/* of what was found, or a negative errno */
};

static int make(const struct inside_request *r)
{
	int fd = socket(r->family, r->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static bool visit(int netns, const char *path, void *arg)
{
	struct search *s = arg;
	const struct inside_device *device = &s->r->device;
	struct place *place = place_of(s->h, device);
	bool found;

	if (setns(netns, CLONE_NEWNET)) {
		if (errno == EPERM)
			s->fd = -EPERM;
		return false;
	}
	found = is_here(s->h, device);
	if (found)
		s->fd = make(s->r);
	go_home(s->h);
	if (found && path != place->path && strlen(path) < PATH_LEN) {
		place->mesh = device->mesh;
		place->vni = device->vni;
		strcpy(place->path, path);
	}
	return found;
}

static bool visit_place(struct search *s)
{
	struct place *place = place_of(s->h, &s->r->device);
	bool found;
	int fd;

	if (place->vni != s->r->device.vni || place->mesh != s->r->device.mesh)
		return false;
	fd = open(place->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	found = visit(fd, place->path, s);
	close(fd);
	return found;
}

static int look_for(struct helper *h, const struct inside_request *r)
{
	struct search s = { .h = h, .r = r, .fd = -ENOENT };

	if ((r->family != AF_INET && r->family != AF_INET6) ||
	    (r->type != SOCK_STREAM && r->type != SOCK_DGRAM))
		return -EINVAL;
	if (visit_place(&s))
		return s.fd;
	if (is_here(h, &r->device))
		return make(r);
	vnm_netns_each(visit, &s);
	return s.fd;
}

static void reply(const struct helper *h, uint32_t id, int fd)
{
	struct inside_reply r = {
		.id = id, .err = fd < 0 ? fd : 0, .pid = getpid(),
	};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .align = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	} };
	struct iovec iov = { &r, sizeof(r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
	}
	/* Waits while the agent does not read: so do its asks. */
	sendmsg(h->sock, &msg, MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
}

void inside_serve(int sock, inside_match_fn match)
{
	static struct helper h;
	struct inside_request r;
	ssize_t n;

	memset(&h, 0, sizeof(h));
	h.match = match;
	h.sock = sock;
	h.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (h.home < 0)
		return;
	for (;;) {
		n = recv(sock, &r, sizeof(r), 0);
		if (n == sizeof(r))
			reply(&h, r.id, look_for(&h, &r));
		else if (!n || (n < 0 && errno != EINTR))
			break;
	}
	close(h.home);
}

static void __attribute__((noreturn)) work(int sock, inside_match_fn match)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "vnm-inside");
	err = inside_jail_calls();
	if (err)
		log_debug("the helper of checks from inside has no seccomp: %s",
			  strerror(-err));
	inside_serve(sock, match);
	_exit(0);
}

/* Whoever asked is gone. */
static bool is_over(int sock)
{
	char c;

	return !recv(sock, &c, sizeof(c), MSG_PEEK | MSG_DONTWAIT);
}

static void __attribute__((noreturn)) keep(int sock, inside_match_fn match)
{
	unsigned int delay = 0;
	struct timespec ts;
	uint64_t began;
	int status;
	pid_t pid;

	for (;;) {
		began = loop_now();
		pid = fork();
		if (!pid)
			work(sock, match);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			status = -1;
		if (is_over(sock))
			_exit(0);
		delay = !delay || loop_now() - began > YOUNG_US ? DELAY_MS :
			delay * 2;
		if (delay > DELAY_MAX_MS)
			delay = DELAY_MAX_MS;
		log_warn("the helper of checks from inside died (%s %d), another one in %u ms",
			 WIFSIGNALED(status) ? "signal" : "code",
			 WIFSIGNALED(status) ? WTERMSIG(status) :
					       WEXITSTATUS(status), delay);
		ts.tv_sec = delay / 1000;
		ts.tv_nsec = delay % 1000 * 1000000L;
		nanosleep(&ts, NULL);
	}
}

/* Whoever stops the agent stops us by that: we end with its socket. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1,
				       SIGPIPE };
	unsigned int i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

/* All descriptors but the standard ones and @sock, which becomes 3. */
static int only(int sock)
{
	if (sock != 3 && dup2(sock, 3) < 0)
		_exit(1);
	syscall(SYS_close_range, 4, ~0U, 0);
	return 3;
}

int inside_spawn(inside_match_fn match)
{
	int pair[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (!pid) {
		ignore_signals();
		prctl(PR_SET_NAME, "vnm-inside-keep");
		if (chdir("/") || inside_jail_caps())
			_exit(1);
		keep(only(pair[1]), match);
	}
	err = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (!err)
		err = inside_jail_give();
	if (err) {
		close(pair[0]);
		return err;
	}
	return pair[0];
}
