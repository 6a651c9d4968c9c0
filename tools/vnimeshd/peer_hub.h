/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All other agents of a mesh as this one talks to them: who may speak, who is
 * asked, who asked, and what goes where. peer.c gives it sockets and time,
 * tests give it a network of their own.
 *
 * A ping goes to each node that this host routes to, once per interval. It
 * is a subscription: until three intervals later its facts come as they
 * change. Answers go to the address that the node list has for the node and
 * nowhere else, and to who has not proven to live now none is longer than
 * the question.
 *
 * Pure: time is an argument, randomness and effects are struct peer_ops.
 */
#ifndef VNIMESHD_PEER_HUB_H
#define VNIMESHD_PEER_HUB_H

#include "ip.h"
#include "peer_session.h"
#include "peer_sync.h"

#define PEER_PING_MS		1000
#define PEER_PING_LOST		3
/* Pings within an interval to one that answered and does not. */
#define PEER_PING_AGAIN		8
/* A ping a second to a thousand nodes, above that each less often. */
#define PEER_PING_RATE_MAX	1000
/* Whoever is told at once; the others hear of it with their next ping. */
#define PEER_SUBSCRIBERS_MAX	4096
#define PEER_SUBSCRIBED_MAX_MS	30000
/* Of one node: a full update of 2,048 facts is some 150 datagrams. */
#define PEER_RX_RATE		500
#define PEER_RX_BURST		1000
/* Answers to one node that did not prove to live now. */
#define PEER_HELLO_RATE		50
/* Facts sent by all, above that later. */
#define PEER_TX_RATE		20000
#define PEER_TX_BURST		4096

enum peer_fate {
	PEER_FACT_TAKEN,
	PEER_FACT_OLD,		/* a newer one is known */
	PEER_FACT_UNKNOWN,	/* no member that the coordinator told of */
	PEER_FACT_FOREIGN,	/* not the sender's to tell */
};

struct peer_ops {
	void (*send)(void *data, uint32_t node, const uint8_t *buf,
		     size_t len);
	enum peer_fate (*fact)(void *data, uint32_t node, uint64_t epoch,
			       const struct peer_fact *fact);
	/* It answers, or not any more, or is another run than before. */
	void (*live)(void *data, uint32_t node, bool live);
	/* Of PEER_SUSPECT to PEER_CHECK. */
	void (*kase)(void *data, uint32_t node, uint8_t type,
		     const struct peer_case *kase);
	void (*random)(void *data, void *buf, size_t len);
};

struct peer_stats {
	uint64_t rx, rx_bytes, tx, tx_bytes;
	uint64_t facts_taken, facts_old, facts_unknown;
	/* refused */
	uint64_t truncated, alien, other_mesh, misdirected;
	uint64_t unknown_node, other_address, other_key, forged;
	uint64_t malformed, replayed, run_over, unproven;
	uint64_t rate_limited, foreign_facts;
	/* of the others' and our own doing */
	uint64_t unknown_type, hello_limited, new_runs, gaps;
	uint64_t subscribers_full, repeated, given_up, put_off;
	uint64_t gone_silent;
};

struct peer_node {
	uint32_t id;		/* the key, first */
	struct ip_addr addr;
	uint8_t public[crypto_box_PUBLICKEYBYTES];
	uint32_t key_id;
	uint8_t key[PEER_KEY];
	bool keyed;		/* @key is computed */
	bool bad_key;		/* it gives no secret */
	struct peer_session session;
	uint64_t tx_seq;	/* of the last datagram; rises within our run */
	struct peer_bucket rx, hello;
	/* what we ask of it */
	bool wanted;
	bool live;
	struct peer_have have;	/* versions of its run */
	uint64_t ping_us;	/* when the next one is due */
	uint64_t heard_us;	/* its last fresh answer */
	/* what it asks of us */
	struct peer_subscriber sub;
};

struct peer_hub {
	const struct peer_ops *ops;
	void *data;
	uint32_t mesh, self;
	uint64_t epoch;
	char uuid[64];
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	uint8_t public[crypto_box_PUBLICKEYBYTES];
	uint32_t key_id;
	struct sorted nodes;
	size_t n_wanted, n_subs;
	uint64_t tx_top;	/* the highest of nodes that are no more */
	uint32_t ping_ms;
	struct peer_log log;
	struct peer_bucket tx;
	uint64_t due_us;
	struct peer_stats stats;
};

/* @epoch is random, one for each run. */
void peer_hub_init(struct peer_hub *h, const struct peer_ops *ops, void *data,
		   uint64_t epoch,
		   const uint8_t secret[crypto_box_SECRETKEYBYTES],
		   uint64_t now_us);
/* Where we are; forgets all nodes if it differs. */
void peer_hub_identity(struct peer_hub *h, uint32_t mesh, const char *uuid,
		       uint32_t self);
void peer_hub_free(struct peer_hub *h);

/* The node list has this; another key or address ends what was with it. */
bool peer_hub_set(struct peer_hub *h, uint32_t id, const struct ip_addr *addr,
		  const uint8_t public[crypto_box_PUBLICKEYBYTES],
		  uint64_t now_us);
void peer_hub_del(struct peer_hub *h, uint32_t id);
struct peer_node *peer_hub_node(const struct peer_hub *h, uint32_t id);

/* This host routes to it, or not any more. */
void peer_hub_want(struct peer_hub *h, struct peer_node *n, bool want,
		   uint64_t now_us);
/* Ask for all of its facts now. */
void peer_hub_resync(struct peer_hub *h, struct peer_node *n, uint64_t now_us);

/* Facts of ours, each above the last; then flush sends them. */
bool peer_hub_tell(struct peer_hub *h, const struct peer_fact *fact);
void peer_hub_flush(struct peer_hub *h, uint64_t now_us);

/* False: there is no way to. */
bool peer_hub_case(struct peer_hub *h, uint32_t node, uint8_t type,
		   const struct peer_case *kase, uint64_t now_us);

/* The counters by name, one after the other: false after the last. */
bool peer_hub_stat(const struct peer_hub *h, size_t i, const char **name,
		   uint64_t *value);

void peer_hub_rx(struct peer_hub *h, const struct ip_addr *from,
		 const uint8_t *buf, size_t len, uint64_t now_us);
/* Does what is due. */
void peer_hub_tick(struct peer_hub *h, uint64_t now_us);
/* We did not run for a while: nobody was silent for that. */
void peer_hub_forgive(struct peer_hub *h, uint64_t now_us);
/* When peer_hub_tick() is to be called next. */
static inline uint64_t peer_hub_due(const struct peer_hub *h)
{
	return h->due_us;
}

#endif
