/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What agents and coordinator say to each other about a VNI that looks dead.
 * The numbers are those of the wire between agents, version 1, and frozen.
 */
#ifndef VNIMESH_PEER_CASE_H
#define VNIMESH_PEER_CASE_H

#include <stdint.h>

enum peer_type {
	PEER_PING = 1,		/* subscribes to the receiver's facts */
	PEER_PONG,		/* answers a ping, with facts */
	PEER_HELLO,		/* prove that you live now */
	PEER_PUSH,		/* facts */
	PEER_ACK,		/* what is had of the receiver's facts */
	PEER_SUSPECT,		/* a member or node looks dead from here */
	PEER_PROBE,		/* look yourself, and say what you see */
	PEER_SIGHT,		/* what was seen */
	PEER_VERDICT,		/* what all of it says */
	PEER_CHECK,		/* of yours, it fails: check it now */
};

enum peer_sight {
	PEER_SIGHT_NONE,	/* not looked, or without result */
	PEER_SIGHT_UP,
	PEER_SIGHT_DOWN,
};

/* A question about the VNI of a node, or what came of it. */
struct peer_case {
	uint32_t node;
	uint32_t vni;
	uint64_t id;		/* of who asks */
	uint8_t sight;		/* enum peer_sight */
};

#endif
