// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libcurl as it is to the coordinator, with etcd's gateway behind it: each
 * request is answered by the script's next line of its kind, and then by what a
 * mesh with a node and a service has. Part of the target etcd.
 * fuzz: coordinator
 */

#include <errno.h>
#include <stdarg.h>
#include <sys/queue.h>

#include <nettle/base64.h>

#include "curl_loop.h"
#include "fuzz.h"
#include "gateway.h"

#define LINES_MAX	512
#define TEXT_MAX	16384
/* Answers in one run: beyond, something asks without end. */
#define SERVED_MAX	20000

enum way {
	WAY_GOOD = '0',
	WAY_REFUSED,		/* status 400; of a watch: half a line */
	WAY_AWAY,		/* status 503; of a watch: it ends after it */
	WAY_UNREACHED,
	WAY_UNKNOWN,
	WAY_LATER,		/* of a watch: once a change was asked for */
};

static const char kinds[] = "hrctwlxa";

static struct {
	char *line[LINES_MAX];
	size_t nr, at;
} script[sizeof(kinds) - 1];

static unsigned int served;
static bool change_asked;
static const char *last_head;	/* what a probe was answered last */

struct transfer {
	char url[400];
	char *body;
	curl_write_callback write;
	void *write_data;
	void *owner;
	long status;
	bool silent;		/* a watch that has no line any more */
	TAILQ_ENTRY(transfer) list;
};

struct curl_loop {
	struct source *later;
	curl_loop_fn end;
	TAILQ_HEAD(, transfer) transfers;
};

CURL *(curl_easy_init)(void)
{
	return calloc(1, sizeof(struct transfer));
}

void (curl_easy_cleanup)(CURL *easy)
{
	struct transfer *t = easy;

	free(t->body);
	free(t);
}

CURLcode (curl_easy_setopt)(CURL *easy, CURLoption option, ...)
{
	struct transfer *t = easy;
	const char *text;
	va_list ap;

	va_start(ap, option);
	switch (option) {
	case CURLOPT_URL:
		text = va_arg(ap, const char *);
		must(strlen(text) < sizeof(t->url));
		strcpy(t->url, text);
		break;
	case CURLOPT_COPYPOSTFIELDS:
		t->body = strdup(va_arg(ap, const char *));
		break;
	case CURLOPT_WRITEFUNCTION:
		t->write = va_arg(ap, curl_write_callback);
		break;
	case CURLOPT_WRITEDATA:
		t->write_data = va_arg(ap, void *);
		break;
	case CURLOPT_PRIVATE:
		t->owner = va_arg(ap, void *);
		break;
	default:
		break;
	}
	va_end(ap);
	return CURLE_OK;
}

CURLcode (curl_easy_getinfo)(CURL *easy, CURLINFO info, ...)
{
	struct transfer *t = easy;
	va_list ap;

	must(info == CURLINFO_RESPONSE_CODE);
	va_start(ap, info);
	*va_arg(ap, long *) = t->status;
	va_end(ap);
	return CURLE_OK;
}

static bool is_watch(const struct transfer *t)
{
	return strstr(t->url, "/v3/watch");
}

static char kind_of(const struct transfer *t)
{
	if (is_watch(t))
		return 'w';
	if (strstr(t->url, "/kv/range"))
		return strstr(t->body, "range_end") ? 'r' : 'h';
	if (strstr(t->url, "/kv/compaction"))
		return 'x';
	if (strstr(t->url, "/lease/"))
		return 'l';
	if (strstr(t->url, "/auth/"))
		return 'a';
	must(strstr(t->url, "/kv/txn"));
	return strstr(t->body, "\"failure\"") ? 'c' : 't';
}

/* What is there for the next request of this kind, or NULL. */
static const char *next_line(char kind)
{
	size_t i = strchr(kinds, kind) - kinds;

	return script[i].at < script[i].nr ? script[i].line[script[i].at++] :
					     NULL;
}

static const char *next_watch_line(void)
{
	size_t i = strchr(kinds, 'w') - kinds;

	if (script[i].at < script[i].nr && !change_asked &&
	    script[i].line[script[i].at][0] == WAY_LATER)
		return NULL;
	return next_line('w');
}

