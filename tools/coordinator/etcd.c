// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "curl_loop.h"
#include "etcd.h"
#include "limits.h"
#include "mem.h"

struct buffer {
	char *text;
	size_t len;
};

struct etcd {
	char *endpoint[ETCD_ENDPOINTS_MAX];
	unsigned int nr;
	unsigned int at;		/* that is asked */
	CURL *easy;			/* of what is waited for */
	struct curl_loop *curl;
	struct curl_slist *headers;
	struct etcd_call *calls;
};

struct etcd_call {
	struct etcd *etcd;
	struct etcd_call *prev, *next;
	CURL *easy;
	char *body;
	struct buffer buffer;		/* of a line that is not whole yet */
	void (*line)(void *data, json_t *answer);
	void (*end)(void *data, const char *error);
	void *data;
	bool wrong;			/* a line was no JSON */
};

struct etcd *etcd_new(const char *endpoints)
{
	struct etcd *etcd = mem_zero(1, sizeof(*etcd));
	size_t n;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (; *endpoints; endpoints += n + (endpoints[n] == ',')) {
		char url[300];

		n = strcspn(endpoints, ",");
		if (!n || n > 250 || etcd->nr == ETCD_ENDPOINTS_MAX) {
			etcd_free(etcd);
			return NULL;
		}
		snprintf(url, sizeof(url), "http://%.*s", (int)n, endpoints);
		etcd->endpoint[etcd->nr++] = mem_checked(strdup(url));
	}
	etcd->easy = mem_checked(curl_easy_init());
	etcd->headers = curl_slist_append(NULL,
					  "Content-Type: application/json");
	etcd->headers = mem_checked(curl_slist_append(etcd->headers,
						      "Expect:"));
	return etcd;
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
	curl_loop_del(etcd->curl, call->easy);
	curl_easy_cleanup(call->easy);
	free(call->buffer.text);
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
	if (etcd->easy)
		curl_easy_cleanup(etcd->easy);
	curl_slist_free_all(etcd->headers);
	for (i = 0; i < etcd->nr; i++)
		free(etcd->endpoint[i]);
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

static void set_common(struct etcd *etcd, CURL *easy, const char *path,
		       const char *body)
{
	char url[400];

	snprintf(url, sizeof(url), "%s/v3/%s", etcd->endpoint[etcd->at], path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, etcd->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)ETCD_CONNECT_MS);
}

/* The error of an answer in words; NULL: it is a good one. */
static const char *refusal(long status, const json_t *json)
{
	const char *text = json_string_value(json_object_get(json, "error"));

	if (status == 200 && json)
		return NULL;
	if (!text)
		text = json_string_value(json_object_get(json, "message"));
	if (status == 404)
		return "its JSON gateway is off (enable-grpc-gateway)";
	return text ? text : "it answers no JSON";
}

/* That nothing was done about it. */
static bool is_certain(CURLcode code, const char *text)
{
	if (code == CURLE_COULDNT_CONNECT)
		return true;
	return code == CURLE_OK && !strstr(text, "timed out") &&
	       !strstr(text, "leader changed") && !strstr(text, "unavailable");
}

static json_t *ask_one(struct etcd *etcd, const char *path, const char *body,
		       CURLcode *code, char *err, size_t len)
{
	struct buffer b = { 0 };
	const char *why;
	long status = 0;
	json_t *json;

	curl_easy_reset(etcd->easy);
	set_common(etcd, etcd->easy, path, body);
	curl_easy_setopt(etcd->easy, CURLOPT_TIMEOUT_MS, (long)ETCD_ASK_MS);
	curl_easy_setopt(etcd->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(etcd->easy, CURLOPT_WRITEDATA, &b);
	*code = curl_easy_perform(etcd->easy);
	curl_easy_getinfo(etcd->easy, CURLINFO_RESPONSE_CODE, &status);
	json = *code ? NULL : json_loads(b.text ? b.text : "", 0, NULL);
	why = *code ? curl_easy_strerror(*code) : refusal(status, json);
	if (why) {
		snprintf(err, len, "%s: %s", etcd->endpoint[etcd->at], why);
		json_decref(json);
		json = NULL;
	}
	free(b.text);
	return json;
}

json_t *etcd_ask(struct etcd *etcd, const char *path, json_t *body, bool write,
		 bool *unknown, char *err, size_t len)
{
	char *text = mem_checked(json_dumps(body, JSON_COMPACT));
	json_t *json = NULL;
	unsigned int i;
	CURLcode code;

	json_decref(body);
	*unknown = false;
	for (i = 0; i < etcd->nr && !json; i++) {
		json = ask_one(etcd, path, text, &code, err, len);
		if (json)
			break;
		if (write && !is_certain(code, err)) {
			*unknown = true;
			break;
		}
		/* A request that it understood, and does not like. */
		if (!code && !strstr(err, "leader"))
			break;
		etcd_next(etcd);
	}
	if (*unknown)
		etcd_next(etcd);
	free(text);
	return json;
}

static size_t on_stream(char *data, size_t size, size_t n, void *arg)
{
	struct etcd_call *call = arg;
	struct buffer *b = &call->buffer;
	char *from, *end;
	json_t *json;

	if (on_body(data, size, n, b) != size * n)
		return 0;
	for (from = b->text; (end = memchr(from, '\n', b->text + b->len - from));
	     from = end + 1) {
		json = json_loadb(from, end - from, 0, NULL);
		call->wrong |= !json;
		if (json)
			call->line(call->data, json);
		json_decref(json);
	}
	b->len -= from - b->text;
	memmove(b->text, from, b->len + 1);
	return size * n;
}

static void finish(struct etcd_call *call, CURLcode code)
{
	void (*end)(void *data, const char *error) = call->end;
	void *data = call->data;
	const char *error = NULL;
	json_t *json;
	long status = 0;
	char text[300];

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	json = call->buffer.len ? json_loads(call->buffer.text, 0, NULL) : NULL;
	if (json && status == 200)
		call->line(data, json);
	if (code)
		error = curl_easy_strerror(code);
	else if (status != 200)
		error = refusal(status, json);
	else if (call->wrong)
		error = "it answers no JSON";
	if (error) {
		snprintf(text, sizeof(text), "%s", error);
		error = text;
	}
	json_decref(json);
	call_free(call);
	end(data, error);
}

static void on_end(void *owner, CURLcode code)
{
	finish(owner, code);
}

int etcd_loop(struct etcd *etcd, struct loop *loop)
{
	return curl_loop_new(&etcd->curl, loop, on_end);
}

struct etcd_call *etcd_start(struct etcd *etcd, const char *path, json_t *body,
			     uint32_t timeout_ms,
			     void (*line)(void *data, json_t *answer),
			     void (*end)(void *data, const char *error),
			     void *data)
{
	struct etcd_call *call = mem_zero(1, sizeof(*call));

	call->etcd = etcd;
	call->line = line;
	call->end = end;
	call->data = data;
	call->body = mem_checked(json_dumps(body, JSON_COMPACT));
	json_decref(body);
	call->easy = mem_checked(curl_easy_init());
	call->next = etcd->calls;
	if (etcd->calls)
		etcd->calls->prev = call;
	etcd->calls = call;
	set_common(etcd, call->easy, path, call->body);
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_stream);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
	curl_loop_add(etcd->curl, call->easy);
	return call;
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

	if (json_is_integer(value))
		return json_integer_value(value);
	return json_is_string(value) ? strtoll(json_string_value(value), NULL,
					       10) : 0;
}
