// SPDX-License-Identifier: GPL-2.0-or-later
/* Tokens and grants: who may do what. For administrators. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "auth.h"
#include "change.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "problem.h"
#include "tls.h"

static bool expired(const struct token_def *def)
{
	return def->expires && def->expires <= time(NULL);
}

int api_get_tokens(struct request *rq)
{
	json_t *list = mem_checked(json_array());
	const struct token *token;

	TAILQ_FOREACH(token, &rq->reg->tokens, list)
		if (!expired(&token->def))
			record_append(list, token_pack(&token->def, false));
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "tokens", list);
	return 200;
}

static bool read_token(struct jread *rd, struct token_def *def)
{
	unsigned int role = ROLE_NONE;
	struct jobj root;
	int64_t ttl = 0;

	grant_default(&def->grant);
	if (!jread_root(rd, &root))
		return false;
	jget_word(&root, "role", JREQ, grant_roles, &role);
	def->role = role;
	if (def->role == ROLE_NONE)
		ttl = JOIN_TTL_S;
	jget_int(&root, "ttl_s", JOPT, 1, TOKEN_TTL_MAX_S, &ttl);
	if (ttl)
		def->expires = time(NULL) + ttl;
	grant_read(&root, &def->grant);
	return jread_ok(rd);
}

/* Room for one more, by what nobody can use any longer. */
static bool make_room(struct registry *reg, struct token **gone)
{
	struct token *token;

	*gone = NULL;
	TAILQ_FOREACH(token, &reg->tokens, list)
		if (expired(&token->def))
			*gone = token;
	return *gone || reg->nr_tokens < TOKENS_MAX;
}

struct making {
	struct token_def def;
	char gone[TOKEN_ID_LEN + 1];	/* what makes room, or "" */
	char secret[AUTH_SECRET_MAX];
};

static int end_make(struct request *rq, void *data, bool stored)
{
	struct making *mk = data;
	struct token *gone = registry_token(rq->reg, mk->gone);

	if (stored) {
		if (gone)
			registry_drop_token(rq->reg, gone);
		registry_add_token(rq->reg, &mk->def);
		log_info("token %s: made, role %s", mk->def.id,
			 grant_roles[mk->def.role]);
		rq->reply = mem_checked(json_object());
		record_set(rq->reply, "token", token_pack(&mk->def, false));
		record_set(rq->reply, "secret", json_string(mk->secret));
	}
	explicit_bzero(mk, sizeof(*mk));
	free(mk);
	return 200;
}

int api_post_token(struct request *rq)
{
	struct registry *reg = rq->reg;
	struct token_def def = { 0 };
	struct making *mk;
	struct token *gone;
	char object[32];
	struct jread rd;
	char pin[65];
	int status = 0;

	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	if (!read_token(&rd, &def))
		status = problem_json(rq, &rd);
	jread_free(&rd);
	if (status)
		return status;
	if (!http_tls(rq->http) || !tls_pin(http_tls(rq->http), pin))
		return problem(rq, 409, NULL, "there are no rights without tls_dir");
	if (!make_room(reg, &gone))
		return problem(rq, 507, NULL, "there are %u tokens already",
			       reg->nr_tokens);
	status = change_turn(rq);
	if (status)
		return status;
	mk = mem_zero(1, sizeof(*mk));
	mk->def = def;
	auth_token_make(&mk->def, def.role == ROLE_NONE ? pin : NULL,
			mk->secret);
	change_begin(reg);
	if (gone) {
		strcpy(mk->gone, gone->def.id);
		store_del_token(reg->store, gone->def.id);
	}
	store_put_token(reg->store, &mk->def);
	snprintf(object, sizeof(object), "token %s", mk->def.id);
	change_log(reg, rq, object, "made", "role %s", grant_roles[def.role]);
	return change_commit(reg, rq, end_make, mk);
}

