// SPDX-License-Identifier: GPL-2.0-or-later
/* The VNIs of this host, as the kernel has them. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "local_priv.h"
#include "log.h"

const struct local_vni *local_vni(const struct local *l, uint32_t vni)
{
	size_t i;

	for (i = 0; i < l->n_vnis; i++)
		if (l->vnis[i].vni == vni)
			return &l->vnis[i];
	return NULL;
}

bool local_has_vni(const struct local *l, uint32_t vni)
{
	return local_vni(l, vni);
}

struct vnis {
	struct local_vni *v;
	size_t n;
};

static int on_vni(const struct vnm_genl_msg *msg, void *data)
{
	struct vnis *vnis = data;
	struct local_vni *v;
	struct vnm_vni vni;

	if (vnm_record_parse(&vnm_vni_type, &vni, msg->attrs, msg->attrlen) ||
	    !vni.local)
		return 0;
	v = realloc(vnis->v, (vnis->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	vnis->v = v;
	v += vnis->n++;
	memset(v, 0, sizeof(*v));
	v->vni = vni.vni;
	/* No device: the record outlived it. */
	v->up = VNM_HAS(&vni, VNIMESH_A_VNI_DEV_UP) && vni.dev_up;
	if (VNM_HAS(&vni, VNIMESH_A_VNI_DEV_IFINDEX))
		v->dev.ifindex = vni.dev_ifindex;
	if (VNM_HAS(&vni, VNIMESH_A_VNI_DEV_MADE))
		v->dev.made_us = vni.dev_made_us;
	v->address4 = vni.address4;
	v->address6 = vni.address6;
	snprintf(v->name, sizeof(v->name), "%s",
		 VNM_HAS(&vni, VNIMESH_A_VNI_DEV_NAME) ? vni.dev_name : "?");
	return 0;
}

void local_refresh(struct local *l)
{
	struct kernel *k = l->m->kernel;
	struct vnm_error e = { 0 };
	struct vnm_vni key = { 0 };
	struct vnis vnis = { 0 };
	struct nl_msg *msg;
	char text[400];

	l->retry = true;
	if (!kernel_genl(k))
		return;
	VNM_SET(&key, ifindex, VNIMESH_A_VNI_IFINDEX, kernel_ifindex(k));
	msg = kernel_msg(k, VNIMESH_CMD_VNI_GET, 0, &vnm_vni_type, &key);
	if (!msg)
		return;
	if (vnm_genl_dump(kernel_genl(k), msg, on_vni, &vnis, &e)) {
		free(vnis.v);
		vnm_error_text(&e, text, sizeof(text));
		/* The device is gone: the next tick sees to it. */
		log_line(e.err == -ENODEV ? LOG_DEBUG : LOG_ERR,
			 "cannot read the VNIs: %s", text);
		return;
	}
	free(l->vnis);
	l->vnis = vnis.v;
	l->n_vnis = vnis.n;
	l->known = true;
	l->retry = false;
	l->read_us = loop_now();
	local_apply_all(l);
	local_sweep(l);
}

void local_retry(struct local *l)
{
	if (l->retry)
		local_refresh(l);
}

bool local_find_device(void *data, uint32_t vni, struct inside_device *ret)
{
	const struct local *l = data;
	const struct local_vni *v = local_vni(l, vni);

	if (!v || !v->dev.ifindex)
		return false;
	*ret = (struct inside_device) {
		.mesh = l->m->facts.mesh.id, .vni = vni, .ifindex = v->dev.ifindex,
	};
	return true;
}
