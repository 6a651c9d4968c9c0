/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the generic netlink family: what its commands share.
 *
 * What a policy can say (type, length, range) the policy refuses, and extack
 * points at the attribute. All else is refused by a text that starts with the
 * name of the attribute, as in the specification. A doit parses and allocates
 * first, then takes mesh->lock, checks everything, and only then changes.
 */
#ifndef _VNIMESH_NL_H
#define _VNIMESH_NL_H

#include <net/genetlink.h>

#include "compat/compat.h"
#include "mesh.h"
#include "netlink.h"

/* The mesh device: attribute 1 of every set. */
#define VNIMESH_NL_IFINDEX	1

enum {
	VNIMESH_NL_CONFIG,	/* multicast groups */
	VNIMESH_NL_EVENTS,
};

extern struct genl_family vnimesh_family;

/* A mesh that a request holds, and the lock of its rows. */
struct vnimesh_nl_ref {
	struct vnimesh_mesh *mesh;
	netdevice_tracker tracker;
};

/* Text and attribute of a refusal; true if @attr of the request is missing. */
#define VNIMESH_NL_MISSING(info, attr, name) ({				\
	struct genl_info *_info = (info);				\
	bool _missing = GENL_REQ_ATTR_CHECK(_info, attr);		\
									\
	if (_missing)							\
		GENL_SET_ERR_MSG(_info, "missing attribute: " name);	\
	_missing;							\
})

/* Refuses for the sake of @attr, which may be absent. */
#define VNIMESH_NL_REFUSE(info, attr, err, text) ({			\
	NL_SET_ERR_MSG_ATTR((info)->extack, (info)->attrs[attr], text);	\
	(err);								\
})

/* The mesh device that the request names, in the netns of its sender, who must
 * be privileged there. Returns the mesh held and locked, or ERR_PTR.
 */
struct vnimesh_mesh *vnimesh_nl_lock(struct sk_buff *skb,
				     struct genl_info *info,
				     struct vnimesh_nl_ref *ref);
/* As above for any vnimesh device and anybody; @vni_id is the device's. */
struct vnimesh_mesh *vnimesh_nl_lock_any(struct genl_info *info,
					 struct vnimesh_nl_ref *ref,
					 u32 *vni_id);
void vnimesh_nl_unlock(struct vnimesh_nl_ref *ref);
/* RCU: a mesh that was just found stays when RCU ends. */
void vnimesh_nl_hold(struct vnimesh_mesh *mesh, struct vnimesh_nl_ref *ref);
/* Then its lock. False: it is going away, and the reference is given back. */
bool vnimesh_nl_enter(struct vnimesh_nl_ref *ref);

/* Create or replace, by the flags of the request. */
int vnimesh_nl_check_flags(struct genl_info *info, bool exists);

/* Writes the attributes of one row; mesh->lock held. @net is the reader's. */
typedef int (*vnimesh_nl_fill)(struct sk_buff *skb, struct vnimesh_mesh *mesh,
			       const void *row, struct net *net);

/* The whole message, to be sent later; NULL: it did not fit, or no memory. */
struct sk_buff *vnimesh_nl_build(struct vnimesh_mesh *mesh,
				 struct genl_info *info, u8 cmd,
				 vnimesh_nl_fill fill, const void *row);
int vnimesh_nl_reply(struct vnimesh_mesh *mesh, struct genl_info *info, u8 cmd,
		     vnimesh_nl_fill fill, const void *row);
/* To group "config"; @info is the request that changed it (NLM_F_ECHO), or
 * NULL. Losing one is no error: who listens sees the overrun.
 */
void vnimesh_nl_notify(struct vnimesh_mesh *mesh, struct genl_info *info,
		       u8 cmd, vnimesh_nl_fill fill, const void *row);
void vnimesh_nl_vni_notify(struct vnimesh_mesh *mesh, struct genl_info *info,
			   u8 cmd, const struct vnimesh_vni *vni);
