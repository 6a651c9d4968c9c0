// SPDX-License-Identifier: GPL-2.0-or-later
/* What is asked of the agent of this host, over its control socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "agent.h"
#include "args.h"
#include "defaults.h"
#include "record_escape.h"

static int refuse(const char *what, const char *why)
{
	char buf[VNM_ESCAPE_MAX(512)];

	fprintf(stderr, "Error: %s%s%s.\n", what, *what ? ": " : "",
		vnm_escape(why, buf, sizeof(buf)));
	return EXIT_LOCAL;
}

static int agent_connect(const struct tool *t, int *ret)
{
	const char *path = getenv("VNIMESH_CONTROL");
	int ms = t->timeout_ms ? t->timeout_ms : VNM_CONTROL_TIMEOUT_MS;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (!path)
		path = VNM_CONTROL_SOCKET;
	if (strlen(path) >= sizeof(un.sun_path))
		return refuse(path, "too long");
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(path, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
		refuse(path, errno == ENOENT || errno == ECONNREFUSED ?
		       "no agent listens there, does vnimeshd run?" :
		       strerror(errno));
		close(fd);
		return EXIT_LOCAL;
	}
	*ret = fd;
	return EXIT_OK;
}

static int send_line(int fd, char *text)
{
	size_t len = strlen(text);
	const char *p = text;
	ssize_t n;

	/* The final NUL makes room for the end of the line. */
	text[len++] = '\n';
	for (; len; p += n, len -= n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		/* Who closed may have said why. */
		if (n < 0 && errno == EPIPE)
			break;
		if (n < 0)
			return refuse("the agent", strerror(errno));
	}
	return EXIT_OK;
}

static int read_answer(int fd, json_t **ret)
{
	json_error_t error;

	*ret = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, &error);
	if (*ret)
		return EXIT_OK;
	return refuse("the agent", errno == EAGAIN ? "no answer in time" :
		      "closed the connection without an answer");
}

/* Takes @question over. The answer is the caller's, if EXIT_OK. */
static int ask(const struct tool *t, json_t *question, json_t **ret)
{
	char *text = question ? json_dumps(question, JSON_COMPACT) : NULL;
	const char *error;
	json_t *answer;
	int fd = -1, code;

	json_decref(question);
	if (!text)
		return out_of_memory();
	code = agent_connect(t, &fd);
	if (code) {
		free(text);
		return code;
	}
	code = send_line(fd, text);
	free(text);
	/* It answers once, and then waits for more. */
	if (!code)
		shutdown(fd, SHUT_WR);
	if (!code)
		code = read_answer(fd, &answer);
	close(fd);
	if (code)
		return code;
	error = json_string_value(json_object_get(answer, "error"));
	if (error || !json_is_true(json_object_get(answer, "ok"))) {
		refuse("", error ? error : "the agent's answer makes no sense");
		json_decref(answer);
		return EXIT_KERNEL;
	}
	if (ret)
		*ret = answer;
	else
		json_decref(answer);
	return EXIT_OK;
}

/* TAG vni VNI */
static bool member(struct args *a, char tag[VNIMESH_TAG_MAX + 1],
		   uint32_t *vni)
{
	if (!args_need_tag(a, tag))
		return false;
	if (!args_take(a, "vni"))
		return args_required("vni");
	return args_need_u32(a, "vni", 1, UINT32_MAX, vni);
}

/* [NAME:]{tcp|udp}/PORT[:TARGET] */
static bool port_rule(const char *text, json_t *ports)
{
	char name[64] = "", proto[4];
	const char *p = strchr(text, '/');
	const char *colon = strchr(text, ':');
	unsigned int port, target;
	json_t *rule;
	char end;
	int n;

	if (p && colon && colon < p) {
		snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
		text = colon + 1;
	}
	n = sscanf(text, "%3[a-z]/%5u:%5u%c", proto, &port, &target, &end);
	if ((n != 2 && n != 3) || (n == 2 && strchr(text, ':')))
		return args_wrong(text, "must be [NAME:]{tcp|udp}/PORT[:TARGET]");
	rule = json_pack("{s:s, s:i}", "proto", proto, "port", (int)port);
	if (name[0])
		json_object_set_new(rule, "name", json_string(name));
	if (n == 3)
		json_object_set_new(rule, "target", json_integer(target));
	return !json_array_append_new(ports, rule);
}

