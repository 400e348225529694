/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of requests that are counted in place; sample.bpf.c. */
#ifndef REDTAP_SAMPLE_BPF_H
#define REDTAP_SAMPLE_BPF_H

#include "lib/maps.bpf.h"

/* The exchange was counted in `slot`: tells of it, if a sample is due. */
int rt_sample(struct rt_conn *c, u32 slot, u32 status);

#endif /* REDTAP_SAMPLE_BPF_H */
