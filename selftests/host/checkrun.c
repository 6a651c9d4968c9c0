// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: checkrun DIR ADDRESS [DEVICE]
 *
 * Runs the checks of the service definitions in DIR against ADDRESS, as
 * vnimeshd would, and prints a line when one says something new:
 *
 *	TAG/VNI up|down none|primary|replica SCORE TEXT
 *
 * A line "TAG pass|warn|fail TEXT" on stdin is a push to a ttl check. Ends
 * with stdin. The device of VNI N, for checks from inside, is any called vniN.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <netlink/route/link.h>

#include "check.h"
#include "config.h"

struct one {
	struct service_conf *conf;
	struct health health;
	struct check *check;
	char last[512];
};

/* Of the helper: how long it takes to close its own descriptor of a socket that it
 * has sent, as on a busy host.
 */
#define HELPER_SLOW_US	20000

#define HELPER_LATE_MS	10

static struct services_conf services;
static struct check_env env;
static struct one *all;
static struct loop *loop;

static uint32_t any(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), 0) < 0)
		abort();
	return v;
}

/* Figures change all the time. */
static void without_digits(char *dst, const char *src, size_t len)
{
	size_t n = 0;

	for (; *src && n + 1 < len; src++)
		if (*src < '0' || *src > '9')
			dst[n++] = *src;
	dst[n] = '\0';
}

static void on_check(void *data, const char *output)
{
	static const char *const roles[] = { "none", "primary", "replica" };
	struct one *o = data;
	char line[512], key[512];
	size_t i;

	snprintf(line, sizeof(line), "%s/%u %s %s", o->conf->tag,
		 o->conf->vni, o->health.up ? "up" : "down", roles[check_role(o->check)]);
	without_digits(key, output, sizeof(key));
	strncat(key, line, sizeof(key) - strlen(key) - 1);
	if (strcmp(key, o->last)) {
		strcpy(o->last, key);
		printf("%s %u %s\n", line, health_score(&o->health), output);
	}
	for (i = 0; i < services.n; i++)
		if (all[i].check && &all[i] != o)
			check_follow(all[i].check, o->conf->tag, o->conf->vni);
}

static bool on_other(void *data, const char *tag, uint32_t vni,
		     struct check_other *ret)
{
	size_t i;

	(void)data;
	for (i = 0; i < services.n; i++) {
		if (all[i].conf->vni != vni || strcmp(all[i].conf->tag, tag))
			continue;
		*ret = (struct check_other) {
			.known = all[i].health.known,
			.up = all[i].health.up,
			.role_told = check_role_told(all[i].check),
			.role = check_role(all[i].check),
			.latency_us = all[i].health.latency_us,
			.text = check_output(all[i].check),
		};
		return true;
	}
	return false;
}

/* Of the helper, which alone sends descriptors (ld --wrap): it closes its own of a
 * socket late, as on a busy host.
 */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t ret = syscall(SYS_sendmsg, fd, msg, flags);

	if (msg->msg_controllen)
		poll(NULL, 0, HELPER_LATE_MS);
	return ret;
}

static bool on_match(struct vnm_nl *nl, const struct inside_device *device)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *link = NULL;
	char name[IFNAMSIZ];
	bool ret;

	(void)nl;
	snprintf(name, sizeof(name), "vni%u", device->vni);
	ret = sk && !nl_connect(sk, NETLINK_ROUTE) &&
	      !rtnl_link_get_kernel(sk, 0, name, &link);
	rtnl_link_put(link);
	nl_socket_free(sk);
	return ret;
}

static bool on_find(void *data, uint32_t vni, struct inside_device *ret)
{
	(void)data;
	*ret = (struct inside_device) { .vni = vni };
	return true;
}

static void push(char *line)
{
	static const struct { const char *word; enum health_result r; } words[] = {
		{ "pass", HEALTH_PASS }, { "warn", HEALTH_WARN },
		{ "fail", HEALTH_DEFINITE },
	};
	char *tag = strtok(line, "\n "), *word = strtok(NULL, "\n ");
	char *text = strtok(NULL, "\n");
	size_t i, j;

	for (i = 0; tag && word && i < services.n; i++)
		for (j = 0; j < 3; j++)
			if (!strcmp(all[i].conf->tag, tag) &&
			    !strcmp(words[j].word, word))
				check_push(all[i].check, words[j].r,
					   text ? text : "");
}

static void on_stdin(void *data, int fd, uint32_t events)
{
	char line[512];
	ssize_t n = read(fd, line, sizeof(line) - 1);

	(void)data;
	(void)events;
	if (n <= 0) {
		loop_exit(loop, 0);
		return;
	}
	line[n] = '\0';
	push(line);
}

int main(int argc, char **argv)
{
	const struct check_allow allow = { .exec = true };
	struct source *in = NULL;
	struct ip_addr addr;
	char error[1024];
	int helper;
	size_t i;

	helper = inside_spawn(on_match);
	if (argc < 3 || !ip_parse(argv[2], &addr))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!services_read(argv[1], &allow, &services, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	if (loop_new(&loop) || check_env_init(&env, loop, any) ||
	    http_new(&env.http, loop) ||
	    inside_new(&env.inside, loop, helper, on_find, NULL) ||
	    loop_io(loop, &in, 0, EPOLLIN, on_stdin, NULL))
		return 1;
	env.probes_max = 4096;
	env.other = on_other;
	all = calloc(services.n + 1, sizeof(*all));
	for (i = 0; i < services.n; i++) {
		all[i].conf = &services.v[i];
		health_init(&all[i].health);
		all[i].check = check_new(&env, &services.v[i].check,
					 services.v[i].tag, services.v[i].vni,
					 &all[i].health, on_check, &all[i]);
		if (!all[i].check)
			return 1;
	}
	for (i = 0; i < services.n; i++)
		check_start(all[i].check, &addr, argc > 3 ? argv[3] : NULL);
	loop_run(loop);
	for (i = 0; i < services.n; i++)
		check_free(all[i].check);
	free(all);
	services_free(&services);
	http_free(env.http);
	inside_free(env.inside);
	check_env_free(&env);
	source_free(&in);
	loop_free(loop);
	return 0;
}
