/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks of vnimeshd, from the objects that it is built of: what the files
 * of this test share.
 */
#ifndef SELFTESTS_CHECKS_H
#define SELFTESTS_CHECKS_H

#include "check.h"

#define LOCAL	"127.0.0.1"

/* The definition must be right; for conf_end(). */
struct check_conf *conf(const char *text);
void conf_end(struct check_conf *c);

/* The loop of the servers and attempts; one ends with each run. */
extern struct loop *loop;
extern struct check_env env;
struct loop *renew(void);

struct server {
	int fd;
	uint16_t port;
	struct source *io, *drip;
	int conns[64];
	unsigned int n;
	/* what it does with a connection */
	const char *say;
	size_t len;
	bool close;		/* after that */
	uint32_t drip_ms;	/* a byte each, instead of all at once */
	size_t dripped;
};

/* On a port of its own, of @type. */
void serve(struct server *s, int type);
void serve_end(struct server *s);

void test_conf(void);
void test_secret(void);
void test_tcp(void);
void test_redis(void);
void test_postgres(void);
void test_mysql(void);
void test_noise(void);
void test_http_judge(void);
void test_grpc_judge(void);
void test_damping(void);
void test_held_time(void);
void test_late(void);
void test_failures_tcp(void);
void test_failures_http(void);
void test_failures_udp(void);
void test_udp_answers(void);
void test_exec(void);
void test_groups(void);
void test_role(void);
void test_trust(void);
void test_endless(void);
void test_ttl(void);
void test_cert(void);
void test_suspicion(void);

#endif /* SELFTESTS_CHECKS_H */
