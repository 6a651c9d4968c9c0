// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's state machines, from the files that vnimeshd is built of: no
 * clock, no socket, no kernel. Prints TAP.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_unit.h"
#include "facts.h"
#include "rows.h"
#include "sequence.h"
#include "tap.h"
#include "wire.h"

#define MS	1000ULL

unsigned int tests, failures;

/* ---- sequence ---- */

static void test_sequence(void)
{
	struct sequence s;
	uint64_t now = 1000 * MS;
	bool full;

	sequence_init(&s, 1000, now);
	ok(sequence_due(&s) == now, "the first report is due at once");
	ok(sequence_send(&s, &full) == 1 && full, "it is full, number 1");
	ok(sequence_due(&s) == UINT64_MAX, "one at a time");
	sequence_answer(&s, SEQUENCE_OK, now, 0);
	ok(sequence_due(&s) == now + 1000 * MS, "then the heartbeat");
	sequence_changed(&s, now + 5 * MS);
	sequence_changed(&s, now + 15 * MS);
	ok(sequence_due(&s) == now + 25 * MS, "changes of 20 ms go together");
	ok(sequence_send(&s, &full) == 2 && !full, "as a delta, number 2");
	sequence_changed(&s, now + 26 * MS);
	sequence_answer(&s, SEQUENCE_OK, now + 30 * MS, 0);
	ok(sequence_due(&s) == now + 46 * MS,
	   "a change during a report is not lost");
	sequence_send(&s, &full);
	sequence_answer(&s, SEQUENCE_RESYNC, now + 50 * MS, 0);
	ok(sequence_due(&s) == now + 50 * MS &&
	   sequence_send(&s, &full) == 4 && full, "resync: a full one at once");
	sequence_answer(&s, SEQUENCE_RESYNC, now + 60 * MS, 0);
	ok(sequence_due(&s) > now + 60 * MS, "but not in a loop");
	sequence_send(&s, &full);
	sequence_answer(&s, SEQUENCE_REFUSED, now + 65 * MS, 0);
	ok(sequence_due(&s) == now + 65 * MS &&
	   sequence_send(&s, &full) && full,
	   "without what was refused a full one at once, each time");
	sequence_answer(&s, SEQUENCE_OK, now + 70 * MS, 0);
	sequence_send(&s, &full);
	sequence_full(&s, now + 80 * MS);
	sequence_answer(&s, SEQUENCE_OK, now + 90 * MS, 0);
	ok(!full && sequence_due(&s) == now + 100 * MS &&
	   sequence_send(&s, &full) && full,
	   "a full one that is asked for during a report is the next");
}

/* The first report was taken. */
static void sequence_begin(struct sequence *s, uint64_t now)
{
	bool full;

	sequence_init(s, 1000, now);
	sequence_send(s, &full);
	sequence_answer(s, SEQUENCE_OK, now, 0);
}

static void test_sequence_failures(void)
{
	uint64_t now = 0, pause = 0, last = 0;
	struct sequence s;
	bool full;
	int i;

	sequence_begin(&s, now);
	for (i = 0; i < 30; i++) {
		sequence_send(&s, &full);
		sequence_answer(&s, SEQUENCE_FAILED, now, 0xffffffff);
		sequence_changed(&s, now);
		last = pause;
		pause = sequence_due(&s) - now;
		now = sequence_due(&s);
		if (i && i < 4 && pause <= last / 2)
			break;
	}
	ok(i == 30 && pause <= SEQUENCE_BACKOFF_MAX_MS * MS && pause > 0,
	   "failures back off to a cap, urgent changes or not");
	sequence_send(&s, &full);
	ok(full, "after a failure the report is full");
	sequence_answer(&s, SEQUENCE_OK, now, 0);
	sequence_send(&s, &full);
	ok(!full && s.failures == 0, "then deltas again");
	ok(sequence_backoff_ms(1, 100, 1000, 0) == 50 &&
	   sequence_backoff_ms(3, 100, 1000, 0) == 200 &&
	   sequence_backoff_ms(500, 100, 1000, 500) == 1000 &&
	   sequence_backoff_ms(0, 100, 1000, 7) == 0,
	   "the pause doubles, is capped, half of it is chance");
}

