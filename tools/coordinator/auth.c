// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include "auth.h"
#include "log.h"
#include "mem.h"
#include "problem.h"
#include "tls.h"

#define SECRET_BYTES	32

static void hex(const uint8_t *bytes, size_t n, char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * n] = '\0';
}

static void random_hex(size_t n, char *text)
{
	uint8_t bytes[SECRET_BYTES];

	if (getrandom(bytes, n, 0) != (ssize_t)n) {
		log_error("no random bytes: %m");
		abort();
	}
	hex(bytes, n, text);
}

/* A secret has 256 random bits: no slow hash is needed. */
static void hash(const char *secret, size_t len, char text[65])
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, (const uint8_t *)secret);
	sha256_digest(&ctx, sizeof(sum), sum);
	hex(sum, sizeof(sum), text);
}

void auth_token_make(struct token_def *def, const char *pin,
		     char secret[AUTH_SECRET_MAX])
{
	char text[2 * SECRET_BYTES + 1];

	random_hex(TOKEN_ID_LEN / 2, def->id);
	random_hex(SECRET_BYTES, text);
	hash(text, strlen(text), def->hash);
	snprintf(secret, AUTH_SECRET_MAX, "vnm1.%s.%s%s%s", def->id, text,
		 pin ? "." : "", pin ? pin : "");
}

/* "vnm1.ID.SECRET", what follows another dot is the client's. */
static const struct token *find_token(struct registry *reg, const char *text)
{
	const char *secret;
	struct token *token;
	char sum[65];

	if (strncmp(text, "vnm1.", 5))
		return NULL;
	text += 5;
	if (strcspn(text, ".") != TOKEN_ID_LEN || text[TOKEN_ID_LEN] != '.')
		return NULL;
	secret = text + TOKEN_ID_LEN + 1;
	hash(secret, strcspn(secret, "."), sum);
	TAILQ_FOREACH(token, &reg->tokens, list)
		if (!strncmp(token->def.id, text, TOKEN_ID_LEN))
			return memeql_sec(sum, token->def.hash, 64) ? token :
								      NULL;
	return NULL;
}

static int unknown(struct request *rq, const char *field, const char *text)
{
	rq->challenge = true;
	return problem(rq, 401, field, "%s", text);
}

static int by_token(struct request *rq, const char *text)
{
	const struct token *token;

	if (strncmp(text, "Bearer ", 7))
		return unknown(rq, "Authorization",
			       "Authorization: must be Bearer and a token");
	token = find_token(rq->reg, text + 7);
	if (!token)
		return unknown(rq, "Authorization",
			       "Authorization: the token is not known, or no longer");
	if (token->def.expires && token->def.expires <= time(NULL))
		return unknown(rq, "Authorization",
			       "Authorization: the token has expired");
	rq->who.role = token->def.role;
	strcpy(rq->who.token, token->def.id);
	return 0;
}

/* Each signature is recorded before it is told of. One of the same join that is later
 * than any that is known here is of a time that this store has lost: a backup was put
 * back, and it is the node's own. The next renewal records it.
 */
static bool is_from_lost_time(const struct node *node,
			      const struct tls_name *who)
{
	return node->def.joined[0] && !strcmp(node->def.joined, who->joined) &&
	       who->from > node->def.cert_from;
}

static bool is_present(const struct node *node, const struct tls_name *who)
{
	return !strcmp(node->def.serial, who->serial) ||
	       !strcmp(node->def.serial2, who->serial) ||
	       is_from_lost_time(node, who);
}

const struct node *auth_peer(const struct request *rq)
{
	struct tls_name who = { 0 };
	const struct node *node;

	if (!http_tls(rq->http) || !http_peer(rq, &who))
		return NULL;
	node = registry_node_named(rq->reg, who.name);
	return node && is_present(node, &who) ? node : NULL;
}

static void say_lost_time(struct node *node, const struct tls_name *who)
{
	if (node->lost_time || !is_from_lost_time(node, who))
		return;
	node->lost_time = true;
	log_warning("node %u \"%s\": its certificate was signed after all that is recorded here: taken, as after a restored backup",
		    node->def.id, node->def.name);
}

static int by_certificate(struct request *rq, const struct tls_name *who)
{
	struct node *node = registry_node_named(rq->reg, who->name);

	if (!node)
		return problem(rq, 403, "certificate",
			       "certificate: node \"%s\" was forgotten, or joined after a backup that was put back",
			       who->name);
	if (!is_present(node, who))
		return problem(rq, 403, "certificate",
			       "certificate: not the present one of node \"%s\"",
			       who->name);
	say_lost_time(node, who);
	rq->who.role = ROLE_REGISTER;
	rq->who.node = node->def.id;
	return 0;
}

static int identify(struct request *rq)
{
	const char *text = http_header(rq, "Authorization");
	struct tls_name who = { 0 };

	if (!http_tls(rq->http)) {
		rq->who.role = ROLE_ADMIN;
		return 0;
	}
	if (text)
		return by_token(rq, text);
	if (http_peer(rq, &who))
		return by_certificate(rq, &who);
	return 0;
}

int auth_check(struct request *rq)
{
	enum role need = rq->route->role;
	int status;

	memset(&rq->who, 0, sizeof(rq->who));
	if (rq->route->open)
		return 0;
	status = identify(rq);
	if (status)
		return status;
	/* Of a token that joins, and of nobody. */
	if (!rq->who.token[0] && rq->who.role == ROLE_NONE)
		return unknown(rq, NULL,
			       "neither a certificate of this mesh nor a token");
	if (need == ROLE_NONE && rq->who.role != ROLE_NONE &&
	    rq->who.role != ROLE_ADMIN)
		return problem(rq, 403, NULL, "this takes a token to join by");
	if (rq->who.role < need)
		return problem(rq, 403, NULL, "this takes the role %s, not %s",
			       grant_roles[need], grant_roles[rq->who.role]);
	return 0;
}

int auth_node(struct request *rq, const struct node *node, const char *field)
{
	char who[96];

	if (rq->who.role == ROLE_ADMIN || rq->who.node == node->def.id)
		return 0;
	return problem(rq, 403, field, "%s: %s does not speak for node \"%s\"",
		       field, auth_name(rq, who, sizeof(who)), node->def.name);
}

const struct grant *auth_grant(const struct request *rq)
{
	const struct token *token;
	const struct node *node;

	if (rq->who.role == ROLE_ADMIN)
		return NULL;
	node = registry_node(rq->reg, rq->who.node);
	if (rq->who.node && node)
		return &node->def.grant;
	TAILQ_FOREACH(token, &rq->reg->tokens, list)
		if (!strcmp(token->def.id, rq->who.token))
			return &token->def.grant;
	return &rq->reg->nothing;
}

int auth_tag(struct request *rq, const char *tag, const char *field)
{
	const struct grant *grant = auth_grant(rq);
	char who[96];

	if (!grant || grant_allows(grant, tag))
		return 0;
	return problem(rq, 403, field, "%s: %s has no grant for \"%s\"", field,
		       auth_name(rq, who, sizeof(who)), tag);
}

const char *auth_name(const struct request *rq, char *buf, size_t len)
{
	const struct node *node = registry_node(rq->reg, rq->who.node);

	if (rq->who.node)
		snprintf(buf, len, "node \"%s\"", node ? node->def.name : "?");
	else if (rq->who.token[0])
		snprintf(buf, len, "token %s", rq->who.token);
	else
		snprintf(buf, len, "anybody");
	return buf;
}
