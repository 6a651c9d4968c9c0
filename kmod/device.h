/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The netdev kind: mesh devices and VNI devices.
 */
#ifndef _VNIMESH_DEVICE_H
#define _VNIMESH_DEVICE_H

#include <linux/list.h>
#include <net/net_namespace.h>

/* Per netns; its lists are under rtnl, ->meshes also under RCU. */
struct vnimesh_net {
	struct list_head socks;		/* struct vnimesh_sock */
	struct list_head meshes;	/* struct vnimesh_mesh by ->net_node */
};

struct vnimesh_net *vnimesh_net(struct net *net);

int vnimesh_device_init(void);
void vnimesh_device_exit(void);

#endif /* _VNIMESH_DEVICE_H */
