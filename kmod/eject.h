/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Members that fail flows of this host, and for whom they are out.
 *
 * A container with CAP_NET_RAW can make up what looks like a failing member. So
 * what the flows of one client VNI show is held against the member for that
 * client only: an entry per (client, member, port of the service). When two
 * clients have put a member out at the same port within half a minute, and nobody
 * was answered there in between, it is out there for the whole host. A client
 * that is the only one needs no more than its own. What fails at one port says
 * nothing of the next: anybody can ask for a port where nobody listens.
 *
 * At most half of a service is out for anybody, at one port, or one member of
 * it: outs.h says how that is counted, and what holds. Each step below is bounded
 * however many members a service has.
 *
 * One lock per mesh, taken only when something fails, or succeeds where
 * something failed; the choice reads without it.
 */
#ifndef _VNIMESH_EJECT_H
#define _VNIMESH_EJECT_H

#include "flow.h"
#include "mesh.h"

/* What speaks against a member, as it bears on one client. */
struct vnimesh_penalty {
	bool active;	/* gets no new flow */
	bool all;	/* ... of anybody on this host */
	u32 left;	/* ms until a trial */
	u32 back;	/* ms since it passed one; ~0: long ago, or never */
	u8 sum;		/* of evidence, below VNIMESH_EVIDENCE_LIMIT */
	u8 n;		/* doublings of the next penalty */
};

int vnimesh_eject_init(struct vnimesh_mesh *mesh);
/* Nobody can look up any more, and the flows are gone. */
void vnimesh_eject_exit(struct vnimesh_mesh *mesh);

/* RCU. @client may be NULL: what holds for all. @port: of the service. */
void vnimesh_eject_view(const struct vnimesh_mesh *mesh,
			const struct vnimesh_member *member,
			const struct vnimesh_vni *client, __be16 port,
			struct vnimesh_penalty *p);
/* RCU. As vnimesh_eject_view()'s ->active, and cheaper. */
bool vnimesh_eject_active(const struct vnimesh_mesh *mesh,
			  const struct vnimesh_member *member,
			  const struct vnimesh_vni *client, __be16 port);

/* BH, RCU. A TCP flow of @client is about to be bound there. False: it would be
 * one trial too many, choose another.
 */
bool vnimesh_eject_claim(struct vnimesh_mesh *mesh,
			 struct vnimesh_member *member,
			 struct vnimesh_vni *client, __be16 port);

/* BH, RCU. The flow failed its client. @clock: us clock when it was tried. */
void vnimesh_eject_bad(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		       enum vnimesh_evidence_kind kind, u32 clock);
/* BH, RCU. It was answered or, if @byte, got its first byte. */
void vnimesh_eject_good(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			bool byte);

/* mesh->lock. @member is ->dead: what was held against it is forgotten, and its
 * place is free when this returns.
 */
void vnimesh_eject_gone(struct vnimesh_mesh *mesh,
			struct vnimesh_member *member);

/* ms that it is out for all, at the port where it was put out last. */
u32 vnimesh_eject_left(const struct vnimesh_member *member);
/* RCU or mesh->lock. What clients hold of their own against it. */
u32 vnimesh_eject_clients(const struct vnimesh_member *member);

#endif /* _VNIMESH_EJECT_H */
