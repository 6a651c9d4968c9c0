// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP, HTTPS and gRPC's health service as checks. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check_http.h"
#include "check_probe.h"
#include "check_trust.h"

#define GRPC_PATH	"/grpc.health.v1.Health/Check"
#define GRPC_FRAME	5	/* compression and length */

struct http_check {
	struct probe p;
	struct http_req *req;
};

/* The value of the last header @name, copied; NULL: there is none. */
static const char *header(const char *lines, const char *name, char *buf,
			  size_t len)
{
	const char *ret = NULL;
	size_t n = strlen(name);
	const char *end;

	for (; *lines; lines = end + (*end == '\n')) {
		end = lines + strcspn(lines, "\n");
		if (strncasecmp(lines, name, n) || lines[n] != ':')
			continue;
		lines += n + 1;
		lines += strspn(lines, " \t");
		snprintf(buf, len, "%.*s", (int)strcspn(lines, "\r\n"), lines);
		ret = buf;
	}
	return ret;
}

static enum health_result no_answer(const struct http_reply *reply, char *text,
				    size_t len)
{
	snprintf(text, len, "%s", reply->error);
	if (reply->local)
		return HEALTH_NOTHING;
	return reply->refused ? HEALTH_DEFINITE : HEALTH_FAIL;
}

static bool headers_fit(const struct check_conf *conf,
			const struct http_reply *reply, char *text, size_t len)
{
	const struct check_header *want;
	const char *value;
	char buf[512], got[64];
	unsigned int i;

	for (i = 0; i < conf->n_expected; i++) {
		want = &conf->expected[i];
		value = header(reply->headers, want->name, buf, sizeof(buf));
		if (value && strstr(value, want->value))
			continue;
		if (value)
			snprintf(text, len,
				 "header %.40s is \"%s\" without \"%.60s\"",
				 want->name,
				 talk_printable(got, sizeof(got), value,
						strlen(value)), want->value);
		else
			snprintf(text, len, "no header %.60s in the answer",
				 want->name);
		return false;
	}
	return true;
}

static bool status_fits(const struct check_conf *conf, int status)
{
	unsigned int i;

	for (i = 0; i < conf->n_status; i++)
		if (status >= conf->status[i].min &&
		    status <= conf->status[i].max)
			return true;
	return false;
}

enum health_result http_judge(const struct check_conf *conf,
			      const struct http_reply *reply, char *text,
			      size_t len)
{
	const char *body = conf->body;
	char got[48];

	if (!reply->status)
		return no_answer(reply, text, len);
	if (!status_fits(conf, reply->status)) {
		snprintf(text, len, "status %d", reply->status);
		return HEALTH_FAIL;
	}
	if (!headers_fit(conf, reply, text, len))
		return HEALTH_FAIL;
	if (body && !memmem(reply->body, reply->len, body, strlen(body))) {
		talk_printable(got, sizeof(got), reply->body, reply->len);
		snprintf(text, len,
			 "status %d, but no \"%.64s\" in the %s%zu bytes \"%s\"",
			 reply->status, body, reply->seen > reply->len ?
			 "first " : "", reply->len, got);
		return HEALTH_FAIL;
	}
	snprintf(text, len, "status %d in %u.%03u ms", reply->status,
		 (uint32_t)(reply->took_us / 1000),
		 (uint32_t)(reply->took_us % 1000));
	return HEALTH_PASS;
}

static const char *const grpc_states[] = {
	"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"
};

/* HealthCheckResponse.status of one message; 0 is not sent. False: broken. */
static bool grpc_status(const struct http_reply *reply, unsigned int *ret)
{
	const uint8_t *p = (const uint8_t *)reply->body;
	uint32_t n;

	*ret = 0;
	if (reply->len < GRPC_FRAME || p[0])
		return false;
	n = (uint32_t)p[1] << 24 | p[2] << 16 | p[3] << 8 | p[4];
	if (n > reply->len - GRPC_FRAME || (n && n < 2))
		return false;
	p += GRPC_FRAME;
	if (n && p[0] == 0x08)
		*ret = p[1];
	return true;
}

enum health_result grpc_judge(const struct check_conf *conf,
			      const struct http_reply *reply, char *text,
			      size_t len)
{
	char code[16], message[160], said[96];
	unsigned int status;

	if (!reply->status)
		return no_answer(reply, text, len);
	if (reply->status != 200) {
		snprintf(text, len, "no gRPC: status %d of HTTP",
			 reply->status);
		return HEALTH_FAIL;
	}
	if (!header(reply->headers, "grpc-status", code, sizeof(code))) {
		snprintf(text, len, "no gRPC: the answer has no grpc-status");
		return HEALTH_FAIL;
	}
	if (strcmp(code, "0")) {
		if (!header(reply->headers, "grpc-message", message,
			    sizeof(message)))
			message[0] = '\0';
		talk_printable(said, sizeof(said), message, strlen(message));
		if (!strcmp(code, "5"))
			snprintf(text, len, "does not know service \"%.63s\"",
				 conf->service ? conf->service : "");
		else if (!strcmp(code, "12"))
			snprintf(text, len,
				 "has no health service (grpc-status 12)");
		else
			snprintf(text, len, "grpc-status %.8s: %s", code, said);
		return HEALTH_FAIL;
	}
	if (!grpc_status(reply, &status)) {
		snprintf(text, len, "no gRPC: the answer is broken");
		return HEALTH_FAIL;
	}
	snprintf(text, len, "%s in %u.%03u ms",
		 status < 4 ? grpc_states[status] : "a state nobody knows",
		 (uint32_t)(reply->took_us / 1000),
		 (uint32_t)(reply->took_us % 1000));
	return status == 1 ? HEALTH_PASS : HEALTH_FAIL;
}

