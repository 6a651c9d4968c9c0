/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's questions: who is behind this service address, or this tag?
 * Answered with the service itself, or with a verdict, within the time that
 * the kernel keeps the packet.
 */
#ifndef VNIMESHD_MISS_H
#define VNIMESHD_MISS_H

#include "mesh.h"

/* The kernel gives up after 750 ms by itself. */
#define MISS_TIMEOUT_MS		400
/* How long the kernel remembers that there is no such service. */
#define MISS_NEGATIVE_MS	30000
/* Questions at the coordinator at one time: as many as the kernel asks; more
 * are answered as away. Then those that nobody waits for; more of them wait.
 */
#define MISS_MAX		256
#define MISS_SILENT_MAX		64

struct miss *miss_new(struct mesh *m);
void miss_free(struct miss *q);

/* One of both is NULL. */
void miss_asked(struct miss *q, const char *tag, const struct ip_addr *addr);

/* A definition came: if its absence was told to the kernel, it is installed
 * at the turn's end.
 */
void miss_defined(struct miss *q, const struct service *s);

/* The watch had an answer: what could not be believed is asked anew. */
void miss_watched(struct miss *q);

#endif