/* What a store has, by the prefix that is asked for. */
static const struct {
	const char *key, *answer;
} stored[] = {
	{ "<mesh/mesh>", "0{\"kvs\":[{\"key\":<mesh/mesh>,\"value\":<{\"id\": 77, "
	  "\"uuid\": \"6f1e5a3c-0000-4000-8000-000000000001\", \"port\": 6081, "
	  "\"prefix4\": \"10.77.0.0/16\", \"prefix6\": \"fd77::/48\", "
	  "\"service_prefix4\": \"10.96.0.0/16\", "
	  "\"service_prefix6\": \"fd77:0:0:ff::/64\", "
	  "\"block4\": 24, \"block6\": 64, \"vni_block\": 256}>}]}" },
	{ "<mesh/node/>", "0{\"kvs\":[{\"key\":<mesh/node/1>,\"value\":<{\"node\": 1, "
	  "\"name\": \"host1\", \"underlay\": \"192.0.2.11\", \"port\": 6081, "
	  "\"prefixes\": [\"10.77.1.0/24\", \"fd77:0:0:1::/64\"], "
	  "\"address4\": \"10.77.1.1\", \"address6\": \"fd77:0:0:1::1\", "
	  "\"vni\": 256, \"vni_first\": 256, \"vni_count\": 256, \"epoch\": 5}>}]}" },
	{ "<mesh/service/>", "0{\"kvs\":[{\"key\":<mesh/service/web>,\"value\":<"
	  "{\"tag\": \"web\", \"address4\": \"10.96.0.1\", "
	  "\"address6\": \"fd77:0:0:ff::1\", \"creator\": 1}>}]}" },
	{ "<mesh/member/>", "0{\"kvs\":[{\"key\":<mesh/member/web/257>,\"value\":<"
	  "{\"tag\": \"web\", \"vni\": 257, \"node\": 1, "
	  "\"address4\": \"10.77.1.2\"}>}]}" },
	{ "<mesh/live/>", "0{\"kvs\":[{\"key\":<mesh/live/1>,\"value\":<other>}]}" },
};

#define NR_STORED	(sizeof(stored) / sizeof(stored[0]))

/* The same as it comes. */
static char *stored_key[NR_STORED], *stored_text[NR_STORED];

static const char *stored_answer(const struct transfer *t)
{
	size_t i;

	for (i = 0; i < NR_STORED; i++)
		if (strstr(t->body, stored_key[i]))
			return stored_text[i];
	return "0{}";
}

static const char *good_answer(const struct transfer *t, char kind)
{
	switch (kind) {
	case 'h':
		return last_head ? last_head :
				   "0{\"header\":{\"revision\":\"10\"}}";
	case 'r':
		return stored_answer(t);
	case 'c':
		return "0{\"header\":{\"revision\":\"1000\"},\"succeeded\":true}";
	case 'l':
		return "0{\"ID\":\"7\",\"TTL\":\"10\",\"result\":{\"TTL\":\"10\"}}";
	case 'a':
		return "0{\"token\":\"secret\"}";
	}
	return "0{}";
}

static bool give(struct transfer *t, const char *text)
{
	size_t n = strlen(text);

	return !n || t->write((char *)text, 1, n, t->write_data) == n;
}

/* The transfer may be gone after each of these. */
static void serve_watch(struct curl_loop *cl, struct transfer *t)
{
	const char *line = next_watch_line();

	if (!line) {
		t->silent = true;
		return;
	}
	t->status = 200;
	if (line[0] == WAY_UNREACHED || line[0] == WAY_UNKNOWN) {
		cl->end(t->owner, CURLE_RECV_ERROR);
		return;
	}
	if (!give(t, line + 1) ||
	    (line[0] != WAY_REFUSED && !give(t, "\n")))
		cl->end(t->owner, CURLE_WRITE_ERROR);
	else if (line[0] == WAY_AWAY)
		cl->end(t->owner, CURLE_OK);
}

static void ask_change(struct curl_loop *cl)
{
	struct transfer *t;

	change_asked = true;
	TAILQ_FOREACH(t, &cl->transfers, list)
		t->silent = false;
}

