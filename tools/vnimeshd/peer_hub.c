// SPDX-License-Identifier: GPL-2.0-or-later
/* Talking to all other agents. */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "next.h"
#include "peer_hub.h"

#define MS		1000ULL
/* What could not be sent now is tried after. */
#define PUT_OFF_US	10000

static int cmp_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void peer_hub_init(struct peer_hub *h, const struct peer_ops *ops, void *data,
		   uint64_t epoch,
		   const uint8_t secret[crypto_box_SECRETKEYBYTES],
		   uint64_t now_us)
{
	memset(h, 0, sizeof(*h));
	h->ops = ops;
	h->data = data;
	h->epoch = epoch;
	h->ping_ms = PEER_PING_MS;
	h->nodes.cmp = cmp_id;
	h->due_us = UINT64_MAX;
	memcpy(h->secret, secret, sizeof(h->secret));
	crypto_scalarmult_base(h->public, h->secret);
	h->key_id = peer_key_id(h->public);
	peer_log_init(&h->log);
	peer_bucket_init(&h->tx, PEER_TX_RATE, PEER_TX_BURST, now_us);
}

static void forget(struct peer_hub *h, struct peer_node *n)
{
	h->n_wanted -= n->wanted;
	h->n_subs -= n->sub.on;
	if (n->tx_seq > h->tx_top)
		h->tx_top = n->tx_seq;
	if (n->live)
		h->ops->live(h->data, n->id, false);
}

static void node_free(struct peer_hub *h, struct peer_node *n)
{
	forget(h, n);
	sodium_memzero(n, sizeof(*n));
	free(n);
}

void peer_hub_identity(struct peer_hub *h, uint32_t mesh, const char *uuid,
		       uint32_t self)
{
	size_t i;

	if (h->mesh == mesh && h->self == self && !strcmp(h->uuid, uuid))
		return;
	for (i = 0; i < h->nodes.n; i++)
		node_free(h, h->nodes.v[i]);
	sorted_clear(&h->nodes, NULL);
	h->mesh = mesh;
	h->self = self;
	snprintf(h->uuid, sizeof(h->uuid), "%s", uuid);
}

void peer_hub_free(struct peer_hub *h)
{
	size_t i;

	for (i = 0; i < h->nodes.n; i++)
		node_free(h, h->nodes.v[i]);
	sorted_clear(&h->nodes, NULL);
	peer_log_free(&h->log);
	sodium_memzero(h->secret, sizeof(h->secret));
}

struct peer_node *peer_hub_node(const struct peer_hub *h, uint32_t id)
{
	return sorted_find(&h->nodes, &id);
}

void peer_hub_del(struct peer_hub *h, uint32_t id)
{
	struct peer_node *n = sorted_take(&h->nodes, &id);

	if (n)
		node_free(h, n);
}

bool peer_hub_set(struct peer_hub *h, uint32_t id, const struct ip_addr *addr,
		  const uint8_t public[crypto_box_PUBLICKEYBYTES],
		  uint64_t now_us)
{
	struct peer_node *n = peer_hub_node(h, id);
	bool wanted = n && n->wanted;

	if (n && ip_equal(&n->addr, addr) &&
	    !memcmp(n->public, public, sizeof(n->public)))
		return true;
	peer_hub_del(h, id);
	n = calloc(1, sizeof(*n));
	if (!n)
		return false;
	n->id = id;
	/* If it was here before, it goes by what it saw of this run. */
	n->tx_seq = h->tx_top;
	n->addr = *addr;
	memcpy(n->public, public, sizeof(n->public));
	n->key_id = peer_key_id(n->public);
	peer_bucket_init(&n->rx, PEER_RX_RATE, PEER_RX_BURST, now_us);
	peer_bucket_init(&n->hello, PEER_HELLO_RATE, PEER_HELLO_RATE, now_us);
	if (!sorted_add(&h->nodes, n)) {
		free(n);
		return false;
	}
	peer_hub_want(h, n, wanted, now_us);
	return true;
}

static void due(struct peer_hub *h, uint64_t at_us)
{
	if (at_us < h->due_us)
		h->due_us = at_us;
}

/* The key of the pair costs some 50 us: only for those who talk. */
static bool have_key(struct peer_hub *h, struct peer_node *n)
{
	if (n->keyed || n->bad_key)
		return n->keyed;
	n->keyed = peer_pair_key(h->secret, h->public, n->public, h->uuid,
				 n->key);
	n->bad_key = !n->keyed;
	return n->keyed;
}

