/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of the kernel's tables as C structs, and their forms: netlink
 * attributes, JSON, text. All forms come from one table per object
 * (record_fields.c), which also gives the names of the attributes in errors
 * and the keywords of the tool.
 *
 * A field is meaningful only when its bit is in @present: VNM_BIT() of the
 * attribute's number. Numbers, ports included, are in host order. Strings
 * that are too long are refused by parse, never cut.
 *
 * Functions return 0 or a negative errno.
 */
#ifndef VNM_RECORD_H
#define VNM_RECORD_H

#include <jansson.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/vnimesh.h>

#include "ip.h"

#define VNM_BIT(attr)		(1ULL << (attr))
/* The same by number; the record of counters has two words of bits. */
static inline bool vnm_present(const void *rec, unsigned int attr)
{
	const uint64_t *present = rec;	/* first in every record */

	return present[attr / 64] >> attr % 64 & 1;
}

static inline void vnm_set_present(void *rec, unsigned int attr)
{
	uint64_t *present = rec;

	present[attr / 64] |= UINT64_C(1) << attr % 64;
}

#define VNM_HAS(rec, attr)	(((rec)->present & VNM_BIT(attr)) != 0)

/* Set a field and its bit: VNM_SET(&node, port, VNIMESH_A_NODE_PORT, 6081) */
#define VNM_SET(rec, field, attr, value) \
	((rec)->field = (value), (void)((rec)->present |= VNM_BIT(attr)))

/* The owner's stamp on a row, and who wrote it. */
struct vnm_meta {
	uint8_t		origin;
	uint32_t	source;
	uint64_t	epoch;
	uint64_t	seq;
	uint64_t	gen;
	uint32_t	age_ms;
};

struct vnm_port {
	uint64_t	present;
	char		name[VNIMESH_NAME_MAX + 1];
	uint8_t		proto;
	uint16_t	port;
	uint16_t	target;
};

struct vnm_ports {
	uint32_t	n;
	struct vnm_port	v[VNIMESH_PORTS_MAX];
};

struct vnm_prefixes {
	uint32_t		n;
	struct ip_prefix	v[VNIMESH_PREFIXES_MAX];
};

/* Counters are kept by attribute number. */
struct vnm_stats {
	uint64_t	present[2];
	uint64_t	v[VNIMESH_A_STATS_MAX + 1];
};

struct vnm_mesh {
	uint64_t		present;
	uint32_t		ifindex;
	uint32_t		id;
	uint32_t		node;
	uint32_t		vni;
	struct ip_addr		local;
	uint16_t		port;
	struct ip_prefix	service_prefix4;
	struct ip_prefix	service_prefix6;
	uint32_t		flow_max;
	uint32_t		hold_max;
	uint32_t		hold_vni_max;
	uint32_t		miss_timeout_ms;
	uint32_t		tcp_established_s;
	uint32_t		tcp_half_open_s;
	uint32_t		tcp_closing_s;
	uint32_t		udp_unreplied_s;
	uint32_t		udp_replied_s;
	uint32_t		resteer_max;
	uint32_t		eject_max_s;
	uint32_t		agent;
	uint64_t		generation;
	struct vnm_stats	stats;
};

struct vnm_node {
	uint64_t		present;
	uint32_t		ifindex;
	uint32_t		node;
	char			name[VNIMESH_NAME_MAX + 1];
	char			zone[VNIMESH_NAME_MAX + 1];
	struct ip_addr		underlay;
	uint16_t		port;
	struct vnm_prefixes	prefixes;
	uint8_t			state;
	uint32_t		latency_us;
	bool			self;
	struct vnm_meta		meta;
};

struct vnm_vni {
	uint64_t	present;
	uint32_t	ifindex;
	uint32_t	vni;
	uint32_t	node;
	struct ip_addr	address4;
	struct ip_addr	address6;
	uint8_t		state;
	uint8_t		health;
	uint32_t	latency_us;
	bool		local;
	uint32_t	dev_ifindex;
	uint64_t	dev_made_us;
	int32_t		dev_netnsid;
	uint8_t		dev_up;
	char		dev_name[VNIMESH_NAME_MAX + 1];
	struct vnm_meta	meta;
};

