/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of attributes for errors: where the kernel points at, in words. */
#ifndef VNM_RECORD_ATTRS_H
#define VNM_RECORD_ATTRS_H

#include <linux/netlink.h>
#include <stdbool.h>

#include "record.h"

/* The attribute at offset @off of @req, whose top level attributes begin at
 * @start and are of type @t; or, if @missing, attribute @type of the nest at
 * @off (0: of the top level). Nested names are joined by dots. *buf stays
 * as it is when there is no such attribute.
 */
void vnm_attrs_name(const struct vnm_type *t, const struct nlmsghdr *req,
		    uint32_t start, uint32_t off, bool missing, uint32_t type,
		    char *buf, size_t size);

#endif /* VNM_RECORD_ATTRS_H */