static void transmit(struct peer_hub *h, struct peer_node *n, uint8_t type,
		     struct peer_out *o)
{
	struct peer_header head = {
		.type = type, .mesh = h->mesh, .from = h->self, .to = n->id,
		.key_id = h->key_id, .epoch = h->epoch,
	};
	uint8_t buf[PEER_DATAGRAM];
	size_t len;

	if (!have_key(h, n))
		return;
	head.seq = ++n->tx_seq;
	h->ops->random(h->data, head.salt, sizeof(head.salt));
	next_tlv(o);
	len = peer_seal(n->key, &head, o, buf);
	h->stats.tx++;
	h->stats.tx_bytes += len;
	h->ops->send(h->data, n->id, buf, len);
}

static void put_challenge(struct peer_hub *h, struct peer_node *n,
			  struct peer_out *o, uint64_t now_us)
{
	uint8_t rnd[PEER_NONCE];

	h->ops->random(h->data, rnd, sizeof(rnd));
	peer_put(o, PEER_T_CHALLENGE,
		 peer_session_nonce(&n->session, rnd, now_us), PEER_NONCE);
}

static uint32_t interval_ms(const struct peer_hub *h)
{
	uint64_t least = h->n_wanted * 1000ULL / PEER_PING_RATE_MAX;

	return least > h->ping_ms ? least : h->ping_ms;
}

/* A tenth more or less, so that a thousand do not stay in step. */
static uint64_t next_ping_us(struct peer_hub *h)
{
	uint64_t us = interval_ms(h) * MS;
	uint32_t rnd;

	h->ops->random(h->data, &rnd, sizeof(rnd));
	return us * 9 / 10 + rnd % (us / 5 + 1);
}

static void ping(struct peer_hub *h, struct peer_node *n, const uint8_t *echo,
		 uint64_t now_us)
{
	struct peer_out o = { 0 };

	put_challenge(h, n, &o, now_us);
	peer_put_two(&o, PEER_T_HAVE, n->session.epoch, n->have.upto);
	peer_put_u32(&o, PEER_T_INTERVAL, interval_ms(h));
	if (echo)
		peer_put(&o, PEER_T_ECHO, echo, PEER_NONCE);
	transmit(h, n, PEER_PING, &o);
	/* Who answered until now is asked again soon: it was lost on the way.
	 * An answer puts the next one off.
	 */
	n->ping_us = now_us + next_ping_us(h) / (n->live ? PEER_PING_AGAIN : 1);
	due(h, n->ping_us);
}

static void set_live(struct peer_hub *h, struct peer_node *n, bool live)
{
	if (n->live == live)
		return;
	n->live = live;
	/* What it told holds no longer: all of it again. */
	if (!live)
		memset(&n->have, 0, sizeof(n->have));
	h->ops->live(h->data, n->id, live);
}

void peer_hub_want(struct peer_hub *h, struct peer_node *n, bool want,
		   uint64_t now_us)
{
	if (n->wanted == want)
		return;
	n->wanted = want;
	if (want) {
		h->n_wanted++;
		n->ping_us = now_us;
		due(h, now_us);
		return;
	}
	h->n_wanted--;
	set_live(h, n, false);
}

void peer_hub_resync(struct peer_hub *h, struct peer_node *n, uint64_t now_us)
{
	memset(&n->have, 0, sizeof(n->have));
	n->ping_us = now_us;
	due(h, now_us);
}

bool peer_hub_tell(struct peer_hub *h, const struct peer_fact *fact)
{
	return peer_log_put(&h->log, fact);
}

/* Chunks to one subscriber, as many as may be on their way; the first one
 * goes with @echo, if any, as the answer to its ping.
 */
static void push(struct peer_hub *h, struct peer_node *n, const uint8_t *echo,
		 uint64_t now_us)
{
	uint64_t upto;

	while (echo || peer_sub_wants(&n->sub, h->log.last)) {
		struct peer_out o = { 0 };

		if (!peer_bucket_take(&h->tx, now_us)) {
			h->stats.put_off++;
			n->sub.retry_us = now_us + PUT_OFF_US;
			break;
		}
		if (echo)
			peer_put(&o, PEER_T_ECHO, echo, PEER_NONCE);
		upto = peer_log_put_chunk(&h->log, n->sub.sent, &o);
		transmit(h, n, echo ? PEER_PONG : PEER_PUSH, &o);
		if (upto > n->sub.sent)
			peer_sub_sent(&n->sub, upto, now_us);
		echo = NULL;
	}
	due(h, n->sub.retry_us);
}

