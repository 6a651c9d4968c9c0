/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known not to exist: service addresses and tags that the agent has said
 * no to, each with the answer and until when it holds. A bounded cache: when a
 * VNI has had its share of it for its questions, or all is taken, the oldest
 * goes, which costs one more question.
 *
 * All under a lock of its own (BH), innermost.
 */
#ifndef _VNIMESH_ABSENT_H
#define _VNIMESH_ABSENT_H

#include "mesh.h"

/* An address, or with family 0 a tag. Compared as memory. */
struct vnimesh_absent_key {
	u32 family;
	union {
		union vnimesh_ip ip;
		char tag[VNIMESH_TAG_MAX + 1];
	};
};

void vnimesh_absent_ip(struct vnimesh_absent_key *key, u8 family,
		       const union vnimesh_ip *ip);
void vnimesh_absent_tag(struct vnimesh_absent_key *key, const char *tag);

int vnimesh_absent_init(struct vnimesh_mesh *mesh);
void vnimesh_absent_exit(struct vnimesh_mesh *mesh);

/* Any context but hard interrupts. The verdict, or 0: nothing is known. */
u8 vnimesh_absent_find(struct vnimesh_mesh *mesh,
		       const struct vnimesh_absent_key *key);
/* Process context. @vni_id asked, 0: unknown. -ENOMEM. */
int vnimesh_absent_add(struct vnimesh_mesh *mesh,
		       const struct vnimesh_absent_key *key, u8 verdict,
		       u32 ttl_ms, u32 vni_id);
void vnimesh_absent_del(struct vnimesh_mesh *mesh,
			const struct vnimesh_absent_key *key);
/* Process context. An agent begins: nothing that a former one said holds. */
void vnimesh_absent_flush(struct vnimesh_mesh *mesh);

#endif /* _VNIMESH_ABSENT_H */