/* The coordinator gave the identity anew, after reports that failed. */
static void test_sequence_joined(void)
{
	uint64_t now = 0;
	struct sequence s;
	bool full;
	int i;

	sequence_begin(&s, now);
	for (i = 0; i < 10; i++) {
		now = sequence_due(&s);
		sequence_send(&s, &full);
		sequence_answer(&s, SEQUENCE_FAILED, now, 0xffffffff);
	}
	sequence_joined(&s, now);
	ok(sequence_due(&s) == now && sequence_send(&s, &full) == 12 && full,
	   "who joined anew tells all at once, however often that failed before");
	sequence_joined(&s, now);
	ok(sequence_due(&s) == UINT64_MAX, "one at a time then, too");
	sequence_answer(&s, SEQUENCE_FAILED, now, 0);
	sequence_joined(&s, now);
	ok(sequence_due(&s) > now, "but not in a loop, if that is refused, too");
	sequence_send(&s, &full);
	sequence_answer(&s, SEQUENCE_OK, now, 0);
	sequence_joined(&s, now);
	ok(sequence_due(&s) == now, "again, once one was taken");
}

/* ---- rows ---- */

static struct row *want(struct rows *r, uint8_t object, const char *tag,
			uint32_t id, const char *hard, const char *soft,
			enum row_op *op)
{
	struct row_data d = { hard, strlen(hard), soft, strlen(soft) };
	struct row_key key = { .object = object, .id = id };

	strcpy(key.tag, tag);
	return rows_want(r, &key, &d, op);
}

static bool has(struct rows *r, uint8_t object, const char *tag, uint32_t id)
{
	struct row_key key = { .object = object, .id = id };

	strcpy(key.tag, tag);
	return rows_has(r, &key);
}

struct surplus {
	struct rows *r;
	unsigned int n;
	uint32_t id;
};

static void on_surplus(struct row *row, void *data)
{
	struct surplus *s = data;

	s->n++;
	s->id = row->key.id;
	rows_result(s->r, row, ROW_DEL, ROW_DONE);
}

static void test_rows(void)
{
	const uint8_t M = VNIMESH_OBJECT_MEMBER;
	struct surplus s = { 0 };
	struct row_key key = { .object = M, .id = 9, .tag = "a" };
	enum row_op op;
	struct rows r;
	struct row *row;

	rows_init(&r);
	s.r = &r;
	rows_begin(&r, M, "a");
	row = want(&r, M, "a", 1, "hard", "soft", &op);
	ok(row && op == ROW_ADD && !row->exists, "a new row is added");
	rows_result(&r, row, op, ROW_DONE);
	ok(!want(&r, M, "a", 1, "hard", "soft", &op), "the same: nothing");
	row = want(&r, M, "a", 1, "hard", "soft2", &op);
	ok(row && op == ROW_FIGURES, "other figures: figures");
	rows_result(&r, row, op, ROW_DONE);
	row = want(&r, M, "a", 1, "hard2", "soft2", &op);
	ok(row && op == ROW_CHANGE, "another object: all of it");
	rows_result(&r, row, op, ROW_RETRY);
	row = want(&r, M, "a", 1, "hard2", "soft2", &op);
	ok(row && op == ROW_ADD, "what was refused is tried again");
	rows_result(&r, row, op, ROW_FOREIGN);
	ok(!want(&r, M, "a", 1, "hard2", "soft3", &op),
	   "somebody else's row is left alone");
	row = want(&r, M, "a", 1, "hard3", "soft3", &op);
	ok(row && op == ROW_CHANGE, "until the object changes");
	rows_result(&r, row, op, ROW_DONE);

	row = want(&r, M, "b", 2, "x", "", &op);
	rows_result(&r, row, op, ROW_DONE);
	row = want(&r, VNIMESH_OBJECT_VNI, "", 3, "x", "", &op);
	rows_result(&r, row, op, ROW_DONE);
	ok(rows_found(&r, &key), "a row of an earlier run is found");

	rows_begin(&r, M, "a");
	ok(!want(&r, M, "a", 1, "hard3", "soft3", &op), "wanted and the same");
	rows_end(&r, M, "a", on_surplus, &s);
	ok(s.n == 1 && s.id == 9, "what nobody wanted goes, of that tag only");
	ok(has(&r, M, "b", 2) && has(&r, VNIMESH_OBJECT_VNI, "", 3) &&
	   !has(&r, M, "a", 9), "the others stay");
	rows_begin(&r, M, "a");
	rows_begin(&r, M, "b");
	rows_end(&r, M, "a", on_surplus, &s);
	rows_end(&r, M, "b", on_surplus, &s);
	ok(s.n == 3 && !has(&r, M, "b", 2) &&
	   has(&r, VNIMESH_OBJECT_VNI, "", 3), "several in one walk");

	rows_forget(&r);
	row = want(&r, VNIMESH_OBJECT_VNI, "", 3, "x", "", &op);
	ok(row && op == ROW_ADD && row->exists,
	   "forgotten rows are written anew, but exist");
	rows_result(&r, row, op, ROW_DONE);
	key = (struct row_key){ .object = VNIMESH_OBJECT_VNI, .id = 3 };
	ok(rows_lost(&r, &key) && !rows_lost(&r, &key),
	   "a row that others deleted is noticed once");
	row = want(&r, VNIMESH_OBJECT_VNI, "", 3, "x", "", &op);
	ok(row && op == ROW_ADD && !row->exists, "and made again");
	rows_free(&r);
}

