// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much of what an agent keeps is whose, in number, size and time: part of told.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_ops.h"
#include "local_priv.h"
#include "tap.h"
#include "told.h"

static void test_share(void)
{
	char text[128];

	lay_file("its", GRANTS_MAX - 1, GRANTS_MAX - 1, USER, USER);
	restart();
	ok(!*regist(USER, "filed2", 1) && !*intend(USER, "filed2", VNI, "drain"),
	   "share: a member and an intent for each VNI that can be granted");
	lay_file("its", SHARE_REGISTERED, SHARE_INTENTS, USER, USER);
	restart();
	ok(is_here("its0") && is_drained("its0"), "share: a user has all it may");
	ok(strstr(regist(USER, "more", 1), "this user has as many registrations"),
	   "share: no registration more");
	ok(!*regist(USER, "its0", 7) && weight_of("its0") == 7,
	   "share: but another definition of one");
	ok(!*regist(0, "more", 1), "share: others may");
	ok(strstr(intend(USER, "more", VNI, "drain"), "this user has as many intents"),
	   "share: no intent more");
	ok(!*intend(USER, "its0", VNI, "maint") &&
	   !*intend(0, "more", VNI, "drain"), "share: another one, and of others");
	ok(strstr(intend(USER, "more", VNI, "drain"), "this user has as many intents"),
	   "share: root's has no place for a user's");
	ok(!*intend(USER, "its0", VNI, "up") &&
	   !*intend(USER, "more", VNI, "drain"), "share: one ended, one begun");
	ok(!*deregister(USER, "its1") && !*regist(USER, "its1", 1),
	   "share: one less, one more");
	ok(mesh->local->shares.refused_share == 3, "share: what was refused counts");
	snprintf(text, sizeof(text), "VNI %u is not granted", VNI);
	ok(strstr(regist(USER + 1, "x", 1), text), "share: nobody without a grant");
}

/* A check of @parts parts, itself and its four groups among them. */
static const char *parts_of(unsigned int parts)
{
	unsigned int i, j, left = parts - 5;
	static char buf[4096];
	size_t n;

	n = snprintf(buf, sizeof(buf), "{\"type\":\"any-of\",\"checks\":[");
	for (i = 0; i < 4; i++) {
		n += snprintf(buf + n, sizeof(buf) - n,
			      "%s{\"type\":\"all-of\",\"checks\":[", i ? "," : "");
		for (j = 0; j < left / 4 + (i < left % 4); j++)
			n += snprintf(buf + n, sizeof(buf) - n,
				      "%s{\"type\":\"none\"}", j ? "," : "");
		n += snprintf(buf + n, sizeof(buf) - n, "]}");
	}
	snprintf(buf + n, sizeof(buf) - n, "]}");
	return buf;
}

/* One of so many bytes. */
static const char *bytes_of(unsigned int bytes)
{
	static const char head[] = "{\"expect_hex\":\"", mid[] = "\",\"port\":80,\"send_hex\":\"",
		tail[] = "\",\"type\":\"tcp\"}";
	unsigned int left = bytes - strlen(head) - strlen(mid) - strlen(tail);
	unsigned int first = left / 2 / 2 * 2;
	static char buf[8192];

	snprintf(buf, sizeof(buf), "%s%0*d%s%0*d%s", head, first, 0, mid,
		 left - first, 0, tail);
	return buf;
}

static const char *regist_check(uid_t uid, const char *tag, const char *check)
{
	return ask(uid, "{\"op\":\"register\",\"service\":{\"tag\":\"%s\",\"vni\":%u,"
		   "\"check\":%s}}", tag, VNI, check);
}

