// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `vnimesh join URL TOKEN`. The token names the fingerprint of the mesh's own
 * certificate, so that the coordinator is known before anything is told.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cert.h"
#include "remote.h"

#define CONFIG_FILE	"/etc/vnimesh/vnimeshd.json"
#define STATE_DIR	"/var/lib/vnimesh"
#define STATE_FILE	"state.json"

struct join {
	struct api api;
	const char *token;
	const char *pin;
	const char *name;
	const char *underlay;
	const char *zone;
	const char *port;
	const char *device;
	const char *config;
	const char *state_dir;
	char host[HOST_NAME_MAX + 1];
	char ca[PATH_MAX];
	char *key;
	char *request;
};

static bool read_words(struct join *j, char **v)
{
	const struct {
		const char *key;
		const char **value;
	} words[] = {
		{ "name", &j->name }, { "underlay", &j->underlay },
		{ "zone", &j->zone }, { "port", &j->port },
		{ "dev", &j->device },
		{ "config", &j->config }, { "state-dir", &j->state_dir },
	};
	size_t i;

	if (!v[0] || !v[1]) {
		fail("a URL and a token are required.");
		return false;
	}
	j->api.url = v[0];
	j->token = v[1];
	for (v += 2; *v;) {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (!strcmp(*v, words[i].key))
				break;
		if (i == sizeof(words) / sizeof(words[0])) {
			fail("argument \"%s\" is unknown.", *v);
			return false;
		}
		v++;
		*words[i].value = value_of(&v, words[i].key);
		if (!*words[i].value)
			return false;
	}
	/* "vnm1.ID.SECRET.PIN" */
	j->pin = strrchr(j->token, '.');
	if (strncmp(j->token, "vnm1.", 5) || strlen(j->pin) != 65) {
		fail("argument \"%s\" is wrong: must be a token to join by.",
		     j->token);
		return false;
	}
	j->pin++;
	if (strncmp(j->api.url, "https://", 8)) {
		fail("argument \"%s\" is wrong: must be https://ADDRESS:PORT.",
		     j->api.url);
		return false;
	}
	return true;
}

/* What would be overwritten may be the only copy of an identity. */
static bool is_free(const struct join *j)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", j->state_dir, CERT_KEY_FILE);
	if (access(path, F_OK) && access(j->config, F_OK))
		return true;
	fail("%s exists: this host is a node already.",
	     access(path, F_OK) ? j->config : path);
	return false;
}

static bool write_to(const char *dir, const char *name, const char *text,
		     unsigned int mode)
{
	int err = cert_write(dir, name, text, mode);

	if (err)
		fail("%s/%s: %s.", dir, name, strerror(-err));
	return !err;
}

static int find_ca(struct join *j)
{
	int code = EXIT_LOCAL;
	const char *pem;
	char pin[65];
	json_t *o;

	o = api_ask(&j->api, "GET", "/v1/ca", NULL, &code);
	if (!o)
		return code;
	pem = json_string_value(json_object_get(o, "certificate"));
	if (pem && cert_pin(pem, pin) && !strcmp(pin, j->pin)) {
		snprintf(j->ca, sizeof(j->ca), "%s/%s", j->state_dir,
			 CERT_CA_FILE);
		code = write_to(j->state_dir, CERT_CA_FILE, pem, 0644) ?
		       EXIT_OK : EXIT_LOCAL;
		json_decref(o);
		return code;
	}
	json_decref(o);
	fail("%s is not the coordinator that made the token.", j->api.url);
	return EXIT_REFUSED;
}

static json_t *ask(struct join *j, int *code)
{
	const char *underlay = j->underlay ? j->underlay : j->api.local;
	json_t *body, *o;

	body = json_pack("{s:s, s:s, s:s}", "name", j->name, "underlay",
			 underlay, "csr", j->request);
	if (j->zone)
		json_object_set_new(body, "zone", json_string(j->zone));
	if (j->port)
		json_object_set_new(body, "port", json_integer(atoi(j->port)));
	j->api.ca = j->ca;
	j->api.token = j->token;
	o = api_ask(&j->api, "POST", "/v1/join", body, code);
	json_decref(body);
	return o;
}

