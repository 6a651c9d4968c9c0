// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an agent makes of a list that has less than another coordinator told:
 * part of agent_unit.
 */

#include <stdlib.h>
#include <string.h>

#include "agent_unit.h"
#include "facts.h"
#include "tap.h"
#include "wire.h"

#define SEC	1000000ULL
#define LEASE	(10 * SEC)

/* Node N has the VNIs 4 N to 4 N + 3; its member of tag "t" is 4 N + 1. */
#define NODE(n, underlay)						\
	"{\"node\":" #n ",\"name\":\"n" #n "\",\"underlay\":\"" underlay "\"," \
	"\"prefixes\":[\"10.0." #n ".0/24\"],\"vni\":4,\"vni_first\":%u,"	\
	"\"vni_count\":4}"
#define SERVICE(tag, last, policy)					\
	"{\"tag\":\"" tag "\",\"address4\":\"10.96.0." #last "\","	\
	"\"policy\":\"" policy "\",\"on_down\":\"abort\",\"load\":\"connections\"}"
#define MEMBER(vni, node, host, health, epoch, seq)			\
	"{\"vni\":" #vni ",\"node\":" #node ",\"address4\":\"10.0." #node "." #host "\"," \
	"\"state\":\"up\",\"health\":" #health ",\"epoch\":" #epoch	\
	",\"seq\":" #seq "}"

static struct facts f;
static uint64_t now_us;
static unsigned int changes;

static void set_node(const char *text, unsigned int vni_first)
{
	char line[512];
	struct node node;
	json_t *json;

	snprintf(line, sizeof(line), text, vni_first);
	json = json_loads(line, 0, NULL);
	if (!wire_node(json, &node))
		abort();
	json_decref(json);
	facts_set_node(&f, &node, f.index);
}

static void set_service(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct definition def;
	char tag[TAG_MAX + 1];

	if (!wire_service(json, tag, &def))
		abort();
	json_decref(json);
	facts_set_service(&f, tag, &def, f.index);
	ports_free(&def.ports);
}

static void set_members(const char *tag, const char *text)
{
	struct service *s = facts_service(&f, tag);
	json_t *json = json_loads(text, 0, NULL);
	struct sorted list;

	if (!s || !wire_members(json, tag, &list))
		abort();
	json_decref(json);
	if (facts_set_members(&f, s, &list, f.index))
		s->live = true;
}

/* A full answer; set_...() say what is in it. */
static void begin(const char *incarnation, uint64_t age_us)
{
	facts_incarnation(&f, incarnation);
	facts_as_of(&f, true, age_us, now_us, now_us);
	f.index++;
	facts_full_begin(&f);
}

static void end(void)
{
	facts_full_end(&f, f.index);
}

/* One that goes on, of nothing; whether all is to be asked for anew. */
static bool go_on(uint64_t age_us)
{
	return facts_as_of(&f, false, age_us, now_us, now_us);
}

/* The owner's own word, its @seq-th. */
static enum facts_fate say(uint32_t node, uint32_t vni, uint8_t state,
			   uint64_t seq)
{
	struct figures fig = {
		.state = state, .health = 100, .weight = 100, .epoch = 7,
		.seq = seq,
	};

	return facts_set_figures(&f, node, "t", vni, &fig);
}

/* ... and the latest one. */
static void vouch(uint32_t node, uint32_t vni, uint8_t state)
{
	static uint64_t seq = 100;

	say(node, vni, state, ++seq);
}

/* Two nodes, a member on each, told by "one" at second 100. */
static void lay(void)
{
	facts_init(&f);
	f.self = 3;
	now_us = 100 * SEC;
	begin("one", 0);
	f.index = 50;
	set_node(NODE(1, "192.0.2.1"), 4);
	set_node(NODE(2, "192.0.2.2"), 8);
	set_node(NODE(3, "192.0.2.3"), 12);
	set_service(SERVICE("t", 1, "random"));
	set_service(SERVICE("u", 2, "random"));
	facts_service(&f, "t")->used = true;
	set_members("t", "[" MEMBER(5, 1, 5, 90, 6, 3) "," MEMBER(9, 2, 9, 90, 7, 3) "]");
	end();
}

/* All but node 2 and its member. */
static void tell_less(const char *incarnation, uint64_t age_us)
{
	begin(incarnation, age_us);
	set_node(NODE(1, "192.0.2.1"), 4);
	set_node(NODE(3, "192.0.2.3"), 12);
	set_service(SERVICE("t", 1, "random"));
	set_service(SERVICE("u", 2, "random"));
	set_members("t", "[" MEMBER(5, 1, 5, 90, 6, 3) "]");
	end();
}

