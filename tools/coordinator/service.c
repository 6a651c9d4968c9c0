// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "log.h"
#include "mem.h"
#include "problem.h"
#include "service.h"

void service_plan_init(struct service_plan *plan, struct registry *reg)
{
	plan->reg = reg;
	plan->steps = NULL;
	plan->nr = 0;
}

static struct service_step *add(struct service_plan *plan,
				const struct service_def *def)
{
	struct service_step *step;

	plan->steps = mem_resize(plan->steps, plan->nr + 1,
				 sizeof(*plan->steps));
	step = &plan->steps[plan->nr++];
	memset(step, 0, sizeof(*step));
	step->def = *def;
	return step;
}

/* The tag that has @addr already, in the registry or in this plan. */
static const char *address6_holder(const struct service_plan *plan,
				   const struct ip_addr *addr)
{
	struct service *svc = registry_service_at6(plan->reg, addr);
	unsigned int i;

	if (svc)
		return svc->def.tag;
	for (i = 0; i < plan->nr; i++)
		if (ip_equal(&plan->steps[i].def.address6, addr))
			return plan->steps[i].def.tag;
	return NULL;
}

int service_plan_create(struct service_plan *plan, struct request *rq,
			const struct service_def *def, const char *item)
{
	struct registry *reg = plan->reg;
	struct service_step *step;
	struct ip_addr address6;
	struct ip_addr address4;
	const char *holder;
	bool was_resting;
	char field[64];

	snprintf(field, sizeof(field), "%s%stag", item, *item ? "." : "");
	address6 = tag_address6(&reg->mesh.service6, def->tag);
	holder = address6_holder(plan, &address6);
	if (holder && !strcmp(holder, def->tag))
		return 0;
	if (holder)
		return problem(rq, 409, field,
			       "%s: \"%s\" has the same IPv6 service address as \"%s\": choose another",
			       field, def->tag, holder);
	if (!pool_take(&reg->pool, def->tag, &def->address4, &address4,
		       &was_resting))
		return problem(rq, 507, field,
			       "%s: no IPv4 service address is left for \"%s\"",
			       field, def->tag);
	step = add(plan, def);
	step->def.address4 = address4;
	step->def.address6 = address6;
	step->create = true;
	step->was_resting = was_resting;
	return 0;
}

bool service_planned(const struct service_plan *plan, const char *tag)
{
	unsigned int i;

	for (i = 0; i < plan->nr; i++)
		if (plan->steps[i].create &&
		    !strcmp(plan->steps[i].def.tag, tag))
			return true;
	return false;
}

void service_plan_change(struct service_plan *plan, struct service *svc,
			 const struct service_def *def)
{
	struct service_step *step;

	if (record_same_service(&svc->def, def))
		return;
	step = add(plan, def);
	step->def.address4 = svc->def.address4;
	step->def.address6 = svc->def.address6;
}

void service_plan_store(struct service_plan *plan, const struct request *rq)
{
	struct store *store = plan->reg->store;
	char object[TAG_MAX + 16];
	unsigned int i;

	for (i = 0; i < plan->nr; i++) {
		if (plan->steps[i].was_resting)
			store_del_resting(store, plan->steps[i].def.tag);
		store_put_service(store, &plan->steps[i].def);
		snprintf(object, sizeof(object), "service %s",
			 plan->steps[i].def.tag);
		change_log(plan->reg, rq, object,
			   plan->steps[i].create ? "created" : "changed",
			   "policy %s, on_down %s",
			   record_policies[plan->steps[i].def.policy - 1],
			   record_on_downs[plan->steps[i].def.on_down - 1]);
	}
}

static void finish(struct service_plan *plan)
{
	free(plan->steps);
	plan->steps = NULL;
	plan->nr = 0;
}

void service_plan_apply(struct service_plan *plan)
{
	struct registry *reg = plan->reg;
	struct service_step *step;
	struct service *svc;
	unsigned int i;

	for (i = 0; i < plan->nr; i++) {
		step = &plan->steps[i];
		if (step->create) {
			registry_add_service(reg, &step->def);
			log_info("service \"%s\": created", step->def.tag);
			continue;
		}
		svc = registry_service(reg, step->def.tag);
		svc->def = step->def;
		registry_touch_service(reg, svc);
	}
	finish(plan);
}

void service_plan_undo(struct service_plan *plan)
{
	struct service_step *step;

	while (plan->nr) {
		step = &plan->steps[--plan->nr];
		if (step->create)
			pool_untake(&plan->reg->pool, step->def.tag,
				    &step->def.address4, step->was_resting,
				    loop_now());
	}
	finish(plan);
}
