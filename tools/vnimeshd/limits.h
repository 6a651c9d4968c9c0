/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What users of this host may ask of the agent, and what it keeps for them.
 * Documentation/defaults.md has the same numbers, selftests/host/bounds.sh looks.
 */
#ifndef VNIMESHD_LIMITS_H
#define VNIMESHD_LIMITS_H

/* (user, VNI) in the configuration. */
#define GRANTS_MAX		256

/* More would be a mistake, or an attack of one that was let in. */
#define REGISTERED_MAX		1024
#define INTENTS_MAX		4096

/* Of these: of one user but root, who can have all the grants, a member and an
 * intent for each; and of all users but root together.
 */
#define SHARE_REGISTERED	GRANTS_MAX
#define SHARE_INTENTS		GRANTS_MAX
#define SHARE_REGISTERED_ALL	(REGISTERED_MAX / 4 * 3)
#define SHARE_INTENTS_ALL	(INTENTS_MAX / 4 * 3)

/* Checks of users but root, their parts and the bytes of their text: of one
 * registration, of one user, and of all of them together. A part is some kilobytes
 * of memory and a timer; the text is written with each change.
 */
#define SHARE_PARTS_ONE		64
#define SHARE_BYTES_ONE		4096
#define SHARE_PARTS		1024
#define SHARE_BYTES		262144
#define SHARE_PARTS_ALL		(SHARE_PARTS * 3)
#define SHARE_BYTES_ALL		(SHARE_BYTES * 3)

/* Changes of one user but root: at once, a second. Each is written to disk before
 * the answer, while all else waits.
 */
#define SHARE_BURST		64
#define SHARE_RATE		10

/* Places of root, of users with a grant, and of all others together, who can
 * be many by a range of uids of their own; none takes those of another kind.
 */
#define CONTROL_CONNECTIONS	64
#define CONTROL_STRANGERS	16
/* ... and of one user but root. */
#define CONTROL_UID		8
#define CONTROL_LINE_MAX	65536
/* Who waits for a connection that there is no descriptor for is looked after again
 * so much later.
 */
#define CONTROL_PAUSE_MS	100
/* A connection that asks nothing for so long makes room for others; half a
 * line is no question.
 */
#define CONTROL_IDLE_MS		10000
/* Answers in one turn of the loop, of all connections together. A turn that
 * took CONTROL_TURN_US is over as well, and as long as it took, all else has
 * the loop.
 */
#define CONTROL_TURN		16
#define CONTROL_TURN_US		2000

/* What the coordinator refused is asked again after this, or before if something
 * may have ended the reason.
 */
#define REFUSED_MS		60000

#endif