/* A service that is to come anew: with its members, or not. */
static void test_rows_move(void)
{
	const uint8_t M = VNIMESH_OBJECT_MEMBER, S = VNIMESH_OBJECT_SERVICE;
	struct row_key key = { .object = M, .id = 1, .tag = "a" };
	struct row_key other = { .object = M, .id = 1, .tag = "b" };
	enum row_op op;
	struct rows r;
	struct row *row;

	rows_init(&r);
	row = want(&r, S, "a", 0, "new address", "", &op);
	rows_result(&r, row, op, ROW_RETRY);
	rows_found(&r, &key);
	rows_found(&r, &other);
	rows_result(&r, row, ROW_MOVE, ROW_FOREIGN);
	ok(has(&r, S, "a", 0) && rows_find(&r, &row->key)->exists,
	   "what could not be moved is there as before");
	row = want(&r, S, "a", 0, "no address", "", &op);
	ok(row && op == ROW_ADD && row->exists && !row->foreign,
	   "and all else of it is written");
	rows_result(&r, row, op, ROW_DONE);
	rows_lost_all(&r, M, "a");
	rows_result(&r, row, ROW_MOVE, ROW_DONE);
	ok(!has(&r, S, "a", 0) && !rows_lost(&r, &key) &&
	   rows_lost(&r, &other),
	   "what was moved is gone, with its members, and nobody else did that");
	row = want(&r, M, "a", 1, "x", "", &op);
	ok(row && op == ROW_ADD && !row->exists, "they are written anew");
	rows_free(&r);
}

/* ---- facts and wire ---- */

/* How its row stands in the kernel holds for the addresses that it has. */
static void test_stuck(void)
{
	struct definition def = { .policy = 1 };
	struct service *s;
	struct facts f;

	facts_init(&f);
	ip_parse("10.96.0.1", &def.address4);
	facts_set_service(&f, "t", &def, 1);
	s = facts_service(&f, "t");
	s->stuck = true;
	def = s->def;
	def.policy = 2;
	facts_set_service(&f, "t", &def, 2);
	ok(s->stuck && s->def.policy == 2,
	   "another policy: the kernel's row keeps its former address");
	def = s->def;
	ip_parse("10.96.0.2", &def.address4);
	facts_set_service(&f, "t", &def, 3);
	ok(!s->stuck, "another address: that is tried");
	facts_free(&f);
}

static struct sorted members(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct sorted list;

	wire_members(json, "t", &list);
	json_decref(json);
	return list;
}

