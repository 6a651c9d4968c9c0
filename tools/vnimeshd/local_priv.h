/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What local.c and the files local_*.c share. */
#ifndef VNIMESHD_LOCAL_PRIV_H
#define VNIMESHD_LOCAL_PRIV_H

#include "local.h"

/* A new version of the fact: into the kernel now, to the others soon. */
void local_tell(struct local *l, struct own *o);

/* NULL: it is not on this host. */
const struct local_vni *local_vni(const struct local *l, uint32_t vni);
/* For checks from inside: the device of a VNI; @data is the struct local. */
bool local_find_device(void *data, uint32_t vni, struct inside_device *ret);

/* Add a member, or bring one in line; takes the contents of *conf over. */
struct own *local_add(struct local *l, struct service_conf *conf);
/* Bring it in line with the devices. */
void local_apply(struct local *l, struct own *o);
void local_apply_all(struct local *l);
/* The tags of all members are asked for. */
void local_mark_served(struct local *l);
/* Members came or went: ask for their tags, and report. */
void local_serve(struct local *l);
/* One is declared that another one like it made way for, which needs no telling. */
void local_stays(struct local *l, const struct service_conf *conf);
/* A member goes: the coordinator and the kernel will know. It is freed by
 * local_own_free().
 */
void local_leave(struct local *l, struct own *o);
void local_own_free(void *own);

/* Registrations whose device is gone go with it. */
void local_sweep(struct local *l);
/* Members that were registered with an earlier run and that no file has; written
 * if that, or @changed, leaves fewer registrations than there were.
 */
void local_restore(struct local *l, bool changed);

/* What was told, to disk: NULL, or why not. */
const char *local_save(struct local *l);

/* What root, or users, say about just that, to go back to. */
struct intent local_intent_about(const struct local *l, const char *tag,
				 uint32_t vni, bool by_root);
/* Nobody is to wonder why a new member serves nobody. */
void local_intent_born(const struct local *l, const struct own *o);
/* It ended with its member. */
void local_intent_gone(struct local *l, const struct intent *in);

/* For check_env.rival. */
const char *local_rival(void *data, const char *tag, uint32_t vni, bool claims,
			char *buf, size_t len);

#endif
