// SPDX-License-Identifier: GPL-2.0-or-later
/* Joining the mesh. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "join.h"
#include "kernel.h"
#include "log.h"
#include "next.h"
#include "peer.h"
#include "problem.h"
#include "sequence.h"
#include "wire.h"

struct join {
	struct mesh *m;
	struct http_req *req;
	struct source *timer;
	uint32_t failures;
	bool told;		/* the failure is in the log */
	bool told_foreign;	/* and that the identity is another one */
	bool told_taken;	/* and that another agent runs */
};

static void again(struct join *j)
{
	uint32_t ms;

	j->failures++;
	ms = sequence_backoff_ms(j->failures, JOIN_BACKOFF_MS,
				 JOIN_BACKOFF_MAX_MS, mesh_random());
	source_timer_set(j->timer, loop_now() + ms * LOOP_USEC_PER_MSEC);
}

/* A device with flows in it is not given up for another identity, nor its
 * table for another registry; only a person knows whether this coordinator is
 * the right one.
 */
static bool is_foreign(struct join *j, const struct mesh_params *mesh,
		       const struct node *self)
{
	const struct mesh *m = j->m;
	const char *uuid = m->facts.mesh.uuid;
	uint32_t ifindex;

	/* A cache that the device contradicts says nothing. */
	if (*uuid && !m->contradicted && strcmp(uuid, mesh->uuid)) {
		if (!j->told_foreign)
			log_err("the registry at %s is %s, that of this node is %s",
				m->conf.coordinator, mesh->uuid, uuid);
		return true;
	}
	if (!m->running)
		return false;
	return device_link(m->conf.device, mesh, self, &ifindex,
			   j->told_foreign) == DEVICE_FOREIGN;
}

static bool take(struct join *j, json_t *json)
{
	struct mesh *m = j->m;
	struct mesh_params mesh;
	struct node node;

	if (!wire_mesh(json_object_get(json, "mesh"), &mesh) ||
	    !wire_node(json_object_get(json, "node"), &node)) {
		log_err("cannot join: the answer of the coordinator is wrong");
		return false;
	}
	m->foreign = is_foreign(j, &mesh, &node);
	if (m->foreign && !j->told_foreign)
		log_err("going on with the old identity");
	j->told_foreign = m->foreign;
	if (m->foreign)
		return false;
	m->lease_ms = wire_u64(json, "lease_ms", m->lease_ms);
	if (m->contradicted)
		facts_forget(&m->facts);
	m->contradicted = false;
	m->facts.mesh = mesh;
	m->facts.self = node.id;
	if (!facts_set_node(&m->facts, &node, m->facts.index))
		return false;
	m->facts.joined = true;
	return true;
}

static void on_answer(void *data, const struct http_reply *reply)
{
	struct join *j = data;
	struct mesh *m = j->m;
	char text[512];
	json_t *json;
	bool ok;

	j->req = NULL;
	mesh_reached(m, reply->status);
	if (reply->status != 200) {
		if (!j->told)
			log_warn("cannot join at %s: %s; trying again",
				 m->conf.coordinator,
				 problem_text(reply, text, sizeof(text)));
		j->told = true;
		again(j);
		return;
	}
	json = json_loadb(reply->body, reply->len, 0, NULL);
	ok = take(j, json);
	json_decref(json);
	if (!ok) {
		again(j);
		return;
	}
	j->failures = 0;
	j->told = false;
	mesh_joined(m, true);
}

static void on_timer(void *data, uint64_t now_us)
{
	(void)now_us;
	join_start(data);
}

void join_start(struct join *j)
{
	const struct config *c = &j->m->conf;
	char url[CONFIG_TEXT_MAX + 32];
	char underlay[IP_TEXT_MAX];
	struct http_want want = {
		.method = "POST",
		.url = url,
		.timeout_ms = JOIN_TIMEOUT_MS,
	};
	json_t *o;
	char *body;

	if (j->req)
		return;
	source_timer_stop(j->timer);
	/* Joining would take the node away from the agent that runs it. */
	if (!j->m->running && kernel_taken(j->m->kernel)) {
		if (!j->told_taken)
			log_err("%s: another agent has the mesh; waiting for its end",
				c->device);
		j->told_taken = true;
		again(j);
		return;
	}
	j->told_taken = false;
	o = json_pack("{s:s, s:s, s:i, s:s, s:I}", "name", c->name,
		      "underlay", ip_text(&c->underlay, underlay),
		      "port", c->port, "zone", c->zone,
		      "epoch", (json_int_t)j->m->epoch);
	peer_introduce(j->m->peer, o);
	next_json(o);
	body = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	snprintf(url, sizeof(url), "%s/v1/nodes", c->coordinator);
	want.body = body;
	if (!body || http_start(j->m->http, &j->req, &want, on_answer, j))
		again(j);
	free(body);
}

struct join *join_new(struct mesh *m)
{
	struct join *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->m = m;
	if (loop_timer(m->loop, &j->timer, on_timer, j)) {
		free(j);
		return NULL;
	}
	return j;
}

void join_free(struct join *j)
{
	if (!j)
		return;
	http_cancel(&j->req);
	source_free(&j->timer);
	free(j);
}
