// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh: configure and inspect a mesh from the command line. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "args.h"
#include "defaults.h"
#include "args_netns.h"
#include "record_escape.h"
#include "tool.h"

struct object {
	const char		*name;
	const char		*alias;
	const struct command	*commands;
	int			(*run)(struct tool *t, struct args *a);
};

static int help_run(struct tool *t, struct args *a)
{
	(void)t;
	if (!args_end(a))
		return EXIT_LOCAL;
	help_print(NULL);
	return EXIT_OK;
}

static const struct object objects[] = {
	{ "dev", NULL, dev_commands, NULL },
	{ "vni", "v", vni_commands, NULL },
	{ "node", NULL, node_commands, NULL },
	{ "service", "s", service_commands, NULL },
	{ "member", NULL, member_commands, NULL },
	{ "flow", NULL, flow_commands, NULL },
	{ "route", "r", route_commands, NULL },
	{ "ttl", NULL, ttl_commands, NULL },
	{ "peers", NULL, NULL, agent_peers },
	{ "resolve", NULL, NULL, resolve_run },
	{ "monitor", "m", NULL, monitor_run },
	{ "connect", NULL, NULL, connect_run },
	{ "join", NULL, NULL, join_run },
	{ "token", NULL, NULL, token_run },
	{ "grant", NULL, NULL, grant_run },
	{ "help", NULL, NULL, help_run },
};

#define N_OBJECTS (sizeof(objects) / sizeof(objects[0]))

static bool is_alias(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (!strncmp(list, word, len) &&
		    (list[len] == ',' || !list[len]))
			return true;
	}
	return false;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "-h") ||
	       !strcmp(word, "-help") || !strcmp(word, "--help");
}

/* Words may be shortened as long as they stay unique. @name gives the i-th
 * candidate. Returns its number, -1 for none and -2 for several.
 */
static int match(const char *word, const void *table, size_t n,
		 const char *(*name)(const void *table, size_t i, bool alias))
{
	size_t len = strlen(word), i;
	int found = -1;

	for (i = 0; i < n; i++)
		if (!strcmp(name(table, i, false), word) ||
		    is_alias(name(table, i, true), word))
			return (int)i;
	for (i = 0; len && i < n; i++)
		if (!strncmp(name(table, i, false), word, len))
			found = found == -1 ? (int)i : -2;
	return found;
}

static const char *object_name(const void *table, size_t i, bool alias)
{
	const struct object *o = table;

	return alias ? o[i].alias : o[i].name;
}

static const char *command_name(const void *table, size_t i, bool alias)
{
	const struct command *c = table;

	return alias ? c[i].alias : c[i].name;
}

static void unknown(const char *what, const char *word, int found,
		    const char *hint)
{
	char buf[VNM_ESCAPE_MAX(256)];

	fprintf(stderr, "Error: %s \"%s\" is %s, try \"vnimesh %shelp\".\n",
		what, vnm_escape(word, buf, sizeof(buf)),
		found == -2 ? "ambiguous" : "unknown", hint);
}

int object_run(struct tool *t, struct args *a, const char *object,
	       const struct command *commands)
{
	const char *word = args_peek(a);
	char hint[64];
	size_t n = 0;
	int i = 0;

	while (commands[n].name)
		n++;
	if (word && is_help(word)) {
		help_print(object);
		return EXIT_OK;
	}
	if (word) {
		i = match(word, commands, n, command_name);
		if (i < 0) {
			snprintf(hint, sizeof(hint), "%s ", object);
			unknown("Command", word, i, hint);
			return EXIT_LOCAL;
		}
		args_next(a);
	}
	/* The first of each table is what a bare object does. */
	return commands[i].run(t, a);
}

int out_of_memory(void)
{
	fputs("Error: out of memory.\n", stderr);
	return EXIT_LOCAL;
}

int tool_fail(const struct vnm_error *e)
{
	char buf[512];

	vnm_error_text(e, buf, sizeof(buf));
	fprintf(stderr, "Error: %s\n", buf);
	return e->local ? EXIT_LOCAL : EXIT_KERNEL;
}

int tool_genl(struct tool *t)
{
	struct vnm_error e;

	if (t->genl)
		return EXIT_OK;
	if (vnm_genl_open(&t->genl, &e))
		return tool_fail(&e);
	if (t->timeout_ms)
		vnm_genl_set_timeout(t->genl, t->timeout_ms);
	return EXIT_OK;
}

