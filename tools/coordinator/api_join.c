// SPDX-License-Identifier: GPL-2.0-or-later
/* From a token to a node with a certificate, its renewal, and its end. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "change.h"
#include "json.h"
#include "lease.h"
#include "log.h"
#include "mem.h"
#include "plan.h"
#include "problem.h"
#include "tls.h"
#include "uuid.h"

/* Not a secret, and of no use to who does not know what it must be: a token
 * names its fingerprint.
 */
int api_get_ca(struct request *rq)
{
	const struct tls *tls = http_tls(rq->http);

	if (!tls)
		return problem(rq, 404, NULL, "there is no certificate without tls_dir");
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "certificate", json_string(tls_ca(tls)));
	return 200;
}

struct wish {
	struct node_def def;
	char *csr;
};

static bool read_wish(struct jread *rd, struct wish *wish, bool join)
{
	const char *csr = NULL;
	uint32_t port = wish->def.port;
	struct jobj root;

	if (!jread_root(rd, &root))
		return false;
	if (join) {
		jget_name(&root, "name", JREQ, wish->def.name);
		jget_addr(&root, "underlay", JREQ, 0, &wish->def.underlay);
		jget_u32(&root, "port", JOPT, 1, 65535, &port);
		jget_name(&root, "zone", JOPT, wish->def.zone);
		wish->def.port = port;
	}
	if (jget_str(&root, "csr", JREQ, CSR_MAX, &csr))
		wish->csr = mem_checked(strdup(csr));
	return jread_ok(rd);
}

static int bad_csr(struct request *rq)
{
	return problem(rq, 400, "csr",
		       "csr: must be a certificate request in PEM");
}

/* What a certificate was signed for. */
struct signing {
	struct node_def def;
	struct node *node;		/* NULL: a new one */
	char token[TOKEN_ID_LEN + 1];
	char *pem;
};

static void signing_free(struct signing *s)
{
	free(s->pem);
	free(s);
}

static int end_join(struct request *rq, void *data, bool stored)
{
	struct registry *reg = rq->reg;
	struct signing *s = data;
	struct token *token = registry_token(reg, s->token);
	struct node *node;

	if (stored) {
		log_info("node %u \"%s\": joined by token %s", s->def.id,
			 s->def.name, s->token);
		if (token)
			registry_drop_token(reg, token);
		node = registry_add_node(reg, &s->def);
		node->stale = true;
		rq->reply = mem_checked(json_object());
		record_set(rq->reply, "mesh", record_mesh(&reg->mesh));
		record_set(rq->reply, "node", api_node(node));
		record_set(rq->reply, "certificate", json_string(s->pem));
	}
	signing_free(s);
	return 200;
}

/* The clock may have been set back since the last one. */
static void raise_from(struct node_def *def, const struct tls_name *who)
{
	if (who->from > def->cert_from)
		def->cert_from = who->from;
}

static char *sign_for(const struct tls *tls, const char *csr,
		      struct node_def *def)
{
	struct tls_name who = { 0 };
	char *pem;

	strcpy(who.name, def->name);
	strcpy(who.joined, def->joined);
	pem = tls_sign(tls, csr, &who);
	if (!pem)
		return NULL;
	strcpy(def->serial, who.serial);
	raise_from(def, &who);
	return pem;
}

static int join(struct request *rq, struct wish *wish)
{
	struct token *token = registry_token(rq->reg, rq->who.token);
	const struct tls *tls = http_tls(rq->http);
	struct registry *reg = rq->reg;
	struct signing *s;
	struct node *node;
	char object[32];
	uint32_t id;

	if (!tls || !token)
		return problem(rq, 409, NULL, "nobody joins by a token without tls_dir");
	/* It would be used up. */
	if (token->def.role != ROLE_NONE)
		return problem(rq, 403, NULL,
			       "this takes a token to join by, not one of the role %s",
			       grant_roles[token->def.role]);
	node = registry_node_named(reg, wish->def.name);
	if (node)
		return problem(rq, 409, "name",
			       "name: node %u is \"%s\" already: forget it first",
			       node->def.id, node->def.name);
	id = api_free_id(reg);
	if (!id)
		return problem(rq, 507, NULL, "no node id is left");
	s = mem_zero(1, sizeof(*s));
	id64_make(wish->def.joined);
	s->pem = sign_for(tls, wish->csr, &wish->def);
	if (!s->pem) {
		signing_free(s);
		return bad_csr(rq);
	}
	plan_node(&reg->mesh, id, &wish->def);
	wish->def.grant = token->def.grant;
	s->def = wish->def;
	strcpy(s->token, token->def.id);
	change_begin(reg);
	store_put_node(reg->store, &s->def);
	store_del_token(reg->store, s->token);
	snprintf(object, sizeof(object), "node %u", id);
	change_log(reg, rq, object, "joined", "\"%s\", by a token",
		   s->def.name);
	return change_commit(reg, rq, end_join, s);
}