static void serve_answer(struct curl_loop *cl, struct transfer *t)
{
	char kind = kind_of(t);
	const char *line = next_line(kind);
	CURLcode code = CURLE_OK;

	if (!line)
		line = good_answer(t, kind);
	if (kind == 'h')
		last_head = line;
	if (kind == 'c')
		ask_change(cl);
	t->status = line[0] == WAY_REFUSED ? 400 :
		    line[0] == WAY_AWAY ? 503 : 200;
	if (line[0] == WAY_UNREACHED)
		code = CURLE_COULDNT_CONNECT;
	else if (line[0] == WAY_UNKNOWN)
		code = CURLE_OPERATION_TIMEDOUT;
	else if (!give(t, line + 1))
		code = CURLE_WRITE_ERROR;
	cl->end(t->owner, code);
}

static struct transfer *waiting(struct curl_loop *cl)
{
	struct transfer *t;

	TAILQ_FOREACH(t, &cl->transfers, list)
		if (!t->silent)
			return t;
	return NULL;
}

static void on_later(void *data)
{
	struct curl_loop *cl = data;
	struct transfer *t = waiting(cl);

	if (!t)
		return;
	/* The next one's turn is in the loop's next turn. */
	source_defer(cl->later);
	TAILQ_REMOVE(&cl->transfers, t, list);
	TAILQ_INSERT_TAIL(&cl->transfers, t, list);
	must(++served < SERVED_MAX);
	if (is_watch(t))
		serve_watch(cl, t);
	else
		serve_answer(cl, t);
}

int curl_loop_new(struct curl_loop **ret, struct loop *loop, curl_loop_fn fn)
{
	struct curl_loop *cl = calloc(1, sizeof(*cl));

	must(cl);
	TAILQ_INIT(&cl->transfers);
	cl->end = fn;
	*ret = cl;
	return loop_defer(loop, &cl->later, on_later, cl);
}

void curl_loop_free(struct curl_loop *cl)
{
	if (!cl)
		return;
	must(TAILQ_EMPTY(&cl->transfers));
	source_free(&cl->later);
	free(cl);
}

int curl_loop_add(struct curl_loop *cl, CURL *easy)
{
	struct transfer *t = easy;

	TAILQ_INSERT_TAIL(&cl->transfers, t, list);
	source_defer(cl->later);
	return 0;
}

void curl_loop_del(struct curl_loop *cl, CURL *easy)
{
	struct transfer *t = easy;

	TAILQ_REMOVE(&cl->transfers, t, list);
}

/* --- its script --------------------------------------------------------------- */

static size_t put_base64(char *to, const char *from, size_t n)
{
	size_t len = BASE64_ENCODE_RAW_LENGTH(n);

	to[0] = '"';
	base64_encode_raw(to + 1, n, (const uint8_t *)from);
	to[len + 1] = '"';
	return len + 2;
}

/* A copy, with what is between < and > as it comes. */
static char *expand(const char *line)
{
	char text[TEXT_MAX];
	const char *end;
	size_t n = 0;

	while (*line && n < sizeof(text) - 1) {
		end = *line == '<' ? strchr(line, '>') : NULL;
		if (!end) {
			text[n++] = *line++;
			continue;
		}
		if (BASE64_ENCODE_RAW_LENGTH((size_t)(end - line)) + 2 >=
		    sizeof(text) - n)
			break;
		n += put_base64(text + n, line + 1, end - line - 1);
		line = end + 1;
	}
	return fuzz_text((uint8_t *)text, n);
}

static void ended(void)
{
	size_t i;

	for (i = 0; i < NR_STORED; i++) {
		free(stored_key[i]);
		free(stored_text[i]);
	}
}

void gateway_init(void)
{
	size_t i;

	for (i = 0; i < NR_STORED; i++) {
		stored_key[i] = expand(stored[i].key);
		stored_text[i] = expand(stored[i].answer);
	}
	atexit(ended);
}

void gateway_read(char *text)
{
	const char *kind;
	char *line;
	size_t i;

	served = 0;
	change_asked = false;
	last_head = NULL;
	while ((line = strsep(&text, "\n"))) {
		kind = *line ? strchr(kinds, *line) : NULL;
		if (!kind || !line[1])
			continue;
		i = kind - kinds;
		if (script[i].nr < LINES_MAX)
			script[i].line[script[i].nr++] = expand(line + 1);
	}
}

void gateway_end(void)
{
	size_t i, k;

	for (k = 0; k < sizeof(kinds) - 1; k++)
		for (i = 0; i < script[k].nr; i++)
			free(script[k].line[i]);
	memset(script, 0, sizeof(script));
}

unsigned int gateway_served(void)
{
	return served;
}
