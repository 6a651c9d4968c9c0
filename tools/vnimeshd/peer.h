/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other agents: the UDP socket on the underlay, the key of this node, and
 * the way of facts between peer_hub.h and the rest of the agent.
 *
 * What a peer tells are figures of its own members that the coordinator told
 * of; nothing that a peer says makes a member, an address or a service.
 */
#ifndef VNIMESHD_PEER_H
#define VNIMESHD_PEER_H

#include <jansson.h>

#include "mesh.h"
#include "peer_wire.h"

struct peer *peer_new(struct mesh *m);
void peer_free(struct peer *p);

/* Read this node's key, or make it. An error, which is logged, if there is one
 * that cannot be used.
 */
int peer_key(struct peer *p);

/* Add key and port to the body of a join. */
void peer_introduce(const struct peer *p, json_t *join);

/* The identity is there: open the socket unless it is open. */
void peer_start(struct peer *p);

/* Nodes or members of others changed; also once a second. */
void peer_refresh(struct peer *p);
/* Own members changed: told at the end of the turn. */
void peer_changed(struct peer *p);

/* A word about a suspect to the agent of @node. False: there is no way. */
bool peer_case(struct peer *p, uint32_t node, uint8_t type,
	       const struct peer_case *kase);

/* Each other node, its path and its agent, a new list. */
struct peer_hub;
json_t *peer_show(const struct facts *f, const struct peer_hub *h);
json_t *peer_list(const struct peer *p);

/* Counters and the state of each node, for a person. */
json_t *peer_status(const struct peer *p);

#endif