static struct member *member(const char *tag, uint32_t vni)
{
	struct service *s = facts_service(&f, tag);

	return s ? sorted_find(&s->members, &vni) : NULL;
}

static void on_changed(void *data, const char *tag)
{
	(void)data;
	(void)tag;
	changes++;
}

static bool second(uint64_t seconds)
{
	bool nodes = false;

	for (; seconds; seconds--) {
		now_us += SEC;
		nodes |= facts_missing(&f, false, LEASE, now_us, on_changed,
				       NULL);
	}
	return nodes;
}

/* Only this host has "v", of which the backup does not know. */
static void lay_own(bool served)
{
	lay();
	f.index++;
	set_service(SERVICE("v", 3, "random"));
	set_members("v", "[" MEMBER(13, 3, 13, 90, 7, 3) "]");
	facts_service(&f, "v")->used = true;
	facts_service(&f, "v")->served = served;
	begin("two", 0);
	set_node(NODE(3, "192.0.2.3"), 12);
	set_members("v", "[]");
	end();
}

static void own_backup(void)
{
	lay_own(true);
	ok(member("v", 13) && facts_service(&f, "v")->defined,
	   "list: a member of this host stays, with its service");
	second(12);
	ok(!member("v", 13) && !facts_service(&f, "v")->defined,
	   "list: ... no longer than others");
	facts_free(&f);

	lay_own(false);
	ok(!member("v", 13) && !facts_service(&f, "v")->defined,
	   "list: not if it serves no more, or never was taken");
	facts_free(&f);
}

/* A coordinator on a backup: it does not know what came since. */
static void test_backup(void)
{
	struct member *m;

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	tell_less("two", 0);
	m = member("t", 9);
	ok(m && m->peer && m->stale && m->health == 100 && facts_node(&f, 2) &&
	   facts_count_missing(&f) == 1,
	   "list: a member that its host vouches for stays, with its node");
	changes = 0;
	ok(!second(9) && member("t", 9) && !changes, "list: ... for a lease");
	ok(second(3) && !member("t", 9) && !facts_node(&f, 2) && changes == 1,
	   "list: ... and not longer");
	facts_free(&f);

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	tell_less("two", 0);
	second(2);
	f.index++;
	set_node(NODE(2, "192.0.2.2"), 8);
	set_members("t", "[" MEMBER(5, 1, 5, 90, 6, 3) "," MEMBER(9, 2, 9, 90, 7, 900) "]");
	second(30);
	ok(member("t", 9) && !facts_count_missing(&f) && facts_node(&f, 2),
	   "list: registered again it is one as others");
	f.index++;
	set_members("t", "[" MEMBER(5, 1, 5, 90, 6, 3) "]");
	ok(!member("t", 9), "list: what it told itself, it takes away at once");
	facts_free(&f);

	own_backup();

	lay();
	tell_less("two", 0);
	ok(!member("t", 9) && !facts_node(&f, 2),
	   "list: one that nobody vouches for goes at once");
	facts_free(&f);

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	vouch(2, 9, 0);
	tell_less("two", 0);
	ok(!member("t", 9), "list: so does one that its host serves no more");
	facts_free(&f);

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	tell_less("one", 0);
	ok(!member("t", 9) && !facts_node(&f, 2),
	   "list: and what the same coordinator told before, as after a revoked grant");
	facts_free(&f);
}

/* ... nor what others have been given since. */
static void test_replaced(void)
{
	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	begin("two", 0);
	set_node(NODE(1, "192.0.2.1"), 4);
	set_members("t", "[]");
	end();
	ok(facts_service(&f, "t")->defined && member("t", 9) && !member("t", 5) &&
	   !facts_service(&f, "u"),
	   "list: with such a member stays its service, and no other one");
	second(12);
	ok(!facts_service(&f, "t")->defined && !member("t", 9),
	   "list: ... as long as that");
	facts_free(&f);

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	begin("two", 0);
	set_node(NODE(1, "192.0.2.1"), 4);
	set_service(SERVICE("other", 1, "random"));
	set_members("t", "[]");
	end();
	ok(!facts_service(&f, "t")->defined && !member("t", 9),
	   "list: not if its address is another's");
	facts_free(&f);

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	begin("two", 0);
	set_node(NODE(4, "192.0.2.4"), 8);
	set_service(SERVICE("t", 1, "random"));
	set_members("t", "[]");
	end();
	ok(!member("t", 9) && !facts_node(&f, 2),
	   "list: nor a member whose VNI is in the block of another node");
	facts_free(&f);

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	begin("two", 0);
	set_node(NODE(2, "192.0.2.7"), 16);
	set_service(SERVICE("t", 1, "random"));
	set_members("t", "[]");
	end();
	ok(!member("t", 9) && facts_node(&f, 2),
	   "list: nor if its node is another host");
	facts_free(&f);
}