void vnimesh_nl_member_notify(struct vnimesh_mesh *mesh,
			      struct genl_info *info, u8 cmd,
			      const struct vnimesh_member *member);
void vnimesh_nl_service_notify(struct vnimesh_mesh *mesh,
			       struct genl_info *info, u8 cmd,
			       const struct vnimesh_service *service);
void vnimesh_nl_node_notify(struct vnimesh_mesh *mesh, struct genl_info *info,
			    u8 cmd, const struct vnimesh_node *node);

/* mesh->lock. NULL: no such service. */
struct vnimesh_service *vnimesh_nl_find_tag(struct vnimesh_mesh *mesh,
					    const char *tag);
/* The service that attribute @attr of the request names, or ERR_PTR. */
struct vnimesh_service *vnimesh_nl_find_service(struct vnimesh_mesh *mesh,
						struct genl_info *info,
						int attr);
/* With its members, and told to group "config". */
void vnimesh_nl_service_remove(struct vnimesh_mesh *mesh,
			       struct genl_info *info,
			       struct vnimesh_service *service);

/* Dumps. No pointer survives a call: a cursor is the mesh and two numbers
 * within it.
 */
struct vnimesh_nl_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	struct vnimesh_mesh *mesh;
	struct nlattr **attrs;		/* of the request */
	struct vnimesh_nl_cursor *cur;
	u8 cmd;				/* of the rows */
};

struct vnimesh_nl_cursor {
	u32 done;	/* meshes up to this ifindex are through */
	u32 ifindex;	/* the one that a and b are about */
	u64 a;
	u32 b;
};

/* All rows of one mesh from the cursor on; its lock is held. -EMSGSIZE: no
 * more room; -EAGAIN: enough for now, call again.
 */
typedef int (*vnimesh_nl_rows)(struct vnimesh_nl_dump *d);

int vnimesh_nl_dump(struct sk_buff *skb, struct netlink_callback *cb,
		    u8 cmd, const struct nla_policy *policy, int maxattr,
		    vnimesh_nl_rows rows);
int vnimesh_nl_dump_row(struct vnimesh_nl_dump *d, vnimesh_nl_fill fill,
			const void *row);

/* Attributes, nl_attr.c. */
int vnimesh_nl_get_ip(const struct nlattr *attr, union vnimesh_ip *ip,
		      u8 *family, struct netlink_ext_ack *extack);
/* NULL if the request has no such address. */
const union vnimesh_ip *vnimesh_nl_opt_ip(const struct nlattr *attr,
					  union vnimesh_ip *ip);
int vnimesh_nl_put_ip(struct sk_buff *skb, int type, u8 family,
		      const union vnimesh_ip *ip);
int vnimesh_nl_get_prefix(const struct nlattr *nest,
			  struct vnimesh_prefix *prefix,
			  struct netlink_ext_ack *extack);
int vnimesh_nl_put_prefix(struct sk_buff *skb, int type,
			  const struct vnimesh_prefix *prefix);
/* NULL: an empty list. */
struct vnimesh_node_prefixes *
vnimesh_nl_get_prefixes(const struct nlattr *nest,
			struct netlink_ext_ack *extack);
struct vnimesh_ports *vnimesh_nl_get_ports(const struct nlattr *nest,
					   struct netlink_ext_ack *extack);
int vnimesh_nl_put_ports(struct sk_buff *skb, int type,
			 const struct vnimesh_ports *ports);
/* AF_INET, AF_INET6 or, if absent, 0; -ERANGE. */
int vnimesh_nl_get_family(const struct nlattr *attr,
			  struct netlink_ext_ack *extack);
int vnimesh_nl_check_tag(const struct nlattr *attr,
			 struct netlink_ext_ack *extack);
