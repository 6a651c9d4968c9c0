/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every default, interval and cap of the tool and the netlink client. */
#ifndef VNM_DEFAULTS_H
#define VNM_DEFAULTS_H

#ifndef VNIMESH_VERSION
#define VNIMESH_VERSION		"0.1.0"
#endif

/* Requests are answered within one system call; only a parked resolve waits,
 * at most the miss timeout (10 s by its range).
 */
#define VNM_NL_TIMEOUT_MS	11000

/* A table that changes faster than it can be dumped is reported, not shown. */
#define VNM_NL_DUMP_TRIES	3

/* One bulk: below the kernel's 32 KiB of a usual send buffer share, and few
 * enough that the answers fit any receive buffer.
 */
#define VNM_NL_BULK_BYTES	30000
#define VNM_NL_BULK_MSGS	64

/* 64 KiB holds the largest datagram that the kernel makes for a dump; larger
 * answers make the buffer grow.
 */
#define VNM_NL_BUFFER		65536

/* A restart of an agent may change thousands of rows at once. */
#define VNM_NL_RCVBUF		(4 << 20)

/* `vnimesh connect`: as long as a person waits for a prompt. */
#define VNM_CONNECT_TIMEOUT_MS	10000

/* Agents among themselves, UDP on the underlay; beside the coordinator's. */
#define VNM_PEER_PORT		7901

/* The agent's control socket, and how long it may take to write its state. */
#define VNM_CONTROL_SOCKET	"/run/vnimesh/vnimeshd.sock"
#define VNM_CONTROL_TIMEOUT_MS	10000

#endif /* VNM_DEFAULTS_H */