static void test_facts(void)
{
	struct definition def = { .policy = 1 };
	struct sorted list;
	struct member *m;
	struct service *s;
	struct facts f;
	uint32_t id = 5;

	facts_init(&f);
	ok(facts_incarnation(&f, "one") && !facts_incarnation(&f, "one"),
	   "an incarnation is new once");
	ip_parse("10.96.0.1", &def.address4);
	facts_set_service(&f, "t", &def, 10);
	s = facts_service(&f, "t");
	list = members("[{\"vni\":5,\"node\":1,\"address4\":\"10.0.0.1\","
		       "\"state\":\"up\",\"health\":100,\"epoch\":7,\"seq\":9}]");
	ok(facts_set_members(&f, s, &list, 10) && s->known && s->members.n == 1,
	   "a list is taken");
	list = members("[]");
	ok(!facts_set_members(&f, s, &list, 9) && s->members.n == 1,
	   "an older list is not");
	list = members("[{\"vni\":5,\"node\":1,\"address4\":\"10.0.0.1\","
		       "\"state\":\"down\",\"health\":0,\"epoch\":7,\"seq\":8}]");
	facts_set_members(&f, s, &list, 11);
	m = sorted_find(&s->members, &id);
	ok(m && m->seq == 9 && m->state == VNIMESH_STATE_UP,
	   "no fact goes back in its sequence");
	list = members("[{\"vni\":5,\"node\":1,\"address4\":\"10.0.0.1\","
		       "\"state\":\"down\",\"health\":0,\"epoch\":8,\"seq\":1}]");
	facts_set_members(&f, s, &list, 12);
	m = sorted_find(&s->members, &id);
	ok(m && m->seq == 1 && m->state == VNIMESH_STATE_DOWN,
	   "a new run of the owner begins anew");
	list = members("[{\"vni\":5,\"node\":1,\"address4\":\"10.0.0.1\","
		       "\"state\":\"up\",\"health\":100,\"stale\":true,"
		       "\"epoch\":0,\"seq\":-1}]");
	facts_set_members(&f, s, &list, 13);
	m = sorted_find(&s->members, &id);
	ok(m && m->seq == 1 && m->state == VNIMESH_STATE_DOWN && m->stale,
	   "a coordinator that lost the figures changes none");
	ok(facts_by_address(&f, &s->def.address4) == s, "found by address");
	s->used = true;
	facts_full_begin(&f);
	facts_full_end(&f, 20);
	s = facts_service(&f, "t");
	ok(s && !s->defined && !s->members.n,
	   "what a full answer lacks is gone, its use is remembered");
	s->used = false;
	facts_prune(&f);
	ok(!facts_service(&f, "t"), "and forgotten when nobody uses it");
	facts_free(&f);
}

static void on_silent(void *data, const char *tag)
{
	(void)tag;
	++*(int *)data;
}

static const char node1[] = "{\"node\":1,\"name\":\"n\",\"underlay\":"
	"\"192.0.2.1\",\"prefixes\":[],\"vni\":4,\"vni_first\":4,"
	"\"vni_count\":4,\"peer_port\":7901,\"key\":"
	"\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}";

#define FIG(e, n, s, h)	{ .epoch = e, .seq = n, .state = s, .health = h }
#define LIST(e, s, h, a) "[{\"vni\":5,\"node\":1,\"address4\":\"" a "\"," \
			 "\"state\":\"up\",\"health\":" h ",\"epoch\":" e \
			 ",\"seq\":" s ",\"stale\":true}]"

