// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh-coordinator: Global_Mesh_Table and Service_Registry of a mesh. */
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "api.h"
#include "change.h"
#include "config.h"
#include "defaults.h"
#include "init.h"
#include "lease.h"
#include "log.h"
#include "note.h"
#include "tls.h"

#define ERROR_MAX	1024

struct coordinator {
	struct config cfg;
	struct loop *loop;
	struct store *store;
	struct tls *tls;
	struct registry reg;
	bool loaded;
	struct watches *watches;
	struct leases *leases;
	struct notes *notes;
	struct judge *judge;
	struct triggers *triggers;
	struct http *http;
	struct source *sigterm;
	struct source *sigint;
};

static void usage(FILE *to)
{
	fputs("Usage: vnimesh-coordinator --config FILE [--store STORE] [--check]\n"
	      "       vnimesh-coordinator init --config FILE [--store STORE]\n"
	      "       vnimesh-coordinator --help | --version\n",
	      to);
}

static void on_signal(void *data, int signo)
{
	struct coordinator *co = data;

	log_info("stopping on signal %d", signo);
	loop_notify("STOPPING=1");
	loop_exit(co->loop, 0);
}

static bool on_change(void *data, const char *key, const char *value)
{
	struct coordinator *co = data;

	return registry_apply(&co->reg, key, value);
}

static void on_ready(void *data)
{
	struct coordinator *co = data;

	change_ready(&co->reg);
}

static void on_again(void *data)
{
	struct coordinator *co = data;
	const struct node *node;

	TAILQ_FOREACH(node, &co->reg.nodes_changed, changed)
		if (node->here)
			store_presence(co->store, node->def.id, true);
}

static void on_lost(void *data)
{
	struct coordinator *co = data;

	loop_exit(co->loop, 1);
}

static const struct store_follower follower = {
	.change = on_change,
	.ready = on_ready,
	.again = on_again,
	.lost = on_lost,
};

/* False with a message in @err. */
static bool start(struct coordinator *co, char *err, size_t len)
{
	if (loop_new(&co->loop) ||
	    loop_signal(co->loop, &co->sigterm, SIGTERM, on_signal, co) ||
	    loop_signal(co->loop, &co->sigint, SIGINT, on_signal, co)) {
		snprintf(err, len, "cannot start the event loop");
		return false;
	}
	co->store = store_open(co->cfg.store, &co->cfg.etcd, err, len);
	if (!co->store)
		return false;
	co->loaded = registry_init(&co->reg, &co->cfg, co->store, err, len);
	if (!co->loaded)
		return false;
	if (watches_new(&co->watches, co->loop, &co->reg) ||
	    notes_new(&co->notes, co->loop, &co->reg) ||
	    judge_new(&co->judge, co->loop, &co->reg) ||
	    triggers_new(&co->triggers, co->loop, &co->reg) ||
	    leases_new(&co->leases, co->loop, &co->reg)) {
		snprintf(err, len, "cannot start the timers");
		return false;
	}
	if (*co->cfg.tls_dir) {
		co->tls = tls_load(&co->cfg, err, len);
		if (!co->tls)
			return false;
	}
	api_init(co->watches, co->leases, co->judge, co->triggers,
		 co->cfg.lease_ms);
	if (store_follow(co->store, co->loop, &follower, co)) {
		snprintf(err, len, "cannot follow the store");
		return false;
	}
	co->http = http_start(co->loop, &co->cfg, co->tls, &co->reg,
			      api_routes, err, len);
	return co->http;
}

static void stop(struct coordinator *co)
{
	if (co->http) {
		watches_close(co->watches);
		change_stop(&co->reg);
		http_stop(co->http);
	}
	leases_free(co->leases);
	triggers_free(co->triggers);
	judge_free(co->judge);
	notes_free(co->notes);
	watches_free(co->watches);
	if (co->loaded)
		registry_free(&co->reg);
	store_close(co->store);
	tls_free(co->tls);
	source_free(&co->sigterm);
	source_free(&co->sigint);
	loop_free(co->loop);
}

static void announce(const struct coordinator *co)
{
	bool v6 = co->cfg.listen.family == AF_INET6;
	char addr[IP_TEXT_MAX];

	ip_text(&co->cfg.listen, addr);
	if (!ip_loopback(&co->cfg.listen) && !co->tls)
		log_warning("insecure: whoever reaches %s can register and remove services",
			    addr);
	log_info("mesh %u %s: %u nodes, %u services, %u members",
		 co->reg.mesh.id, co->reg.mesh.uuid, co->reg.nr_nodes,
		 co->reg.nr_services, co->reg.nr_members);
	log_info("listening on %s%s%s:%u", v6 ? "[" : "", addr, v6 ? "]" : "",
		 http_port(co->http));
	loop_notify("READY=1");
}

static int run(const struct config *cfg)
{
	struct coordinator co = { .cfg = *cfg };
	char err[ERROR_MAX];
	int code = 1;

	if (start(&co, err, sizeof(err))) {
		announce(&co);
		code = loop_run(co.loop);
		if (code < 0) {
			log_error("event loop: %s", strerror(-code));
			code = 1;
		}
	} else {
		log_error("%s", err);
	}
	stop(&co);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "store", required_argument, NULL, 's' },
		{ "routes", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *store = NULL;
	const char *file = NULL;
	char err[ERROR_MAX];
	struct config cfg;
	bool check = false;
	bool init = false;
	int opt;

	if (argc > 1 && !strcmp(argv[1], "init")) {
		init = true;
		argc--;
		argv++;
	}

	while ((opt = getopt_long(argc, argv, "c:hV", options, NULL)) >= 0) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 's':
			store = optarg;
			break;
		case 'r':
			api_print_routes(stdout);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			puts("vnimesh-coordinator " VNIMESH_VERSION);
			return 0;
		default:
			usage(stderr);
			return 1;
		}
	}
	if (!file || optind < argc) {
		usage(stderr);
		return 1;
	}

	/* A client that is gone is an error of one write, not the end. */
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stderr, NULL, _IOLBF, 0);
	if (!config_read(&cfg, file, store, err, sizeof(err))) {
		log_error("%s", err);
		return 1;
	}
	if (check)
		return 0;
	if (!init)
		return run(&cfg);
	if (init_mesh(&cfg, err, sizeof(err)))
		return 0;
	log_error("%s", err);
	return 1;
}