static int end_delete(struct request *rq, void *data, bool stored)
{
	struct token *token = data;

	if (!stored)
		return 0;
	log_info("token %s: deleted", token->def.id);
	registry_drop_token(rq->reg, token);
	rq->reply = mem_checked(json_object());
	return 200;
}

int api_delete_token(struct request *rq)
{
	struct token *token = registry_token(rq->reg, rq->arg);
	struct registry *reg = rq->reg;
	int status = change_turn(rq);
	char object[32];

	if (status)
		return status;
	if (!token)
		return problem(rq, 404, NULL, "there is no token \"%.63s\"",
			       rq->arg);
	change_begin(reg);
	store_del_token(reg->store, token->def.id);
	snprintf(object, sizeof(object), "token %s", token->def.id);
	change_log(reg, rq, object, "deleted", "asked for");
	return change_commit(reg, rq, end_delete, token);
}

static int reply_grant(struct request *rq, const struct node *node)
{
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "node", json_integer(node->def.id));
	record_set(rq->reply, "name", json_string(node->def.name));
	grant_pack(rq->reply, &node->def.grant);
	return 200;
}

int api_get_grant(struct request *rq)
{
	struct node *node = api_find_node(rq, rq->arg, NULL);
	int status;

	if (!node)
		return 404;
	status = auth_node(rq, node, "node");
	return status ? status : reply_grant(rq, node);
}

/* Members of @node whose tags @grant does not allow, put into the transaction
 * or, once that is done, dropped.
 */
static void revoke(struct request *rq, struct node *node,
		   const struct grant *grant, bool stored)
{
	struct member *m, *next;
	char object[TAG_MAX + 32];

	/* Everybody is an administrator there. */
	if (!http_tls(rq->http))
		return;
	for (m = TAILQ_FIRST(&node->members); m; m = next) {
		next = TAILQ_NEXT(m, on_node);
		if (grant_allows(grant, m->def.tag))
			continue;
		if (stored) {
			registry_drop_member(rq->reg, m);
			continue;
		}
		store_del_member(rq->reg->store, m->def.tag, m->def.vni);
		snprintf(object, sizeof(object), "member %s/%u", m->def.tag,
			 m->def.vni);
		change_log(rq->reg, rq, object, "removed",
			   "its tag is not granted to the node any more");
	}
}

struct granting {
	struct node *node;
	struct grant grant;
};

static int end_grant(struct request *rq, void *data, bool stored)
{
	struct granting *g = data;
	struct node *node = g->node;

	if (stored) {
		node->def.grant = g->grant;
		revoke(rq, node, &g->grant, true);
		registry_ask_again(node);
		log_info("node %u \"%s\": granted %u patterns", node->def.id,
			 node->def.name, g->grant.nr_tags);
	}
	free(g);
	return stored ? reply_grant(rq, node) : 0;
}

int api_put_grant(struct request *rq)
{
	struct node *node = api_find_node(rq, rq->arg, NULL);
	struct registry *reg = rq->reg;
	struct granting *g;
	struct node_def def;
	char object[32];
	struct jobj root;
	struct jread rd;
	int status = 0;

	if (!node)
		return 404;
	def = node->def;
	grant_default(&def.grant);
	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	if (jread_root(&rd, &root))
		grant_read(&root, &def.grant);
	if (!jread_ok(&rd))
		status = problem_json(rq, &rd);
	jread_free(&rd);
	if (!status)
		status = change_turn(rq);
	if (status)
		return status;
	change_begin(reg);
	store_put_node(reg->store, &def);
	snprintf(object, sizeof(object), "node %u", def.id);
	change_log(reg, rq, object, "granted", "%u patterns, first \"%s\"",
		   def.grant.nr_tags, def.grant.nr_tags ? def.grant.tags[0] : "");
	revoke(rq, node, &def.grant, false);
	g = mem_zero(1, sizeof(*g));
	g->node = node;
	g->grant = def.grant;
	return change_commit(reg, rq, end_grant, g);
}
