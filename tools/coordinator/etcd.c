// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "curl_loop.h"
#include "etcd.h"
#include "limits.h"
#include "mem.h"
#include "record.h"

#define TOKEN_HEADER	"Authorization: "

/* What a refusal is of, as the gateway tells it. */
enum grpc_code {
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
};

struct buffer {
	char *text;
	size_t len;
};

struct etcd {
	struct etcd_access access;
	char *endpoint[ETCD_ENDPOINTS_MAX];
	unsigned int nr;
	unsigned int at;		/* that is asked */
	char *token;			/* as a header; NULL: none */
	struct curl_loop *curl;
	struct source *later;		/* what is due to calls, at the turn's end */
	struct etcd_call *calls;
	struct etcd_call *telling;	/* its lines, NULL when it is gone */
};

struct etcd_call {
	struct etcd *etcd;
	struct etcd_call *prev, *next;
	struct curl_loop *curl;		/* that has it */
	bool due;			/* lines to tell, or that it did not begin */
	bool stillborn;
	CURL *easy;
	struct curl_slist *headers;
	const char *path;		/* of what is wanted */
	char *body;
	struct buffer buffer;		/* a stream: of a line that is not whole */
	void *data;
	/* of one answer */
	etcd_done_fn done;
	bool write;
	bool waited;			/* for, at the start */
	bool proving;			/* who we are, which comes first */
	bool proved;
	unsigned int tries;
	/* of a stream */
	void (*line)(void *data, json_t *answer);
	void (*end)(void *data, const char *error);
	bool wrong;			/* a line was no JSON */
};

struct etcd *etcd_new(const char *endpoints, const struct etcd_access *access)
{
	struct etcd *etcd = mem_zero(1, sizeof(*etcd));
	size_t n;

	if (access)
		etcd->access = *access;
	for (; *endpoints; endpoints += n + (endpoints[n] == ',')) {
		char url[300];

		n = strcspn(endpoints, ",");
		if (!n || n > 250 || etcd->nr == ETCD_ENDPOINTS_MAX) {
			etcd_free(etcd);
			return NULL;
		}
		snprintf(url, sizeof(url), "http%s://%.*s",
			 *etcd->access.ca ? "s" : "", (int)n, endpoints);
		etcd->endpoint[etcd->nr++] = mem_checked(strdup(url));
	}
	return etcd;
}