struct vnm_service {
	uint64_t		present;
	uint32_t		ifindex;
	char			tag[VNIMESH_TAG_MAX + 1];
	struct ip_addr		address4;
	struct ip_addr		address6;
	struct vnm_ports	ports;
	uint8_t			policy;
	uint8_t			load;
	uint8_t			loading;
	uint32_t		n_members;
	uint32_t		used_ms;
	struct vnm_meta		meta;
	uint8_t			on_down;
	uint32_t		drain_time_ms;
};

struct vnm_member {
	uint64_t		present;
	uint32_t		ifindex;
	char			tag[VNIMESH_TAG_MAX + 1];
	uint32_t		vni;
	uint32_t		weight;
	uint8_t			state;
	uint8_t			health;
	uint32_t		latency_us;
	uint8_t			stale;
	uint8_t			priority;
	uint8_t			latency_kind;
	struct vnm_ports	ports;
	uint32_t		inflight;
	uint32_t		penalty_ms;
	uint32_t		ejected;
	uint32_t		holders;
	uint64_t		flows;
	struct vnm_meta		meta;
};

struct vnm_flow {
	uint64_t	present;
	uint32_t	ifindex;
	uint8_t		proto;
	struct ip_addr	src;
	uint16_t	sport;
	struct ip_addr	dst;
	uint16_t	dport;
	char		tag[VNIMESH_TAG_MAX + 1];
	uint32_t	vni;
	struct ip_addr	member_address;
	uint16_t	member_port;
	uint16_t	nat_sport;
	uint8_t		state;
	uint32_t	idle_ms;
	uint32_t	expires_ms;
	uint64_t	packets;
};

struct vnm_cand {
	uint64_t	present;
	uint32_t	vni;
	uint32_t	node;
	struct ip_addr	address;
	uint32_t	weight;
	uint8_t		health;
	uint32_t	latency_us;
	uint32_t	kernel_latency_us;
	uint32_t	inflight;
	uint8_t		stale;
	uint64_t	cost;
	uint8_t		excluded;
	bool		chosen;
	uint32_t	penalty_ms;
	uint8_t		evidence;
	uint8_t		doublings;
	uint32_t	age_ms;
	uint32_t	path_us;
	uint8_t		latency_kind;
	uint32_t	kernel_latency_age_ms;
	uint32_t	response_us;
	uint32_t	response_age_ms;
	uint32_t	counted_latency_us;
	uint32_t	ramp_ms;
	uint8_t		tier;
	uint8_t		priority;
	uint8_t		member_health;
	uint8_t		vni_health;
	uint32_t	vni_age_ms;
	uint32_t	node_age_ms;
	uint32_t	slot;
};

/* Allocated by parse; vnm_record_release() frees it. */
struct vnm_cands {
	uint32_t	n;
	struct vnm_cand	*v;
};

struct vnm_tier {
	uint64_t	present;
	uint32_t	total;
	uint32_t	healthy;
	uint32_t	median_us;
	uint32_t	share;
	uint32_t	first;
	uint32_t	n;
};

#define VNM_TIERS_MAX	3

struct vnm_tiers {
	uint32_t	n;
	struct vnm_tier	v[VNM_TIERS_MAX];
};

struct vnm_route {
	uint64_t		present;
	uint32_t		ifindex;
	char			tag[VNIMESH_TAG_MAX + 1];
	struct ip_addr		dst;
	struct ip_addr		src;
	uint8_t			proto;
	uint16_t		dport;
	uint8_t			family;
	uint64_t		seed;
	uint32_t		vni;
	uint32_t		node;
	struct ip_addr		address4;
	struct ip_addr		address6;
	struct ip_addr		member_address;
	uint16_t		member_port;
	struct ip_addr		underlay;
	struct vnm_cands	candidates;
	uint8_t			policy;
	uint8_t			load;
	uint8_t			latency_kind;
	uint8_t			how;
	uint32_t		hash;
	uint8_t			panic;
	struct vnm_tiers	tiers;
	uint32_t		tiers_age_ms;
};