static bool words(struct args *a, json_t *def)
{
	json_t *ports = json_array(), *check = json_object();
	uint32_t n;
	bool ok = true;
	const char *v;

	json_object_set_new(def, "ports", ports);
	json_object_set_new(def, "check", check);
	while (ok && args_peek(a)) {
		if (args_take(a, "weight")) {
			ok = args_need_u32(a, "weight", 0, 1000, &n);
			json_object_set_new(def, "weight", json_integer(n));
		} else if (args_take(a, "port")) {
			v = args_value(a, "port");
			ok = v && port_rule(v, ports);
		} else if (args_take(a, "check")) {
			v = args_value(a, "check");
			ok = v;
			json_object_set_new(check, "type",
					    json_string(v ? v : ""));
		} else if (args_take(a, "ttl")) {
			v = args_value(a, "ttl");
			ok = v && parse_duration(v, "ttl", 1000, 100, 86400000,
						 &n);
			json_object_set_new(check, "type", json_string("ttl"));
			json_object_set_new(check, "ttl_ms", json_integer(n));
		} else {
			ok = args_unknown(a);
		}
	}
	if (!json_array_size(ports))
		json_object_del(def, "ports");
	if (!json_object_size(check))
		json_object_del(def, "check");
	return ok;
}

static int register_one(struct tool *t, json_t *def)
{
	return ask(t, json_pack("{s:s, s:o}", "op", "register", "service",
				def), NULL);
}

static int register_file(struct tool *t, const char *file)
{
	json_error_t error;
	json_t *root, *item;
	int ret = EXIT_OK;
	size_t i;

	root = strcmp(file, "-") ? json_load_file(file, 0, &error) :
				   json_loadf(stdin, 0, &error);
	if (!root) {
		fprintf(stderr, "Error: %s:%d:%d: %s.\n", file, error.line,
			error.column, error.text);
		return EXIT_LOCAL;
	}
	if (json_is_array(root)) {
		json_array_foreach(root, i, item)
			if (!ret)
				ret = register_one(t, json_incref(item));
	} else {
		ret = register_one(t, json_incref(root));
	}
	json_decref(root);
	return ret;
}

int agent_register(struct tool *t, struct args *a)
{
	char tag[VNIMESH_TAG_MAX + 1];
	const char *file;
	uint32_t vni;
	json_t *def;

	if (args_take(a, "file")) {
		file = args_value(a, "file");
		if (!file || !args_end(a))
			return EXIT_LOCAL;
		return register_file(t, file);
	}
	if (!member(a, tag, &vni))
		return EXIT_LOCAL;
	def = json_pack("{s:s, s:I}", "tag", tag, "vni", (json_int_t)vni);
	if (!def)
		return out_of_memory();
	if (!words(a, def)) {
		json_decref(def);
		return EXIT_LOCAL;
	}
	return register_one(t, def);
}

int agent_deregister(struct tool *t, struct args *a)
{
	char tag[VNIMESH_TAG_MAX + 1];
	uint32_t vni;

	if (!member(a, tag, &vni) || !args_end(a))
		return EXIT_LOCAL;
	return ask(t, json_pack("{s:s, s:s, s:I}", "op", "deregister", "tag",
				tag, "vni", (json_int_t)vni), NULL);
}

static int intent(struct tool *t, struct args *a, const char *state)
{
	char tag[VNIMESH_TAG_MAX + 1];
	const char *reason = "";
	uint32_t vni = 0;
	json_t *question;

	if (!args_need_tag(a, tag))
		return EXIT_LOCAL;
	while (args_peek(a)) {
		if (args_take(a, "vni")) {
			if (!args_need_u32(a, "vni", 1, UINT32_MAX, &vni))
				return EXIT_LOCAL;
		} else if (args_take(a, "reason")) {
			reason = args_value(a, "reason");
			if (!reason)
				return EXIT_LOCAL;
		} else {
			args_unknown(a);
			return EXIT_LOCAL;
		}
	}
	question = json_pack("{s:s, s:s, s:s, s:s}", "op", "intent", "tag",
			     tag, "state", state, "reason", reason);
	if (question && vni)
		json_object_set_new(question, "vni", json_integer(vni));
	return ask(t, question, NULL);
}

int agent_drain(struct tool *t, struct args *a)
{
	return intent(t, a, "drain");
}

int agent_maint(struct tool *t, struct args *a)
{
	return intent(t, a, "maint");
}

int agent_ready(struct tool *t, struct args *a)
{
	return intent(t, a, "up");
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "?";
}

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_age(const json_t *o)
{
	long long ms = number_of(o, "age_ms");

	if (ms >= 0)
		printf(", %lld.%03lld s ago", ms / 1000, ms % 1000);
}

static void print_member(const json_t *m)
{
	const json_t *in = json_object_get(m, "intent");
	const json_t *health = json_object_get(m, "health");
	const json_t *reach = json_object_get(m, "reachability");
	const json_t *grant = json_object_get(m, "grant");
	char buf[VNM_ESCAPE_MAX(256)];

	printf("%s vni %lld state %s by %s\n", text_of(m, "tag"),
	       number_of(m, "vni"), text_of(m, "state"), text_of(m, "source"));
	printf("    intent %s", text_of(in, "state"));
	if (json_object_get(in, "reason")) {
		printf(" uid %lld reason \"%s\"", number_of(in, "uid"),
		       vnm_escape(text_of(in, "reason"), buf, sizeof(buf)));
		print_age(in);
	}
	printf("\n    health %s score %lld latency %lldus role %s%s",
	       text_of(health, "state"), number_of(health, "score"),
	       number_of(health, "latency_us"), text_of(health, "role"),
	       json_is_true(json_object_get(health, "held")) ? " held" : "");
	print_age(health);
	printf(", %s: %s\n", text_of(health, "check"),
	       vnm_escape(text_of(health, "output"), buf, sizeof(buf)));
	printf("    reachability %s by %s", text_of(reach, "state"),
	       text_of(reach, "source"));
	print_age(reach);
	putchar('\n');
	if (grant && strcmp(text_of(grant, "state"), "granted"))
		printf("    grant %s by coordinator: %s\n",
		       text_of(grant, "state"),
		       vnm_escape(text_of(grant, "detail"), buf, sizeof(buf)));
}