/* Checks are bounded by what they are made of, not only in number. */
static void test_size(void)
{
	unsigned int i, n = 0;
	const char *error;
	char tag[16];

	lay_file("its", 0, 0, USER, USER);
	restart();
	error = regist_check(USER, "big", parts_of(SHARE_PARTS_ONE + 1));
	ok(strstr(error, "service.check") && strstr(error, "more parts") &&
	   !is_here("big"), "size: a user's check of too many parts");
	error = regist_check(USER, "big", bytes_of(SHARE_BYTES_ONE + 2));
	ok(strstr(error, "service.check") && strstr(error, "more bytes") &&
	   !is_here("big"), "size: one of too many bytes");
	ok(mesh->local->shares.refused_size == 2, "size: what was refused counts");
	ok(!*regist_check(0, "root", parts_of(SHARE_PARTS_ONE + 1)) &&
	   !*regist_check(0, "root", bytes_of(SHARE_BYTES_ONE + 2)),
	   "size: root's may have more");
	ok(!*regist_check(USER, "its0", bytes_of(SHARE_BYTES_ONE)),
	   "size: a user's as much as it may");
	for (i = 0; i < SHARE_PARTS / SHARE_PARTS_ONE; i++) {
		snprintf(tag, sizeof(tag), "its%u", i);
		n += !*regist_check(USER, tag, parts_of(SHARE_PARTS_ONE));
	}
	ok(n == SHARE_PARTS / SHARE_PARTS_ONE &&
	   strstr(regist_check(USER, "more", "{\"type\":\"none\"}"),
		  "the checks of this user have more parts"),
	   "size: all of a user's have their bound, too");
	ok(mesh->local->shares.refused_share == 1, "size: ... which is its share");
	ok(!*regist_check(USER, "its0", parts_of(SHARE_PARTS_ONE - 1)) &&
	   !*regist_check(USER, "more", "{\"type\":\"none\"}"),
	   "size: one smaller, one more");

	lay_registered(USER, "big", parts_of(SHARE_PARTS_ONE + 5));
	restart();
	ok(is_here("big") &&
	   !*regist_check(USER, "big", parts_of(SHARE_PARTS_ONE + 5)) &&
	   !*regist_check(USER, "big", parts_of(SHARE_PARTS_ONE + 3)) &&
	   *regist_check(USER, "big", parts_of(SHARE_PARTS_ONE + 4)),
	   "size: what is kept from before may not grow");
}

/* How many registrations of @uid with @check fit. */
static unsigned int fill(struct shares *s, struct durable *d, uid_t uid,
			 const char *check)
{
	struct vni_device dev = { .ifindex = 10 };
	unsigned int n = 0;
	json_t *def;
	char tag[32];

	for (;;) {
		snprintf(tag, sizeof(tag), "u%u-%u", (unsigned int)uid, n);
		def = json_pack("{s:o}", "check", json_loads(check, 0, NULL));
		if (share_check(s, d, uid, tag, VNI, def)) {
			json_decref(def);
			return n;
		}
		if (durable_add(d, tag, VNI, dev, uid, def))
			exit(1);
		json_decref(def);
		n++;
	}
}

/* Of all users together; root finds room beside them. */
static void test_size_all(void)
{
	static struct shares s;
	struct durable d = { 0 };
	unsigned int i, n = 0;

	ok(fill(&s, &d, 1, bytes_of(SHARE_BYTES_ONE)) ==
	   SHARE_BYTES / SHARE_BYTES_ONE && s.refused_share == 1,
	   "size: all bytes of a user have a bound");
	for (i = 2; i < 5; i++)
		n += fill(&s, &d, i, bytes_of(SHARE_BYTES_ONE));
	ok(n == (SHARE_BYTES_ALL - SHARE_BYTES) / SHARE_BYTES_ONE &&
	   s.refused_full == 1, "size: and all of all users");
	durable_free(&d);
	for (n = 0, i = 1; i < 5; i++)
		n += fill(&s, &d, i, parts_of(SHARE_PARTS_ONE));
	ok(n == SHARE_PARTS_ALL / SHARE_PARTS_ONE && s.refused_full == 2,
	   "size: so have their parts");
	durable_free(&d);
}

/* The shares alone, by a clock of their own. */
static void test_rate(void)
{
	static struct shares s;
	unsigned int i, n = 0;
	uint64_t now = 1;

	for (i = 0; i < 100; i++)
		n += !share_change(&s, USER, now);
	ok(n == SHARE_BURST && s.refused_rate == 100 - SHARE_BURST,
	   "rate: so many changes at once");
	ok(!share_change(&s, USER + 1, now) && !share_change(&s, 0, now),
	   "rate: of one user, not of others, nor of root");
	for (n = 0, i = 0; i < 1000; i++)
		n += !share_change(&s, USER, now += 10 * LOOP_USEC_PER_MSEC);
	ok(n >= SHARE_RATE * 10 - 1 && n <= SHARE_RATE * 10 + 1,
	   "rate: and so many a second");
	for (i = 0; i < 2 * GRANTS_MAX; i++)
		share_change(&s, USER + i, now += LOOP_USEC_PER_SEC);
	ok(s.n == GRANTS_MAX && !share_change(&s, USER, now),
	   "rate: more users than there can be take nothing from each other");
	for (n = 0, i = 0; !n && i < 20; i++) {
		/* A slow disk would not let it come so far. */
		while (!share_change(&mesh->local->shares, USER, loop_now()))
			;
		n = strstr(intend(USER, "its2", VNI, i % 2 ? "drain" : "maint"),
			   "changes more than it may") != NULL;
	}
	ok(n && !*intend(0, "its2", VNI, "up"),
	   "rate: it holds for who asks, and not for root");
}

void test_shares(void)
{
	test_share();
	test_rate();
	test_size();
	test_size_all();
}
