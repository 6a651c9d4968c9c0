// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vnimeshd: the agent of one host. Keeps the kernel's table of its mesh in
 * line with the coordinator and with what it finds itself.
 */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <jansson.h>

#include "defaults.h"
#include "inside.h"
#include "log.h"
#include "mesh.h"
#include "peer.h"

static const char usage[] =
	"Usage: vnimeshd [--config FILE] [--check]\n"
	"\n"
	"  --config FILE  default " CONFIG_FILE "\n"
	"  --check        read the configuration, say what is wrong, end\n"
	"  --version\n"
	"  --help\n";

struct args {
	const char *config;
	bool check;
};

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct args *ret)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	ret->config = CONFIG_FILE;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 'n':
			ret->check = true;
			break;
		case 'V':
			printf("vnimeshd %s\n", VNIMESH_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vnimeshd: unknown argument \"%s\"\n%s",
			argv[optind], usage);
		return 1;
	}
	return -1;
}

static void on_end(void *data, int signo)
{
	struct mesh *m = data;

	log_info("%s: ending, the mesh stays in the kernel",
		 strsignal(signo));
	loop_notify("STOPPING=1");
	loop_exit(m->loop, 0);
}

static void on_reload(void *data, int signo)
{
	(void)signo;
	mesh_reload(data);
}

static void on_status(void *data, int signo)
{
	struct mesh *m = data;
	json_t *status = peer_status(m->peer);
	char *text = json_dumps(status, JSON_COMPACT);

	(void)signo;
	json_decref(status);
	if (text)
		log_line(LOG_NOTICE, "peers: %s", text);
	free(text);
}

static int run(const char *file, struct config *conf,
	       struct services_conf *services, int helper)
{
	struct source *term = NULL, *intr = NULL, *hup = NULL;
	struct source *usr1 = NULL;
	struct loop *loop;
	struct mesh *m;
	int ret = 1;

	if (loop_new(&loop)) {
		log_err("cannot make an event loop");
		services_free(services);
		return 1;
	}
	m = mesh_new(loop, file, conf, services, helper);
	if (m && !loop_signal(loop, &term, SIGTERM, on_end, m) &&
	    !loop_signal(loop, &intr, SIGINT, on_end, m) &&
	    !loop_signal(loop, &hup, SIGHUP, on_reload, m) &&
	    !loop_signal(loop, &usr1, SIGUSR1, on_status, m) && !m->exit_code)
		ret = loop_run(loop);
	mesh_free(m);
	source_free(&term);
	source_free(&intr);
	source_free(&hup);
	source_free(&usr1);
	loop_free(loop);
	return ret < 0 ? 1 : ret;
}

/* A check holds a descriptor, of a dead member for all of its time. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct services_conf services;
	struct args args = { 0 };
	struct config conf;
	char error[1024];
	int ret, helper;

	/* Whoever asks before we can answer must not end us. */
	signal(SIGUSR1, SIG_IGN);
	ret = parse(argc, argv, &args);
	if (ret >= 0)
		return ret;
	if (!config_read(args.config, &conf, error, sizeof(error)) ||
	    !services_read(conf.services_dir, &conf.allow, &services, error,
			   sizeof(error))) {
		log_err("%s", error);
		return 1;
	}
	if (args.check) {
		services_free(&services);
		return 0;
	}
	log_level = conf.log;
	/* First of all: it has nothing of ours, and we have its right no more. */
	helper = inside_spawn(inside_match);
	raise_files();
	signal(SIGPIPE, SIG_IGN);
	return run(args.config, &conf, &services, helper);
}
