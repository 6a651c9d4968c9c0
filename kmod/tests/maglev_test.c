// SPDX-License-Identifier: GPL-2.0-only
/*
 * The build of a Maglev table against the rule word by word: rounds in which each
 * member has its turn by weight.
 */
#include "../maglev.c"
#include "fixture.h"

#define MEMBERS	1024

struct maglev_fixture {
	struct vnimesh_maglev_member m[MEMBERS];
	struct vnimesh_maglev_table *table;
	u16 want[VNIMESH_MAGLEV_LARGE];
};

static struct maglev_fixture *field(struct kunit *test)
{
	struct maglev_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	f->table = kunit_kzalloc(test, struct_size(f->table, slot,
						   VNIMESH_MAGLEV_LARGE),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->table);
	return f;
}

static void by_rounds(struct maglev_fixture *f, u32 n)
{
	u32 size = f->table->size, most, taken = 0, i;

	most = start(f->m, n, size);
	memset(f->want, 0xff, sizeof(f->want));
	while (most && taken < size)
		for (i = 0; i < n && taken < size; i++) {
			struct vnimesh_maglev_member *m = &f->m[i];

			m->turns += m->weight;
			if (m->turns < most)
				continue;
			m->turns -= most;
			while (f->want[m->offset] != VNIMESH_MAGLEV_NONE)
				m->offset = (m->offset + m->skip) % size;
			f->want[m->offset] = i;
			taken++;
		}
}

static void draw(struct maglev_fixture *f, u64 *random, u32 n, u32 weight)
{
	u32 i;

	f->table->size = vnimesh_maglev_size(n);
	for (i = 0; i < n; i++) {
		f->m[i].id = 100 + 7 * i;
		f->m[i].weight = test_below(random, weight);
	}
}

static void maglev_rounds(struct kunit *test)
{
	static const u32 weights[] = { 1, 2, 3, 101, 1001 };
	struct maglev_fixture *f = field(test);
	u64 random = 5;
	u32 i, n;

	for (i = 0; i < 60; i++) {
		n = 1 + test_below(&random, i % 4 ? 12 : 200);
		draw(f, &random, n, weights[i % ARRAY_SIZE(weights)]);
		by_rounds(f, n);
		vnimesh_maglev_build(f->table, f->m, n);
		KUNIT_ASSERT_EQ(test, memcmp(f->want, f->table->slot,
					     f->table->size * sizeof(u16)), 0);
	}
}

static u64 time_of(struct maglev_fixture *f)
{
	u64 least = ~0ULL, begin;
	int i;

	for (i = 0; i < 5; i++) {
		begin = ktime_get_ns();
		vnimesh_maglev_build(f->table, f->m, MEMBERS);
		least = min(least, ktime_get_ns() - begin);
	}
	return least;
}

/* One heavy member among many light ones costs no more than equal ones do: by
 * rounds it was a hundred times that.
 */
static void maglev_heavy(struct kunit *test)
{
	struct maglev_fixture *f = field(test);
	u64 random = 9, equal, heavy;
	u32 i;

	draw(f, &random, MEMBERS, 1);
	for (i = 0; i < MEMBERS; i++)
		f->m[i].weight = 1;
	equal = time_of(f);
	f->m[MEMBERS / 2].weight = 1000;
	heavy = time_of(f);
	KUNIT_EXPECT_LT(test, heavy, 8 * equal);
}

static struct kunit_case maglev_cases[] = {
	KUNIT_CASE(maglev_rounds),
	KUNIT_CASE(maglev_heavy),
	{}
};

static struct kunit_suite maglev_suite = {
	.name = "maglev",
	.test_cases = maglev_cases,
};

kunit_test_suite(maglev_suite);
