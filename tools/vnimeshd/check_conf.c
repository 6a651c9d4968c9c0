// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading how a member is checked. */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_conf.h"

const char *const check_types[] = {
	"none", "tcp", "udp", "http", "https", "grpc", "postgres", "mysql",
	"redis", "exec", "ttl", "alias", "all-of", "any-of", NULL
};

static void read_one(struct jobj *o, uint16_t port,
		     const struct check_allow *allow, unsigned int depth,
		     struct check_conf *c);

static char *copy(struct jobj *o, const char *key, const char *text)
{
	char *ret = strdup(text);

	if (!ret)
		jread_fail(o, key, "no memory");
	return ret;
}

/* A string without control characters. */
static void get_text(struct jobj *o, const char *key, enum jneed need,
		     char **ret)
{
	const char *text, *p;

	if (!jget_str(o, key, need, CHECK_TEXT_MAX, &text))
		return;
	for (p = text; *p; p++) {
		if ((unsigned char)*p >= ' ' && *p != 0x7f)
			continue;
		jread_fail(o, key, "must have no control characters");
		return;
	}
	free(*ret);
	*ret = copy(o, key, text);
}

/* The same without spaces, not empty: a word of a header or request line. */
static void get_token(struct jobj *o, const char *key, char **ret)
{
	const char *text;

	if (!jget_str(o, key, JOPT, CHECK_TEXT_MAX, &text))
		return;
	if (!*text || strpbrk(text, " \t\r\n")) {
		jread_fail(o, key, "must be one word");
		return;
	}
	get_text(o, key, JOPT, ret);
}