struct vnm_miss {
	uint64_t	present;
	uint32_t	ifindex;
	struct ip_addr	address;
	char		tag[VNIMESH_TAG_MAX + 1];
	uint32_t	vni;
	uint8_t		verdict;
	uint32_t	ttl_ms;
	bool		release;
};

struct vnm_sweep {
	uint64_t	present;
	uint32_t	ifindex;
	uint8_t		origin;
	uint32_t	source;
	uint8_t		object;
	char		tag[VNIMESH_TAG_MAX + 1];
	uint64_t	gen;
	uint32_t	count;
};

struct vnm_event {
	uint64_t	present;
	uint32_t	ifindex;
	uint8_t		type;
	uint32_t	vni;
	char		tag[VNIMESH_TAG_MAX + 1];
	uint32_t	client;
	uint32_t	penalty_ms;
	uint16_t	dport;
	uint8_t		kind;
	uint32_t	count;
};

/* Describes one of the structs above to the functions below. */
struct vnm_type;

extern const struct vnm_type vnm_mesh_type, vnm_node_type, vnm_vni_type;
extern const struct vnm_type vnm_service_type, vnm_member_type, vnm_flow_type;
extern const struct vnm_type vnm_route_type, vnm_cand_type, vnm_miss_type;
extern const struct vnm_type vnm_tier_type;
extern const struct vnm_type vnm_sweep_type, vnm_event_type, vnm_port_type;
extern const struct vnm_type vnm_stats_type;

/* The type of the messages of a command, NULL for an unknown one. */
const struct vnm_type *vnm_type_of_cmd(uint8_t cmd);

/* "node", "vni", ... */
const char *vnm_type_name(const struct vnm_type *t);
size_t vnm_type_size(const struct vnm_type *t);

/* Overwrites *rec. Unknown attributes are skipped; -EBADMSG: one has the wrong
 * length, *rec then needs no release.
 */
int vnm_record_parse(const struct vnm_type *t, void *rec,
		     const struct nlattr *attrs, int len);

/* Adds all present fields; -ENOMEM: the message is full. */
int vnm_record_fill(const struct vnm_type *t, const void *rec,
		    struct nl_msg *msg);
/* Of those the ones that vnm_genl_takes(): an older module refuses what it does
 * not know, it shall have the rest.
 */
int vnm_record_fill_taken(const struct vnm_type *t, const void *rec,
			  struct nl_msg *msg, uint64_t takes);

void vnm_record_release(const struct vnm_type *t, void *rec);

/* What a form shows beyond the plain fields. */
#define VNM_SHOW_STATS	0x1	/* counters, in JSON as object "stats" */
#define VNM_SHOW_DETAIL	0x2	/* text: origin, version, age; JSON always */

/* A new object with the names of Documentation/api.md; NULL: no memory. */
json_t *vnm_record_json(const struct vnm_type *t, const void *rec,
			unsigned int show);

/* "keyword value ..." on one line without newline; lists and counters follow
 * on lines of their own. Control bytes are escaped.
 */
void vnm_record_text(const struct vnm_type *t, const void *rec,
		     unsigned int show, FILE *out);

/* Words of enums: the word, or the number in *buf for one that this program
 * does not know. word() gives -1 for an unknown word.
 */
enum vnm_words {
	VNM_WORDS_NONE,
	VNM_WORDS_ORIGIN,
	VNM_WORDS_STATE,
	VNM_WORDS_POLICY,
	VNM_WORDS_LOAD,
	VNM_WORDS_LATENCY,
	VNM_WORDS_HOW,
	VNM_WORDS_VERDICT,
	VNM_WORDS_EXCLUDE,
	VNM_WORDS_FLOW_STATE,
	VNM_WORDS_EVENT,
	VNM_WORDS_EVIDENCE,
	VNM_WORDS_OBJECT,
	VNM_WORDS_PROTO,
	VNM_WORDS_ON_DOWN,
};

const char *vnm_word_text(enum vnm_words w, unsigned int value, char *buf,
			  size_t size);
int vnm_word_value(enum vnm_words w, const char *text);
/* "up, drain, maint, down" */
void vnm_word_list(enum vnm_words w, char *buf, size_t size);

#endif /* VNM_RECORD_H */
