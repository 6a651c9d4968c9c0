// SPDX-License-Identifier: GPL-2.0-only
#include "maglev.h"

/* Constant: hosts agree. Who picks VNI ids or addresses to collide here harms
 * only the balance of his own mesh.
 */
#define KEY_OFFSET	0x766e696d65736831ULL
#define KEY_SKIP	0x766e696d65736832ULL
#define KEY_CLIENT	0x766e696d65736833ULL

u32 vnimesh_maglev_size(u32 n)
{
	return n > VNIMESH_MAGLEV_FEW ? VNIMESH_MAGLEV_LARGE :
					VNIMESH_MAGLEV_SMALL;
}

static u32 below(u64 key, u32 id, u32 n)
{
	return ((vnimesh_mix(key + id * 0x9e3779b97f4a7c15ULL) >> 32) * n) >> 32;
}

static u32 start(struct vnimesh_maglev_member *m, u32 n, u32 size)
{
	u32 i, most = 0;

	for (i = 0; i < n; i++) {
		m[i].offset = below(KEY_OFFSET, m[i].id, size);
		m[i].skip = below(KEY_SKIP, m[i].id, size - 1) + 1;
		m[i].turns = 0;
		most = max_t(u32, most, m[i].weight);
	}
	return most;
}

/* The round of the next turn: the heaviest has one in each, others by weight.
 * At most 1000 times the size of the table: 27 bits.
 */
static u32 round_of(const struct vnimesh_maglev_member *m, u32 most)
{
	return ((m->turns + 1) * most + m->weight - 1) / m->weight;
}

static bool before(const struct vnimesh_maglev_member *m, u32 a, u32 b)
{
	if (m[a].round != m[b].round)
		return m[a].round < m[b].round;
	return a < b;
}

/* m[k].heap: the member at place k of the heap. */
static void sink(struct vnimesh_maglev_member *m, u32 n, u32 k)
{
	u32 child, i = m[k].heap;

	while ((child = 2 * k + 1) < n) {
		if (child + 1 < n &&
		    before(m, m[child + 1].heap, m[child].heap))
			child++;
		if (!before(m, m[child].heap, i))
			break;
		m[k].heap = m[child].heap;
		k = child;
	}
	m[k].heap = i;
}

/* Who has a weight, in a heap. Returns how many they are. */
static u32 line_up(struct vnimesh_maglev_member *m, u32 n, u32 most)
{
	u32 i, have = 0;

	for (i = 0; i < n; i++) {
		if (!m[i].weight)
			continue;
		m[i].round = round_of(&m[i], most);
		m[have++].heap = i;
	}
	for (i = have / 2; i--;)
		sink(m, have, i);
	return have;
}

/* The next entry of its permutation that is free. */
static void take(struct vnimesh_maglev_table *table,
		 struct vnimesh_maglev_member *m, u32 i)
{
	while (table->slot[m->offset] != VNIMESH_MAGLEV_NONE)
		m->offset = (m->offset + m->skip) % table->size;
	table->slot[m->offset] = i;
}

/* In turns. Those who have none in a round are not looked at: a heavy member
 * among many light ones takes as long as equal ones.
 */
void vnimesh_maglev_build(struct vnimesh_maglev_table *table,
			  struct vnimesh_maglev_member *m, u32 n)
{
	u32 most = start(m, n, table->size), have, taken, i;

	memset(table->slot, 0xff, table->size * sizeof(table->slot[0]));
	have = line_up(m, n, most);
	for (taken = 0; have && taken < table->size; taken++) {
		i = m[0].heap;
		take(table, &m[i], i);
		m[i].turns++;
		m[i].round = round_of(&m[i], most);
		sink(m, have, 0);
	}
}

u32 vnimesh_maglev_hash(const void *data, u32 len)
{
	const u8 *p = data;
	u64 h = KEY_CLIENT;
	u32 i;

	for (i = 0; i < len; i++)
		h = vnimesh_mix(h + p[i] + 1);
	return h >> 32;
}