/* What the owner of a member says itself. */
static void test_figures(void)
{
	struct figures down = FIG(7, 12, VNIMESH_STATE_DOWN, 0);
	struct figures up = FIG(8, 1, VNIMESH_STATE_UP, 60);
	struct figures wrong = FIG(8, 9, 5, 60);
	struct figures gone = FIG(8, 2, 0, 60);
	struct definition def = { .policy = 1 };
	struct member *m;
	struct service *s;
	struct sorted list;
	struct node node;
	struct facts f;
	json_t *json;
	int n = 0;

	facts_init(&f);
	json = json_loads(node1, 0, NULL);
	ok(wire_node(json, &node) && node.peer_port == 7901 &&
	   strlen(node.key) == 64, "a node's key and port for agents");
	json_decref(json);
	json = wire_pack_node(&node);
	ok(wire_node(json, &node) && node.peer_port == 7901 &&
	   strlen(node.key) == 64, "... in the cache, too");
	json_decref(json);
	facts_set_node(&f, &node, 1);
	facts_set_service(&f, "t", &def, 1);
	s = facts_service(&f, "t");
	s->used = true;
	ok(facts_set_figures(&f, 1, "t", 5, &down) == FACTS_UNKNOWN &&
	   !s->members.n, "a peer makes no member");
	list = members(LIST("7", "10", "90", "10.0.0.1"));
	facts_set_members(&f, s, &list, 2);
	ok(facts_set_figures(&f, 2, "t", 5, &down) == FACTS_FOREIGN &&
	   facts_set_figures(&f, 1, "t", 9, &down) == FACTS_FOREIGN,
	   "nor speaks for another node, or of a VNI that is not its own");
	facts_route(&f);
	ok(facts_node(&f, 1)->routed, "its node is one that is routed to");
	ok(facts_set_figures(&f, 1, "t", 5, &down) == FACTS_TAKEN,
	   "the owner's own word is taken");
	m = s->members.v[0];
	ok(m->state == VNIMESH_STATE_DOWN && m->seq == 12 && m->peer,
	   "... in place");
	ok(facts_set_figures(&f, 1, "t", 5, &down) == FACTS_SAME, "once");
	list = members(LIST("7", "11", "80", "10.0.0.2"));
	facts_set_members(&f, s, &list, 3);
	m = s->members.v[0];
	ok(m->state == VNIMESH_STATE_DOWN && m->seq == 12 && m->peer &&
	   m->address4.b[3] == 2 && m->stale,
	   "the coordinator's later word changes what it is, not its figures");
	ok(facts_set_figures(&f, 1, "t", 5, &up) == FACTS_TAKEN &&
	   m->epoch == 8 && m->state == VNIMESH_STATE_UP,
	   "another run of the owner");
	list = members(LIST("7", "13", "70", "10.0.0.2"));
	facts_set_members(&f, s, &list, 4);
	m = s->members.v[0];
	ok(m->epoch == 8 && m->health == 60 && s->withheld,
	   "what the coordinator still tells of the last run is withheld");
	ok(facts_set_figures(&f, 1, "t", 5, &wrong) == FACTS_WRONG &&
	   m->health == 60, "figures that there are none of are not taken");
	ok(facts_set_figures(&f, 1, "t", 5, &gone) == FACTS_TAKEN &&
	   m->state == VNIMESH_STATE_DOWN && !m->health && s->members.n == 1,
	   "what it serves no more is down, the coordinator takes it away");
	s->live = true;
	ok(facts_silent(&f, 1, false, on_silent, &n) && n == 1 && !s->live &&
	   !m->peer, "a silent owner: what was withheld is asked for");
	list = members(LIST("9", "1", "50", "10.0.0.2"));
	facts_set_members(&f, s, &list, 5);
	m = s->members.v[0];
	ok(m->epoch == 9 && m->health == 50, "... and taken");
	m->stale = false;
	ok(facts_silent(&f, 0, true, on_silent, &n) && n == 2 && m->stale &&
	   m->state == VNIMESH_STATE_UP,
	   "with the coordinator away too it is stale, never down");
	ok(!facts_silent(&f, 0, true, on_silent, &n) && n == 2, "once");
	facts_free(&f);
}

/* What a run left in the kernel against what it left in the cache. */
static void test_resume(void)
{
	const struct ip_addr there = { .family = AF_INET, .b = { 192, 0, 2, 9 } };
	const struct ip_addr none = { 0 };
	struct figures row = { .state = VNIMESH_STATE_UP, .health = 90,
			       .weight = 50, .epoch = 8, .seq = 3 };
	struct member m = { .vni = 5, .node = 1, .state = VNIMESH_STATE_DOWN,
			    .weight = 100, .epoch = 7, .seq = 20 };
	struct node n = { .id = 1, .port = 6081 };

	facts_resume_member(&m, 1, &row);
	ok(m.epoch == 7, "what this run was told of a member holds");
	m.cached = true;
	facts_resume_member(&m, 2, &row);
	ok(m.epoch == 7, "what was cached: not for another node's row");
	row.epoch = 7;
	facts_resume_member(&m, 1, &row);
	ok(m.seq == 20, "... nor an older one of the same run");
	row.epoch = 0;
	facts_resume_member(&m, 1, &row);
	ok(m.epoch == 7, "... nor one without a version");
	row.epoch = 8;
	facts_resume_member(&m, 1, &row);
	ok(m.epoch == 8 && m.seq == 3 && m.state == VNIMESH_STATE_UP &&
	   m.health == 90 && m.weight == 50,
	   "... gives way to that of another run");

	facts_resume_node(&n, &there, 6082, true, 700);
	ok(n.port == 6081 && n.reach.state == REACH_DOWN,
	   "a node as this run was told it is stays where it is");
	n.cached = true;
	facts_resume_node(&n, &none, 6082, false, 0);
	ok(n.port == 6081 && n.reach.state == REACH_DOWN,
	   "a row without an address moves none, nor what was measured");
	facts_resume_node(&n, &there, 6082, false, 0);
	ok(ip_equal(&n.underlay, &there) && n.port == 6082,
	   "one that was cached is where the row says");
}

