// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: cost N ATTEMPTS
 *
 * N checks against a server of another process, as often as this process can,
 * until ATTEMPTS were made, however long that takes on a busy machine. Prints
 *
 *	NS_PER_ATTEMPT NS_BARE DOWN
 *
 * what an attempt takes of a processor, what the system calls alone take that
 * connect and reset, and how many checks say down. Both are the best of many
 * rounds: others may have had the caches, or the processor itself, meanwhile.
 */

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static struct check_env env;
static struct loop *loop;
static uint64_t wanted;

/* Below a time slice, so that some are not interrupted. */
#define ROUND	40

static uint32_t any(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), 0) < 0)
		abort();
	return v;
}

static void serve(int fd)
{
	int c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		c = accept(fd, NULL, NULL);
		if (c >= 0)
			close(c);
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The best round since @since, when @n were done after it; sets both anew. */
static void round_end(uint64_t *best, uint64_t *since, uint64_t n)
{
	uint64_t now = cpu_ns(), each = (now - *since) / n;

	if (!*best || each < *best)
		*best = each;
	*since = now;
}

static uint64_t best, since;

/* As many are started as end, but for the first and the last. */
static void on_check(void *data, const char *output)
{
	static unsigned int n;

	(void)data;
	(void)output;
	if (++n % ROUND == 0)
		round_end(&best, &since, ROUND);
	if (env.started >= wanted)
		loop_exit(loop, 0);
}

static uint64_t bare_ns(const struct sockaddr_in *in)
{
	struct linger reset = { .l_onoff = 1 };
	uint64_t ret = 0, from = cpu_ns();
	unsigned int i, j;
	int fd;

	for (i = 0; i < 20; i++) {
		for (j = 0; j < ROUND; j++) {
			fd = socket(AF_INET, SOCK_STREAM, 0);
			if (connect(fd, (struct sockaddr *)in, sizeof(*in)))
				exit(1);
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset,
				   sizeof(reset));
			close(fd);
		}
		round_end(&ret, &from, j);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct rlimit files = { 16384, 16384 };
	unsigned int n = argc > 1 ? atoi(argv[1]) : 2000;
	unsigned int i, down = 0;
	struct check_conf conf = {
		.type = CHECK_TCP,
		/* More than can be done, so that it never waits: what wakes up
		 * for each alone pays for the caches that others had.
		 */
		.health = { .interval_ms = 50, .timeout_ms = 60000,
			    .rise = 2, .fall = 2 },
	};
	struct health *health = calloc(n, sizeof(*health));
	struct check **checks = calloc(n, sizeof(*checks));
	socklen_t len = sizeof(in);
	struct ip_addr addr;
	uint64_t bare;
	pid_t pid;
	int fd;

	setrlimit(RLIMIT_NOFILE, &files);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&in, len) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&in, &len))
		return 1;
	conf.port = ntohs(in.sin_port);
	pid = fork();
	if (!pid)
		serve(fd);
	if (loop_new(&loop) || check_env_init(&env, loop, any) ||
	    http_new(&env.http, loop))
		return 1;
	env.probes_max = 8192;
	ip_parse("127.0.0.1", &addr);
	for (i = 0; i < n; i++) {
		health_init(&health[i]);
		checks[i] = check_new(&env, &conf, "t", i, &health[i],
				      on_check, NULL);
		check_start(checks[i], &addr, NULL);
	}
	wanted = argc > 2 ? atol(argv[2]) : 4L * n;
	bare = bare_ns(&in);
	since = cpu_ns();
	loop_run(loop);
	for (i = 0; i < n; i++)
		down += !health[i].up;
	printf("%llu %llu %u\n", (unsigned long long)best,
	       (unsigned long long)bare, down);
	kill(pid, SIGKILL);
	return 0;
}
