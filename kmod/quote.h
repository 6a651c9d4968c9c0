/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an ICMP error quotes: the head of the packet that it is about, as much
 * as its sender cared to send (RFC 792: the IP header and eight bytes). Pure:
 * works on bytes, knows no packet.
 */
#ifndef _VNIMESH_QUOTE_H
#define _VNIMESH_QUOTE_H

#include "flow.h"

/* The transport header as far as it is looked at: a TCP checksum ends at 18. */
#define VNIMESH_QUOTE_L4	20

struct vnimesh_quote {
	struct vnimesh_tuple tuple;	/* as it stands there */
	__be32 seq;		/* TCP */
	u16 icmp;		/* offset of the ICMP header */
	u16 ip;			/* ... of the quoted IP header */
	u16 l4;			/* ... of the quoted transport header */
	u16 end;		/* bytes before this are present */
};

/* Reads tuple and sequence at the offsets of @q, which are set, ->tuple.family
 * and ->tuple.proto too; @base is where offsets start. At least eight bytes of
 * the transport header are present.
 */
void vnimesh_quote_read(const void *base, struct vnimesh_quote *q);

/* The quoted packet gets @to as its tuple: addresses, ports, its own checksums
 * as far as they are quoted, and the ICMP checksum at offset ->icmp + 2 (the
 * quoted part of it: the outer addresses are the caller's).
 */
void vnimesh_quote_write(void *base, const struct vnimesh_quote *q,
			 const struct vnimesh_tuple *to);

#endif /* _VNIMESH_QUOTE_H */
