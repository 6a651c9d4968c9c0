// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "record.h"

struct word {
	unsigned int	value;
	const char	*text;
};

static const struct word origin_words[] = {
	{ VNIMESH_ORIGIN_LEARNED, "learned" },
	{ VNIMESH_ORIGIN_AGENT, "agent" },
	{ VNIMESH_ORIGIN_STATIC, "static" },
	{ 0, NULL }
};

static const struct word state_words[] = {
	{ VNIMESH_STATE_UP, "up" },
	{ VNIMESH_STATE_DRAIN, "drain" },
	{ VNIMESH_STATE_MAINT, "maint" },
	{ VNIMESH_STATE_DOWN, "down" },
	{ 0, NULL }
};

static const struct word policy_words[] = {
	{ VNIMESH_POLICY_OPTIMAL, "optimal" },
	{ VNIMESH_POLICY_MAGLEV, "maglev" },
	{ VNIMESH_POLICY_RANDOM, "random" },
	{ VNIMESH_POLICY_FAILOVER, "failover" },
	{ 0, NULL }
};

static const struct word load_words[] = {
	{ VNIMESH_LOAD_CONNECTIONS, "connections" },
	{ VNIMESH_LOAD_POOL, "pool" },
	{ 0, NULL }
};

static const struct word latency_words[] = {
	{ VNIMESH_LATENCY_CONNECT, "connect" },
	{ VNIMESH_LATENCY_RESPONSE, "response" },
	{ 0, NULL }
};

static const struct word how_words[] = {
	{ VNIMESH_HOW_COST, "cost" },
	{ VNIMESH_HOW_TIE, "tie" },
	{ VNIMESH_HOW_EXPLORE, "explore" },
	{ VNIMESH_HOW_HASH, "hash" },
	{ VNIMESH_HOW_RANDOM, "random" },
	{ 0, NULL }
};

static const struct word on_down_words[] = {
	{ VNIMESH_ON_DOWN_ABORT, "abort" },
	{ VNIMESH_ON_DOWN_DRAIN, "drain" },
	{ VNIMESH_ON_DOWN_KEEP, "keep" },
	{ 0, NULL }
};

static const struct word verdict_words[] = {
	{ VNIMESH_VERDICT_NO_SERVICE, "no-service" },
	{ VNIMESH_VERDICT_COORDINATOR_AWAY, "coordinator-away" },
	{ 0, NULL }
};

static const struct word exclude_words[] = {
	{ VNIMESH_EXCLUDE_NONE, "none" },
	{ VNIMESH_EXCLUDE_FAMILY, "family" },
	{ VNIMESH_EXCLUDE_MEMBER_STATE, "member-state" },
	{ VNIMESH_EXCLUDE_MEMBER_HEALTH, "member-health" },
	{ VNIMESH_EXCLUDE_WEIGHT, "weight" },
	{ VNIMESH_EXCLUDE_VNI_STATE, "vni-state" },
	{ VNIMESH_EXCLUDE_VNI_HEALTH, "vni-health" },
	{ VNIMESH_EXCLUDE_NODE_STATE, "node-state" },
	{ VNIMESH_EXCLUDE_EJECTED, "ejected" },
	{ VNIMESH_EXCLUDE_TIER, "tier" },
	{ VNIMESH_EXCLUDE_PRIORITY, "priority" },
	{ 0, NULL }
};

static const struct word flow_state_words[] = {
	{ VNIMESH_FLOW_NEW, "new" },
	{ VNIMESH_FLOW_ESTABLISHED, "established" },
	{ VNIMESH_FLOW_CLOSING, "closing" },
	{ VNIMESH_FLOW_DYING, "dying" },
	{ VNIMESH_FLOW_MOVED, "moved" },
	{ 0, NULL }
};

static const struct word event_words[] = {
	{ VNIMESH_EVENT_VNI_UP, "vni-up" },
	{ VNIMESH_EVENT_VNI_DOWN, "vni-down" },
	{ VNIMESH_EVENT_NO_MEMBER, "no-member" },
	{ VNIMESH_EVENT_AGENT_BOUND, "agent-bound" },
	{ VNIMESH_EVENT_AGENT_LOST, "agent-lost" },
	{ VNIMESH_EVENT_EVIDENCE, "evidence" },
	{ VNIMESH_EVENT_EJECTED, "ejected" },
	{ VNIMESH_EVENT_RETURNED, "returned" },
	{ VNIMESH_EVENT_MEMBER_UP, "member-up" },
	{ VNIMESH_EVENT_MEMBER_DOWN, "member-down" },
	{ VNIMESH_EVENT_FLOWS_ABORTED, "flows-aborted" },
	{ 0, NULL }
};

static const struct word evidence_words[] = {
	{ VNIMESH_EVIDENCE_KIND_REFUSED, "refused" },
	{ VNIMESH_EVIDENCE_KIND_ICMP, "icmp" },
	{ VNIMESH_EVIDENCE_KIND_SILENCE, "silence" },
	{ VNIMESH_EVIDENCE_KIND_RESET, "reset" },
	{ 0, NULL }
};

static const struct word object_words[] = {
	{ VNIMESH_OBJECT_NODE, "node" },
	{ VNIMESH_OBJECT_VNI, "vni" },
	{ VNIMESH_OBJECT_SERVICE, "service" },
	{ VNIMESH_OBJECT_MEMBER, "member" },
	{ 0, NULL }
};

static const struct word proto_words[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ 0, NULL }
};

static const struct word none_words[] = { { 0, NULL } };

static const struct word *const words[] = {
	[VNM_WORDS_NONE] = none_words,
	[VNM_WORDS_ORIGIN] = origin_words,
	[VNM_WORDS_STATE] = state_words,
	[VNM_WORDS_POLICY] = policy_words,
	[VNM_WORDS_LOAD] = load_words,
	[VNM_WORDS_LATENCY] = latency_words,
	[VNM_WORDS_HOW] = how_words,
	[VNM_WORDS_VERDICT] = verdict_words,
	[VNM_WORDS_EXCLUDE] = exclude_words,
	[VNM_WORDS_FLOW_STATE] = flow_state_words,
	[VNM_WORDS_EVENT] = event_words,
	[VNM_WORDS_EVIDENCE] = evidence_words,
	[VNM_WORDS_OBJECT] = object_words,
	[VNM_WORDS_PROTO] = proto_words,
	[VNM_WORDS_ON_DOWN] = on_down_words,
};

const char *vnm_word_text(enum vnm_words w, unsigned int value, char *buf,
			  size_t size)
{
	const struct word *p;

	for (p = words[w]; p->text; p++)
		if (p->value == value)
			return p->text;
	snprintf(buf, size, "%u", value);
	return buf;
}

int vnm_word_value(enum vnm_words w, const char *text)
{
	const struct word *p;

	for (p = words[w]; p->text; p++)
		if (!strcmp(p->text, text))
			return (int)p->value;
	return -1;
}

void vnm_word_list(enum vnm_words w, char *buf, size_t size)
{
	const struct word *p;
	size_t len = 0;

	buf[0] = '\0';
	for (p = words[w]; p->text && len < size; p++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
					len ? ", " : "", p->text);
}
