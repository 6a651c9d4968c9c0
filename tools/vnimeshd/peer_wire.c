// SPDX-License-Identifier: GPL-2.0-or-later
/* The bytes between agents. */

#include <string.h>

#include "peer_wire.h"

#define TLV_HEAD	4
/* The known part of a fact without its tag, and of a case. */
#define FACT_LEN	23
#define CASE_LEN	17

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, v >> 32);
	put32(p + 4, v);
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

enum peer_refusal peer_header_read(const uint8_t *buf, size_t len,
				   struct peer_header *ret)
{
	if (len < PEER_HEADER + PEER_SEAL || len > PEER_DATAGRAM)
		return PEER_SHORT;
	if (get32(buf) != PEER_MAGIC || buf[4] != PEER_VERSION)
		return PEER_ALIEN;
	ret->type = buf[5];
	ret->mesh = get32(buf + 8);
	ret->from = get32(buf + 12);
	ret->to = get32(buf + 16);
	ret->key_id = get32(buf + 20);
	ret->epoch = get64(buf + 24);
	ret->seq = get64(buf + 32);
	memcpy(ret->salt, buf + 40, PEER_SALT);
	return PEER_OK;
}

enum peer_refusal peer_open(const uint8_t key[PEER_KEY], const uint8_t *buf,
			    size_t len, uint8_t *plain, size_t *plain_len)
{
	unsigned long long n = 0;

	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &n, NULL,
						       buf + PEER_HEADER,
						       len - PEER_HEADER,
						       buf, PEER_HEADER,
						       buf + 40, key))
		return PEER_FORGED;
	*plain_len = n;
	return PEER_OK;
}

size_t peer_seal(const uint8_t key[PEER_KEY], const struct peer_header *h,
		 const struct peer_out *o, uint8_t *buf)
{
	unsigned long long n = 0;

	memset(buf, 0, PEER_HEADER);
	put32(buf, PEER_MAGIC);
	buf[4] = PEER_VERSION;
	buf[5] = h->type;
	put32(buf + 8, h->mesh);
	put32(buf + 12, h->from);
	put32(buf + 16, h->to);
	put32(buf + 20, h->key_id);
	put64(buf + 24, h->epoch);
	put64(buf + 32, h->seq);
	memcpy(buf + 40, h->salt, PEER_SALT);
	crypto_aead_xchacha20poly1305_ietf_encrypt(buf + PEER_HEADER, &n, o->buf,
						   o->len, buf, PEER_HEADER, NULL,
						   buf + 40, key);
	return PEER_HEADER + n;
}

struct tlv {
	uint16_t type, len;
	const uint8_t *v;
};

/* False: the end, or with *broken a length that leads beyond it. */
static bool next(const uint8_t *p, size_t len, size_t *at, struct tlv *ret,
		 bool *broken)
{
	size_t left = len - *at;

	*broken = left && left < TLV_HEAD;
	if (left < TLV_HEAD)
		return false;
	ret->type = get16(p + *at);
	ret->len = get16(p + *at + 2);
	ret->v = p + *at + TLV_HEAD;
	*broken = ret->len > left - TLV_HEAD;
	if (*broken)
		return false;
	*at += TLV_HEAD + ret->len;
	return true;
}

static bool fact_read(const struct tlv *t, struct peer_fact *ret)
{
	const uint8_t *v = t->v;
	size_t n;

	if (t->len < FACT_LEN)
		return false;
	n = v[22];
	if (!n || n > TAG_MAX || t->len < FACT_LEN + n)
		return false;
	ret->vni = get32(v);
	ret->seq = get64(v + 4);
	ret->state = v[12];
	ret->health = v[13];
	ret->weight = get16(v + 14);
	ret->latency_us = get32(v + 16);
	ret->latency_kind = v[20];
	ret->priority = v[21];
	memcpy(ret->tag, v + FACT_LEN, n);
	ret->tag[n] = '\0';
	return strlen(ret->tag) == n;
}

static bool case_read(const struct tlv *t, struct peer_case *ret)
{
	if (t->len < CASE_LEN)
		return false;
	ret->node = get32(t->v);
	ret->vni = get32(t->v + 4);
	ret->id = get64(t->v + 8);
	ret->sight = t->v[16];
	return true;
}

static bool two_read(const struct tlv *t, uint64_t *a, uint64_t *b)
{
	if (t->len < 16)
		return false;
	*a = get64(t->v);
	*b = get64(t->v + 8);
	return true;
}

static bool nonce_read(const struct tlv *t, uint8_t ret[PEER_NONCE])
{
	if (t->len < PEER_NONCE)
		return false;
	memcpy(ret, t->v, PEER_NONCE);
	return true;
}

