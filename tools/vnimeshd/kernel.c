// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's sockets to the kernel. */

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "local.h"
#include "log.h"
#include "miss.h"
#include "next.h"
#include "observe.h"
#include "table.h"
#include "table_row.h"

struct kernel {
	struct mesh *m;
	uint32_t ifindex;
	struct vnm_genl *request;
	struct vnm_genl *claim;
	struct vnm_genl *events;
	struct source *claim_io;
	struct source *events_io;
	bool quiet;
};

static int say(struct kernel *k, const char *what, const struct vnm_error *e)
{
	char text[400];

	vnm_error_text(e, text, sizeof(text));
	if (!k->quiet)
		log_err("%s: cannot %s: %s", k->m->conf.device, what, text);
	return e->err ? e->err : -EIO;
}

struct nl_msg *kernel_msg(struct kernel *k, uint8_t cmd, int flags,
			  const struct vnm_type *type, const void *rec)
{
	struct nl_msg *msg = vnm_genl_msg_new(k->request, cmd, flags);

	if (msg && !kernel_fill(k, cmd, type, rec, msg)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

bool kernel_fill(struct kernel *k, uint8_t cmd, const struct vnm_type *type,
		 const void *rec, struct nl_msg *msg)
{
	return !vnm_record_fill_taken(type, rec, msg,
				      vnm_genl_takes(k->request, cmd));
}

/* A module that does not tell gets all, and may refuse it. */
static void learn(struct kernel *k)
{
	struct vnm_error e = { 0 };
	char text[400];

	if (vnm_genl_learn(k->request, &e)) {
		vnm_error_text(&e, text, sizeof(text));
		log_warn("the module does not tell what it takes: %s", text);
	}
	next_kernel(vnm_genl_takes(k->request, VNIMESH_CMD_MEMBER_SET));
}

static int on_claim(const struct vnm_genl_msg *msg, void *data)
{
	struct kernel *k = data;
	struct vnm_miss miss;

	if (msg->cmd != VNIMESH_CMD_MISS ||
	    vnm_record_parse(&vnm_miss_type, &miss, msg->attrs, msg->attrlen))
		return 0;
	if (!VNM_HAS(&miss, VNIMESH_A_MISS_IFINDEX) ||
	    miss.ifindex != k->ifindex)
		return 0;
	miss_asked(k->m->miss,
		   VNM_HAS(&miss, VNIMESH_A_MISS_TAG) ? miss.tag : NULL,
		   VNM_HAS(&miss, VNIMESH_A_MISS_ADDR) ? &miss.address : NULL);
	return 0;
}

static bool of_local_vni(struct kernel *k, const struct vnm_genl_msg *msg)
{
	struct vnm_event event;
	struct vnm_vni vni;

	switch (msg->cmd) {
	case VNIMESH_CMD_EVENT_NTF:
		return !vnm_record_parse(&vnm_event_type, &event, msg->attrs,
					 msg->attrlen) &&
		       event.ifindex == k->ifindex &&
		       (event.type == VNIMESH_EVENT_VNI_UP ||
			event.type == VNIMESH_EVENT_VNI_DOWN);
	case VNIMESH_CMD_VNI_NTF:
		return !vnm_record_parse(&vnm_vni_type, &vni, msg->attrs,
					 msg->attrlen) &&
		       vni.ifindex == k->ifindex && vni.local;
	case VNIMESH_CMD_VNI_DEL_NTF:
		return !vnm_record_parse(&vnm_vni_type, &vni, msg->attrs,
					 msg->attrlen) &&
		       vni.ifindex == k->ifindex &&
		       local_has_vni(k->m->local, vni.vni);
	}
	return false;
}

/* A row of the table was deleted, perhaps one that should be there. */
static void deleted(struct kernel *k, const struct vnm_genl_msg *msg)
{
	union row_record rec;
	struct row_key key;
	uint8_t object;
	bool ours;

	switch (msg->cmd) {
	case VNIMESH_CMD_NODE_DEL_NTF:
		object = VNIMESH_OBJECT_NODE;
		break;
	case VNIMESH_CMD_VNI_DEL_NTF:
		object = VNIMESH_OBJECT_VNI;
		break;
	case VNIMESH_CMD_SERVICE_DEL_NTF:
		object = VNIMESH_OBJECT_SERVICE;
		break;
	case VNIMESH_CMD_MEMBER_DEL_NTF:
		object = VNIMESH_OBJECT_MEMBER;
		break;
	default:
		return;
	}
	memset(&rec, 0, sizeof(rec));
	ours = row_found(object, msg, &rec, &key);
	if (row_ifindex(object, &rec) != k->ifindex)
		return;
	table_lost(k->m->table, &key);
	if (!ours)
		table_freed(k->m->table, &key);
}

struct events {
	struct kernel *k;
	bool local;
};

/* A client's flow found it failing: its agent is to look at once. */
static void failing(struct kernel *k, const struct vnm_genl_msg *msg)
{
	struct vnm_event event;

	if (msg->cmd != VNIMESH_CMD_EVENT_NTF ||
	    vnm_record_parse(&vnm_event_type, &event, msg->attrs,
			     msg->attrlen) ||
	    event.ifindex != k->ifindex ||
	    (event.type != VNIMESH_EVENT_EVIDENCE &&
	     event.type != VNIMESH_EVENT_EJECTED))
		return;
	observe_evidence(k->m->observe, event.tag, event.vni, event.kind);
}

static int on_event(const struct vnm_genl_msg *msg, void *data)
{
	struct events *ev = data;

	failing(ev->k, msg);
	deleted(ev->k, msg);
	ev->local |= of_local_vni(ev->k, msg);
	return 0;
}

static void claim_ready(void *data, int fd, uint32_t events)
{
	struct kernel *k = data;

	(void)fd;
	(void)events;
	/* A lost miss is asked again by the kernel's next packet. */
	vnm_genl_recv(k->claim, on_claim, k);
}

static void events_ready(void *data, int fd, uint32_t events)
{
	struct events ev = { .k = data };

	(void)fd;
	(void)events;
	/* Whatever was lost, the dumps have it. */
	if (vnm_genl_recv(ev.k->events, on_event, &ev) == -ENOBUFS) {
		ev.local = true;
		table_reload(ev.k->m->table);
	}
	if (ev.local)
		local_refresh(ev.k->m->local);
}

static int open_all(struct kernel *k, struct vnm_error *e)
{
	struct loop *loop = k->m->loop;
	int err;

	if (k->request)
		return 0;
	err = vnm_genl_open(&k->request, e);
	if (err)
		return err;
	learn(k);
	err = vnm_genl_open(&k->claim, e);
	if (!err)
		err = vnm_genl_open(&k->events, e);
	if (!err)
		err = vnm_genl_join(k->events, VNIMESH_MCGRP_EVENTS, e);
	if (!err)
		err = vnm_genl_join(k->events, VNIMESH_MCGRP_CONFIG, e);
	if (!err)
		err = loop_io(loop, &k->claim_io, vnm_genl_fd(k->claim),
			      EPOLLIN, claim_ready, k);
	if (!err)
		err = loop_io(loop, &k->events_io, vnm_genl_fd(k->events),
			      EPOLLIN, events_ready, k);
	if (err && !e->err)
		vnm_error_set(e, err, "%s", strerror(-err));
	return err;
}

static int on_mesh(const struct vnm_genl_msg *msg, void *data)
{
	return vnm_record_parse(&vnm_mesh_type, data, msg->attrs,
				msg->attrlen);
}

static int get_mesh(struct vnm_genl *genl, uint32_t ifindex,
		    struct vnm_mesh *mesh, struct vnm_error *e)
{
	struct vnm_mesh key = { 0 };
	struct nl_msg *msg;

	VNM_SET(&key, ifindex, VNIMESH_A_MESH_IFINDEX, ifindex);
	memset(mesh, 0, sizeof(*mesh));
	msg = vnm_genl_msg_new(genl, VNIMESH_CMD_MESH_GET, 0);
	if (!msg || vnm_record_fill(&vnm_mesh_type, &key, msg)) {
		nlmsg_free(msg);
		return vnm_error_set(e, -ENOMEM, "no memory");
	}
	return vnm_genl_request(genl, msg, on_mesh, mesh, e);
}

bool kernel_taken(struct kernel *k)
{
	uint32_t ifindex = if_nametoindex(k->m->conf.device);
	struct vnm_error e = { 0 };
	struct vnm_genl *genl;
	struct vnm_mesh mesh;
	bool taken;

	if (!ifindex || vnm_genl_open(&genl, &e))
		return false;
	taken = !get_mesh(genl, ifindex, &mesh, &e) && mesh.agent &&
		!(k->claim && mesh.agent == vnm_genl_portid(k->claim));
	vnm_genl_close(genl);
	return taken;
}

/* A predecessor that was killed lost its claim with its socket; one that
 * lives has the mesh, and this is the second agent.
 */
static int claim(struct kernel *k, const struct vnm_mesh *mesh,
		 struct vnm_error *e)
{
	struct vnm_miss bind = { 0 };
	struct nl_msg *msg;
	int err;

	if (mesh->agent == vnm_genl_portid(k->claim))
		return 0;
	VNM_SET(&bind, ifindex, VNIMESH_A_MISS_IFINDEX, k->ifindex);
	msg = vnm_genl_msg_new(k->claim, VNIMESH_CMD_AGENT_BIND, 0);
	if (!msg || vnm_record_fill(&vnm_miss_type, &bind, msg)) {
		nlmsg_free(msg);
		return vnm_error_set(e, -ENOMEM, "no memory");
	}
	err = vnm_genl_request(k->claim, msg, NULL, NULL, e);
	if (err)
		return err;
	log_info("%s: claimed, misses come here", k->m->conf.device);
	/* One that came before the answer lies in the library's queue. */
	if (vnm_genl_backlog(k->claim))
		vnm_genl_recv(k->claim, on_claim, k);
	return 0;
}

static bool same_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_equal(&a->addr, &b->addr);
}

static int set_mesh(struct kernel *k, const struct vnm_mesh *is,
		    struct vnm_error *e)
{
	const struct mesh_params *p = &k->m->facts.mesh;
	struct vnm_mesh set = { 0 };
	struct nl_msg *msg;

	if (p->service_prefix4.addr.family &&
	    !same_prefix(&is->service_prefix4, &p->service_prefix4))
		VNM_SET(&set, service_prefix4, VNIMESH_A_MESH_SERVICE_PREFIX4,
			p->service_prefix4);
	if (p->service_prefix6.addr.family &&
	    !same_prefix(&is->service_prefix6, &p->service_prefix6))
		VNM_SET(&set, service_prefix6, VNIMESH_A_MESH_SERVICE_PREFIX6,
			p->service_prefix6);
	if (!set.present)
		return 0;
	VNM_SET(&set, ifindex, VNIMESH_A_MESH_IFINDEX, k->ifindex);
	msg = kernel_msg(k, VNIMESH_CMD_MESH_SET, 0, &vnm_mesh_type, &set);
	if (!msg)
		return vnm_error_set(e, -ENOMEM, "no memory");
	return vnm_genl_request(k->request, msg, NULL, NULL, e);
}

int kernel_start(struct kernel *k, uint32_t ifindex, bool quiet)
{
	struct vnm_error e = { 0 };
	struct vnm_mesh mesh;

	k->quiet = quiet;
	k->ifindex = ifindex;
	if (open_all(k, &e)) {
		say(k, "talk to the kernel", &e);
		kernel_stop(k);
		return e.err;
	}
	if (get_mesh(k->request, ifindex, &mesh, &e))
		return say(k, "read the mesh", &e);
	if (set_mesh(k, &mesh, &e))
		return say(k, "set the service prefixes", &e);
	if (claim(k, &mesh, &e))
		return say(k, "claim the mesh", &e);
	return 0;
}

void kernel_stop(struct kernel *k)
{
	source_free(&k->claim_io);
	source_free(&k->events_io);
	vnm_genl_close(k->request);
	vnm_genl_close(k->claim);
	vnm_genl_close(k->events);
	k->request = NULL;
	k->claim = NULL;
	k->events = NULL;
}

uint32_t kernel_ifindex(const struct kernel *k)
{
	return k->ifindex;
}

struct vnm_genl *kernel_genl(struct kernel *k)
{
	return k->m->running ? k->request : NULL;
}

void kernel_miss_answer(struct kernel *k, const char *tag,
			const struct ip_addr *addr, uint8_t verdict,
			uint32_t ttl_ms)
{
	struct vnm_miss answer = { 0 };
	struct vnm_error e = { 0 };
	struct nl_msg *msg;

	if (!k->request)
		return;
	VNM_SET(&answer, ifindex, VNIMESH_A_MISS_IFINDEX, k->ifindex);
	if (tag) {
		snprintf(answer.tag, sizeof(answer.tag), "%s", tag);
		answer.present |= VNM_BIT(VNIMESH_A_MISS_TAG);
	} else {
		VNM_SET(&answer, address, VNIMESH_A_MISS_ADDR, *addr);
	}
	VNM_SET(&answer, verdict, VNIMESH_A_MISS_VERDICT, verdict);
	VNM_SET(&answer, ttl_ms, VNIMESH_A_MISS_TTL, ttl_ms);
	msg = kernel_msg(k, VNIMESH_CMD_MISS_ANSWER, 0, &vnm_miss_type,
			 &answer);
	if (!msg)
		return;
	k->quiet = false;
	/* -ENOENT: the kernel gave up by itself meanwhile. */
	if (vnm_genl_request(k->request, msg, NULL, NULL, &e) &&
	    e.err != -ENOENT)
		say(k, "answer a miss", &e);
}

struct kernel *kernel_new(struct mesh *m)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (k)
		k->m = m;
	return k;
}

void kernel_free(struct kernel *k)
{
	if (!k)
		return;
	kernel_stop(k);
	free(k);
}
