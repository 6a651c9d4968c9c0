/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets in the network namespace of a VNI, for checks that look at a member
 * from inside. They are made by a helper, the one process with the right to
 * enter a namespace; it hands them over unconnected and does nothing else.
 *
 * The helper is made by inside_spawn() before anything else runs, from when on
 * this process has that right no more. It is two processes: one that enters
 * namespaces, and one that makes another such when it dies. Both end with the
 * socket of this one.
 *
 * Ownership: an ask is the asker's until its callback runs, after which it is
 * gone; inside_cancel() ends it without one. The callback never runs from
 * within inside_ask(). The socket that it gets is its own to close.
 */
#ifndef VNIMESHD_INSIDE_H
#define VNIMESHD_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

struct vnm_nl;

/* Asks at once; more are refused with -EAGAIN. */
#define INSIDE_MAX		256
/* The helper answers within that, or the ask fails with -ETIMEDOUT. */
#define INSIDE_TIMEOUT_MS	1000

/* Which device: the one of @vni of mesh @mesh, with index @ifindex in its own
 * namespace.
 */
struct inside_device {
	uint32_t mesh, vni, ifindex;
};

struct inside_request {
	uint32_t id;
	struct inside_device device;
	int32_t family;		/* AF_INET, AF_INET6 */
	int32_t type;		/* SOCK_STREAM, SOCK_DGRAM */
};

struct inside_reply {
	uint32_t id;
	int32_t err;		/* 0: the socket comes with it; a negative errno */
	int32_t pid;		/* of who answers */
};

/* Whether what @nl sees has the device of the request. */
typedef bool (*inside_match_fn)(struct vnm_nl *nl,
				const struct inside_device *device);
/* The one of the module. */
bool inside_match(struct vnm_nl *nl, const struct inside_device *device);

/* Starts the helper and gives the right away. The socket to it, or a negative
 * errno; -EPERM without the right.
 */
int inside_spawn(inside_match_fn match);

/* Of the helper, in inside_jail.c: give up every capability but CAP_SYS_ADMIN,
 * and every system call that it does not need. A negative errno: not possible.
 */
int inside_jail_caps(void);
int inside_jail_calls(void);
/* Of the agent: give up just CAP_SYS_ADMIN. -EPERM: it was not there. */
int inside_jail_give(void);

/* The helper's own loop; ends when the other side of @sock does. */
void inside_serve(int sock, inside_match_fn match);

struct inside;
struct inside_ask;

/* @fd: the socket, or a negative errno. */
typedef void (*inside_fn)(void *data, int fd);
/* The device of @vni on this host. False: there is none. */
typedef bool (*inside_find_fn)(void *data, uint32_t vni,
			       struct inside_device *ret);

struct inside_stats {
	uint64_t asked, answered, failed, late;
	uint64_t restarts;	/* of the helper, as far as it answered since */
};

/* @sock is taken over; a negative errno instead of one is what all asks fail
 * with.
 */
int inside_new(struct inside **ret, struct loop *loop, int sock,
	       inside_find_fn find, void *data);
void inside_free(struct inside *in);

/* 0 or a negative errno: -EAGAIN, there are too many already. */
int inside_ask(struct inside *in, struct inside_ask **ret, uint32_t vni,
	       int family, int type, inside_fn fn, void *data);
/* Ends *a, if any, and clears the pointer. */
void inside_cancel(struct inside_ask **a);

const struct inside_stats *inside_stats(const struct inside *in);

/* What went wrong, for a person; false: it will pass by itself. */
bool inside_fault(int err, char *buf, size_t len);

#endif
