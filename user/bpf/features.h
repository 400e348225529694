/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel and these privileges allow: features.def, probed once each. */
#ifndef REDTAP_FEATURES_H
#define REDTAP_FEATURES_H

#include <stddef.h>

#include "config/config.h"

enum rt_feature {
#define FEATURE(id, text, need) RT_FEATURE_##id,
#include "redtap/features.def"
#undef FEATURE
	RT_NR_FEATURES
};

/*
 * What the configuration says of features: takes those of disable_feature for
 * missing, and looks whether the file of `btf` can serve. To be called before
 * the first question. 0, or -EINVAL with one sentence.
 */
int rt_features__setup(const struct rt_config *cfg, char *errbuf, size_t errlen);

/* Cached after the first call. */
bool rt_features__has(enum rt_feature f);
const char *rt_features__text(enum rt_feature f);
/* As disable_feature takes it, but in upper case. */
const char *rt_features__id(enum rt_feature f);
/* What a missing one needs; when it could not even be probed for, what that needs. */
const char *rt_features__need(enum rt_feature f);
/* Turned off by the configuration: whether it is there was not asked. */
bool rt_features__is_disabled(enum rt_feature f);
/* A word on what was found ("mounted at …", "integrity"); "" when there is none. */
const char *rt_features__detail(enum rt_feature f);
/* The need of the first of `n` features that is missing, or NULL when all are there. */
const char *rt_features__missing(const enum rt_feature *list, size_t n);

/* Whether the kernel has a function of this name, by its types. */
bool rt_features__function(const char *name);

/* Numbers of <linux/capability.h>, which older headers do not have all of. */
enum rt_cap {
	RT_CAP_DAC_READ_SEARCH = 2,
	RT_CAP_NET_ADMIN = 12,
	RT_CAP_SYS_PTRACE = 19,
	RT_CAP_SYS_ADMIN = 21,
	RT_CAP_SYS_RESOURCE = 24,
	RT_CAP_PERFMON = 38,
	RT_CAP_BPF = 39,
};
/* Whether it is among the effective capabilities of this process. */
bool rt_features__has_cap(int cap);

/* Gives the memory back that probes keep for one another. Answers stay known. */
void rt_features__trim(void);

/* A directory descriptor of tracefs, found mounted or by a detached mount of
 * our own that nobody else sees (fsopen, Linux 5.2). -errno. The caller closes it. */
int rt_tracefs__open(void);

#endif /* REDTAP_FEATURES_H */
