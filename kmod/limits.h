/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every bound and default of the module, each with its reason.
 * Documentation/defaults.md shows the same table.
 */
#ifndef _VNIMESH_LIMITS_H
#define _VNIMESH_LIMITS_H

/* Rows. Far above what one host needs; they bound memory, not use. */
#define VNIMESH_NODES_MAX	16384
#define VNIMESH_VNIS_MAX	131072
#define VNIMESH_SERVICES_MAX	65536
#define VNIMESH_MEMBERS_MAX	1024	/* per service: one array, one scan */

/* Flows: 256 bytes each, so the default table stays near 16 MiB when full. */
#define VNIMESH_FLOW_MAX_DEFAULT	65536
#define VNIMESH_FLOW_MAX_MIN		16
#define VNIMESH_FLOW_MAX_MAX		4194304

#define VNIMESH_FLOW_FLOOR		16	/* a VNI's, however full it is */

/* Idle times, seconds. Established TCP: above the 2 h keepalive default of
 * hosts plus its nine probes of 75 s (RFC 1122, RFC 5382 REQ-5).
 */
#define VNIMESH_TCP_ESTABLISHED	(2 * 3600 + 11 * 60 + 60)
#define VNIMESH_TCP_HALF_OPEN	30
#define VNIMESH_TCP_CLOSING	60	/* TIME_WAIT of Linux: reserves the tuple */
#define VNIMESH_UDP_UNREPLIED	30	/* as nf_conntrack */
#define VNIMESH_UDP_REPLIED	180	/* RFC 4787 REQ-5: at least 2 min */
#define VNIMESH_UDP_IDLE	10	/* may go to make room */

/* Members that fail. Two moves reach a third member, which is more than one
 * failure explains; more would be a retry storm. The penalty is capped where an
 * operator would look.
 */
#define VNIMESH_RESTEER_MAX	2	/* per flow */
#define VNIMESH_RESTEER_MAX_LEAST	0
#define VNIMESH_RESTEER_MAX_MAX	8
#define VNIMESH_RESTEER_FLOOR	32	/* moves of one VNI at once, for nothing */
#define VNIMESH_EJECT_TIME_FIRST	1	/* s; VNIMESH_PENALTY_BASE */
#define VNIMESH_EJECT_TIME_MAX	60	/* s, before jitter */
#define VNIMESH_EJECT_MAX	8192	/* (client, member, port) with evidence */
#define VNIMESH_EJECT_VNI_MAX	1024	/* ... of one client VNI */
#define VNIMESH_SYN_MAX		16384	/* kept SYNs of 128 bytes: 2 MiB */

/* Members on other hosts that are told of the end of a connection, in a second,
 * with two resets each. A member that dies may have a hundred thousand, and what
 * is sent at once is lost where a queue holds a thousand (the backlog of a CPU,
 * a ring, a qdisc): 32 each millisecond leave room for the rest of the traffic.
 */
#define VNIMESH_TOLD_RATE	32000

/* ms that flows may live on after their member left. A day is no drain. */
#define VNIMESH_DRAIN_TIME_MAX	86400000

/* Packets held for a miss. One SYN per connection is normal, so 64 per VNI
 * cover a burst of connects; the mesh bound is memory (1024 x 64 KiB at the
 * very worst, 2 MiB in practice).
 */
#define VNIMESH_HOLD_MAX	1024
#define VNIMESH_HOLD_VNI_MAX	64
#define VNIMESH_HOLD_KEYS_MAX	256	/* addresses asked for at once */
#define VNIMESH_HOLD_FLOOR	4	/* a VNI's, of both, while there is any */

/* Questions a second for the agent, and at once after a pause: a container that
 * starts asks for all it needs.
 */
#define VNIMESH_UPCALL_VNI_RATE		100
#define VNIMESH_UPCALL_VNI_BURST	256
#define VNIMESH_UPCALL_RATE		1000
#define VNIMESH_UPCALL_BURST		1024

#define VNIMESH_MISS_TIMEOUT	750	/* ms: an error within the second */
#define VNIMESH_PARKED_MAX	1024	/* resolves waiting, per mesh */
#define VNIMESH_PARKED_NET_MAX	256	/* ... per netns, and per VNI: not all for one */
#define VNIMESH_PARKED_SOCK_MAX	64	/* ... and per socket */
#define VNIMESH_NEGATIVE_MAX	4096	/* negative entries per mesh */
#define VNIMESH_NEGATIVE_TTL_MAX	60000	/* ms */

/* Fragments: what was decided for a datagram (some 200 bytes) is kept for as long
 * as its pieces may be apart on one path. Those that came before the first: one
 * datagram of 64 KiB has 45 of them.
 */
#define VNIMESH_DATAGRAMS_MAX		4096
#define VNIMESH_DATAGRAM_TIME		(2 * HZ)
#define VNIMESH_FRAGMENTS_HELD_MAX	512
#define VNIMESH_FRAGMENTS_HELD_VNI_MAX	128

/* ICMP errors to other hosts: a burst for the connects of one moment, then per
 * second and sender; the second divides 1000.
 */
#define VNIMESH_ANSWER_BURST	64
#define VNIMESH_ANSWER_RATE	100

/* Encapsulation inside encapsulation: more is a loop. */
#define VNIMESH_DEPTH_MAX	3

#endif /* _VNIMESH_LIMITS_H */
