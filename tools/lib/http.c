// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP client over libcurl. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curl_loop.h"
#include "http.h"

/* A probe's time is up by a timer of ours: see on_deadline(). */
#define PROBE_SLACK_MS	2000
#define PROBE_HEADERS_MAX	16384

struct http {
	struct loop *loop;
	struct curl_loop *curl;
	struct http_req *first;
	char *ca, *cert, *key;		/* files, or NULL */
};

struct http_req {
	struct http *http;
	struct http_req *prev, *next;
	CURL *easy;
	struct curl_slist *headers;
	http_done_fn fn;
	void *data;
	char *body;
	size_t len, room;
	uint64_t started_us;
	bool probe;
	bool too_long;
	/* of a probe */
	bool cut;			/* enough of the answer is there */
	size_t keep, seen;
	char *lines;			/* headers and trailers */
	size_t n_lines;
	struct curl_slist *connect_to;
	struct source *deadline;
	int fd;				/* to connect with, -1: none, or curl's */
	uint32_t timeout_ms;
	unsigned int turns;
	bool (*trusts)(void *trust_data, void *session, char *why, size_t len);
	void *trust_data;
	char why[CURL_ERROR_SIZE];	/* ... it does not */
	char error[CURL_ERROR_SIZE];
};

static void req_free(struct http_req *req)
{
	struct http *http = req->http;

	if (req->prev)
		req->prev->next = req->next;
	else
		http->first = req->next;
	if (req->next)
		req->next->prev = req->prev;

	if (req->easy)
		curl_loop_del(http->curl, req->easy);
	curl_easy_cleanup(req->easy);
	curl_slist_free_all(req->headers);
	curl_slist_free_all(req->connect_to);
	source_free(&req->deadline);
	if (req->fd >= 0)
		close(req->fd);
	free(req->lines);
	free(req->body);
	free(req);
}

/* Refused by this host for want of something. */
static bool is_local(CURLcode code, long err)
{
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
	case CURLE_INTERFACE_FAILED:
		return true;
	default:
		break;
	}
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	       err == ENOMEM || err == EADDRNOTAVAIL || err == EAGAIN ||
	       err == EPERM;
}

/* The library's own words count in its own way. */
static void say_timeout(struct http_req *req)
{
	if (req->n_lines)
		snprintf(req->error, sizeof(req->error),
			 "answer incomplete after %u ms (%zu bytes of it)",
			 req->timeout_ms, req->seen);
	else
		snprintf(req->error, sizeof(req->error), "no answer in %u ms",
			 req->timeout_ms);
}

/* The last of the steps that we took; what came after was theirs. */
static uint64_t asked_us(const struct http_req *req)
{
	static const CURLINFO steps[] = {
		CURLINFO_NAMELOOKUP_TIME_T, CURLINFO_CONNECT_TIME_T,
		CURLINFO_APPCONNECT_TIME_T, CURLINFO_PRETRANSFER_TIME_T,
	};
	curl_off_t us, last = 0;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!curl_easy_getinfo(req->easy, steps[i], &us) && us > last)
			last = us;
	return last ? req->started_us + last : 0;
}

static void req_finish(struct http_req *req, CURLcode code)
{
	struct http_reply reply = {
		.error = "",
		.body = req->body ? req->body : "",
		.len = req->len,
		.headers = req->lines ? req->lines : "",
		.seen = req->seen,
		.asked_us = asked_us(req),
		.took_us = loop_now() - req->started_us,
	};
	http_done_fn fn = req->fn;
	void *data = req->data;
	curl_off_t took = 0;
	long status = 0;
	long err = 0;

	if (code == CURLE_OK || (req->cut && code == CURLE_WRITE_ERROR)) {
		curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(req->easy, CURLINFO_TOTAL_TIME_T, &took);
		reply.status = status;
		if (took > 0)
			reply.took_us = took;
	} else {
		curl_easy_getinfo(req->easy, CURLINFO_OS_ERRNO, &err);
		reply.refused = code == CURLE_COULDNT_CONNECT &&
				err == ECONNREFUSED;
		reply.timeout = code == CURLE_OPERATION_TIMEDOUT;
		reply.local = !reply.timeout && is_local(code, err);
		if (reply.timeout && req->probe)
			say_timeout(req);
		if (req->too_long)
			reply.error = "the answer is too long";
		else if (req->why[0])
			reply.error = req->why;
		else
			reply.error = req->error[0] ? req->error :
						      curl_easy_strerror(code);
	}
	/* The callback may start, cancel or free anything but this one. */
	req->fn = NULL;
	fn(data, &reply);
	req_free(req);
}

static void on_end(void *owner, CURLcode code)
{
	req_finish(owner, code);
}

