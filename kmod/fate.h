/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How alive a member is, and what becomes of its flows then. Pure: what it
 * needs comes as arguments.
 */
#ifndef _VNIMESH_FATE_H
#define _VNIMESH_FATE_H

#include <linux/types.h>
#include <linux/vnimesh.h>

enum vnimesh_live {
	VNIMESH_LIVE_UP,
	VNIMESH_LIVE_DRAIN,	/* no new flows */
	VNIMESH_LIVE_DOWN,
};

struct vnimesh_live_facts {
	u8 member;	/* enum vnimesh_state, as configured */
	u8 vni;
	u8 node;
	bool gone;	/* a record was deleted, or the device is down */
};

/* The least alive of the three. */
enum vnimesh_live vnimesh_live_of(const struct vnimesh_live_facts *facts);

enum vnimesh_fate {
	VNIMESH_FATE_LIVE,	/* the flows go on */
	VNIMESH_FATE_WAIT,	/* ... until the deadline */
	VNIMESH_FATE_END,	/* they are aborted */
};

/* Of flows on a member that is @live and left UP @ms ago. @wait: ms left, for
 * FATE_WAIT.
 */
enum vnimesh_fate vnimesh_fate_of(enum vnimesh_live live, u8 on_down,
				  u32 drain_time, u64 ms, u32 *wait);

#endif /* _VNIMESH_FATE_H */