/* A coordinator without a quorum, since before what is known was told. */
static void test_older(void)
{
	const struct node *n;
	struct member *m;

	lay();
	now_us += 5 * SEC;
	begin("three", 30 * SEC);
	set_node(NODE(1, "192.0.2.99"), 4);
	set_node(NODE(3, "192.0.2.3"), 12);
	set_node(NODE(4, "192.0.2.4"), 16);
	set_service(SERVICE("t", 1, "maglev"));
	set_service(SERVICE("dead", 3, "random"));
	set_members("t", "[" MEMBER(5, 1, 77, 40, 6, 9) "," MEMBER(6, 1, 6, 90, 6, 2) "]");
	end();
	n = facts_node(&f, 1);
	ok(f.older && member("t", 9) && facts_node(&f, 2) &&
	   facts_service(&f, "u")->defined,
	   "older: nothing goes, whoever vouches for it");
	ok(n->underlay.b[3] == 1 && facts_service(&f, "t")->def.policy ==
	   VNIMESH_POLICY_RANDOM && member("t", 5)->address4.b[3] == 5,
	   "older: what is known is not changed back");
	ok(!member("t", 6) && !facts_node(&f, 4) && !facts_service(&f, "dead"),
	   "older: nor comes back what went");
	m = member("t", 5);
	ok(m->health == 40 && m->seq == 9 && m->told && !m->missing,
	   "older: newer figures are taken");
	f.index++;
	set_members("t", "[" MEMBER(5, 1, 77, 60, 6, 10) "]");
	ok(!go_on(31 * SEC) && member("t", 9) && member("t", 5)->health == 60,
	   "older: so it goes on");
	second(60);
	ok(member("t", 9) && facts_node(&f, 2), "older: for long");
	set_service(SERVICE("u", 2, "random"));
	set_members("u", "[" MEMBER(7, 1, 7, 90, 6, 2) "," MEMBER(17, 4, 7, 90, 6, 2) "]");
	ok(member("u", 7), "older: where nothing was known it counts");
	ok(go_on(0) && !f.older, "older: with a quorum all is asked for anew");
	tell_less("three", 0);
	ok(!member("t", 9) && !facts_node(&f, 2), "older: and that counts");
	facts_free(&f);

	lay();
	now_us += 60 * SEC;
	tell_less("three", 30 * SEC);
	ok(!f.older && !member("t", 9),
	   "older: one that lost its quorum later is not");
	facts_free(&f);
}

/* It lost its quorum, and does not know yet. */
static void test_unaware(void)
{
	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	now_us += SEC;
	tell_less("three", 0);
	ok(member("t", 9), "unaware: what it does not know stays");
	second(2);
	go_on(5 * SEC);
	second(60);
	ok(member("t", 9) && facts_node(&f, 2),
	   "unaware: also once it knows that it cannot know");
	ok(!go_on(0), "unaware: it has a quorum again");
	second(9);
	ok(member("t", 9), "unaware: and from then on a lease to hear of it");
	second(3);
	ok(!member("t", 9), "unaware: which ends");
	facts_free(&f);

	lay();
	facts_forget(&f);
	ok(!f.as_of_us && !f.nodes.n && !member("t", 9),
	   "list: of another mesh nothing is kept");
	facts_free(&f);
}

/* Words of an owner that come in another order than they were said. */
static void test_out_of_order(void)
{
	lay();
	say(2, 9, VNIMESH_STATE_UP, 10);
	ok(say(2, 9, 0, 9) == FACTS_SAME, "order: an older word is no news");
	tell_less("two", 0);
	ok(member("t", 9), "order: who came back is not gone by what was said before");
	facts_free(&f);

	lay();
	say(2, 9, 0, 10);
	say(2, 9, VNIMESH_STATE_UP, 9);
	tell_less("two", 0);
	ok(!member("t", 9), "order: nor does one come back by it");
	facts_free(&f);
}

/* The coordinator that told all that is known cannot be older than that. */
static void test_same(void)
{
	lay();
	now_us += 5 * SEC;
	/* Not noticed for some seconds, in which it told of now. */
	tell_less("one", 8 * SEC);
	ok(!f.older && !member("t", 9),
	   "same: it lost its quorum, and what it tells still counts");
	ok(!go_on(0), "same: with a quorum it goes on, nobody asks for all");
	facts_free(&f);

	lay();
	now_us += 60 * SEC;
	tell_less("three", 30 * SEC);
	now_us += 10 * SEC;
	/* An answer that took longer to come. */
	tell_less("three", 40 * SEC + 5000);
	ok(!f.older && !go_on(0), "same: so another one, that told all since");
	now_us += 5 * SEC;
	tell_less("one", 60 * SEC);
	ok(f.older && go_on(0), "same: but not the first, which is older than that");
	facts_free(&f);
}