int tool_rtnl(struct tool *t)
{
	struct vnm_error e;

	if (t->rtnl)
		return EXIT_OK;
	if (vnm_rtnl_open(&t->rtnl, &e))
		return tool_fail(&e);
	if (t->timeout_ms)
		vnm_nl_set_timeout(t->rtnl, t->timeout_ms);
	return EXIT_OK;
}

int tool_request(struct tool *t, struct nl_msg *msg)
{
	struct vnm_error e;
	char buf[512];

	if (!msg)
		return out_of_memory();
	if (vnm_genl_request(t->genl, msg, NULL, NULL, &e))
		return tool_fail(&e);
	if (e.msg[0]) {
		vnm_error_text(&e, buf, sizeof(buf));
		fprintf(stderr, "Warning: %s\n", buf);
	}
	return EXIT_OK;
}

/* Whether @arg is the option @name or the beginning of it; at least as long as
 * @least letters.
 */
static bool is_option(const char *arg, const char *name, size_t least)
{
	size_t len = strlen(arg);

	return len >= least && len <= strlen(name) && !strncmp(arg, name, len);
}

static int enter_netns(const char *name)
{
	int fd = name ? netns_open(name) : -1;
	int ret = EXIT_LOCAL;

	if (fd < 0)
		return EXIT_LOCAL;
	if (!setns(fd, CLONE_NEWNET))
		ret = EXIT_OK;
	else
		fprintf(stderr,
			"Error: Cannot enter network namespace \"%s\": %s.\n",
			name, strerror(errno));
	close(fd);
	return ret;
}

/* Options stand before the object. Returns an exit code, -1: go on. */
static int options(struct tool *t, struct args *a)
{
	const char *opt, *arg, *value;
	uint32_t ms;

	while (args_peek(a) && args_peek(a)[0] == '-') {
		arg = args_next(a);
		opt = arg + 1 + (arg[1] == '-');
		if (is_help(arg) || is_option(opt, "help", 1)) {
			help_print(NULL);
			return EXIT_OK;
		} else if (is_option(opt, "Version", 1) ||
			   !strcmp(opt, "version")) {
			printf("vnimesh %s, netlink interface %d\n",
			       VNIMESH_VERSION, VNIMESH_GENL_VERSION);
			return EXIT_OK;
		} else if (is_option(opt, "json", 1)) {
			t->json = true;
		} else if (is_option(opt, "pretty", 1)) {
			t->pretty = true;
		} else if (is_option(opt, "statistics", 1) ||
			   !strcmp(opt, "stats")) {
			t->show |= VNM_SHOW_STATS;
		} else if (is_option(opt, "details", 1)) {
			t->show |= VNM_SHOW_DETAIL;
		} else if (is_option(opt, "netns", 1)) {
			value = args_value(a, arg);
			if (!value || enter_netns(value))
				return EXIT_LOCAL;
		} else if (is_option(opt, "timeout", 2)) {
			value = args_value(a, arg);
			if (!value || !parse_duration(value, "timeout", 1000, 1,
						      3600000, &ms))
				return EXIT_LOCAL;
			t->timeout_ms = (int)ms;
		} else {
			unknown("Option", arg, -1, "");
			return EXIT_LOCAL;
		}
	}
	return -1;
}

static int run(struct tool *t, struct args *a)
{
	const char *word;
	int i, ret;

	ret = options(t, a);
	if (ret >= 0)
		return ret;
	word = args_next(a);
	if (!word) {
		fputs("Error: an object is required, try \"vnimesh help\".\n",
		      stderr);
		return EXIT_LOCAL;
	}
	i = match(word, objects, N_OBJECTS, object_name);
	if (i < 0) {
		unknown("Object", word, i, "");
		return EXIT_LOCAL;
	}
	a->object = objects[i].name;
	if (objects[i].commands)
		return object_run(t, a, objects[i].name, objects[i].commands);
	if (args_peek(a) && is_help(args_peek(a))) {
		help_print(objects[i].name);
		return EXIT_OK;
	}
	return objects[i].run(t, a);
}

int main(int argc, char **argv)
{
	struct args a = { .object = "", .v = argv + 1 };
	struct tool t = { 0 };
	int ret;

	if (argc < 1)
		return EXIT_LOCAL;
	ret = run(&t, &a);
	vnm_genl_close(t.genl);
	vnm_nl_close(t.rtnl);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "Error: Cannot write the output: %s.\n",
			strerror(errno));
		ret = ret ? ret : EXIT_LOCAL;
	}
	return ret;
}