static bool make_dirs(const char *path, unsigned int mode)
{
	char buf[PATH_MAX];
	char *p;

	snprintf(buf, sizeof(buf), "%s", path);
	for (p = strchr(buf + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	return !mkdir(buf, mode) || errno == EEXIST;
}

/* What the agent would have in its cache had it been here before. */
static bool write_state(const struct join *j, json_t *answer)
{
	json_t *node = json_object_get(answer, "node");
	json_t *o;
	char *text;
	bool ok;

	o = json_pack("{s:i, s:s, s:O, s:O, s:[O], s:[], s:{}, s:[]}",
		      "format", 1, "name", j->name,
		      "mesh", json_object_get(answer, "mesh"),
		      "self", json_object_get(node, "node"), "nodes", node,
		      "services", "members", "own");
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	ok = text && write_to(j->state_dir, STATE_FILE, text, 0600);
	free(text);
	json_decref(o);
	return ok;
}

static bool write_config(const struct join *j, json_t *answer)
{
	json_t *node = json_object_get(answer, "node");
	char dir[PATH_MAX];
	const char *slash;
	json_t *o;
	char *text;
	bool ok;

	slash = strrchr(j->config, '/');
	if (!slash) {
		fail("argument \"%s\" is wrong: must be a path.", j->config);
		return false;
	}
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - j->config), j->config);
	make_dirs(dir, 0755);
	o = json_pack("{s:s, s:s, s:s, s:{s:s, s:O, s:O, s:O}}",
		      "coordinator", j->api.url, "device", j->device,
		      "state_dir", j->state_dir,
		      "node", "name", j->name,
		      "underlay", json_object_get(node, "underlay"),
		      "port", json_object_get(node, "port"),
		      "zone", json_object_get(node, "zone"));
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	ok = text && write_to(dir, slash + 1, text, 0644);
	free(text);
	json_decref(o);
	return ok;
}

/* The key first: without it the rest is of no use to anybody. */
static bool keep(const struct join *j, json_t *answer)
{
	const char *cert;

	cert = json_string_value(json_object_get(answer, "certificate"));
	if (!cert) {
		fail("the answer has no certificate.");
		return false;
	}
	return write_to(j->state_dir, CERT_FILE, cert, 0644) &&
	       write_state(j, answer) && write_config(j, answer);
}

static json_int_t number(const json_t *answer, const char *object,
			 const char *key)
{
	return json_integer_value(json_object_get(json_object_get(answer, object),
						  key));
}

static int join(struct join *j)
{
	json_t *answer;
	int code;

	if (!make_dirs(j->state_dir, 0700))
		return fail("%s: %m.", j->state_dir);
	code = find_ca(j);
	if (code)
		return code;
	if (!cert_request(j->name, &j->key, &j->request))
		return fail("Cannot make a key.");
	cert_forget_next(j->state_dir);
	/* Written before anything is asked for: a token works once. */
	if (!write_to(j->state_dir, CERT_KEY_FILE, j->key, 0600))
		return EXIT_LOCAL;
	answer = ask(j, &code);
	if (!answer || !keep(j, answer)) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", j->state_dir,
			 CERT_KEY_FILE);
		unlink(path);
		json_decref(answer);
		return answer ? EXIT_LOCAL : code;
	}
	printf("node %lld \"%s\" of mesh %lld: start vnimeshd\n",
	       number(answer, "node", "node"), j->name,
	       number(answer, "mesh", "id"));
	json_decref(answer);
	return EXIT_OK;
}

int join_run(char **v)
{
	struct join j = {
		.config = CONFIG_FILE,
		.state_dir = STATE_DIR,
		.device = "mesh0",
	};
	int code = EXIT_LOCAL;

	gethostname(j.host, sizeof(j.host) - 1);
	j.host[strcspn(j.host, ".")] = '\0';
	j.name = j.host;
	if (read_words(&j, v) && is_free(&j))
		code = join(&j);
	free(j.key);
	free(j.request);
	return code;
}