static int with_wish(struct request *rq, bool joins,
		     int (*fn)(struct request *rq, struct wish *wish))
{
	struct wish wish = { .def.port = rq->reg->mesh.port };
	int status = change_turn(rq);
	struct jread rd;

	if (status)
		return status;
	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	status = read_wish(&rd, &wish, joins) ? fn(rq, &wish) :
						problem_json(rq, &rd);
	jread_free(&rd);
	free(wish.csr);
	return status;
}

int api_post_join(struct request *rq)
{
	return with_wish(rq, true, join);
}

static int end_renew(struct request *rq, void *data, bool stored)
{
	struct signing *s = data;

	if (stored) {
		s->node->def = s->def;
		log_info("node %u \"%s\": certificate renewed", s->def.id,
			 s->def.name);
		rq->reply = mem_checked(json_object());
		record_set(rq->reply, "certificate", json_string(s->pem));
	}
	signing_free(s);
	return 200;
}

/* The one that asks goes on, as the answer may be lost; not always the last that
 * was signed: more than one answer may. Nor is it always one that is recorded.
 */
static void keep_asking(struct request *rq, struct node_def *def)
{
	struct tls_name who = { 0 };

	if (!rq->who.node || !http_peer(rq, &who)) {
		strcpy(def->serial2, def->serial);
		return;
	}
	strcpy(def->serial2, who.serial);
	raise_from(def, &who);
}

static int renew(struct request *rq, struct wish *wish)
{
	struct node *node = api_find_node(rq, rq->arg, NULL);
	struct registry *reg = rq->reg;
	struct signing *s;
	char object[32];
	int status;

	if (!node)
		return 404;
	status = auth_node(rq, node, "node");
	if (status)
		return status;
	if (!http_tls(rq->http))
		return problem(rq, 409, NULL, "there are no certificates without tls_dir");
	s = mem_zero(1, sizeof(*s));
	s->node = node;
	s->def = node->def;
	keep_asking(rq, &s->def);
	/* It joined before there were such numbers. */
	if (!s->def.joined[0])
		id64_make(s->def.joined);
	s->pem = sign_for(http_tls(rq->http), wish->csr, &s->def);
	if (!s->pem) {
		signing_free(s);
		return bad_csr(rq);
	}
	change_begin(reg);
	store_put_node(reg->store, &s->def);
	snprintf(object, sizeof(object), "node %u", s->def.id);
	change_log(reg, rq, object, "certificate", "renewed");
	return change_commit(reg, rq, end_renew, s);
}

int api_post_certificate(struct request *rq)
{
	return with_wish(rq, false, renew);
}

static int end_forget(struct request *rq, void *data, bool stored)
{
	struct registry *reg = rq->reg;
	struct node *node = data;

	if (!stored)
		return 0;
	log_info("node %u \"%s\": forgotten", node->def.id, node->def.name);
	registry_drop_node(reg, node);
	rq->reply = mem_checked(json_object());
	watch_stamp(reg, rq->reply);
	return 200;
}

/* By id or by name, and for good: its certificates mean nothing any more. */
int api_delete_node(struct request *rq)
{
	struct node *node = api_find_node(rq, rq->arg, NULL);
	struct registry *reg = rq->reg;
	const struct member *m;
	int64_t force = 0;
	char object[32];
	int status;

	if (http_arg_int(rq, "force", 0, 1, &force) < 0)
		return 400;
	if (!node)
		return 404;
	status = change_turn(rq);
	if (status)
		return status;
	if (lease_live(node) && !node->stale && !force)
		return problem(rq, 409, NULL,
			       "node %u \"%s\" is alive: stop its agent first, or force it",
			       node->def.id, node->def.name);
	change_begin(reg);
	TAILQ_FOREACH(m, &node->members, on_node)
		store_del_member(reg->store, m->def.tag, m->def.vni);
	store_del_node(reg->store, node->def.id);
	store_put_forgotten(reg->store, node->def.id);
	snprintf(object, sizeof(object), "node %u", node->def.id);
	change_log(reg, rq, object, "forgotten", "\"%s\" with %u members%s",
		   node->def.name, node->nr_members, force ? ", forced" : "");
	return change_commit(reg, rq, end_forget, node);
}
