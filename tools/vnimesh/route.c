// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh route, vnimesh resolve: where a flow would go, and why. */
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "args.h"
#include "replay.h"
#include "resolve.h"
#include "rows.h"

#define COUNT_MAX	10000	/* answers of one route get */

static int take_route(const struct vnm_genl_msg *m, void *arg)
{
	return vnm_record_parse(&vnm_route_type, arg, m->attrs, m->attrlen);
}

static struct nl_msg *route_msg(struct tool *t, uint8_t cmd,
				const struct vnm_route *route)
{
	struct nl_msg *msg = vnm_genl_msg_new(t->genl, cmd, 0);

	if (msg && vnm_record_fill(&vnm_route_type, route, msg)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int print_route(struct tool *t, const struct vnm_route *route)
{
	if (t->json)
		return json_out(t, json_add(json_array(),
					    row_json(t, &vnm_route_type,
						     route)));
	vnm_record_text(&vnm_route_type, route, t->show, stdout);
	putchar('\n');
	return EXIT_OK;
}

static bool take_target(struct args *a, struct vnm_route *route)
{
	const char *text = args_need(a, "TAG|ADDR");

	if (!text)
		return false;
	if (ip_parse(text, &route->dst)) {
		route->present |= VNM_BIT(VNIMESH_A_ROUTE_DST);
		return true;
	}
	route->present |= VNM_BIT(VNIMESH_A_ROUTE_TAG);
	return parse_tag(text, route->tag);
}

/* What JSON keeps exactly, unlike the kernel's own seeds of 64 bits. */
static uint64_t any_seed(void)
{
	uint64_t seed = 0;

	/* Without entropy any seed will do. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint64_t)getpid() << 11;
	return seed >> 11;
}

static int ask_route(struct tool *t, const struct vnm_route *ask,
		     struct vnm_route *answer)
{
	struct nl_msg *msg = route_msg(t, VNIMESH_CMD_ROUTE_GET, ask);
	struct vnm_error e;

	if (!msg)
		return out_of_memory();
	if (vnm_genl_request(t->genl, msg, take_route, answer, &e))
		return tool_fail(&e);
	return EXIT_OK;
}

/* @count answers, of seeds that follow each other. */
static int ask_routes(struct tool *t, struct vnm_route *ask, uint32_t count)
{
	json_t *all = t->json ? json_array() : NULL;
	struct vnm_route answer;
	int ret = EXIT_OK;

	while (!ret && count--) {
		ret = ask_route(t, ask, &answer);
		ask->seed++;
		if (ret)
			break;
		if (t->json)
			all = json_add(all, row_json(t, &vnm_route_type,
						     &answer));
		else
			ret = print_route(t, &answer);
		vnm_record_release(&vnm_route_type, &answer);
	}
	if (t->json && !ret)
		return json_out(t, all);
	json_decref(all);
	return ret;
}

static int route_get(struct tool *t, struct args *a)
{
	struct vnm_route ask = { 0 };
	uint32_t count = 1;
	int ret;

	if (!take_target(a, &ask))
		return EXIT_LOCAL;
	do {
		ret = args_dev(a, &ask.ifindex);
		if (!ret && args_take(a, "count"))
			ret = args_need_u32(a, "count", 1, COUNT_MAX, &count) ?
			      1 : -1;
		if (!ret)
			ret = args_field(a, &vnm_route_type, &ask);
	} while (ret > 0);
	if (ret < 0 || !args_end(a))
		return EXIT_LOCAL;
	ret = mesh_find(t, NULL, &ask.ifindex);
	if (!ret)
		ret = tool_genl(t);
	if (ret)
		return ret;
	ask.present |= VNM_BIT(VNIMESH_A_ROUTE_IFINDEX);
	if (!VNM_HAS(&ask, VNIMESH_A_ROUTE_SEED))
		VNM_SET(&ask, seed, VNIMESH_A_ROUTE_SEED, any_seed());
	return ask_routes(t, &ask, count);
}

const struct command route_commands[] = {
	{ "get", NULL, route_get },
	{ "replay", NULL, route_replay },
	{ NULL, NULL, NULL }
};

int resolve(struct tool *t, const char *tag, uint8_t family, uint32_t *ifindex,
	    struct vnm_route *route)
{
	struct vnm_route ask = { 0 };
	struct nl_msg *msg;
	struct vnm_error e;
	bool own;
	int ret;

	ret = mesh_find(t, &own, ifindex);
	if (!ret)
		ret = tool_genl(t);
	if (ret)
		return ret;
	VNM_SET(&ask, ifindex, VNIMESH_A_ROUTE_IFINDEX, *ifindex);
	if (family)
		VNM_SET(&ask, family, VNIMESH_A_ROUTE_FAMILY, family);
	ask.present |= VNM_BIT(VNIMESH_A_ROUTE_TAG);
	snprintf(ask.tag, sizeof(ask.tag), "%s", tag);
	msg = route_msg(t, VNIMESH_CMD_RESOLVE, &ask);
	if (!msg)
		return out_of_memory();
	/* The answer may come later, when an agent had to be asked. */
	if (vnm_genl_query(t->genl, msg, take_route, route, &e))
		return tool_fail(&e);
	return EXIT_OK;
}

int resolve_run(struct tool *t, struct args *a)
{
	char tag[VNIMESH_TAG_MAX + 1];
	struct vnm_route route = { 0 };
	uint32_t ifindex = 0;
	uint8_t family = 0;
	int ret;

	if (!args_need_tag(a, tag))
		return EXIT_LOCAL;
	do {
		ret = args_dev(a, &ifindex);
		if (!ret)
			ret = args_field(a, &vnm_route_type, &route);
	} while (ret > 0);
	if (ret < 0 || !args_end(a))
		return EXIT_LOCAL;
	if (route.present & ~VNM_BIT(VNIMESH_A_ROUTE_FAMILY)) {
		fputs("Error: resolve takes dev and family only.\n", stderr);
		return EXIT_LOCAL;
	}
	family = route.family;
	ret = resolve(t, tag, family, &ifindex, &route);
	if (ret)
		return ret;
	ret = print_route(t, &route);
	vnm_record_release(&vnm_route_type, &route);
	return ret;
}