void peer_hub_flush(struct peer_hub *h, uint64_t now_us)
{
	struct peer_node *n;
	size_t i;

	for (i = 0; i < h->nodes.n && h->n_subs; i++) {
		n = h->nodes.v[i];
		if (n->sub.on && n->sub.until_us > now_us)
			push(h, n, NULL, now_us);
	}
}

bool peer_hub_case(struct peer_hub *h, uint32_t node, uint8_t type,
		   const struct peer_case *kase, uint64_t now_us)
{
	struct peer_node *n = peer_hub_node(h, node);
	struct peer_out o = { 0 };

	if (!n || !have_key(h, n) || !peer_bucket_take(&h->tx, now_us))
		return false;
	/* Whoever started anew asks us to prove that we live. */
	put_challenge(h, n, &o, now_us);
	peer_put_case(&o, kase);
	transmit(h, n, type, &o);
	return true;
}

static void on_ping(struct peer_hub *h, struct peer_node *n,
		    const struct peer_msg *msg, uint64_t now_us)
{
	uint64_t have = msg->have_epoch == h->epoch ? msg->have : 0;
	uint64_t ms = msg->interval_ms ? msg->interval_ms : PEER_PING_MS;
	struct peer_out o = { 0 };

	if (!msg->has_challenge)
		return;
	if (have > h->log.last)
		have = 0;
	ms *= PEER_PING_LOST;
	if (ms > PEER_SUBSCRIBED_MAX_MS)
		ms = PEER_SUBSCRIBED_MAX_MS;
	if (n->sub.on || h->n_subs < PEER_SUBSCRIBERS_MAX) {
		h->n_subs += !n->sub.on;
		peer_sub_begin(&n->sub, have, now_us + ms * MS);
		push(h, n, msg->challenge, now_us);
		return;
	}
	h->stats.subscribers_full++;
	peer_put(&o, PEER_T_ECHO, msg->challenge, PEER_NONCE);
	peer_log_put_chunk(&h->log, have, &o);
	transmit(h, n, PEER_PONG, &o);
}

static void ack(struct peer_hub *h, struct peer_node *n)
{
	struct peer_out o = { 0 };

	peer_put_two(&o, PEER_T_HAVE, n->session.epoch, n->have.upto);
	transmit(h, n, PEER_ACK, &o);
}

/* Each fact has its version: it counts whatever is missing before it. */
static void on_facts(struct peer_hub *h, struct peer_node *n,
		     const struct peer_msg *msg)
{
	struct peer_fact fact;
	size_t at = 0;

	/* Nobody asked for them. */
	if (!n->wanted || !msg->has_range)
		return;
	while (peer_facts(msg, &at, &fact)) {
		switch (h->ops->fact(h->data, n->id, n->session.epoch, &fact)) {
		case PEER_FACT_TAKEN:
			h->stats.facts_taken++;
			break;
		case PEER_FACT_OLD:
			h->stats.facts_old++;
			break;
		case PEER_FACT_UNKNOWN:
			h->stats.facts_unknown++;
			break;
		case PEER_FACT_FOREIGN:
			h->stats.foreign_facts++;
			break;
		}
	}
	if (!peer_have_range(&n->have, msg->above, msg->upto))
		h->stats.gaps++;
	if (msg->upto > msg->above)
		ack(h, n);
}

/* It does not know our run. */
static void on_hello(struct peer_hub *h, struct peer_node *n,
		     const struct peer_msg *msg, uint64_t now_us)
{
	struct peer_out o = { 0 };

	if (!msg->has_challenge)
		return;
	if (n->wanted) {
		ping(h, n, msg->challenge, now_us);
		return;
	}
	peer_put(&o, PEER_T_ECHO, msg->challenge, PEER_NONCE);
	peer_put_two(&o, PEER_T_HAVE, n->session.epoch, n->have.upto);
	transmit(h, n, PEER_ACK, &o);
}

