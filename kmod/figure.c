// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compiler.h>

#include "figure.h"
#include "score.h"
#include "tick.h"

static u32 decayed(u32 us, u32 stamp, u32 now)
{
	return vnimesh_select_decay(us, 0, vnimesh_tick_age(now, stamp));
}

static void set_highest(struct vnimesh_figure *figure, u32 by, u32 us, u32 now)
{
	WRITE_ONCE(figure->us, us);
	WRITE_ONCE(figure->stamp, now);
	WRITE_ONCE(figure->by, by);
}

static void set_rest(struct vnimesh_figure *figure, u32 us, u32 stamp)
{
	WRITE_ONCE(figure->rest, us);
	WRITE_ONCE(figure->rest_stamp, stamp);
}

void vnimesh_figure_observe(struct vnimesh_figure *figure, u32 by, u32 us,
			    u32 now)
{
	u32 high = READ_ONCE(figure->us), stamp = READ_ONCE(figure->stamp);
	u32 rest = READ_ONCE(figure->rest);
	u32 rest_stamp = READ_ONCE(figure->rest_stamp);
	u32 age = vnimesh_tick_age(now, stamp);

	if (!high || READ_ONCE(figure->by) == by) {
		us = vnimesh_select_observe(high, age, us);
		set_highest(figure, by, us, now);
		return;
	}
	if (us <= decayed(high, stamp, now)) {
		age = vnimesh_tick_age(now, rest_stamp);
		set_rest(figure, vnimesh_select_observe(rest, age, us), now);
		return;
	}
	/* Who was the highest is one of the rest. */
	set_highest(figure, by, vnimesh_select_observe(0, 0, us), now);
	if (decayed(high, stamp, now) >= decayed(rest, rest_stamp, now))
		set_rest(figure, high, stamp);
}

u32 vnimesh_figure_of(const struct vnimesh_figure *figure, u64 by, u32 now,
		      u32 *age)
{
	bool own = !by || READ_ONCE(figure->by) == by;
	u32 us = own ? READ_ONCE(figure->us) : READ_ONCE(figure->rest);
	u32 stamp = own ? READ_ONCE(figure->stamp) :
			  READ_ONCE(figure->rest_stamp);

	*age = us ? vnimesh_tick_age(now, stamp) : 0;
	return us;
}