int http_new(struct http **ret, struct loop *loop)
{
	struct http *http = calloc(1, sizeof(*http));
	int err;

	if (!http)
		return -ENOMEM;
	http->loop = loop;
	err = curl_loop_new(&http->curl, loop, on_end);
	if (err) {
		http_free(http);
		return err;
	}
	*ret = http;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	while (http->first)
		req_free(http->first);
	curl_loop_free(http->curl);
	free(http->ca);
	free(http->cert);
	free(http->key);
	free(http);
}

int http_identity(struct http *http, const char *ca, const char *cert,
		  const char *key)
{
	free(http->ca);
	free(http->cert);
	free(http->key);
	http->ca = strdup(ca);
	http->cert = cert ? strdup(cert) : NULL;
	http->key = key ? strdup(key) : NULL;
	return http->ca && !cert == !http->cert && !key == !http->key ?
	       0 : -ENOMEM;
}

static void set_identity(const struct http_req *req)
{
	const struct http *http = req->http;
	CURL *e = req->easy;

	if (http->ca) {
		curl_easy_setopt(e, CURLOPT_CAINFO, http->ca);
		/* Nobody else is trusted: not whom the system trusts, either. */
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	if (http->cert)
		curl_easy_setopt(e, CURLOPT_SSLCERT, http->cert);
	if (http->key)
		curl_easy_setopt(e, CURLOPT_SSLKEY, http->key);
}

static size_t on_body(char *buf, size_t size, size_t n, void *data)
{
	struct http_req *req = data;
	size_t len = size * n;
	size_t room;
	char *body;

	req->seen += len;
	if (req->probe && len > req->keep - req->len) {
		req->cut = true;
		len = req->keep - req->len;
	}
	if (len > HTTP_BODY_MAX - req->len) {
		req->too_long = true;
		return 0;
	}
	if (req->len + len + 1 > req->room) {
		room = (req->len + len + 1) * 2;
		body = realloc(req->body, room);
		if (!body)
			return 0;
		req->body = body;
		req->room = room;
	}
	memcpy(req->body + req->len, buf, len);
	req->len += len;
	req->body[req->len] = '\0';
	/* Anything but all of it ends the transfer. */
	return req->cut ? 0 : len;
}

/* Trailers come here, too. What is too much is left out. */
static size_t on_header(char *buf, size_t size, size_t n, void *data)
{
	struct http_req *req = data;
	size_t len = size * n;
	char *lines;

	if (!req->probe || len > PROBE_HEADERS_MAX - req->n_lines)
		return len;
	lines = realloc(req->lines, req->n_lines + len + 1);
	if (!lines)
		return len;
	memcpy(lines + req->n_lines, buf, len);
	req->lines = lines;
	req->n_lines += len;
	lines[req->n_lines] = '\0';
	return len;
}

/* curl looks at the time before it looks at the socket, and so would blame the
 * other side for our being late. An answer that lies in its socket by now is
 * read in the next turn, and handed out in the one after.
 */
static void on_deadline(void *data, uint64_t now_us)
{
	struct http_req *req = data;

	if (req->turns++ < 2) {
		source_timer_set(req->deadline, now_us);
		return;
	}
	req_finish(req, CURLE_OPERATION_TIMEDOUT);
}

static int arm_deadline(struct http_req *req)
{
	uint64_t at = req->started_us + req->timeout_ms * LOOP_USEC_PER_MSEC;
	int err;

	if (!req->probe)
		return 0;
	err = loop_timer(req->http->loop, &req->deadline, on_deadline, req);
	return err ? err : source_timer_set(req->deadline, at);
}

static bool add_header(struct http_req *req, const char *line)
{
	struct curl_slist *list = curl_slist_append(req->headers, line);

	if (list)
		req->headers = list;
	return list;
}

/* Between the handshake and the request. */
static int on_connected(void *data, char *ip, char *local_ip, int port,
			int local_port)
{
	struct curl_tlssessioninfo *tls = NULL;
	struct http_req *req = data;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	if (curl_easy_getinfo(req->easy, CURLINFO_TLS_SSL_PTR, &tls) || !tls ||
	    tls->backend != CURLSSLBACKEND_GNUTLS || !tls->internals)
		snprintf(req->why, sizeof(req->why), "no TLS of GnuTLS");
	else if (req->trusts(req->trust_data, tls->internals, req->why,
			     sizeof(req->why)))
		return CURL_PREREQFUNC_OK;
	return CURL_PREREQFUNC_ABORT;
}

/* curl closes it. A second connection there is not. */
static curl_socket_t on_socket(void *data, curlsocktype purpose,
			       struct curl_sockaddr *addr)
{
	struct http_req *req = data;
	int fd = req->fd;

	(void)purpose;
	(void)addr;
	req->fd = -1;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static bool set_socket_given(struct http_req *req, int fd)
{
	req->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return req->fd >= 0 &&
	       !curl_easy_setopt(req->easy, CURLOPT_OPENSOCKETFUNCTION,
				 on_socket) &&
	       !curl_easy_setopt(req->easy, CURLOPT_OPENSOCKETDATA, req);
}

/* The library's authorities would be read at each attempt, which takes 40 ms of all
 * others' time.
 *
 * From curl 8.10 with GnuTLS 3.8 on it does not ask for the status of the
 * certificate, so one that must be stapled is not taken even where it is. Nothing
 * here can ask for it: CURLOPT_SSL_VERIFYSTATUS would, but then refuses all servers
 * that staple none, and there is no session to be had before the handshake.
 */
static bool set_trust(struct http_req *req, const struct http_probe *probe)
{
	CURL *e = req->easy;

	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
	req->trusts = probe->trusts;
	req->trust_data = probe->trust_data;
	if (!probe->trusts) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
		return true;
	}
	return !curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected) &&
	       !curl_easy_setopt(e, CURLOPT_PREREQDATA, req);
}

