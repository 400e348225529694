/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Exchanges that no next request ends: whether their answer is whole; whole.bpf.c does the work. */
#ifndef REDTAP_WHOLE_BPF_H
#define REDTAP_WHOLE_BPF_H

#include "lib/maps.bpf.h"

/* No byte came for a while after the response's last. The slot that counts it, plus one, when
 * the response is whole (rt_route_slot()); 0: a record must tell of it, with what that left
 * in it. */
int rt_silent_slot(struct rt_conn *c);

/* The connection is over, and the flags of the exchange say how. Returns 1 when the response
 * is whole and counted, and the exchange over; 0: a record must tell of it. */
int rt_closed_count(struct rt_conn *c);

#endif /* REDTAP_WHOLE_BPF_H */
