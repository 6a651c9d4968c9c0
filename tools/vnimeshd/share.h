/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one user but root may make of this agent's memory of what it was told:
 * how much of it, and how often, as each change is written to disk before the
 * answer while all else waits. Reads no clock.
 */
#ifndef VNIMESHD_SHARE_H
#define VNIMESHD_SHARE_H

#include "durable.h"
#include "limits.h"
#include "peer_session.h"

struct share {
	uid_t uid;
	struct peer_bucket changes;
};

struct shares {
	struct share v[GRANTS_MAX];	/* nobody without a grant comes so far */
	unsigned int n;
	uint64_t refused_rate;
	uint64_t refused_size;	/* of one alone */
	uint64_t refused_share;
	uint64_t refused_full;
};

/* NULL, or why @uid may not: change anything now, */
const char *share_change(struct shares *s, uid_t uid, uint64_t now_us);
/* ... keep one registration more, of the member @tag and @vni, */
const char *share_register(struct shares *s, const struct durable *d, uid_t uid,
			   const char *tag, uint32_t vni);
/* ... with the check of @def; what is said is about that, */
const char *share_check(struct shares *s, const struct durable *d, uid_t uid,
			const char *tag, uint32_t vni, const json_t *def);
/* ... or one intent more; the former asks without counting a refusal. */
bool share_has_intent(const struct durable *d, const struct intent *in);
const char *share_intent(struct shares *s, const struct durable *d,
			 const struct intent *in);

#endif
