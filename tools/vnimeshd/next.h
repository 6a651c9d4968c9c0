/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a next version of the agent says more than this one: an attribute of a
 * member's row, a TLV in each datagram to peers, a field in what the coordinator gets
 * and in the own cache. Only `make next` builds it, for the test that all others, of
 * today, live with it.
 */
#ifndef VNIMESHD_NEXT_H
#define VNIMESHD_NEXT_H

#ifdef VNIMESH_NEXT

#include <jansson.h>

#include "log.h"
#include "peer_wire.h"
#include "record.h"

#define NEXT_ATTR	(VNIMESH_A_MEMBER_MAX + 1)
#define NEXT_TLV	200

static inline void next_json(json_t *o)
{
	json_object_set_new(o, "next", json_pack("{s:[i]}", "added", 1));
}

static inline void next_tlv(struct peer_out *o)
{
	peer_put_u32(o, NEXT_TLV, 1);
}

static inline void next_member(struct vnm_member *row)
{
	row->present |= VNM_BIT(NEXT_ATTR);
}

static inline void next_kernel(uint64_t takes)
{
	log_info("a next version, whose attribute the module %s",
		 takes & VNM_BIT(NEXT_ATTR) ? "takes" : "does not take");
}

#else

#define next_json(o)	do { } while (0)
#define next_tlv(o)	do { } while (0)
#define next_member(row)	do { } while (0)
#define next_kernel(takes)	do { } while (0)

#endif

#endif
