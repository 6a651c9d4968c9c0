// SPDX-License-Identifier: GPL-2.0-only
/*
 * vnimesh: service routing in the kernel. Documentation/concepts.md says what
 * it is, mesh.h who owns what.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <net/netns/generic.h>

#include "device.h"
#include "flow.h"
#include "netlink.h"

static unsigned int net_id __read_mostly;

struct vnimesh_net *vnimesh_net(struct net *net)
{
	return net_generic(net, net_id);
}

static int __net_init start_net(struct net *net)
{
	struct vnimesh_net *vn = vnimesh_net(net);

	INIT_LIST_HEAD(&vn->socks);
	INIT_LIST_HEAD(&vn->meshes);
	return 0;
}

static void __net_exit stop_net(struct net *net)
{
	/* Devices go before subsystems, and nothing else makes entries. */
	WARN_ON_ONCE(!list_empty(&vnimesh_net(net)->socks));
	WARN_ON_ONCE(!list_empty(&vnimesh_net(net)->meshes));
}

static struct pernet_operations net_ops = {
	.init	= start_net,
	.exit	= stop_net,
	.id	= &net_id,
	.size	= sizeof(struct vnimesh_net),
};

/* A flow's callback drops a member, a member's a service and a VNI, a VNI's a
 * node: each may queue the next callback.
 */
static void wait_for_callbacks(void)
{
	int depth;

	for (depth = 0; depth < 4; depth++)
		rcu_barrier();
}

static int __init vnimesh_init(void)
{
	int err;

	err = vnimesh_flow_module_init();
	if (err)
		return err;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_net;
	/* Devices notify through the family, so it is there as long as they. */
	err = vnimesh_netlink_init();
	if (err)
		goto err_netlink;
	err = vnimesh_device_init();
	if (err)
		goto err_device;
	return 0;

err_device:
	vnimesh_netlink_exit();
err_netlink:
	unregister_pernet_subsys(&net_ops);
err_net:
	wait_for_callbacks();
	vnimesh_flow_module_exit();
	return err;
}

static void __exit vnimesh_exit(void)
{
	vnimesh_device_exit();
	vnimesh_netlink_exit();
	unregister_pernet_subsys(&net_ops);
	wait_for_callbacks();
	vnimesh_flow_module_exit();
}

module_init(vnimesh_init);
module_exit(vnimesh_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Service routing by tag over Geneve");
MODULE_AUTHOR("vnimesh developers");
