// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "record_fields.h"
#include "rows.h"

void *rows_at(const struct rows *rows, size_t i)
{
	return rows->v + i * vnm_type_size(rows->type);
}

void rows_free(struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		vnm_record_release(rows->type, rows_at(rows, i));
	free(rows->v);
	rows->v = NULL;
	rows->n = 0;
	rows->cap = 0;
}

static int take(const struct vnm_genl_msg *m, void *arg)
{
	struct rows *rows = arg;
	char *p;
	int ret;

	if (rows->n == rows->cap) {
		rows->cap = rows->cap ? rows->cap * 2 : 16;
		p = realloc(rows->v, rows->cap * vnm_type_size(rows->type));
		if (!p)
			return -ENOMEM;
		rows->v = p;
	}
	ret = vnm_record_parse(rows->type, rows_at(rows, rows->n), m->attrs,
			       m->attrlen);
	if (!ret)
		rows->n++;
	return ret;
}

/* The last attribute of the key; keys begin with attribute 1, the device. */
static unsigned int key_end(const struct vnm_type *t)
{
	if (t == &vnm_member_type)
		return VNIMESH_A_MEMBER_VNI_ID;
	if (t == &vnm_flow_type)
		return VNIMESH_A_FLOW_DPORT;
	return t == &vnm_mesh_type ? VNIMESH_A_MESH_IFINDEX : 2;
}

static int compare_field(const struct vnm_field *f, const void *a,
			 const void *b)
{
	const struct ip_addr *x = a, *y = b;
	uint32_t m, n;

	switch (f->kind) {
	case VNM_K_STRING:
		return strcmp(a, b);
	case VNM_K_ADDR:
		if (x->family != y->family)
			return x->family < y->family ? -1 : 1;
		return memcmp(x->b, y->b, sizeof(x->b));
	case VNM_K_BE16:
		m = *(const uint16_t *)a;
		n = *(const uint16_t *)b;
		break;
	case VNM_K_ENUM:
		m = *(const uint8_t *)a;
		n = *(const uint8_t *)b;
		break;
	default:
		m = *(const uint32_t *)a;
		n = *(const uint32_t *)b;
		break;
	}
	return m < n ? -1 : m > n;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct vnm_type *t = arg;
	const struct vnm_field *f;
	unsigned int i;
	int ret = 0;

	for (i = 1; !ret && i <= key_end(t); i++) {
		f = vnm_field(t, i);
		ret = compare_field(f, (const char *)a + f->off,
				    (const char *)b + f->off);
	}
	return ret;
}

int rows_query(struct tool *t, struct rows *rows, const struct vnm_type *type,
	       uint8_t cmd, const void *filter, bool one, struct vnm_error *e)
{
	struct nl_msg *msg = vnm_genl_msg_new(t->genl, cmd, 0);
	int ret;

	memset(rows, 0, sizeof(*rows));
	rows->type = type;
	if (!msg || vnm_record_fill(type, filter, msg)) {
		nlmsg_free(msg);
		return vnm_error_set(e, -ENOMEM, "Out of memory");
	}
	if (one)
		ret = vnm_genl_request(t->genl, msg, take, rows, e);
	else
		ret = vnm_genl_dump(t->genl, msg, take, rows, e);
	if (!ret && rows->n)
		qsort_r(rows->v, rows->n, vnm_type_size(type), compare,
			(void *)type);
	return ret;
}

int rows_fetch(struct tool *t, struct rows *rows, const struct vnm_type *type,
	       uint8_t cmd, const void *filter, bool one)
{
	struct vnm_error e;
	int ret;

	memset(rows, 0, sizeof(*rows));
	rows->type = type;
	ret = tool_genl(t);
	if (ret)
		return ret;
	if (rows_query(t, rows, type, cmd, filter, one, &e))
		return tool_fail(&e);
	return EXIT_OK;
}

const char *dev_name(uint32_t ifindex, char buf[16])
{
	if (!if_indextoname(ifindex, buf))
		strcpy(buf, "?");
	return buf;
}