/* What curl has of the call. */
static void end_transfer(struct etcd_call *call)
{
	if (!call->easy)
		return;
	if (!call->stillborn)
		curl_loop_del(call->curl, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	free(call->buffer.text);
	memset(&call->buffer, 0, sizeof(call->buffer));
	call->headers = NULL;
	call->easy = NULL;
}

static void call_free(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;

	if (call->prev)
		call->prev->next = call->next;
	else
		etcd->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	if (etcd->telling == call)
		etcd->telling = NULL;
	end_transfer(call);
	free(call->body);
	free(call);
}

void etcd_free(struct etcd *etcd)
{
	unsigned int i;

	if (!etcd)
		return;
	while (etcd->calls)
		call_free(etcd->calls);
	curl_loop_free(etcd->curl);
	source_free(&etcd->later);
	for (i = 0; i < etcd->nr; i++)
		free(etcd->endpoint[i]);
	free(etcd->token);
	free(etcd);
}

void etcd_next(struct etcd *etcd)
{
	etcd->at = (etcd->at + 1) % etcd->nr;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct buffer *b = arg;

	if (b->len + size * n > ETCD_ANSWER_MAX)
		return 0;
	b->text = mem_resize(b->text, b->len + size * n + 1, 1);
	memcpy(b->text + b->len, data, size * n);
	b->len += size * n;
	b->text[b->len] = '\0';
	return size * n;
}

/* Not from within curl's own call, in which no other call could begin. */
static void tell_later(struct etcd_call *call)
{
	call->due = true;
	source_defer(call->etcd->later);
}

static size_t on_stream(char *data, size_t size, size_t n, void *arg)
{
	struct etcd_call *call = arg;

	if (on_body(data, size, n, &call->buffer) != size * n)
		return 0;
	if (memchr(data, '\n', size * n))
		tell_later(call);
	return size * n;
}

/* The lines that are whole; false: the call is gone. */
static bool tell_lines(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	struct buffer all = call->buffer;
	char *from = all.text, *end;
	json_t *json;

	memset(&call->buffer, 0, sizeof(call->buffer));
	etcd->telling = call;
	while (etcd->telling && from &&
	       (end = memchr(from, '\n', all.text + all.len - from))) {
		json = json_loadb(from, end - from, 0, NULL);
		call->wrong |= !json;
		from = end + 1;
		if (json)
			call->line(call->data, json);
		json_decref(json);
	}
	if (etcd->telling && from)
		on_body(from, 1, all.text + all.len - from, &call->buffer);
	free(all.text);
	call = etcd->telling;
	etcd->telling = NULL;
	return call;
}

static void set_identity(const struct etcd *etcd, CURL *easy)
{
	const struct etcd_access *a = &etcd->access;

	if (*a->ca) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, a->ca);
		/* Nobody else is trusted: not whom the system trusts, either. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (*a->cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, a->cert);
	if (*a->key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, a->key);
}

static void add_header(struct etcd_call *call, const char *text)
{
	call->headers = mem_checked(curl_slist_append(call->headers, text));
}

/* {"name", "password"} */
static char *credentials(const struct etcd_access *access)
{
	json_t *body = mem_checked(json_object());
	char *text;

	record_set(body, "name", json_string(access->user));
	record_set(body, "password", json_string(access->password));
	text = mem_checked(json_dumps(body, JSON_COMPACT));
	json_decref(body);
	return text;
}

static void begin_transfer(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	CURL *easy = mem_checked(curl_easy_init());
	char *body = NULL;
	char url[400];

	call->easy = easy;
	call->proving = call->done && *etcd->access.user && !etcd->token;
	add_header(call, "Content-Type: application/json");
	add_header(call, "Expect:");
	if (call->proving)
		body = credentials(&etcd->access);
	else if (etcd->token)
		add_header(call, etcd->token);
	snprintf(url, sizeof(url), "%s/v3/%s", etcd->endpoint[etcd->at],
		 call->proving ? "auth/authenticate" : call->path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
			 body ? body : call->body);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)ETCD_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			 !call->done ? 0L :
			 call->waited ? (long)ETCD_LOAD_MS : (long)ETCD_ASK_MS);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
			 call->done ? on_body : on_stream);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA,
			 call->done ? (void *)&call->buffer : call);
	set_identity(etcd, easy);
	call->curl = etcd->curl;
	call->stillborn = curl_loop_add(call->curl, easy);
	/* Its end is told, but not before who began it knows of it. */
	if (call->stillborn)
		tell_later(call);
	free(body);
}

/* The error of an answer in words; NULL: it is a good one. */
static const char *refusal(long status, const json_t *json, char *body)
{
	const char *text = json_string_value(json_object_get(json, "error"));
	char *p;

	if (status == 200 && json)
		return NULL;
	if (!text)
		text = json_string_value(json_object_get(json, "message"));
	if (status == 404 && !text)
		return "its JSON gateway is off (enable-grpc-gateway)";
	if (text || status == 200 || !body || !*body)
		return text ? text : "it answers no JSON";
	/* The gateway itself says a line of plain text. */
	body[strcspn(body, "\r\n")] = '\0';
	for (p = body; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return body;
}

bool etcd_too_large(const char *error)
{
	return strstr(error, "too many operations") ||
	       strstr(error, "request is too large") ||
	       strstr(error, "larger than max");
}

/* That nothing was done about it. A member that ends, or that loses its leader
 * or its patience, does not know what becomes of what it passed on; so only a
 * request that was not sent, or was refused for what it is.
 */
static bool is_certain(CURLcode code, int64_t grpc, const char *text)
{
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
	    code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_FAILED_INIT)
		return true;
	if (code)
		return false;
	switch (grpc) {
	case GRPC_INVALID_ARGUMENT:
	case GRPC_PERMISSION_DENIED:
	case GRPC_FAILED_PRECONDITION:
	case GRPC_UNAUTHENTICATED:
		return true;
	case GRPC_RESOURCE_EXHAUSTED:
		return strstr(text, "etcdserver: ") || etcd_too_large(text);
	}
	return false;
}