static bool take(struct peer_msg *m, const struct tlv *t)
{
	struct peer_fact fact;

	switch (t->type) {
	case PEER_T_CHALLENGE:
		m->has_challenge = true;
		return nonce_read(t, m->challenge);
	case PEER_T_ECHO:
		m->has_echo = true;
		return nonce_read(t, m->echo);
	case PEER_T_HAVE:
		m->has_have = true;
		return two_read(t, &m->have_epoch, &m->have);
	case PEER_T_RANGE:
		m->has_range = true;
		return two_read(t, &m->above, &m->upto) && m->above <= m->upto;
	case PEER_T_INTERVAL:
		if (t->len < 4)
			return false;
		m->interval_ms = get32(t->v);
		return true;
	case PEER_T_FACT:
		m->n_facts++;
		return fact_read(t, &fact);
	case PEER_T_CASE:
		m->has_case = true;
		return case_read(t, &m->kase);
	}
	return true;
}

enum peer_refusal peer_msg_read(const uint8_t *payload, size_t len,
				struct peer_msg *ret)
{
	bool broken = false;
	struct tlv t;
	size_t at = 0;

	memset(ret, 0, sizeof(*ret));
	ret->payload = payload;
	ret->len = len;
	while (next(payload, len, &at, &t, &broken))
		if (!take(ret, &t))
			return PEER_BROKEN;
	return broken ? PEER_BROKEN : PEER_OK;
}

bool peer_facts(const struct peer_msg *msg, size_t *at, struct peer_fact *ret)
{
	struct tlv t;
	bool broken;

	while (next(msg->payload, msg->len, at, &t, &broken))
		if (t.type == PEER_T_FACT)
			return fact_read(&t, ret);
	return false;
}

bool peer_put(struct peer_out *o, uint16_t type, const void *v, size_t len)
{
	uint8_t *p = o->buf + o->len;

	if (len > sizeof(o->buf) || o->len + TLV_HEAD + len > sizeof(o->buf))
		return false;
	put32(p, (uint32_t)type << 16 | len);
	memcpy(p + TLV_HEAD, v, len);
	o->len += TLV_HEAD + len;
	return true;
}

bool peer_put_u32(struct peer_out *o, uint16_t type, uint32_t v)
{
	uint8_t buf[4];

	put32(buf, v);
	return peer_put(o, type, buf, sizeof(buf));
}

bool peer_put_two(struct peer_out *o, uint16_t type, uint64_t a, uint64_t b)
{
	uint8_t buf[16];

	put64(buf, a);
	put64(buf + 8, b);
	return peer_put(o, type, buf, sizeof(buf));
}

size_t peer_fact_len(const struct peer_fact *fact)
{
	return TLV_HEAD + FACT_LEN + strlen(fact->tag);
}

bool peer_put_fact(struct peer_out *o, const struct peer_fact *fact)
{
	uint8_t buf[FACT_LEN + TAG_MAX];
	size_t n = strlen(fact->tag);

	put32(buf, fact->vni);
	put64(buf + 4, fact->seq);
	buf[12] = fact->state;
	buf[13] = fact->health;
	buf[14] = fact->weight >> 8;
	buf[15] = fact->weight;
	put32(buf + 16, fact->latency_us);
	buf[20] = fact->latency_kind;
	buf[21] = fact->priority;
	buf[22] = n;
	memcpy(buf + FACT_LEN, fact->tag, n);
	return peer_put(o, PEER_T_FACT, buf, FACT_LEN + n);
}

bool peer_put_case(struct peer_out *o, const struct peer_case *kase)
{
	uint8_t buf[CASE_LEN];

	put32(buf, kase->node);
	put32(buf + 4, kase->vni);
	put64(buf + 8, kase->id);
	buf[16] = kase->sight;
	return peer_put(o, PEER_T_CASE, buf, sizeof(buf));
}

bool peer_pair_key(const uint8_t secret[crypto_box_SECRETKEYBYTES],
		   const uint8_t ours[crypto_box_PUBLICKEYBYTES],
		   const uint8_t theirs[crypto_box_PUBLICKEYBYTES],
		   const char *mesh_uuid, uint8_t ret[PEER_KEY])
{
	static const char context[] = "vnimesh peer 1";
	bool first = memcmp(ours, theirs, crypto_box_PUBLICKEYBYTES) < 0;
	uint8_t shared[crypto_box_BEFORENMBYTES];
	crypto_generichash_state st;

	/* It refuses the points of small order. */
	if (crypto_box_beforenm(shared, theirs, secret))
		return false;
	crypto_generichash_init(&st, shared, sizeof(shared), PEER_KEY);
	crypto_generichash_update(&st, (const uint8_t *)context,
				  sizeof(context));
	crypto_generichash_update(&st, first ? ours : theirs,
				  crypto_box_PUBLICKEYBYTES);
	crypto_generichash_update(&st, first ? theirs : ours,
				  crypto_box_PUBLICKEYBYTES);
	crypto_generichash_update(&st, (const uint8_t *)mesh_uuid,
				  strlen(mesh_uuid));
	crypto_generichash_final(&st, ret, PEER_KEY);
	sodium_memzero(shared, sizeof(shared));
	return true;
}

uint32_t peer_key_id(const uint8_t key[crypto_box_PUBLICKEYBYTES])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(hash, sizeof(hash), key, crypto_box_PUBLICKEYBYTES,
			   NULL, 0);
	return get32(hash);
}