/* ---- without memory ---- */

static unsigned int allocations;	/* until one fails, 0: none does */

static bool fails(void)
{
	return allocations && !--allocations;
}

/* Of agent_unit.sh by the linker. */
void *__wrap_calloc(size_t n, size_t size)
{
	void *p = fails() ? NULL : malloc(n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : reallocarray(p, 1, size);
}

/* As lay() left them, by their nodes, addresses and figures. */
static bool as_laid(void)
{
	const struct service *s = facts_service(&f, "t");
	const struct member *a = member("t", 5), *b = member("t", 9);

	return s->members.n == 2 && a && a->node == 1 && a->health == 90 &&
	       a->address4.b[3] == 5 && b && b->node == 2 &&
	       b->health == 100 && b->peer && b->address4.b[3] == 9 &&
	       !a->missing && !b->missing;
}

/* A list of @text by "two", for which the @nth allocation fails. */
static bool without_memory(const char *text, uint64_t age_us, unsigned int nth)
{
	struct service *s;
	struct sorted list;
	json_t *json;
	bool taken;

	lay();
	vouch(2, 9, VNIMESH_STATE_UP);
	now_us += 5 * SEC;
	begin("two", age_us);
	s = facts_service(&f, "t");
	s->live = true;
	json = json_loads(text, 0, NULL);
	if (!wire_members(json, "t", &list))
		abort();
	json_decref(json);
	allocations = nth;
	taken = facts_set_members(&f, s, &list, f.index);
	allocations = 0;
	return taken;
}

static void test_no_memory(void)
{
	static const struct {
		const char *list;
		uint64_t age_us;
		const char *name;
	} v[] = {
		{ "[" MEMBER(5, 1, 5, 80, 6, 9) "]", 0, "missing" },
		{ "[" MEMBER(5, 1, 5, 80, 6, 9) "]", 30 * SEC, "older" },
		{ "[" MEMBER(5, 1, 5, 80, 6, 9) ",{\"vni\":9,\"node\":\"x\"}]", 0,
		  "not understood" },
		{ "[{}]", 0, "all not understood" },
	};
	bool whole, again, taken;
	unsigned int i, nth;
	char name[96];

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		whole = true;
		again = true;
		for (nth = 1, taken = false; !taken && nth < 100; nth++) {
			taken = without_memory(v[i].list, v[i].age_us, nth);
			whole &= taken || as_laid();
			again &= taken || !facts_service(&f, "t")->live;
			if (taken && !member("t", 9))
				whole = false;
			facts_free(&f);
		}
		snprintf(name, sizeof(name),
			 "no memory: a list (%s) leaves what there was", v[i].name);
		ok(taken && whole, name);
		snprintf(name, sizeof(name),
			 "no memory: ... (%s) and is asked for anew", v[i].name);
		ok(again, name);
	}
}

/* Tags that come and go. */
static void test_churn(void)
{
	struct service *s;
	char text[512];
	size_t j, most = 0;
	unsigned int i;

	lay();
	for (i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text),
			 "{\"tag\":\"job-%u\",\"address4\":\"10.96.9.9\",\"policy\":\"random\","
			 "\"on_down\":\"abort\",\"load\":\"connections\"}", i);
		f.index++;
		set_service(text);
		snprintf(text, sizeof(text), "job-%u", i);
		s = facts_service(&f, text);
		s->dirty = true;
		f.index++;
		facts_undefine(s, f.index);
		/* As it is when the kernel has heard. */
		if (i % 2)
			s->dirty = false;
		if (i % 100 == 99) {
			facts_prune(&f);
			most = f.services.n > most ? f.services.n : most;
			if (i == 99)
				ok(f.services.n == 2 + 50 && facts_service(&f, "job-98"),
				   "churn: what the kernel has yet to hear of stays");
			for (j = 0; j < f.services.n; j++)
				((struct service *)f.services.v[j])->dirty = false;
		}
	}
	facts_prune(&f);
	ok(f.services.n == 2 && most <= 2 + 50,
	   "churn: of 10,000 tags none stays, those in use do");
	facts_free(&f);
}

void test_lists(void)
{
	test_churn();
	test_backup();
	test_replaced();
	test_older();
	test_unaware();
	test_out_of_order();
	test_same();
	test_no_memory();
}
