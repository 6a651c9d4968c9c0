/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between the kernels we build for, decided by what the headers
 * define and never by a version number: stable kernels backport.
 */
#ifndef _VNIMESH_COMPAT_H
#define _VNIMESH_COMPAT_H

#include <linux/netlink.h>
#include <net/genetlink.h>

/* Before it had its own name, the flag of an operation served for groups. */
#ifndef GENL_MCAST_CAP_NET_ADMIN
#define GENL_MCAST_CAP_NET_ADMIN	GENL_UNS_ADMIN_PERM
#endif

#endif /* _VNIMESH_COMPAT_H */