/* The token is of another time, or of a member that was started anew. */
static bool token_is_over(const char *text)
{
	return strstr(text, "invalid auth token") ||
	       strstr(text, "revision in header is old") ||
	       strstr(text, "user name is empty");
}

static void drop_token(struct etcd *etcd)
{
	free(etcd->token);
	etcd->token = NULL;
}

/* Who we are is proved: now for what is wanted. */
static bool take_token(struct etcd_call *call, const json_t *json)
{
	const char *text = json_string_value(json_object_get(json, "token"));
	struct etcd *etcd = call->etcd;
	size_t n;

	if (!text || strpbrk(text, "\r\n"))
		return false;
	drop_token(etcd);
	n = strlen(text) + sizeof(TOKEN_HEADER);
	etcd->token = mem_zero(n, 1);
	snprintf(etcd->token, n, TOKEN_HEADER "%s", text);
	return true;
}

static bool again(struct etcd_call *call)
{
	end_transfer(call);
	begin_transfer(call);
	return true;
}

/* Whether the call goes on, perhaps at another member. */
static bool goes_on(struct etcd_call *call, CURLcode code, int64_t grpc,
		    const char *text, bool *unknown)
{
	struct etcd *etcd = call->etcd;

	if (!code && token_is_over(text) && etcd->token && !call->proved) {
		call->proved = true;
		drop_token(etcd);
		return again(call);
	}
	if (call->write && !call->proving && !is_certain(code, grpc, text)) {
		*unknown = true;
		etcd_next(etcd);
		return false;
	}
	/* A request that it understood, and does not like. */
	if (!code && grpc != GRPC_UNAVAILABLE &&
	    grpc != GRPC_DEADLINE_EXCEEDED && !strstr(text, "leader"))
		return false;
	etcd_next(etcd);
	return ++call->tries < etcd->nr && again(call);
}

static void finish_post(struct etcd_call *call, CURLcode code, json_t *json,
			const char *error)
{
	etcd_done_fn done = call->done;
	void *data = call->data;
	bool unknown = false;
	char text[300];
	int64_t grpc;

	if (!error && call->proving) {
		if (take_token(call, json)) {
			json_decref(json);
			again(call);
			return;
		}
		error = "it answers no token";
	}
	if (error) {
		snprintf(text, sizeof(text), "%s: %s",
			 call->etcd->endpoint[call->etcd->at], error);
		grpc = etcd_int(json, "code");
		json_decref(json);
		json = NULL;
		if (goes_on(call, code, grpc, text, &unknown))
			return;
	}
	call_free(call);
	done(data, json, unknown, error ? text : NULL);
	json_decref(json);
}

static void finish_stream(struct etcd_call *call, json_t *json,
			  const char *error)
{
	void (*end)(void *data, const char *error) = call->end;
	void *data = call->data;
	char text[300];

	if (json && !error)
		call->line(data, json);
	if (!error && call->wrong)
		error = "it answers no JSON";
	if (error) {
		snprintf(text, sizeof(text), "%s", error);
		error = text;
		if (token_is_over(text))
			drop_token(call->etcd);
	}
	json_decref(json);
	call_free(call);
	end(data, error);
}

static void on_end(void *owner, CURLcode code)
{
	struct etcd_call *call = owner;
	const char *error;
	json_t *json;
	long status = 0;

	if (call->line && !tell_lines(call))
		return;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	json = call->buffer.len ? json_loads(call->buffer.text, 0, NULL) : NULL;
	if (code)
		error = curl_easy_strerror(code);
	else if (call->end && status == 200)
		error = NULL;
	else
		error = refusal(status, json, call->buffer.text);
	if (call->done)
		finish_post(call, code, json, error);
	else
		finish_stream(call, json, error);
}

static struct etcd_call *due(const struct etcd *etcd)
{
	struct etcd_call *call;

	for (call = etcd->calls; call; call = call->next)
		if (call->due && call->curl == etcd->curl)
			return call;
	return NULL;
}

static void on_later(void *data)
{
	struct etcd_call *call;

	while ((call = due(data))) {
		call->due = false;
		if (call->stillborn)
			on_end(call, CURLE_FAILED_INIT);
		else
			tell_lines(call);
	}
}

int etcd_loop(struct etcd *etcd, struct loop *loop)
{
	int err = curl_loop_new(&etcd->curl, loop, on_end);

	if (err)
		return err;
	err = loop_defer(loop, &etcd->later, on_later, etcd);
	if (err)
		curl_loop_free(etcd->curl);
	return err;
}