static bool set_probe(struct http_req *req, const struct http_probe *probe)
{
	const char *const *line = probe->headers;
	CURL *e = req->easy;
	bool ok = true;

	for (; line && *line; line++)
		ok &= add_header(req, *line);
	if (probe->connect_to) {
		req->connect_to = curl_slist_append(NULL, probe->connect_to);
		ok &= req->connect_to &&
		      !curl_easy_setopt(e, CURLOPT_CONNECT_TO, req->connect_to);
	}
	if (probe->len) {
		ok &= add_header(req, "Expect:");
		ok &= !curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE,
					(long)probe->len);
		ok &= !curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, probe->body);
	}
	if (probe->fd)
		ok &= set_socket_given(req, *probe->fd);
	ok &= set_trust(req, probe);
	if (probe->http2)
		ok &= !curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
					(long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, req);
	return ok;
}

static int set_options(struct http_req *req, const struct http_want *want)
{
	CURL *e = req->easy;
	char text[320];
	bool ok;

	ok = !curl_easy_setopt(e, CURLOPT_URL, want->url);
	if (!want->probe)
		ok &= add_header(req, "Accept: application/json");
	if (want->body) {
		ok &= add_header(req, "Content-Type: application/json");
		/* No round trip for "100 Continue". */
		ok &= add_header(req, "Expect:");
		ok &= !curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, want->body);
	}
	if (want->host && *want->host) {
		snprintf(text, sizeof(text), "Host: %s", want->host);
		ok &= add_header(req, text);
	}
	if (want->method && !strcmp(want->method, "HEAD"))
		ok &= !curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else if (want->method)
		ok &= !curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, want->method);
	if (want->device) {
		snprintf(text, sizeof(text), "if!%s", want->device);
		ok &= !curl_easy_setopt(e, CURLOPT_INTERFACE, text);
	}
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	if (want->probe)
		ok &= set_probe(req, want->probe);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, req->headers);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)want->timeout_ms +
			 (want->probe ? PROBE_SLACK_MS : 0));
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	if (!want->probe)
		set_identity(req);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "vnimesh");
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, req->error);
	curl_easy_setopt(e, CURLOPT_PRIVATE, req);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, req);
	return ok ? 0 : -ENOMEM;
}

int http_start(struct http *http, struct http_req **ret,
	       const struct http_want *want, http_done_fn fn, void *data)
{
	struct http_req *req = calloc(1, sizeof(*req));
	int err;

	if (!req)
		return -ENOMEM;
	req->http = http;
	req->fd = -1;
	req->fn = fn;
	req->data = data;
	req->probe = want->probe;
	req->keep = want->probe ? want->probe->keep : 0;
	req->timeout_ms = want->timeout_ms;
	req->started_us = loop_now();
	req->next = http->first;
	if (http->first)
		http->first->prev = req;
	http->first = req;

	req->easy = curl_easy_init();
	err = req->easy ? set_options(req, want) : -ENOMEM;
	if (!err)
		err = arm_deadline(req);
	if (!err)
		err = curl_loop_add(http->curl, req->easy);
	if (err) {
		req_free(req);
		return err;
	}
	*ret = req;
	return 0;
}

void http_cancel(struct http_req **req)
{
	struct http_req *r = *req;

	*req = NULL;
	/* fn is NULL while its callback runs: it is freed right after. */
	if (r && r->fn)
		req_free(r);
}