static void print_list(const struct tool *t, json_t *list,
		       void (*print)(const json_t *item))
{
	json_t *item;
	size_t i;

	if (t->json) {
		json_dumpf(list, stdout, t->pretty ? JSON_INDENT(4) :
			   JSON_COMPACT);
		putchar('\n');
		return;
	}
	json_array_foreach(list, i, item)
		print(item);
}

int agent_status(struct tool *t, struct args *a)
{
	json_t *question, *answer;
	char tag[VNIMESH_TAG_MAX + 1] = "";
	int ret;

	if (args_peek(a) && !args_need_tag(a, tag))
		return EXIT_LOCAL;
	if (!args_end(a))
		return EXIT_LOCAL;
	question = json_pack("{s:s}", "op", "list");
	if (question && tag[0])
		json_object_set_new(question, "tag", json_string(tag));
	ret = ask(t, question, &answer);
	if (ret)
		return ret;
	print_list(t, json_object_get(answer, "members"), print_member);
	json_decref(answer);
	return EXIT_OK;
}

static void print_peer(const json_t *n)
{
	const json_t *path = json_object_get(n, "path");
	const json_t *agent = json_object_get(n, "agent");
	char buf[VNM_ESCAPE_MAX(256)];

	printf("%s node %lld", vnm_escape(text_of(n, "name"), buf, sizeof(buf)),
	       number_of(n, "node"));
	if (*text_of(n, "zone"))
		printf(" zone %s", vnm_escape(text_of(n, "zone"), buf,
					      sizeof(buf)));
	if (json_object_get(n, "verdict"))
		printf(" verdict %s", text_of(n, "verdict"));
	printf("%s%s\n    path %s%s rtt %lldus, %lld of %lld lost",
	       json_is_true(json_object_get(n, "stale")) ? " stale" : "",
	       json_is_true(json_object_get(n, "routed")) ? " routed" : "",
	       text_of(path, "state"),
	       json_is_true(json_object_get(path, "narrow")) ? " narrow" : "",
	       number_of(path, "rtt_us"), number_of(path, "lost"),
	       number_of(path, "of"));
	print_age(path);
	printf("\n    agent %s", text_of(agent, "state"));
	if (json_object_get(agent, "epoch")) {
		printf(" run %lld%s", number_of(agent, "epoch"),
		       json_is_true(json_object_get(agent, "asks_us")) ?
		       " asks us" : "");
		print_age(agent);
	}
	putchar('\n');
}

int agent_peers(struct tool *t, struct args *a)
{
	json_t *answer;
	int ret;

	if (!args_end(a))
		return EXIT_LOCAL;
	ret = ask(t, json_pack("{s:s}", "op", "peers"), &answer);
	if (ret)
		return ret;
	print_list(t, json_object_get(answer, "peers"), print_peer);
	json_decref(answer);
	return EXIT_OK;
}

static int ttl(struct tool *t, struct args *a, const char *status)
{
	char tag[VNIMESH_TAG_MAX + 1];
	const char *text = "";
	uint32_t vni;

	if (!member(a, tag, &vni))
		return EXIT_LOCAL;
	if (args_take(a, "text"))
		text = args_value(a, "text");
	if (!text || !args_end(a))
		return EXIT_LOCAL;
	return ask(t, json_pack("{s:s, s:s, s:I, s:s, s:s}", "op", "ttl",
				"tag", tag, "vni", (json_int_t)vni,
				"status", status, "output", text), NULL);
}

static int ttl_pass(struct tool *t, struct args *a)
{
	return ttl(t, a, "pass");
}

static int ttl_warn(struct tool *t, struct args *a)
{
	return ttl(t, a, "warn");
}

static int ttl_fail(struct tool *t, struct args *a)
{
	return ttl(t, a, "fail");
}

/* Bare, it helps: there is nothing to show. */
static int ttl_help(struct tool *t, struct args *a)
{
	(void)t;
	(void)a;
	help_print("ttl");
	return EXIT_OK;
}

const struct command ttl_commands[] = {
	{ "help", NULL, ttl_help },
	{ "pass", NULL, ttl_pass },
	{ "warn", NULL, ttl_warn },
	{ "fail", NULL, ttl_fail },
	{ NULL, NULL, NULL }
};