static struct etcd_call *call_new(struct etcd *etcd, const char *path,
				  json_t *body, void *data)
{
	struct etcd_call *call = mem_zero(1, sizeof(*call));

	call->etcd = etcd;
	call->path = path;
	call->data = data;
	call->body = mem_checked(json_dumps(body, JSON_COMPACT));
	json_decref(body);
	call->next = etcd->calls;
	if (etcd->calls)
		etcd->calls->prev = call;
	etcd->calls = call;
	return call;
}

static struct etcd_call *post(struct etcd *etcd, const char *path,
			      json_t *body, bool write, bool waited,
			      etcd_done_fn done, void *data)
{
	struct etcd_call *call = call_new(etcd, path, body, data);

	call->write = write;
	call->waited = waited;
	call->done = done;
	begin_transfer(call);
	return call;
}

struct etcd_call *etcd_post(struct etcd *etcd, const char *path, json_t *body,
			    bool write, etcd_done_fn done, void *data)
{
	return post(etcd, path, body, write, false, done, data);
}

struct etcd_call *etcd_stream(struct etcd *etcd, const char *path, json_t *body,
			      void (*line)(void *data, json_t *answer),
			      void (*end)(void *data, const char *error),
			      void *data)
{
	struct etcd_call *call = call_new(etcd, path, body, data);

	call->line = line;
	call->end = end;
	begin_transfer(call);
	return call;
}

struct asked {
	struct loop *loop;
	json_t *answer;
	bool unknown;
	char *err;
	size_t len;
};

static void on_asked(void *data, json_t *answer, bool unknown,
		     const char *error)
{
	struct asked *a = data;

	a->answer = json_incref(answer);
	a->unknown = unknown;
	if (error)
		snprintf(a->err, a->len, "%s", error);
	loop_exit(a->loop, 0);
}

json_t *etcd_ask(struct etcd *etcd, const char *path, json_t *body, bool write,
		 bool *unknown, char *err, size_t len)
{
	struct curl_loop *curl = etcd->curl;
	struct source *later = etcd->later;
	struct asked asked = { .err = err, .len = len };

	/* A loop of its own: nothing else happens meanwhile. */
	if (loop_new(&asked.loop) || etcd_loop(etcd, asked.loop)) {
		snprintf(err, len, "cannot start an event loop");
		json_decref(body);
	} else {
		post(etcd, path, body, write, true, on_asked, &asked);
		loop_run(asked.loop);
		curl_loop_free(etcd->curl);
		source_free(&etcd->later);
	}
	etcd->curl = curl;
	etcd->later = later;
	loop_free(asked.loop);
	*unknown = asked.unknown;
	return asked.answer;
}

void etcd_cancel(struct etcd_call **call)
{
	if (*call)
		call_free(*call);
	*call = NULL;
}

json_t *etcd_text(const char *text)
{
	size_t n = strlen(text);
	char *buf = mem_zero(BASE64_ENCODE_RAW_LENGTH(n) + 1, 1);
	json_t *value;

	base64_encode_raw(buf, n, (const uint8_t *)text);
	value = mem_checked(json_string(buf));
	free(buf);
	return value;
}

char *etcd_decode(const json_t *value)
{
	struct base64_decode_ctx ctx;
	const char *text = json_string_value(value);
	size_t n = text ? strlen(text) : 0;
	size_t len = BASE64_DECODE_LENGTH(n);
	char *buf;

	/* An empty value is left out. */
	buf = mem_zero(len + 1, 1);
	base64_decode_init(&ctx);
	if (base64_decode_update(&ctx, &len, (uint8_t *)buf, n, text ? text : "") &&
	    base64_decode_final(&ctx)) {
		buf[len] = '\0';
		return buf;
	}
	free(buf);
	return NULL;
}

int64_t etcd_int(const json_t *obj, const char *key)
{
	const json_t *value = json_object_get(obj, key);
	int64_t n = json_integer_value(value);

	if (json_is_string(value))
		n = strtoll(json_string_value(value), NULL, 10);
	/* There is always a next revision. */
	return n < 0 || n == INT64_MAX ? 0 : n;
}
