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

/* The next entry of its permutation that is free. */
static void take(struct vnimesh_maglev_table *table,
		 struct vnimesh_maglev_member *m, u32 i)
{
	while (table->slot[m->offset] != VNIMESH_MAGLEV_NONE)
		m->offset = (m->offset + m->skip) % table->size;
	table->slot[m->offset] = i;
}

void vnimesh_maglev_build(struct vnimesh_maglev_table *table,
			  struct vnimesh_maglev_member *m, u32 n)
{
	u32 most = start(m, n, table->size), taken = 0, i;

	memset(table->slot, 0xff, table->size * sizeof(table->slot[0]));
	/* In turns; the heaviest has one in each round, others by weight. */
	while (most && taken < table->size)
		for (i = 0; i < n && taken < table->size; i++) {
			m[i].turns += m[i].weight;
			if (m[i].turns < most)
				continue;
			m[i].turns -= most;
			take(table, &m[i], i);
			taken++;
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
