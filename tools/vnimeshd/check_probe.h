/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt of a check, whatever its type: started, and in the end one call
 * with what came of it. Nothing lasts longer than @timeout_ms.
 *
 * Ownership: a probe belongs to its starter until its callback runs, after
 * which it is gone; probe_cancel() ends it without one. The callback never
 * runs from within a start function. @want is copied, what it points at is
 * the caller's and outlives the probe.
 */
#ifndef VNIMESHD_CHECK_PROBE_H
#define VNIMESHD_CHECK_PROBE_H

#include <sys/socket.h>

#include "check_conf.h"
#include "check_talk.h"
#include "http.h"
#include "ip.h"
#include "loop.h"

struct probe;
struct tls_creds;

struct probe_result {
	enum health_result result;
	enum check_role role;
	bool timeout;		/* the time was up */
	uint64_t asked_us;	/* then: when we said the last word, 0: unknown */
	uint32_t latency_us;	/* 0: not measured */
	const char *text;
};

typedef void (*probe_fn)(void *data, const struct probe_result *r);

struct probe_want {
	struct loop *loop;
	struct http *http;
	const struct check_conf *conf;
	struct ip_addr addr;
	const char *device;	/* NULL: not bound */
	const char *tag;
	uint32_t vni;
	uint32_t timeout_ms;
	int fd;			/* the socket to use, the caller's; -1: make one */
	const char *password;	/* "" or NULL: none */
	const struct tls_creds *creds;
};

struct probe_ops {
	/* The time is up: end with probe_timeout() or another result. */
	void (*expired)(struct probe *p);
	/* Free what the probe has and the probe itself. */
	void (*free)(struct probe *p);
};

/* The beginning of each kind's struct. */
struct probe {
	const struct probe_ops *ops;
	struct probe_want want;
	probe_fn fn;
	void *data;
	uint64_t started_us;
	uint64_t asked_us;	/* as in the result, kept by the kind */
	struct source *timer;
	struct probe_result early;	/* failed within the start function */
	char text[OUTPUT_MAX + 1];
};

/* By type; 0 or a negative errno for what this host lacks. */
int probe_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
		void *data);
void probe_cancel(struct probe **p);

int stream_start(struct probe **ret, const struct probe_want *want,
		 probe_fn fn, void *data);
int udp_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
	      void *data);
int http_probe_start(struct probe **ret, const struct probe_want *want,
		     probe_fn fn, void *data);
int exec_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
	       void *data);
int pg_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
	     void *data);
int maria_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
		void *data);

/* For the kinds: @size bytes beginning with struct probe, zeroed, the time
 * running; NULL without memory.
 */
void *probe_new(size_t size, const struct probe_ops *ops,
		const struct probe_want *want, probe_fn fn, void *data);
/* End, with the callback; the probe is gone after. */
void probe_finish(struct probe *p, const struct probe_result *r);
void probe_end(struct probe *p, enum health_result result, uint32_t latency_us,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void probe_timeout(struct probe *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same from within the start function: in the next turn. */
void probe_early(struct probe *p, enum health_result result, const char *fmt,
		 ...) __attribute__((format(printf, 3, 4)));

/* A socket of @type towards the member, connecting; -1 with errno. What
 * connect() itself refuses is in *err, else 0. The kind closes it.
 */
int probe_socket(const struct probe *p, int type, int *err);
socklen_t probe_sockaddr(struct sockaddr_storage *ss,
			 const struct ip_addr *addr, uint16_t port);

/* How the connection of @fd that was under way ended; true: it is there. Else
 * the probe has ended by it.
 */
bool probe_connected(struct probe *p, int fd);

/* What connect() or a socket failed with, as a result: our own lack of
 * something, or a device that is gone, says nothing about the member.
 */
enum health_result probe_judge(int err);

#endif