json_t *row_json(const struct tool *t, const struct vnm_type *type,
		 const void *rec)
{
	const uint32_t *ifindex;
	char name[IF_NAMESIZE];
	json_t *obj, *fields;

	ifindex = (const void *)((const char *)rec + vnm_field(type, 1)->off);
	fields = vnm_record_json(type, rec, t->show);
	obj = json_object();
	/* Notifications come from devices that are gone by now, too. */
	if ((*(const uint64_t *)rec & VNM_BIT(1)) &&
	    if_indextoname(*ifindex, name))
		json_object_set_new(obj, "dev", json_string(name));
	if (!fields || json_object_update(obj, fields)) {
		json_decref(obj);
		obj = NULL;
	}
	json_decref(fields);
	return obj;
}

json_t *json_add(json_t *array, json_t *item)
{
	if (!json_array_append_new(array, item))
		return array;
	json_decref(array);
	return NULL;
}

int json_out(const struct tool *t, json_t *array)
{
	int ret;

	if (!array)
		return out_of_memory();
	ret = json_dumpf(array, stdout, t->pretty ? JSON_INDENT(4) :
			 JSON_COMPACT);
	json_decref(array);
	if (ret)
		return out_of_memory();
	putchar('\n');
	return EXIT_OK;
}

int rows_print(struct tool *t, const struct rows *rows)
{
	char name[IF_NAMESIZE];
	json_t *array;
	size_t i;

	if (t->json) {
		array = json_array();
		for (i = 0; array && i < rows->n; i++)
			array = json_add(array, row_json(t, rows->type,
							 rows_at(rows, i)));
		return json_out(t, array);
	}
	for (i = 0; i < rows->n; i++) {
		if (t->show & VNM_SHOW_DETAIL)
			printf("dev %s ", dev_name(*(uint32_t *)(void *)
				((char *)rows_at(rows, i) +
				 vnm_field(rows->type, 1)->off), name));
		vnm_record_text(rows->type, rows_at(rows, i), t->show, stdout);
		putchar('\n');
	}
	return EXIT_OK;
}

int rows_show(struct tool *t, const struct vnm_type *type, uint8_t cmd,
	      const void *filter, bool one)
{
	struct rows rows;
	int ret = rows_fetch(t, &rows, type, cmd, filter, one);

	if (!ret)
		ret = rows_print(t, &rows);
	rows_free(&rows);
	return ret;
}

/* Pick from the links: the only mesh device; or unless @own is NULL, when
 * there is none, the first VNI, provided that all are of one mesh.
 */
static int pick(const struct vnm_link *links, size_t n, bool *own,
		uint32_t *ifindex)
{
	const struct vnm_link *vni = NULL;
	size_t meshes = 0, i;
	bool mixed = false;

	for (i = 0; i < n; i++) {
		if (!links[i].lower) {
			meshes++;
			*ifindex = links[i].ifindex;
		} else if (!vni) {
			vni = &links[i];
		} else if (vni->mesh != links[i].mesh) {
			mixed = true;
		}
	}
	if (meshes == 1)
		return EXIT_OK;
	if (!meshes && own && vni && !mixed) {
		*own = true;
		*ifindex = vni->ifindex;
		return EXIT_OK;
	}
	if (meshes || (own && mixed))
		fputs("Error: argument \"dev\" is required, there are several meshes here.\n",
		      stderr);
	else
		fputs("Error: there is no vnimesh device in this network namespace.\n",
		      stderr);
	return EXIT_LOCAL;
}

int mesh_find(struct tool *t, bool *own, uint32_t *ifindex)
{
	struct vnm_link *links;
	struct vnm_error e;
	size_t n;
	int ret;

	if (*ifindex)
		return EXIT_OK;
	ret = tool_rtnl(t);
	if (ret)
		return ret;
	ret = vnm_rtnl_links(t->rtnl, &links, &n, &e);
	if (ret)
		return tool_fail(&e);
	ret = pick(links, n, own, ifindex);
	free(links);
	return ret;
}