/* @base is the set's ORIGIN; SOURCE, EPOCH, SEQ, GEN, AGE, PAD follow it. */
void vnimesh_nl_get_row(struct nlattr **attrs, int base,
			struct vnimesh_row *row);
/* May the request delete @row? It names who it is, and may name the version
 * that it has seen.
 */
int vnimesh_nl_check_del(struct genl_info *info, int base,
			 const struct vnimesh_row *row);
int vnimesh_nl_put_row(struct sk_buff *skb, int base,
		       const struct vnimesh_row *row);

/* Not const: 6.1 wants it so in a policy. */
extern struct netlink_range_validation vnimesh_latency_range;
extern struct netlink_range_validation vnimesh_family_range;
extern const struct nla_policy vnimesh_prefix_policy[VNIMESH_A_PREFIX_MAX + 1];
extern const struct nla_policy vnimesh_port_policy[VNIMESH_A_PORT_MAX + 1];

#define VNIMESH_POLICY_TAG	{ .type = NLA_NUL_STRING,		\
				  .len = VNIMESH_TAG_MAX }
#define VNIMESH_POLICY_NAME	{ .type = NLA_NUL_STRING,		\
				  .len = VNIMESH_NAME_MAX }
#define VNIMESH_POLICY_ID	NLA_POLICY_MIN(NLA_U32, 1)
#define VNIMESH_POLICY_IP4	NLA_POLICY_EXACT_LEN(4)
#define VNIMESH_POLICY_IP6	NLA_POLICY_EXACT_LEN(16)
#define VNIMESH_POLICY_IP	NLA_POLICY_RANGE(NLA_BINARY, 4, 16)
#define VNIMESH_POLICY_STATE	NLA_POLICY_RANGE(NLA_U8, VNIMESH_STATE_UP, \
						 VNIMESH_STATE_DOWN)
#define VNIMESH_POLICY_HEALTH	NLA_POLICY_MAX(NLA_U8, VNIMESH_HEALTH_MAX)
#define VNIMESH_POLICY_LATENCY	NLA_POLICY_FULL_RANGE(NLA_U32, \
						&vnimesh_latency_range)
/* Nobody but the kernel writes learned rows. */
#define VNIMESH_POLICY_ORIGIN	NLA_POLICY_RANGE(NLA_U8, \
						 VNIMESH_ORIGIN_AGENT, \
						 VNIMESH_ORIGIN_STATIC)
