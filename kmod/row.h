/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Provenance of a configured row: who wrote it, and which version of the fact
 * it is. Protected by mesh->lock; read without it only for display.
 */
#ifndef _VNIMESH_ROW_H
#define _VNIMESH_ROW_H

#include <linux/jiffies.h>
#include <linux/netlink.h>
#include <linux/types.h>

struct vnimesh_row {
	u64 epoch;		/* boot epoch of the owner of the fact */
	u64 seq;		/* sequence within the epoch */
	u64 gen;		/* run of the writer that last confirmed it */
	unsigned long stamp;	/* jiffies of the last set */
	u32 source;		/* node id of the owner, 0: none */
	u8 origin;		/* enum vnimesh_origin */
};

/* May @req replace @cur? -EPERM: @cur has a stronger origin; -ESTALE: same
 * origin, source and epoch, but @req is older. extack says which.
 */
int vnimesh_row_check(const struct vnimesh_row *cur,
		      const struct vnimesh_row *req,
		      struct netlink_ext_ack *extack);
void vnimesh_row_update(struct vnimesh_row *cur, const struct vnimesh_row *req);
/* May a request of @origin delete @cur? -EPERM as above. */
int vnimesh_row_check_del(const struct vnimesh_row *cur, u8 origin,
			  struct netlink_ext_ack *extack);
/* ms since the last set. */
u32 vnimesh_row_age(const struct vnimesh_row *row);

#endif /* _VNIMESH_ROW_H */
