// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fill - many VNIs of one node, fast.
 *
 *   fill IFINDEX NODE ADDR N
 *	N VNI records of NODE, ids from 100000, all with address ADDR, and ten
 *	services s0 to s9, 10.96.0.100 to 10.96.0.109, of which they are members in
 *	turn.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "genl.h"
#include "record.h"

#define SERVICES	10
#define FIRST		100000

static struct vnm_genl *genl;
static uint32_t ifindex;

static int fail(const char *what, const struct vnm_error *e)
{
	char text[512];

	vnm_error_text(e, text, sizeof(text));
	fprintf(stderr, "fill: %s: %s\n", what, text);
	return 1;
}

static struct nl_msg *message(uint8_t cmd, const struct vnm_type *type,
			      const void *row)
{
	struct nl_msg *msg = vnm_genl_msg_new(genl, cmd, NLM_F_CREATE);

	if (!msg || vnm_record_fill(type, row, msg))
		abort();
	return msg;
}

static struct nl_msg *service(size_t i)
{
	struct vnm_service s = { 0 };
	char addr[32];

	snprintf(addr, sizeof(addr), "10.96.0.%zu", 100 + i);
	VNM_SET(&s, ifindex, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	snprintf(s.tag, sizeof(s.tag), "s%zu", i);
	s.present |= VNM_BIT(VNIMESH_A_SERVICE_TAG) |
		     VNM_BIT(VNIMESH_A_SERVICE_ADDR4);
	if (!ip_parse(addr, &s.address4))
		abort();
	return message(VNIMESH_CMD_SERVICE_SET, &vnm_service_type, &s);
}

static struct nl_msg *vni(size_t i, uint32_t node, const struct ip_addr *addr)
{
	struct vnm_vni v = { 0 };

	VNM_SET(&v, ifindex, VNIMESH_A_VNI_IFINDEX, ifindex);
	VNM_SET(&v, vni, VNIMESH_A_VNI_ID, FIRST + (uint32_t)i);
	VNM_SET(&v, node, VNIMESH_A_VNI_NODE_ID, node);
	VNM_SET(&v, address4, VNIMESH_A_VNI_ADDR4, *addr);
	return message(VNIMESH_CMD_VNI_SET, &vnm_vni_type, &v);
}

static struct nl_msg *member(size_t i)
{
	struct vnm_member m = { 0 };

	VNM_SET(&m, ifindex, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	snprintf(m.tag, sizeof(m.tag), "s%zu", i % SERVICES);
	m.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
	VNM_SET(&m, vni, VNIMESH_A_MEMBER_VNI_ID, FIRST + (uint32_t)i);
	return message(VNIMESH_CMD_MEMBER_SET, &vnm_member_type, &m);
}

static void refused(size_t idx, const struct vnm_error *e, void *arg)
{
	(void)idx;
	(void)arg;
	if (e->err)
		fail("set", e);
}

static int send_all(struct nl_msg **msgs, size_t n)
{
	struct vnm_error e;
	int err = vnm_genl_bulk(genl, msgs, n, refused, NULL, &e);

	return err < 0 ? fail("bulk", &e) : err > 0;
}

int main(int argc, char **argv)
{
	struct nl_msg **msgs;
	struct ip_addr addr;
	struct vnm_error e;
	size_t n, i;

	if (argc != 5 || !ip_parse(argv[3], &addr))
		return 2;
	ifindex = (uint32_t)atoi(argv[1]);
	n = (size_t)atoi(argv[4]);
	msgs = calloc(n + SERVICES, sizeof(*msgs));
	if (!msgs)
		return 1;
	if (vnm_genl_open(&genl, &e))
		return fail("open", &e);
	for (i = 0; i < SERVICES; i++)
		msgs[i] = service(i);
	for (i = 0; i < n; i++)
		msgs[SERVICES + i] = vni(i, (uint32_t)atoi(argv[2]), &addr);
	if (send_all(msgs, n + SERVICES))
		return 1;
	for (i = 0; i < n; i++)
		msgs[i] = member(i);
	return send_all(msgs, n);
}
