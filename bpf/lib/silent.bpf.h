/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Exchanges that have gone silent; silent.bpf.c does the work. */
#ifndef REDTAP_SILENT_BPF_H
#define REDTAP_SILENT_BPF_H

#include "lib/maps.bpf.h"

/* No byte came for a while after the response's last. Returns 1 when the response is whole
 * and counted, and the exchange over; 0: it is to be reported, with what rt_route_count()
 * left in it. */
int rt_silent_count(struct rt_conn *c);

#endif /* REDTAP_SILENT_BPF_H */