size_t grpc_question(const char *service, uint8_t *buf, size_t len)
{
	size_t n = service ? strlen(service) : 0;
	size_t bytes = n ? n + 2 : 0;

	/* The length must fit in one byte, and the rest of the name would
	 * name another service.
	 */
	if (n > 127 || GRPC_FRAME + bytes > len)
		return 0;
	memset(buf, 0, GRPC_FRAME);
	buf[4] = bytes;
	if (bytes) {
		buf[5] = 0x0a;
		buf[6] = n;
		memcpy(buf + 7, service, n);
	}
	return GRPC_FRAME + bytes;
}

static void http_done(void *data, const struct http_reply *reply)
{
	struct http_check *h = data;
	const struct check_conf *conf = h->p.want.conf;
	char text[OUTPUT_MAX + 1];
	struct probe_result r = {
		.timeout = reply->timeout, .text = text,
		.asked_us = reply->asked_us,
		.latency_us = reply->took_us > UINT32_MAX ? UINT32_MAX :
			      reply->took_us,
	};

	h->req = NULL;
	if (conf->type == CHECK_GRPC)
		r.result = grpc_judge(conf, reply, text, sizeof(text));
	else
		r.result = http_judge(conf, reply, text, sizeof(text));
	probe_finish(&h->p, &r);
}

static void http_check_free(struct probe *p)
{
	struct http_check *h = (struct http_check *)p;

	http_cancel(&h->req);
	free(h);
}

/* The client has a time limit of its own, which reads what lies there. */
static void expired(struct probe *p)
{
	(void)p;
}

static const struct probe_ops ops = {
	.expired = expired,
	.free = http_check_free,
};

/* Where it goes to is the address, whatever the URL names: the name counts
 * for TLS alone.
 */
static void make_url(const struct probe_want *want, const char *path,
		     char *url, size_t url_len, char *to, size_t to_len)
{
	const struct check_conf *c = want->conf;
	bool six = want->addr.family == AF_INET6;
	const char *name = c->tls_name ? c->tls_name : c->host;
	char addr[IP_TEXT_MAX + 2], text[IP_TEXT_MAX];

	snprintf(addr, sizeof(addr), "%s%s%s", six ? "[" : "",
		 ip_text(&want->addr, text), six ? "]" : "");
	to[0] = '\0';
	if (!c->tls || !name)
		name = addr;
	else
		snprintf(to, to_len, "%s:%u:%s:%u", name, c->port, addr,
			 c->port);
	snprintf(url, url_len, "%s://%s:%u%s", c->tls ? "https" : "http", name,
		 c->port, path);
}

static bool trusts(void *trust_data, void *session, char *why, size_t len)
{
	struct http_check *h = trust_data;

	return tls_creds_verify(h->p.want.creds, session, why, len);
}

static int send_http(struct http_check *h)
{
	const struct probe_want *want = &h->p.want;
	const struct check_conf *c = want->conf;
	bool grpc = c->type == CHECK_GRPC;
	char url[2 * CHECK_TEXT_MAX + 64], to[CHECK_TEXT_MAX + 128];
	char lines[CHECK_HEADERS_MAX][2 * CHECK_TEXT_MAX + 4];
	const char *headers[CHECK_HEADERS_MAX + 3] = { NULL };
	uint8_t question[GRPC_FRAME + 130];
	struct http_probe probe = {
		.headers = headers, .keep = CHECK_BODY_MAX,
	};
	struct http_want http = {
		.url = url, .timeout_ms = want->timeout_ms,
		.device = want->device, .host = c->host, .method = c->method,
		.probe = &probe,
	};
	unsigned int n = 0;

	if (c->tls && !c->tls_insecure) {
		probe.trusts = trusts;
		probe.trust_data = h;
	}
	for (; n < c->n_headers; n++) {
		snprintf(lines[n], sizeof(lines[n]), "%s: %s",
			 c->headers[n].name, c->headers[n].value);
		headers[n] = lines[n];
	}
	if (want->fd >= 0)
		probe.fd = &want->fd;
	if (grpc) {
		headers[n++] = "Content-Type: application/grpc";
		headers[n++] = "TE: trailers";
		probe.http2 = true;
		probe.body = question;
		probe.len = grpc_question(c->service, question,
					  sizeof(question));
		http.method = "POST";
	}
	make_url(want, grpc ? GRPC_PATH : c->path ? c->path : "/", url,
		 sizeof(url), to, sizeof(to));
	if (to[0])
		probe.connect_to = to;
	return http_start(want->http, &h->req, &http, http_done, h);
}

int http_probe_start(struct probe **ret, const struct probe_want *want,
		     probe_fn fn, void *data)
{
	struct http_check *h = probe_new(sizeof(*h), &ops, want, fn, data);
	struct probe *p = (struct probe *)h;
	int err;

	if (!h)
		return -ENOMEM;
	source_timer_stop(p->timer);
	err = send_http(h);
	if (err) {
		probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
