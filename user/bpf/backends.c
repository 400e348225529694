// SPDX-License-Identifier: Apache-2.0
/*
 * The ordered table of capture backends. The loader takes the first that loads
 * and attaches; `missing` gives the reason for those that cannot, in words.
 */
#include <stdio.h>

#include "bpf/capture.h"
#include "bpf/features.h"

static const char *sock_missing(void)
{
	return rt_features__missing((const enum rt_feature[]){RT_FEATURE_PRIVILEGE, RT_FEATURE_BTF,
							      RT_FEATURE_SOCK_LENGTH,
							      RT_FEATURE_ATOMIC,
							      RT_FEATURE_FUNC_ARGS},
				    5);
}

static const char *fentry_missing(void)
{
	static const enum rt_feature list[] = {RT_FEATURE_BTF, RT_FEATURE_FENTRY,
					       RT_FEATURE_ATOMIC, RT_FEATURE_FUNC_ARGS};
	static char why[256];
	const char *detail, *need;

	need = rt_features__missing(list, RT_ARRAY_SIZE(list));
	/* Of the probe, what the kernel answered: its age alone would mislead. */
	detail = rt_features__detail(RT_FEATURE_FENTRY);
	if (!need || !*detail || !rt_features__has(RT_FEATURE_BTF))
		return need;
	snprintf(why, sizeof(why), "%s (%s)", need, detail);
	return why;
}

static const char *syscall_missing(void)
{
	return rt_features__missing((const enum rt_feature[]){RT_FEATURE_PRIVILEGE,
							      RT_FEATURE_TRACEFS},
				    2);
}

static const char *event_missing(void)
{
	return rt_features__missing((const enum rt_feature[]){RT_FEATURE_PRIVILEGE,
							      RT_FEATURE_SOCK_LENGTH,
							      RT_FEATURE_TRACEFS,
							      RT_FEATURE_ATOMIC,
							      RT_FEATURE_FUNC_ARGS},
				    5);
}

static const char *no_doubt(void)
{
	return NULL;
}

static const char *tracepoint_doubt(void)
{
	return rt_features__has(RT_FEATURE_STEADY_TP) ?
		       NULL :
		       "this kernel preempts tracepoints' programs, and skips some runs";
}

static const char *trampoline_doubt(void)
{
	return rt_features__has(RT_FEATURE_STEADY_FN) ?
		       NULL :
		       "this kernel can preempt trampolines' programs, and then skips some runs";
}

static const char *const sock_programs[] = {
	"rt_sock_send",	   "rt_sock_recv", "rt_sock_state",
	"rt_sock_destroy", "rt_proc_exec", "rt_proc_exit", NULL,
};

static const char *const event_programs[] = {
	"rt_event_send", "rt_event_recv", "rt_event_state", "rt_event_gone",
	"rt_proc_exec",	 "rt_proc_exit",  "rt_ctl_put",	    "rt_ctl_delete",
	"rt_ctl_get",	 "rt_ctl_spare",  NULL,
};

/* TCP's states and ends are told as the sock backend is told of them. */
static const char *const fentry_programs[] = {
	"rt_fe_send",	   "rt_fx_send",       "rt_fe_recv",	  "rt_fx_recv",
	"rt_fe_unix_send", "rt_fx_unix_send",  "rt_fe_unix_recv", "rt_fx_unix_recv",
	"rt_fx_page",	   "rt_fx_unix_page",
	"rt_sock_state",   "rt_sock_destroy",  "rt_proc_exec",	  "rt_proc_exit",
	NULL,
};

static const char *const syscall_programs[] = {
	"rt_sys_send",	  "rt_sys_recv",  "rt_sys_splice", "rt_sys_state",
	"rt_sys_destroy", "rt_proc_exec", "rt_proc_exit",  "rt_ctl_put",
	"rt_ctl_delete",  "rt_ctl_get",	  "rt_ctl_spare",  NULL,
};

const struct rt_backend rt_backends[] = {
	{"sock", RT_BACKEND_SOCK, "socket tracepoints, Linux 6.3", sock_programs, true,
	 sock_missing, tracepoint_doubt},
	{"event", RT_BACKEND_EVENT, "socket tracepoints by perf events, Linux 6.3", event_programs,
	 false, event_missing, no_doubt},
	{"syscall", RT_BACKEND_SYSCALL, "syscall exit tracepoints, Linux 5.10", syscall_programs,
	 false, syscall_missing, tracepoint_doubt},
	{"fentry", RT_BACKEND_FENTRY, "trampolines, Linux 5.17", fentry_programs, true,
	 fentry_missing, trampoline_doubt},
};
const size_t rt_nr_backends = RT_ARRAY_SIZE(rt_backends);

const struct rt_backend *rt_backend__by_rank(size_t rank)
{
	for (int doubtful = 0; doubtful < 2; doubtful++)
		for (size_t i = 0; i < rt_nr_backends; i++)
			if (!!rt_backends[i].doubt() == doubtful && rank-- == 0)
				return &rt_backends[i];
	return NULL;
}
