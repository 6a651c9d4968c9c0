// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cert.h"
#include "log.h"
#include "problem.h"
#include "renew.h"
#include "wire.h"

#define FIRST_US	(5 * LOOP_USEC_PER_SEC)
#define TIMEOUT_MS	10000

struct renew {
	struct mesh *m;
	struct source *timer;
	struct http_req *req;
	char *key;		/* of the request that is under way */
};

static bool use_files(struct mesh *m)
{
	const char *dir = m->conf.state_dir;
	char ca[CONFIG_TEXT_MAX + 16];
	char cert[CONFIG_TEXT_MAX + 16];
	char key[CONFIG_TEXT_MAX + 16];

	snprintf(ca, sizeof(ca), "%s/" CERT_CA_FILE, dir);
	snprintf(cert, sizeof(cert), "%s/" CERT_FILE, dir);
	snprintf(key, sizeof(key), "%s/" CERT_KEY_FILE, dir);
	return !http_identity(m->http, ca, cert, key);
}

/* A third of its life or less is left; a text that is none needs nothing. */
static bool is_due(const char *pem)
{
	int64_t from, until;

	return pem && cert_life(pem, &from, &until) &&
	       until - (int64_t)time(NULL) < (until - from) / 3;
}

static bool take(struct renew *r, const char *pem)
{
	const char *dir = r->m->conf.state_dir;
	int64_t from, until;
	int err;

	if (!cert_life(pem, &from, &until))
		return false;
	err = cert_replace(dir, r->key, pem);
	if (err)
		log_err("%s: cannot keep the new certificate: %s", dir,
			strerror(-err));
	return !err;
}

/* Key and certificate are of each other, also after a renewal that was cut off in
 * the middle. False: that cannot be completed, so no other is begun.
 */
static bool settle(const struct mesh *m)
{
	const char *dir = m->conf.state_dir;
	int ret = cert_settle(dir);

	if (ret > 0)
		log_info("the renewal of the certificate is completed");
	else if (ret == -EKEYREJECTED)
		log_err("%s/%s is not of %s; first this host must join anew: vnimesh join",
			dir, CERT_KEY_FILE, CERT_FILE);
	else if (ret)
		log_err("%s: cannot keep the new certificate: %s", dir,
			strerror(-ret));
	return ret >= 0 || ret == -EKEYREJECTED;
}

static void on_answer(void *data, const struct http_reply *reply)
{
	struct renew *r = data;
	char text[512];
	json_t *json;

	r->req = NULL;
	if (reply->status == 200) {
		json = json_loadb(reply->body, reply->len, 0, NULL);
		if (take(r, wire_str(json, "certificate", "")))
			log_info("the certificate was renewed");
		json_decref(json);
	} else {
		log_warn("the certificate is not renewed: %s",
			 problem_text(reply, text, sizeof(text)));
	}
	free(r->key);
	r->key = NULL;
}

static void ask(struct renew *r)
{
	char url[CONFIG_TEXT_MAX + 64];
	struct http_want want = {
		.method = "POST",
		.url = url,
		.timeout_ms = TIMEOUT_MS,
	};
	char *request = NULL;
	char *body;
	json_t *o;

	if (r->req || !cert_request(r->m->conf.name, &r->key, &request))
		return;
	snprintf(url, sizeof(url), "%s/v1/nodes/%u/certificate",
		 r->m->conf.coordinator, r->m->facts.self);
	o = json_pack("{s:s}", "csr", request);
	body = json_dumps(o, JSON_COMPACT);
	want.body = body;
	if (!body || http_start(r->m->http, &r->req, &want, on_answer, r)) {
		free(r->key);
		r->key = NULL;
	}
	json_decref(o);
	free(body);
	free(request);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct renew *r = data;
	bool settled = settle(r->m);
	char *pem = cert_read(r->m->conf.state_dir, CERT_FILE);

	source_timer_set(r->timer, now_us + RENEW_CHECK_S * LOOP_USEC_PER_SEC);
	if (settled && r->m->joined && is_due(pem))
		ask(r);
	free(pem);
}

static bool has_files(struct renew *r)
{
	char *pem = cert_read(r->m->conf.state_dir, CERT_FILE);
	bool ok = pem;

	if (!ok)
		log_err("%s/" CERT_FILE ": %s; first this host must join: vnimesh join",
			r->m->conf.state_dir, strerror(errno));
	free(pem);
	return ok;
}

struct renew *renew_new(struct mesh *m)
{
	struct renew *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->m = m;
	if (!m->conf.tls)
		return r;
	settle(m);
	if (has_files(r) && use_files(m) &&
	    !loop_timer(m->loop, &r->timer, on_timer, r) &&
	    !source_timer_set(r->timer, loop_now() + FIRST_US))
		return r;
	renew_free(r);
	return NULL;
}

void renew_free(struct renew *r)
{
	if (!r)
		return;
	http_cancel(&r->req);
	source_free(&r->timer);
	free(r->key);
	free(r);
}
