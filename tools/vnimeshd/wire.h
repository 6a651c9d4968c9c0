/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The coordinator's JSON objects to facts and back. Unknown fields are
 * ignored; an object whose known fields are wrong is skipped as a whole, with
 * one line in the log that names the field.
 */
#ifndef VNIMESHD_WIRE_H
#define VNIMESHD_WIRE_H

#include <stdbool.h>

#include <jansson.h>

#include "facts.h"
#include "peer_case.h"

/* Read one object; false: skipped, *ret is then undefined but owns nothing. */
bool wire_mesh(json_t *json, struct mesh_params *ret);
/* Of "sight". */
enum peer_sight wire_sight(json_t *json);
bool wire_node(json_t *json, struct node *ret);
bool wire_service(json_t *json, char tag[TAG_MAX + 1], struct definition *ret);

/* Read a list of members of @tag; the caller owns it. Bad ones are in it as
 * unread. False, and it is empty: no list, or no memory.
 */
bool wire_members(json_t *list, const char *tag, struct sorted *ret);

/* {"incarnation", "index"} of an answer. */
bool wire_version(json_t *json, char incarnation[INCARNATION_MAX + 1],
		  uint64_t *index);

/* A checked, unsigned integer or string field; else @none. */
uint64_t wire_u64(json_t *json, const char *key, uint64_t none);
const char *wire_str(json_t *json, const char *key, const char *none);

/* The way back: a new object or NULL without memory. */
json_t *wire_pack_mesh(const struct mesh_params *mesh);
json_t *wire_pack_node(const struct node *node);
json_t *wire_pack_service(const char *tag, const struct definition *def);
json_t *wire_pack_member(const char *tag, const struct member *m);

/* Words of the enums, the first one standing for value 1. */
extern const char *const wire_states[];
extern const char *const wire_policies[];
extern const char *const wire_on_downs[];
extern const char *const wire_loads[];
extern const char *const wire_latencies[];

#endif