static void on_ack(struct peer_hub *h, struct peer_node *n,
		   const struct peer_msg *msg, uint64_t now_us)
{
	if (!msg->has_have || msg->have_epoch != h->epoch)
		return;
	peer_sub_acked(&n->sub, msg->have, h->log.last);
	if (n->sub.on && n->sub.until_us > now_us)
		push(h, n, NULL, now_us);
}

static void dispatch(struct peer_hub *h, struct peer_node *n, uint8_t type,
		     const struct peer_msg *msg, uint64_t now_us)
{
	switch (type) {
	case PEER_PING:
		on_ping(h, n, msg, now_us);
		break;
	case PEER_PONG:
	case PEER_PUSH:
		on_facts(h, n, msg);
		break;
	case PEER_HELLO:
		on_hello(h, n, msg, now_us);
		break;
	case PEER_ACK:
		on_ack(h, n, msg, now_us);
		break;
	case PEER_SUSPECT:
	case PEER_PROBE:
	case PEER_SIGHT:
	case PEER_VERDICT:
	case PEER_CHECK:
		if (msg->has_case)
			h->ops->kase(h->data, n->id, type, &msg->kase);
		break;
	default:
		h->stats.unknown_type++;
	}
}

/* Ours was answered a moment ago. */
static void heard(struct peer_hub *h, struct peer_node *n, uint64_t now_us)
{
	n->heard_us = now_us;
	if (!n->wanted)
		return;
	n->ping_us = now_us + next_ping_us(h);
	set_live(h, n, true);
}

static void new_run(struct peer_hub *h, struct peer_node *n,
		    const struct peer_header *head, uint64_t now_us)
{
	/* What the last one told is this one's past. */
	set_live(h, n, false);
	peer_session_accept(&n->session, head->epoch, head->seq);
	h->n_subs -= n->sub.on;
	memset(&n->sub, 0, sizeof(n->sub));
	memset(&n->have, 0, sizeof(n->have));
	n->ping_us = now_us;
	due(h, now_us);
	h->stats.new_runs++;
}

/* Sealed by who has the key, when, nobody knows: ask for a sign of life. */
static void challenge(struct peer_hub *h, struct peer_node *n, uint8_t type,
		      const struct peer_msg *msg, size_t len, uint64_t now_us)
{
	struct peer_out o = { 0 };

	h->stats.unproven++;
	if (!peer_bucket_take(&n->hello, now_us)) {
		h->stats.hello_limited++;
		return;
	}
	put_challenge(h, n, &o, now_us);
	if (msg->has_challenge)
		peer_put(&o, PEER_T_ECHO, msg->challenge, PEER_NONCE);
	/* A recording of a small datagram must not make large ones. */
	if (PEER_HEADER + PEER_SEAL + o.len > len)
		return;
	/* Two that do not know each other end with an answer, not with a
	 * further question.
	 */
	transmit(h, n, type == PEER_HELLO ? PEER_ACK : PEER_HELLO, &o);
}

/* Whose datagram it is; NULL: counted. */
static struct peer_node *sender(struct peer_hub *h,
				const struct peer_header *head,
				const struct ip_addr *from)
{
	struct peer_node *n;
	uint64_t *why;

	n = peer_hub_node(h, head->from);
	if (head->mesh != h->mesh)
		why = &h->stats.other_mesh;
	else if (head->to != h->self)
		why = &h->stats.misdirected;
	else if (!n)
		why = &h->stats.unknown_node;
	else if (!ip_equal(&n->addr, from))
		why = &h->stats.other_address;
	else if (n->key_id != head->key_id || !have_key(h, n))
		why = &h->stats.other_key;
	else
		return n;
	++*why;
	return NULL;
}

/* Whether it is of the run that lives now, and new. */
static bool admit(struct peer_hub *h, struct peer_node *n,
		  const struct peer_header *head, const struct peer_msg *msg,
		  size_t len, uint64_t now_us)
{
	switch (peer_session_judge(&n->session, head->epoch, head->seq)) {
	case PEER_FRESH:
		break;
	case PEER_REPLAYED:
		h->stats.replayed++;
		return false;
	case PEER_OVER:
		h->stats.run_over++;
		return false;
	case PEER_UNPROVEN:
		if (!msg->has_echo ||
		    !peer_session_echoed(&n->session, msg->echo, now_us)) {
			challenge(h, n, head->type, msg, len, now_us);
			return false;
		}
		new_run(h, n, head, now_us);
		break;
	}
	peer_session_seen(&n->session, head->seq);
	if (peer_bucket_take(&n->rx, now_us))
		return true;
	h->stats.rate_limited++;
	return false;
}