#define VNIMESH_POLICY_ROW(set)						\
	[VNIMESH_A_##set##_ORIGIN]	= VNIMESH_POLICY_ORIGIN,	\
	[VNIMESH_A_##set##_SOURCE]	= { .type = NLA_U32 },		\
	[VNIMESH_A_##set##_EPOCH]	= { .type = NLA_U64 },		\
	[VNIMESH_A_##set##_SEQ]		= { .type = NLA_U64 },		\
	[VNIMESH_A_##set##_GEN]		= { .type = NLA_U64 }

/* Commands: policy and handlers by object. */
#define VNIMESH_NL_POLICY(name, max) \
	extern const struct nla_policy vnimesh_nl_##name##_policy[(max) + 1]
#define VNIMESH_NL_DO(name) \
	int vnimesh_nl_##name(struct sk_buff *skb, struct genl_info *info)
#define VNIMESH_NL_START(name) \
	int vnimesh_nl_##name##_start(struct netlink_callback *cb)
#define VNIMESH_NL_DUMP(name) \
	int vnimesh_nl_##name##_dump(struct sk_buff *skb, \
				     struct netlink_callback *cb)

VNIMESH_NL_POLICY(mesh_get, VNIMESH_A_MESH_IFINDEX);
VNIMESH_NL_POLICY(mesh_set, VNIMESH_A_MESH_MAX);
VNIMESH_NL_POLICY(node_get, VNIMESH_A_NODE_ID);
VNIMESH_NL_POLICY(node_set, VNIMESH_A_NODE_MAX);
VNIMESH_NL_POLICY(node_del, VNIMESH_A_NODE_MAX);
VNIMESH_NL_POLICY(vni_get, VNIMESH_A_VNI_ID);
VNIMESH_NL_POLICY(vni_set, VNIMESH_A_VNI_MAX);
VNIMESH_NL_POLICY(vni_del, VNIMESH_A_VNI_MAX);
VNIMESH_NL_POLICY(service_get, VNIMESH_A_SERVICE_TAG);
VNIMESH_NL_POLICY(service_set, VNIMESH_A_SERVICE_MAX);
VNIMESH_NL_POLICY(service_del, VNIMESH_A_SERVICE_MAX);
VNIMESH_NL_POLICY(member_get, VNIMESH_A_MEMBER_VNI_ID);
VNIMESH_NL_POLICY(member_set, VNIMESH_A_MEMBER_MAX);
VNIMESH_NL_POLICY(member_del, VNIMESH_A_MEMBER_MAX);
VNIMESH_NL_POLICY(flow_get, VNIMESH_A_FLOW_VNI_ID);
VNIMESH_NL_POLICY(flow_del, VNIMESH_A_FLOW_VNI_ID);
VNIMESH_NL_POLICY(resolve, VNIMESH_A_ROUTE_FAMILY);
VNIMESH_NL_POLICY(route_get, VNIMESH_A_ROUTE_SEED);
VNIMESH_NL_POLICY(agent_bind, VNIMESH_A_MISS_RELEASE);
VNIMESH_NL_POLICY(miss_answer, VNIMESH_A_MISS_TTL);
VNIMESH_NL_POLICY(sweep, VNIMESH_A_SWEEP_GEN);

VNIMESH_NL_DO(mesh_get);
VNIMESH_NL_DUMP(mesh_get);
VNIMESH_NL_DO(mesh_set);
VNIMESH_NL_DO(node_get);
VNIMESH_NL_DUMP(node_get);
VNIMESH_NL_DO(node_set);
VNIMESH_NL_DO(node_del);
VNIMESH_NL_DO(vni_get);
VNIMESH_NL_START(vni_get);
VNIMESH_NL_DUMP(vni_get);
VNIMESH_NL_DO(vni_set);
VNIMESH_NL_DO(vni_del);
VNIMESH_NL_DO(service_get);
VNIMESH_NL_DUMP(service_get);
VNIMESH_NL_DO(service_set);
VNIMESH_NL_DO(service_del);
VNIMESH_NL_DO(member_get);
VNIMESH_NL_DUMP(member_get);
VNIMESH_NL_DO(member_set);
VNIMESH_NL_DO(member_del);
VNIMESH_NL_DUMP(flow_get);
VNIMESH_NL_DO(flow_del);
VNIMESH_NL_DO(resolve);
VNIMESH_NL_DO(route_get);
VNIMESH_NL_DO(agent_bind);
VNIMESH_NL_DO(miss_answer);
VNIMESH_NL_DO(sweep);

/* Who waits for the answer to a resolve. */
struct vnimesh_nl_asker {
	struct net *net;
	struct nlmsghdr nlh;	/* of the request */
	u32 portid;
	u32 ifindex;		/* as the request named it */
	u8 family;		/* 0: both */
};

/* The answer, by unicast. @late: the request has returned without an
 * acknowledgment, which is sent too if it was asked for. Process context.
 */
int vnimesh_nl_resolved(const struct vnimesh_nl_asker *asker,
			const struct vnimesh_service *service, bool late);
/* The late refusal, a NLMSG_ERROR as from the core. Process context. */
void vnimesh_nl_unresolved(const struct vnimesh_nl_asker *asker, int err);

/* A generic netlink socket of @net is gone: its claims. Process context. */
void vnimesh_nl_agent_released(struct net *net, u32 portid);

#endif /* _VNIMESH_NL_H */
