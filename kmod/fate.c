// SPDX-License-Identifier: GPL-2.0-only
#include <linux/minmax.h>

#include "fate.h"

static enum vnimesh_live live_of(u8 state)
{
	switch (state) {
	case VNIMESH_STATE_UP:
		return VNIMESH_LIVE_UP;
	case VNIMESH_STATE_DRAIN:
	case VNIMESH_STATE_MAINT:
		return VNIMESH_LIVE_DRAIN;
	default:
		return VNIMESH_LIVE_DOWN;
	}
}

enum vnimesh_live vnimesh_live_of(const struct vnimesh_live_facts *facts)
{
	enum vnimesh_live member = live_of(facts->member);
	enum vnimesh_live vni = live_of(facts->vni);
	enum vnimesh_live node = live_of(facts->node);

	if (facts->gone)
		return VNIMESH_LIVE_DOWN;
	return max3(member, vni, node);
}

enum vnimesh_fate vnimesh_fate_of(enum vnimesh_live live, u8 on_down,
				  u32 drain_time, u64 ms, u32 *wait)
{
	if (live == VNIMESH_LIVE_UP || on_down == VNIMESH_ON_DOWN_KEEP)
		return VNIMESH_FATE_LIVE;
	if (live == VNIMESH_LIVE_DOWN && on_down == VNIMESH_ON_DOWN_ABORT)
		return VNIMESH_FATE_END;
	/* Draining has no end unless one was set. */
	if (live == VNIMESH_LIVE_DRAIN && !drain_time)
		return VNIMESH_FATE_LIVE;
	if (ms >= drain_time)
		return VNIMESH_FATE_END;
	*wait = drain_time - ms;
	return VNIMESH_FATE_WAIT;
}