void peer_hub_rx(struct peer_hub *h, const struct ip_addr *from,
		 const uint8_t *buf, size_t len, uint64_t now_us)
{
	uint8_t plain[PEER_PAYLOAD];
	struct peer_header head;
	struct peer_node *n;
	struct peer_msg msg;
	size_t plain_len;

	h->stats.rx++;
	h->stats.rx_bytes += len;
	switch (peer_header_read(buf, len, &head)) {
	case PEER_OK:
		break;
	case PEER_SHORT:
		h->stats.truncated++;
		return;
	default:
		h->stats.alien++;
		return;
	}
	n = sender(h, &head, from);
	if (!n)
		return;
	if (peer_open(n->key, buf, len, plain, &plain_len)) {
		h->stats.forged++;
		return;
	}
	if (peer_msg_read(plain, plain_len, &msg)) {
		h->stats.malformed++;
		return;
	}
	if (!admit(h, n, &head, &msg, len, now_us))
		return;
	if (msg.has_echo && peer_session_echoed(&n->session, msg.echo, now_us))
		heard(h, n, now_us);
	dispatch(h, n, head.type, &msg, now_us);
}

static void tick_node(struct peer_hub *h, struct peer_node *n, uint64_t now_us)
{
	uint64_t silent = n->heard_us + PEER_PING_LOST * interval_ms(h) * MS +
			  interval_ms(h) * MS / 2;

	if (n->live && now_us >= silent) {
		h->stats.gone_silent++;
		set_live(h, n, false);
	}
	if (n->live)
		due(h, silent);
	if (n->wanted && n->ping_us <= now_us)
		ping(h, n, NULL, now_us);
	if (n->wanted)
		due(h, n->ping_us);
	if (!n->sub.on)
		return;
	if (n->sub.until_us <= now_us) {
		n->sub.on = false;
		h->n_subs--;
		return;
	}
	switch (peer_sub_turn(&n->sub, now_us)) {
	case PEER_SUB_AGAIN:
		h->stats.repeated++;
		push(h, n, NULL, now_us);
		break;
	case PEER_SUB_GIVE_UP:
		h->stats.given_up++;
		break;
	case PEER_SUB_WAIT:
		break;
	}
	due(h, n->sub.retry_us);
	due(h, n->sub.until_us);
}

void peer_hub_forgive(struct peer_hub *h, uint64_t now_us)
{
	struct peer_node *n;
	size_t i;

	for (i = 0; i < h->nodes.n; i++) {
		n = h->nodes.v[i];
		if (n->live)
			n->heard_us = now_us;
	}
}

void peer_hub_tick(struct peer_hub *h, uint64_t now_us)
{
	size_t i;

	h->due_us = UINT64_MAX;
	for (i = 0; i < h->nodes.n; i++)
		tick_node(h, h->nodes.v[i], now_us);
}

#define STAT(field)	{ #field, offsetof(struct peer_stats, field) }

bool peer_hub_stat(const struct peer_hub *h, size_t i, const char **name,
		   uint64_t *value)
{
	static const struct {
		const char *name;
		size_t offset;
	} stats[] = {
		STAT(rx), STAT(rx_bytes), STAT(tx), STAT(tx_bytes), STAT(facts_taken),
		STAT(facts_old), STAT(facts_unknown), STAT(truncated), STAT(alien),
		STAT(other_mesh), STAT(misdirected), STAT(unknown_node),
		STAT(other_address), STAT(other_key), STAT(forged), STAT(malformed),
		STAT(replayed), STAT(run_over), STAT(unproven), STAT(rate_limited),
		STAT(foreign_facts), STAT(unknown_type), STAT(hello_limited),
		STAT(new_runs), STAT(gaps), STAT(subscribers_full), STAT(repeated),
		STAT(given_up), STAT(put_off), STAT(gone_silent),
	};

	if (i >= sizeof(stats) / sizeof(*stats))
		return false;
	*name = stats[i].name;
	memcpy(value, (const char *)&h->stats + stats[i].offset,
	       sizeof(*value));
	return true;
}
