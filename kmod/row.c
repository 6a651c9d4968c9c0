// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may replace a row. Pure: the same two rows always give the same answer.
 */
#include <linux/errno.h>
#include <linux/vnimesh.h>

#include "row.h"

static int check_origin(const struct vnimesh_row *cur, u8 origin,
			struct netlink_ext_ack *extack)
{
	if (origin >= cur->origin)
		return 0;
	if (cur->origin == VNIMESH_ORIGIN_STATIC)
		NL_SET_ERR_MSG(extack, "origin: row is static");
	else
		NL_SET_ERR_MSG(extack, "origin: row is the agent's");
	return -EPERM;
}

int vnimesh_row_check(const struct vnimesh_row *cur,
		      const struct vnimesh_row *req,
		      struct netlink_ext_ack *extack)
{
	int err = check_origin(cur, req->origin, extack);

	if (err)
		return err;
	/* An epoch is random, so that two of them have no order: the writer
	 * decides which one lives. Within one, equal means confirmed again.
	 */
	if (req->origin != cur->origin || req->source != cur->source ||
	    req->epoch != cur->epoch || req->seq >= cur->seq)
		return 0;
	/* By hand nobody counts. */
	if (req->origin == VNIMESH_ORIGIN_STATIC && !req->seq)
		return 0;
	NL_SET_ERR_MSG(extack, "seq: older than the row");
	return -ESTALE;
}

int vnimesh_row_check_del(const struct vnimesh_row *cur, u8 origin,
			  struct netlink_ext_ack *extack)
{
	return check_origin(cur, origin, extack);
}

void vnimesh_row_update(struct vnimesh_row *cur, const struct vnimesh_row *req)
{
	*cur = *req;
	cur->stamp = jiffies;
}

u32 vnimesh_row_age(const struct vnimesh_row *row)
{
	return jiffies_to_msecs(jiffies - READ_ONCE(row->stamp));
}
