/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One TCP connect as a probe: connected, refused, or no answer in time. */
#ifndef VNIMESHD_CHECK_TCP_H
#define VNIMESHD_CHECK_TCP_H

#include "health.h"
#include "ip.h"
#include "loop.h"

struct tcp_probe;

/* What connect() failed with, as a result: our own lack of something, or a
 * device that is gone, says nothing about the member.
 */
enum health_result tcp_probe_judge(int err);

/* @latency_us is the kernel's own measure of the handshake. The probe is gone
 * after the call.
 */
typedef void (*tcp_probe_fn)(void *data, enum health_result result,
			     uint32_t latency_us, const char *output);

/* @device NULL: not bound. 0 or a negative errno; the callback never runs
 * from within this call.
 */
int tcp_probe_start(struct loop *loop, struct tcp_probe **ret,
		    const struct ip_addr *addr, uint16_t port,
		    const char *device, uint32_t timeout_ms, tcp_probe_fn fn,
		    void *data);
/* Ends *p, if any, without a callback. */
void tcp_probe_cancel(struct tcp_probe **p);

#endif