static bool read_at(const struct sorted *list, uint32_t vni)
{
	struct member *m = sorted_find(list, &vni);

	return m && !m->unread;
}

#define ONE(vni, state)	"{\"vni\":" vni ",\"node\":1,\"address4\":" \
			"\"10.0.0.1\",\"state\":\"" state "\",\"health\":9}"

/* What is not understood changes nothing. */
static void test_unread(void)
{
	struct definition def = { .policy = 1 };
	struct sorted list;
	struct service *s;
	struct facts f;

	facts_init(&f);
	facts_set_service(&f, "t", &def, 1);
	s = facts_service(&f, "t");
	list = members("[" ONE("5", "up") "," ONE("6", "up") ","
		       ONE("7", "up") "]");
	facts_set_members(&f, s, &list, 1);
	list = members("[" ONE("5", "later") "," ONE("7", "down") ","
		       ONE("9", "later") "]");
	ok(facts_set_members(&f, s, &list, 2) && s->members.n == 2 &&
	   read_at(&s->members, 5) && read_at(&s->members, 7),
	   "a member in an unknown state stays, one not named goes");
	list = members("[" ONE("7", "up") ",{\"vni\":\"five\"}]");
	ok(facts_set_members(&f, s, &list, 3) && s->members.n == 2 &&
	   read_at(&s->members, 5), "a member without a key may be any");
	list = members("[" ONE("7", "up") "]");
	facts_set_members(&f, s, &list, 4);
	ok(s->members.n == 1, "and then it goes");
	s->used = true;
	s->live = true;
	f.index = 9;
	facts_forget(&f);
	s = facts_service(&f, "t");
	ok(s && !s->defined && !s->known && !s->live && !f.index,
	   "another mesh: nothing is known, use stays");
	facts_free(&f);
}

static void test_wire(void)
{
	char tag[TAG_MAX + 1];
	struct definition def;
	struct sorted list;
	struct node node;
	json_t *json;

	list = members("[{\"vni\":5,\"node\":1,\"address4\":\"10.0.0.1\","
		       "\"state\":\"up\",\"health\":100,\"novel\":{\"a\":1}},"
		       "{\"vni\":\"6\",\"node\":1},7,null,"
		       "{\"vni\":8,\"node\":1,\"address4\":\"10.0.0.3\","
		       "\"state\":\"up\",\"health\":100}]");
	ok(list.n == 3 && !read_at(&list, 0) && read_at(&list, 5) &&
	   read_at(&list, 8),
	   "unknown fields are ignored, bad members marked");
	sorted_clear(&list, member_free);
	json = json_loads("{\"vni\":5}", 0, NULL);
	ok(!wire_members(json, "t", &list) && !list.n &&
	   !wire_members(NULL, "t", &list), "what is no list is not an empty one");
	json_decref(json);

	json = json_loads("{\"node\":1,\"name\":\"a\",\"underlay\":\"x\"}", 0,
			  NULL);
	ok(!wire_node(json, &node), "a node with a bad address is skipped");
	json_decref(json);
	json = json_loads("[1,2]", 0, NULL);
	ok(!wire_node(json, &node) && !wire_service(json, tag, &def) &&
	   !wire_node(NULL, &node), "what is no object too");
	json_decref(json);
	json = json_loads("{\"tag\":\"t\",\"policy\":\"later\",\"address4\":null,"
			  "\"ports\":[{\"proto\":\"tcp\",\"port\":80}]}", 0,
			  NULL);
	ok(wire_service(json, tag, &def) && def.ports.n == 1 &&
	   def.ports.v[0].target == 80 &&
	   def.policy == VNIMESH_POLICY_OPTIMAL,
	   "a policy of a later version falls back");
	json_decref(json);
	ports_free(&def.ports);
}

int main(void)
{
	test_health();
	test_reach();
	test_sequence();
	test_sequence_failures();
	test_sequence_joined();
	test_rows();
	test_rows_move();
	test_stuck();
	test_facts();
	test_figures();
	test_wire();
	test_resume();
	test_unread();
	test_lists();
	test_config();
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