static void get_file(struct jobj *o, const char *key, enum jneed need,
		     char **ret)
{
	const char *text;

	if (!jget_str(o, key, need, CHECK_TEXT_MAX, &text))
		return;
	if (*text != '/')
		jread_fail(o, key, "must be an absolute path");
	else
		get_text(o, key, JOPT, ret);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void get_hex(struct jobj *o, const char *key, const char *text,
		    struct check_bytes *ret)
{
	size_t i, n = strlen(text);

	for (i = 0; i < n; i++) {
		if (hex(text[i]) >= 0 && n % 2 == 0)
			continue;
		jread_fail(o, key, "must be pairs of hexadecimal digits");
		return;
	}
	ret->v = malloc(n / 2 + 1);
	if (!ret->v) {
		jread_fail(o, key, "no memory");
		return;
	}
	ret->n = n / 2;
	for (i = 0; i < ret->n; i++)
		ret->v[i] = hex(text[2 * i]) << 4 | hex(text[2 * i + 1]);
}

/* @key as text, or @key_hex where that does not do. */
static void get_bytes(struct jobj *o, const char *key, const char *key_hex,
		      struct check_bytes *ret)
{
	const char *text;

	if (jget_str(o, key, JOPT, CHECK_BYTES_MAX, &text)) {
		ret->v = (uint8_t *)copy(o, key, text);
		ret->n = ret->v ? strlen(text) : 0;
	}
	if (!jget_str(o, key_hex, JOPT, 2 * CHECK_BYTES_MAX, &text))
		return;
	if (ret->v)
		jread_fail(o, key_hex, "and \"%s\" are two answers to one question",
			   key);
	else
		get_hex(o, key_hex, text, ret);
}

/* "tls": true, or an object. */
static void get_tls(struct jobj *o, struct check_conf *c)
{
	json_t *json = o->json ? json_object_get(o->json, "tls") : NULL;
	bool verify = true;
	struct jobj tls;

	if (!json_is_object(json)) {
		jget_bool(o, "tls", JOPT, &c->tls);
		return;
	}
	if (!jget_obj(o, "tls", JOPT, &tls))
		return;
	c->tls = true;
	jget_bool(&tls, "verify", JOPT, &verify);
	c->tls_insecure = !verify;
	get_token(&tls, "name", &c->tls_name);
	get_file(&tls, "ca", JOPT, &c->tls_ca);
	jobj_end(&tls);
}

static bool get_number(const char **text, uint16_t *ret)
{
	unsigned int v = 0, n = 0;

	for (; **text >= '0' && **text <= '9' && n < 4; n++)
		v = v * 10 + *(*text)++ - '0';
	*ret = v;
	return n && v >= 100 && v <= 599;
}

/* "200-299" or "401". */
static bool get_range(const char *text, struct check_range *r)
{
	if (!get_number(&text, &r->min))
		return false;
	r->max = r->min;
	if (*text == '-') {
		text++;
		if (!get_number(&text, &r->max))
			return false;
	}
	return !*text && r->min <= r->max;
}

static void get_status(struct jobj *o, struct check_conf *c)
{
	uint32_t min = 200, max = 399;
	const char *text;
	struct jarr arr;
	unsigned int i;
	bool single;

	single = jget_u32(o, "status_min", JOPT, 100, 599, &min);
	single |= jget_u32(o, "status_max", JOPT, 100, 599, &max);
	if (jread_ok(o->rd) && min > max)
		jread_fail(o, "status_min", "must not be above status_max");
	c->status[0] = (struct check_range) { min, max };
	c->n_status = 1;
	if (!jget_arr(o, "status", JOPT, CHECK_RANGES_MAX, &arr))
		return;
	if (single || !arr.n) {
		jread_fail(o, "status", single ?
			   "replaces status_min and status_max" :
			   "must not be empty");
		return;
	}
	for (i = 0; i < arr.n; i++) {
		if (!jarr_str(&arr, i, 7, &text))
			return;
		if (!get_range(text, &c->status[i])) {
			jarr_fail(&arr, i,
				  "must be a status or a range, \"200-299\"");
			return;
		}
	}
	c->n_status = arr.n;
}

static bool header_name(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return false;
	return p != name;
}

static void get_headers(struct jobj *o, const char *key,
			struct check_header *v, unsigned int *n)
{
	struct jobj headers;
	const char *name;
	json_t *json;

	if (!jget_obj(o, key, JOPT, &headers))
		return;
	json_object_foreach(headers.json, name, json) {
		if (!header_name(name)) {
			jread_fail(o, key, "\"%s\" is no name of a header",
				   name);
			return;
		}
		if (*n == CHECK_HEADERS_MAX) {
			jread_fail(o, key, "must have at most %u headers",
				   CHECK_HEADERS_MAX);
			return;
		}
		v[*n].name = copy(o, key, name);
		get_text(&headers, name, JREQ, &v[*n].value);
		(*n)++;
		if (!jread_ok(o->rd))
			return;
	}
}

static void get_http(struct jobj *o, struct check_conf *c)
{
	const char *path;

	if (jget_str(o, "path", JOPT, CHECK_TEXT_MAX, &path)) {
		if (path[0] != '/' || strpbrk(path, " \t\r\n"))
			jread_fail(o, "path",
				   "must begin with / and have no spaces");
		else
			get_text(o, "path", JOPT, &c->path);
	}
	get_token(o, "host", &c->host);
	get_token(o, "method", &c->method);
	if (c->method && strcmp(c->method, "GET") && strcmp(c->method, "HEAD") &&
	    strcmp(c->method, "OPTIONS") && strcmp(c->method, "POST"))
		jread_fail(o, "method", "must be GET, HEAD, OPTIONS or POST");
	get_text(o, "body", JOPT, &c->body);
	get_status(o, c);
	get_headers(o, "headers", c->headers, &c->n_headers);
	get_headers(o, "expect_headers", c->expected, &c->n_expected);
	if (c->type == CHECK_HTTPS) {
		get_tls(o, c);
		c->tls = true;
	}
}

static void get_database(struct jobj *o, struct check_conf *c)
{
	get_text(o, "user", JOPT, &c->user);
	get_file(o, "password_file", JOPT, &c->password_file);
	jget_bool(o, "writable", JOPT, &c->writable);
	jget_tag(o, "primary_tag", JOPT, c->primary_tag);
	if (c->type == CHECK_REDIS) {
		/* Redis tells its role to whom it lets in at all. */
		get_tls(o, c);
		return;
	}
	get_text(o, "database", JOPT, &c->database);
	get_tls(o, c);
	/* Its library has TLS for connections of its own making alone. */
	if (c->type == CHECK_POSTGRES && c->password_file && c->inside && c->tls)
		jread_fail(o, "tls",
			   "is not possible with a login from inside");
	if (c->password_file || !jread_ok(o->rd))
		return;
	if (c->writable)
		jread_fail(o, "writable", "needs a password_file");
	else if (c->primary_tag[0])
		jread_fail(o, "primary_tag", "needs a password_file");
}

static void get_exec(struct jobj *o, const struct check_allow *allow,
		     struct check_conf *c)
{
	const char *text;
	struct jarr arr;
	unsigned int i;

	if (!allow->exec) {
		jread_fail(o, "type",
			   "exec checks are off, see allow_exec in vnimeshd.json");
		return;
	}
	if (!jget_arr(o, "argv", JREQ, CHECK_ARGS_MAX, &arr))
		return;
	if (!arr.n)
		jread_fail(o, "argv", "must not be empty");
	for (i = 0; i < arr.n; i++) {
		if (!jarr_str(&arr, i, CHECK_TEXT_MAX, &text))
			return;
		if (!i && *text != '/') {
			jarr_fail(&arr, i, "must be an absolute path");
			return;
		}
		c->argv[i] = copy(o, "argv", text);
	}
}

static void get_alias(struct jobj *o, struct check_conf *c)
{
	jget_tag(o, "tag", JREQ, c->alias_tag);
	jget_u32(o, "vni", JOPT, 1, UINT32_MAX, &c->alias_vni);
	jget_bool(o, "primary", JOPT, &c->alias_primary);
}

static void get_subs(struct jobj *o, uint16_t port,
		     const struct check_allow *allow, unsigned int depth,
		     struct check_conf *c)
{
	struct jarr arr;
	struct jobj sub;
	unsigned int i;

	if (!jget_arr(o, "checks", JREQ, CHECK_SUBS_MAX, &arr))
		return;
	if (!arr.n) {
		jread_fail(o, "checks", "must not be empty");
		return;
	}
	if (depth >= CHECK_DEPTH_MAX) {
		jread_fail(o, "checks", "stands deeper than %u levels",
			   CHECK_DEPTH_MAX);
		return;
	}
	c->subs = calloc(arr.n, sizeof(*c->subs));
	if (!c->subs) {
		jread_fail(o, "checks", "no memory");
		return;
	}
	for (i = 0; i < arr.n && jarr_obj(&arr, i, &sub); i++) {
		c->n_subs = i + 1;
		read_one(&sub, port, allow, depth + 1, &c->subs[i]);
		if (c->subs[i].primary_tag[0])
			jread_fail(&sub, "primary_tag",
				   "must stand in a check of its own");
		if (!jobj_end(&sub))
			return;
	}
}

static bool has_port(enum check_type type)
{
	switch (type) {
	case CHECK_NONE:
	case CHECK_EXEC:
	case CHECK_TTL:
	case CHECK_ALIAS:
	case CHECK_ALL_OF:
	case CHECK_ANY_OF:
		return false;
	default:
		return true;
	}
}

/* Where the check looks from. What is there of no other is loopback. */
static void get_where(struct jobj *o, struct check_conf *c)
{
	static const char *const words[] = { "outside", "inside", NULL };
	unsigned int word = 0;

	jget_word(o, "where", JOPT, words, &word);
	c->inside = word;
	if (jget_addr(o, "address", JOPT, AF_UNSPEC, &c->inside_addr)) {
		if (!c->inside)
			jread_fail(o, "address",
				   "is for checks with \"where\": \"inside\" alone");
	} else {
		ip_parse("127.0.0.1", &c->inside_addr);
	}
}

static void get_times(struct jobj *o, struct check_conf *c)
{
	struct health_conf *h = &c->health;

	/* These have no attempts of their own, or nothing to count: others
	 * did already.
	 */
	switch (c->type) {
	case CHECK_ALL_OF:
	case CHECK_ANY_OF:
	case CHECK_TTL:
	case CHECK_ALIAS:
		if (c->type == CHECK_ALIAS)
			jget_u32(o, "interval_ms", JOPT, 50, 3600000,
				 &h->interval_ms);
		h->rise = 1;
		h->fall = 1;
		return;
	default:
		break;
	}
	jget_u32(o, "interval_ms", JOPT, 50, 3600000, &h->interval_ms);
	jget_u32(o, "timeout_ms", JOPT, 10, 60000, &h->timeout_ms);
	jget_u32(o, "rise", JOPT, 1, 100, &h->rise);
	jget_u32(o, "fall", JOPT, 1, 100, &h->fall);
}

static void get_type(struct jobj *o, uint16_t port,
		     const struct check_allow *allow, unsigned int depth,
		     struct check_conf *c)
{
	switch (c->type) {
	case CHECK_NONE:
		break;
	case CHECK_TCP:
		get_tls(o, c);
		get_bytes(o, "send", "send_hex", &c->send);
		get_bytes(o, "expect", "expect_hex", &c->expect);
		break;
	case CHECK_UDP:
		get_bytes(o, "send", "send_hex", &c->send);
		get_bytes(o, "expect", "expect_hex", &c->expect);
		break;
	case CHECK_HTTP:
	case CHECK_HTTPS:
		get_http(o, c);
		break;
	case CHECK_GRPC:
		get_text(o, "service", JOPT, &c->service);
		get_token(o, "host", &c->host);
		get_tls(o, c);
		break;
	case CHECK_POSTGRES:
	case CHECK_MYSQL:
	case CHECK_REDIS:
		get_database(o, c);
		break;
	case CHECK_EXEC:
		get_exec(o, allow, c);
		break;
	case CHECK_TTL:
		jget_u32(o, "ttl_ms", JREQ, 100, 86400000, &c->ttl_ms);
		break;
	case CHECK_ALIAS:
		get_alias(o, c);
		break;
	case CHECK_ALL_OF:
	case CHECK_ANY_OF:
		get_subs(o, port, allow, depth, c);
		break;
	}
}

static void read_one(struct jobj *o, uint16_t port,
		     const struct check_allow *allow, unsigned int depth,
		     struct check_conf *c)
{
	unsigned int type = CHECK_NONE;
	uint32_t own = port;
	bool damping = true;

	c->health = (struct health_conf) {
		.interval_ms = CHECK_INTERVAL_MS,
		.timeout_ms = CHECK_TIMEOUT_MS,
		.rise = CHECK_RISE,
		.fall = CHECK_FALL,
	};
	if (!jget_word(o, "type", JREQ, check_types, &type))
		return;
	c->type = type;
	if (has_port(c->type)) {
		jget_u32(o, "port", JOPT, 1, 65535, &own);
		if (jread_ok(o->rd) && !own)
			jread_fail(o, "port",
				   "required, as the service has no ports");
		get_where(o, c);
	}
	c->port = own;
	get_times(o, c);
	if (!depth)
		jget_bool(o, "damping", JOPT, &damping);
	/* What a group makes of its parts is damped, not each of them. */
	c->health.no_damping = !damping || depth;
	/* Fields of other types are unknown to this one. */
	get_type(o, port, allow, depth, c);
	jobj_end(o);
}

void check_conf_read(struct jobj *root, const char *key, uint16_t port,
		     const struct check_allow *allow, struct check_conf *ret)
{
	struct jobj o;

	memset(ret, 0, sizeof(*ret));
	if (!jget_obj(root, key, JOPT, &o))
		return;
	read_one(&o, port, allow, 0, ret);
	if (!jread_ok(o.rd))
		return;
	ret->text = json_dumps(o.json, JSON_COMPACT | JSON_SORT_KEYS);
	if (!ret->text)
		jread_fail(root, key, "no memory");
}

static void headers_free(struct check_header *v, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].value);
	}
}

void check_conf_free(struct check_conf *c)
{
	unsigned int i;

	for (i = 0; i < c->n_subs; i++)
		check_conf_free(&c->subs[i]);
	free(c->subs);
	for (i = 0; c->argv[i]; i++)
		free(c->argv[i]);
	headers_free(c->headers, c->n_headers);
	headers_free(c->expected, c->n_expected);
	free(c->tls_name);
	free(c->tls_ca);
	free(c->send.v);
	free(c->expect.v);
	free(c->path);
	free(c->host);
	free(c->method);
	free(c->body);
	free(c->service);
	free(c->user);
	free(c->database);
	free(c->password_file);
	free(c->text);
	memset(c, 0, sizeof(*c));
}

bool check_conf_same(const struct check_conf *a, const struct check_conf *b)
{
	/* The port may come from the service, all else is in the text. */
	return a->type == b->type && a->port == b->port &&
	       a->alias_primary == b->alias_primary &&
	       !strcmp(a->text ? a->text : "", b->text ? b->text : "");
}
