// SPDX-License-Identifier: GPL-2.0-or-later
/* Tokens, grants, and nodes that are to be forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote.h"

/* Asks, prints the answer as JSON if @show. */
static int ask(struct access *access, const char *method, const char *path,
	       json_t *body, bool show)
{
	int code = EXIT_OK;
	json_t *o;

	if (!access_open(access)) {
		access_close(access);
		json_decref(body);
		return EXIT_LOCAL;
	}
	o = api_ask(&access->api, method, path, body, &code);
	json_decref(body);
	if (o && show) {
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(o);
	access_close(access);
	return code;
}

static bool unknown(const char *word)
{
	fail("argument \"%s\" is unknown.", word);
	return false;
}

/* It becomes part of a path. */
static bool plain(const char *word)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";

	if (*word && !word[strspn(word, chars)])
		return true;
	fail("argument \"%s\" is wrong: must be a name.", word);
	return false;
}

int forget_run(char **v)
{
	struct access access = { 0 };
	const char *name = *v;
	bool force = false;
	char path[128];
	int took;

	if (!name || !plain(name))
		return name ? EXIT_LOCAL : fail("a node is required.");
	for (v++; *v;) {
		took = access_word(&access, &v);
		if (took < 0)
			return EXIT_LOCAL;
		if (took)
			continue;
		if (strcmp(*v, "force"))
			return unknown(*v) ? 0 : EXIT_LOCAL;
		force = true;
		v++;
	}
	snprintf(path, sizeof(path), "/v1/nodes/%.63s%s", name,
		 force ? "?force=1" : "");
	return ask(&access, "DELETE", path, NULL, false);
}

static bool add_number(json_t *body, const char *key, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < 0) {
		fail("argument \"%s\" is wrong: must be a number.", text);
		return false;
	}
	json_object_set_new(body, key, json_integer(n));
	return true;
}

/* Into @body: tag PATTERN..., services-max N, members-max N; with @token also
 * role and ttl.
 */
static bool read_grant(struct access *access, char **v, json_t *body,
		       bool token)
{
	static const struct {
		const char *word;
		const char *key;
		bool number;
		bool token;
	} words[] = {
		{ "tag", "tags", false, false },
		{ "services-max", "services_max", true, false },
		{ "members-max", "members_max", true, false },
		{ "role", "role", false, true },
		{ "ttl-seconds", "ttl_s", true, true },
	};
	json_t *tags = json_array();
	const char *value;
	size_t i;
	int took;

	json_object_set_new(body, "tags", tags);
	while (*v) {
		took = access_word(access, &v);
		if (took < 0)
			return false;
		if (took)
			continue;
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (!strcmp(*v, words[i].word) &&
			    (token || !words[i].token))
				break;
		if (i == sizeof(words) / sizeof(words[0]))
			return unknown(*v);
		v++;
		value = value_of(&v, words[i].word);
		if (!value)
			return false;
		if (words[i].number) {
			if (!add_number(body, words[i].key, value))
				return false;
		} else if (!i) {
			json_array_append_new(tags, json_string(value));
		} else {
			json_object_set_new(body, words[i].key,
					    json_string(value));
		}
	}
	return true;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int token_add(char **v)
{
	struct access access = { 0 };
	json_t *body = json_object();
	int code = EXIT_OK;
	json_t *o;

	json_object_set_new(body, "role", json_string("join"));
	if (!read_grant(&access, v, body, true) || !access_open(&access)) {
		json_decref(body);
		access_close(&access);
		return EXIT_LOCAL;
	}
	o = api_ask(&access.api, "POST", "/v1/tokens", body, &code);
	if (o) {
		const char *secret = text_of(o, "secret");

		/* What is to be typed on the host that joins. */
		if (!strcmp(text_of(body, "role"), "join"))
			printf("vnimesh join %s ", access.api.url);
		printf("%s\n", secret ? secret : "");
	}
	json_decref(o);
	json_decref(body);
	access_close(&access);
	return code;
}

static int access_only(struct access *access, char **v)
{
	int took;

	while (*v) {
		took = access_word(access, &v);
		if (took < 0)
			return EXIT_LOCAL;
		if (!took) {
			unknown(*v);
			return EXIT_LOCAL;
		}
	}
	return EXIT_OK;
}

int token_run(char **v)
{
	struct access access = { 0 };
	const char *command = *v ? *v++ : "show";
	char path[128];

	if (!strcmp(command, "add"))
		return token_add(v);
	if (!strcmp(command, "show"))
		return access_only(&access, v) ? EXIT_LOCAL :
		       ask(&access, "GET", "/v1/tokens", NULL, true);
	if (strcmp(command, "del"))
		return fail("command \"%s\" is unknown: add, show or del.",
			    command);
	if (!*v || !plain(*v))
		return *v ? EXIT_LOCAL : fail("a token's id is required.");
	snprintf(path, sizeof(path), "/v1/tokens/%.63s", *v);
	return access_only(&access, v + 1) ? EXIT_LOCAL :
	       ask(&access, "DELETE", path, NULL, false);
}

int grant_run(char **v)
{
	struct access access = { 0 };
	const char *command = *v ? *v++ : "";
	const char *node = *v;
	char path[128];
	json_t *body;

	if (strcmp(command, "show") && strcmp(command, "set"))
		return fail("command \"%s\" is unknown: show or set.", command);
	if (!node || !plain(node))
		return node ? EXIT_LOCAL : fail("a node is required.");
	v++;
	snprintf(path, sizeof(path), "/v1/nodes/%.63s/grant", node);
	if (!strcmp(command, "show"))
		return access_only(&access, v) ? EXIT_LOCAL :
		       ask(&access, "GET", path, NULL, true);
	body = json_object();
	if (!read_grant(&access, v, body, false)) {
		json_decref(body);
		return EXIT_LOCAL;
	}
	return ask(&access, "PUT", path, body, false);
}
