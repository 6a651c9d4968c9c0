// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: checks_many N SECONDS
 *
 * N checks each second against a server of another process. Prints
 *
 *	DRIFT_PERMILLE STARVED_MS DOWN
 *
 * by how much fewer attempts were made than there should be, how long this
 * process waited for a processor meanwhile, and how many checks say down.
 */

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static struct check_env env;
static struct loop *loop;
static uint64_t began, ended;

static uint32_t any(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), 0) < 0)
		abort();
	return v;
}

static void on_check(void *data, const char *output)
{
	(void)data;
	(void)output;
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

static uint64_t starved_ms(void)
{
	unsigned long long ran = 0, waited = 0;
	FILE *f = fopen("/proc/self/schedstat", "r");

	if (f && fscanf(f, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (f)
		fclose(f);
	return waited / 1000000;
}

static void on_begin(void *data, uint64_t now_us)
{
	(void)data;
	(void)now_us;
	began = env.started;
}

static void on_end(void *data, uint64_t now_us)
{
	(void)data;
	(void)now_us;
	ended = env.started;
	loop_exit(loop, 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct rlimit files = { 16384, 16384 };
	unsigned int n = argc > 1 ? atoi(argv[1]) : 2000;
	unsigned int s = argc > 2 ? atoi(argv[2]) : 5, i, down = 0;
	struct check_conf conf = {
		.type = CHECK_TCP,
		.health = { .interval_ms = 1000, .timeout_ms = 500,
			    .rise = 2, .fall = 2 },
	};
	struct source *begin = NULL, *end = NULL;
	struct health *health = calloc(n, sizeof(*health));
	struct check **checks = calloc(n, sizeof(*checks));
	socklen_t len = sizeof(in);
	struct ip_addr addr;
	uint64_t starved;
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
	    http_new(&env.http, loop) ||
	    loop_timer(loop, &begin, on_begin, NULL) ||
	    loop_timer(loop, &end, on_end, NULL))
		return 1;
	env.probes_max = 8192;
	ip_parse("127.0.0.1", &addr);
	for (i = 0; i < n; i++) {
		health_init(&health[i]);
		checks[i] = check_new(&env, &conf, "t", i, &health[i],
				      on_check, NULL);
		check_start(checks[i], &addr, NULL);
	}
	source_timer_set(begin, loop_now() + 2 * LOOP_USEC_PER_SEC);
	source_timer_set(end, loop_now() + (2 + s) * LOOP_USEC_PER_SEC);
	starved = starved_ms();
	loop_run(loop);
	starved = starved_ms() - starved;
	for (i = 0; i < n; i++)
		down += !health[i].up;
	printf("%d %u %u\n", (int)(1000 - (int64_t)(ended - began) * 1000 /
				   ((int64_t)n * s)), (unsigned int)starved, down);
	kill(pid, SIGKILL);
	return 0;
}
