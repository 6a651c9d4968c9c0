/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes between agents: one datagram is a header in the clear, a payload
 * of TLVs under XChaCha20-Poly1305 with the header as associated data, and
 * its tag. All numbers are big-endian.
 *
 *	 0 magic "VNMP"		 4 version 1	 5 type	 6 zero (16 bit)
 *	 8 mesh			12 from (node)	16 to (node)
 *	20 key id of the sender	24 epoch of the sender's run
 *	32 sequence of the sender to this node, from 1 in each run
 *	40 nonce, 24 random bytes
 *	64 TLVs: type (16 bit), length (16 bit), value
 *
 * Version 1 is frozen: TLVs that are not known are skipped, bytes that follow
 * what is known of a value are too, types of datagrams that are not known are
 * ignored. A payload that breaks its own lengths is refused as a whole.
 *
 * Pure: no input or output, no clock, no randomness of its own.
 */
#ifndef VNIMESHD_PEER_WIRE_H
#define VNIMESHD_PEER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "peer_case.h"
#include "tag.h"

#define PEER_MAGIC	0x564e4d50U
#define PEER_VERSION	1
#define PEER_HEADER	64
#define PEER_SALT	crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define PEER_SEAL	crypto_aead_xchacha20poly1305_ietf_ABYTES
#define PEER_KEY	crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define PEER_NONCE	16
/* With all headers below 1280, which every path of IPv6 carries. */
#define PEER_DATAGRAM	1200
#define PEER_PAYLOAD	(PEER_DATAGRAM - PEER_HEADER - PEER_SEAL)

enum peer_tlv {
	PEER_T_CHALLENGE = 1,	/* PEER_NONCE bytes: to be echoed */
	PEER_T_ECHO,		/* PEER_NONCE bytes: those of the receiver */
	PEER_T_HAVE,		/* u64 epoch, u64 version of the receiver's */
	PEER_T_RANGE,		/* u64 above, u64 up to: versions of the facts */
	PEER_T_INTERVAL,	/* u32 ms until the next ping */
	PEER_T_FACT,		/* struct peer_fact, any number */
	PEER_T_CASE,		/* struct peer_case */
};

struct peer_header {
	uint8_t type;
	uint32_t mesh, from, to;
	uint32_t key_id;
	uint64_t epoch, seq;
	uint8_t salt[PEER_SALT];
};

/* A member of the sender's, in version @seq of the sender's run. */
struct peer_fact {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	uint64_t seq;
	uint8_t state;		/* enum vnimesh_state, 0: no member any more */
	uint8_t health;
	uint16_t weight;
	uint8_t latency_kind;	/* enum vnimesh_latency */
	uint8_t priority;
	uint32_t latency_us;
};

/* A payload, read; @facts stay where they are, peer_facts() walks them. */
struct peer_msg {
	bool has_challenge, has_echo, has_have, has_range, has_case;
	uint8_t challenge[PEER_NONCE];
	uint8_t echo[PEER_NONCE];
	uint64_t have_epoch, have;
	uint64_t above, upto;
	uint32_t interval_ms;
	struct peer_case kase;
	unsigned int n_facts;
	const uint8_t *payload;
	size_t len;
};

enum peer_refusal {
	PEER_OK,
	PEER_SHORT,		/* no whole header and tag, or too long */
	PEER_ALIEN,		/* other magic or version */
	PEER_FORGED,		/* the seal is broken */
	PEER_BROKEN,		/* sealed rightly, but malformed */
};

/* The clear part of a datagram. */
enum peer_refusal peer_header_read(const uint8_t *buf, size_t len,
				   struct peer_header *ret);

/* Open what peer_header_read() found well: the payload into @plain, of
 * PEER_PAYLOAD bytes.
 */
enum peer_refusal peer_open(const uint8_t key[PEER_KEY], const uint8_t *buf,
			    size_t len, uint8_t *plain, size_t *plain_len);

/* Checks all of @payload, or it is PEER_BROKEN; borrows it. */
enum peer_refusal peer_msg_read(const uint8_t *payload, size_t len,
				struct peer_msg *ret);

/* The facts one after the other, *at from 0; false after the last one. */
bool peer_facts(const struct peer_msg *msg, size_t *at, struct peer_fact *ret);

/* A payload being written; what does not fit is left out and said. */
struct peer_out {
	uint8_t buf[PEER_PAYLOAD];
	size_t len;
};

bool peer_put(struct peer_out *o, uint16_t type, const void *v, size_t len);
bool peer_put_u32(struct peer_out *o, uint16_t type, uint32_t v);
bool peer_put_two(struct peer_out *o, uint16_t type, uint64_t a, uint64_t b);
bool peer_put_fact(struct peer_out *o, const struct peer_fact *fact);
bool peer_put_case(struct peer_out *o, const struct peer_case *kase);

/* The bytes that a fact takes. */
size_t peer_fact_len(const struct peer_fact *fact);

/* Header and payload, sealed, into @buf of PEER_DATAGRAM bytes: its length. */
size_t peer_seal(const uint8_t key[PEER_KEY], const struct peer_header *h,
		 const struct peer_out *o, uint8_t *buf);

/* The key of a pair in a mesh, the same on both sides. False: @theirs is no
 * point that gives a secret.
 */
bool peer_pair_key(const uint8_t secret[crypto_box_SECRETKEYBYTES],
		   const uint8_t ours[crypto_box_PUBLICKEYBYTES],
		   const uint8_t theirs[crypto_box_PUBLICKEYBYTES],
		   const char *mesh_uuid, uint8_t ret[PEER_KEY]);

/* A short name of a public key. */
uint32_t peer_key_id(const uint8_t key[crypto_box_PUBLICKEYBYTES]);

#endif
