/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people and applications told this agent, kept over restarts in
 * state_dir/local.json: members registered at run time, and the intent to
 * drain members or to keep them in maintenance.
 *
 * A registration lives as long as its VNI's device; what root intends lives until
 * root takes it back. The file is written as a whole before the answer is given;
 * what is not durable did not happen, and is not in the file either. Only a power
 * failure just then may leave either of the two.
 */
#ifndef VNIMESHD_DURABLE_H
#define VNIMESHD_DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "limits.h"
#include "tag.h"

#define DURABLE_FILE	"local.json"
#define INTENT_REASON	200

/* Of root or of users, who may say another thing about the same. */
struct intent {
	char tag[TAG_MAX + 1];
	uint32_t vni;		/* 0: all members of the tag on this host */
	uint8_t state;		/* VNIMESH_STATE_DRAIN or _MAINT */
	uid_t uid;		/* who said so */
	uint64_t since;		/* wall clock, for people only */
	char reason[INTENT_REASON + 1];
};

/* What a check costs: memory and timers, and bytes of the file. */
struct check_size {
	size_t parts;		/* itself and all in it, 0: there is none */
	size_t bytes;		/* of its text */
};

/* The device of a VNI, and no other that it has later: the index alone is of the
 * namespace, and each new container may have the same.
 */
struct vni_device {
	uint32_t ifindex;	/* 0: there is none */
	uint64_t made_us;	/* since boot, 0: the module does not say it yet */
};

struct registered {
	json_t *def;		/* owned, as it was given */
	struct check_size size;	/* of its check */
	char tag[TAG_MAX + 1];
	uint32_t vni;
	struct vni_device dev;	/* whose life it shares */
	uid_t uid;
};

struct durable {
	char dir[512];
	struct intent *intents;
	size_t n_intents;
	struct registered *regs;
	size_t n_regs;
	bool unread;		/* there is a file that nobody could read */
};

/* From the file: 0, or a negative errno with a reason in @error, and nothing known,
 * if there is one that cannot be read as a whole. After -ENOMEM another try may
 * well read it; after others the next durable_save() puts it aside. Registrations
 * of an earlier boot are left out: their devices are gone.
 */
int durable_load(struct durable *d, const char *state_dir, char *error,
		 size_t len);
void durable_free(struct durable *d);

/* Write now: 0 or a negative errno. */
int durable_save(struct durable *d);

/* The worst intent about a member, or NULL. */
const struct intent *durable_intent(const struct durable *d, const char *tag,
				    uint32_t vni);
/* What root, or users, say about just that, or NULL. */
const struct intent *durable_said(const struct durable *d, const char *tag,
				  uint32_t vni, bool by_root);
/* Replaces what root, or users, said about just the same; state VNIMESH_STATE_UP
 * removes it. 0 or a negative errno; durable_save() is the caller's.
 */
int durable_set_intent(struct durable *d, const struct intent *intent);

struct registered *durable_find(struct durable *d, const char *tag,
				uint32_t vni);
struct check_size durable_size(const json_t *def);
/* Takes a reference of @def. */
int durable_add(struct durable *d, const char *tag, uint32_t vni,
		struct vni_device dev, uid_t uid, json_t *def);
/* False: there was none. */
bool durable_del(struct durable *d, const char *tag, uint32_t vni);

#endif
