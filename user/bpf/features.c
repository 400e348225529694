// SPDX-License-Identifier: Apache-2.0
/*
 * Feature probes as a table, each run once when first asked. A probe that fails
 * means "missing". Asked by the backends' table and by `redtap doctor`.
 */
#include "bpf/features.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "util/cleanup.h"

/* The fixed inode numbers of the first namespaces: PROC_USER_INIT_INO, PROC_PID_INIT_INO. */
#define USER_NS_INITIAL 0xEFFFFFFDul
#define PID_NS_INITIAL	0xEFFFFFFCul

static char details[RT_NR_FEATURES][96];
static char disabled[RT_NR_FEATURES][96]; /* "": not; else what its need is then */

/* Five megabytes; read anew if a question comes after rt_features__trim(). */
static struct btf *vmlinux_btf;
static bool vmlinux_btf_tried;

static struct btf *kernel_btf(void)
{
	if (!vmlinux_btf_tried) {
		vmlinux_btf_tried = true;
		vmlinux_btf = btf__load_vmlinux_btf();
	}
	return vmlinux_btf;
}

void rt_features__trim(void)
{
	btf__free(vmlinux_btf);
	vmlinux_btf = NULL;
	vmlinux_btf_tried = false;
}

static bool probe_btf(void)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return false;
	return kernel_btf() != NULL;
}

bool rt_features__has_cap(int cap)
{
	__cleanup_file FILE *f = fopen("/proc/self/status", "re");
	unsigned long long eff = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &eff) == 1)
			break;
	return eff >> cap & 1;
}

/* By loading no types at all, where the right to is looked at before them. Not by a map:
 * before Linux 5.11 EPERM may stand for a limit of locked memory there. */
static bool may_call_bpf(void)
{
	char *said = details[RT_FEATURE_PRIVILEGE];
	struct stat st;

	if (bpf_btf_load("", 0, NULL) >= 0 || (errno != EPERM && errno != EACCES))
		return true;
	if (!stat("/proc/self/ns/user", &st) && st.st_ino != USER_NS_INITIAL)
		snprintf(said, sizeof(details[0]),
			 "the capabilities are those of a user namespace, not the host's");
	else if (prctl(PR_GET_SECCOMP) > 0)
		snprintf(said, sizeof(details[0]), "a seccomp profile forbids bpf(2)");
	else
		snprintf(said, sizeof(details[0]), "the kernel refuses bpf(2) all the same");
	return false;
}

static bool probe_privilege(void)
{
	/* The first one stands for the others. */
	return (rt_features__has_cap(RT_CAP_SYS_ADMIN) ||
		(rt_features__has_cap(RT_CAP_PERFMON) && rt_features__has_cap(RT_CAP_BPF))) &&
	       may_call_bpf();
}

static bool probe_ringbuf(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
}

/* 5ffa25502b5a "bpf: Add instructions for atomic_[cmp]xchg" (5.12); arm64's JIT
 * followed with 1902472b4fa9 (5.18). */
static bool probe_atomic(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .off = -8,
		 .imm = BPF_CMPXCHG},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	__cleanup_fd int prog = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "rt_probe", "GPL", insns,
					      RT_ARRAY_SIZE(insns), NULL);

	return prog >= 0;
}

/* Types of `int rt_probe(void)` and of the global `int taker(int *)`; -1, or their descriptor. */
static int load_func_btf(u32 *ret_main, u32 *ret_taker)
{
	struct btf *btf = btf__new_empty();
	int num, ptr, proto, fd = -1;
	const void *data;
	u32 size;

	if (!btf)
		return -1;
	num = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	ptr = btf__add_ptr(btf, num);
	proto = btf__add_func_proto(btf, num);
	*ret_main = (u32)btf__add_func(btf, "rt_probe", BTF_FUNC_STATIC, proto);
	proto = btf__add_func_proto(btf, num);
	if (!btf__add_func_param(btf, "p", ptr))
		*ret_taker = (u32)btf__add_func(btf, "taker", BTF_FUNC_GLOBAL, proto);
	data = btf__raw_data(btf, &size);
	if (data)
		fd = bpf_btf_load(data, size, NULL);
	btf__free(btf);
	return fd;
}

/* e5069b9c23b3 "bpf: Support pointers in global func args" (5.13). */
static bool probe_func_args(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8},
		{.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 2},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct bpf_func_info funcs[2] = {{.insn_off = 0}, {.insn_off = 6}};
	__cleanup_fd int btf = load_func_btf(&funcs[0].type_id, &funcs[1].type_id);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_btf_fd = (u32)btf, .func_info = funcs,
		    .func_info_cnt = 2, .func_info_rec_size = sizeof(funcs[0]));
	__cleanup_fd int prog = -1;

	if (btf < 0)
		return false;
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "rt_probe", "GPL", insns,
			     RT_ARRAY_SIZE(insns), &opts);
	return prog >= 0;
}

static bool has_type(const char *name, u32 kind)
{
	struct btf *btf = kernel_btf();

	return btf && btf__find_by_name_kind(btf, name, kind) > 0;
}

bool rt_features__function(const char *name)
{
	return has_type(name, BTF_KIND_FUNC);
}

static bool probe_sock_length(void)
{
	/* Without types, tracefs knows. */
	if (!rt_features__has(RT_FEATURE_BTF)) {
		__cleanup_fd int tracefs = rt_tracefs__open();

		return tracefs >= 0 && !faccessat(tracefs, "events/sock/sock_send_length", F_OK, 0);
	}
	return has_type("btf_trace_sock_send_length", BTF_KIND_TYPEDEF) &&
	       has_type("btf_trace_sock_recv_length", BTF_KIND_TYPEDEF);
}

static bool probe_task_regs(void)
{
	if (!rt_features__has(RT_FEATURE_BTF)) {
		snprintf(details[RT_FEATURE_TASK_REGS], sizeof(details[0]),
			 "cannot be used without kernel BTF");
		return false;
	}
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, BPF_FUNC_task_pt_regs, NULL) == 1;
}

static bool probe_sk_storage(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SK_STORAGE, NULL) == 1;
}

/* Whether the kernel takes these instructions as an iterator of this kind: by loading
 * them. Some kernels have one and refuse it. */
static bool can_iterate(enum rt_feature f, const char *kind, const struct bpf_insn *insns, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER);
	__cleanup_fd int prog = -1;
	int id;

	if (!rt_features__has(RT_FEATURE_PRIVILEGE)) {
		snprintf(details[f], sizeof(details[0]), "cannot be tried without privileges");
		return false;
	}
	id = btf__find_by_name_kind(kernel_btf(), kind, BTF_KIND_FUNC);
	if (id <= 0)
		return false;
	opts.attach_btf_id = (u32)id;
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "rt_probe", "GPL", insns, n, &opts);
	if (prog < 0)
		snprintf(details[f], sizeof(details[0]), "this kernel refuses: %s", strerror(errno));
	return prog >= 0;
}

static bool probe_iter(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return can_iterate(RT_FEATURE_ITER, "bpf_iter_bpf_sk_storage_map", insns,
			   RT_ARRAY_SIZE(insns));
}

/* With bpf_sock_from_file() (5.11); the file is the fourth member of the context. */
static bool probe_iter_files(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_1,
		 .off = 24},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_1, .off = 1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sock_from_file},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return can_iterate(RT_FEATURE_ITER_FILES, "bpf_iter_task_file", insns,
			   RT_ARRAY_SIZE(insns));
}

/* Whether functions can be traced at their exit, with a look at their arguments
 * (bpf_get_func_arg_cnt, 5.17): by doing it. Some kernels load such a program
 * and refuse to attach it. */
static bool probe_fentry(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_func_arg_cnt},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char *said = details[RT_FEATURE_FENTRY];
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT);
	__cleanup_fd int prog = -1, link = -1;
	int id;

	if (!rt_features__has(RT_FEATURE_BTF)) {
		snprintf(said, sizeof(details[0]), "cannot be tried without kernel BTF");
		return false;
	}
	id = btf__find_by_name_kind(kernel_btf(), "tcp_sendmsg", BTF_KIND_FUNC);
	if (id <= 0) {
		snprintf(said, sizeof(details[0]), "this kernel names no tcp_sendmsg");
		return false;
	}
	opts.attach_btf_id = (u32)id;
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "rt_probe", "GPL", insns, RT_ARRAY_SIZE(insns),
			     &opts);
	if (prog < 0) {
		snprintf(said, sizeof(details[0]), "this kernel refuses: %s", strerror(errno));
		return false;
	}
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (link < 0)
		snprintf(said, sizeof(details[0]), "this kernel refuses to attach: %s",
			 strerror(errno));
	return link >= 0;
}

/*
 * A task that is preempted inside a program keeps it "active" on that CPU, and the
 * kernel skips its runs for all other tasks there. Since commit a46023d5616e
 * (Linux 7.0) tracepoints hold the guard of this type, and no longer one against
 * preemption, while their programs run.
 */
static bool probe_steady_tp(void)
{
	return !has_type("class_srcu_fast_notrace_t", BTF_KIND_TYPEDEF);
}

/* Trampolines only forbid migration. Whether a kernel that can preempt does so is
 * decided at boot, or even later: PREEMPT_DYNAMIC is not sure. */
static bool probe_steady_fn(void)
{
	struct utsname u;

	return !uname(&u) && !strstr(u.version, "PREEMPT");
}

static bool probe_tracefs(void)
{
	int fd = rt_tracefs__open();

	if (fd < 0) {
		snprintf(details[RT_FEATURE_TRACEFS], sizeof(details[0]), "%s", strerror(-fd));
		return false;
	}
	close(fd);
	return true;
}

static bool probe_uprobe(void)
{
	return access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;
}

static bool probe_pid_namespace(void)
{
	struct stat st;

	/* Without a /proc nothing says that it is another one. */
	return stat("/proc/self/ns/pid", &st) || st.st_ino == PID_NS_INITIAL;
}

/* Not by libbpf's probe of helpers: the words of newer verifiers mislead it. */
static bool can_read_kernel(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	__cleanup_fd int prog = -1;

	if (!rt_features__has(RT_FEATURE_PRIVILEGE))
		return true;
	prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "rt_probe", "GPL", insns,
			     RT_ARRAY_SIZE(insns), NULL);
	return prog >= 0 || errno != EINVAL;
}

/* By its file, which securityfs may not show here; else by what it forbids. */
static bool probe_lockdown(void)
{
	__cleanup_file FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";
	char *p, *q;

	if (!f || !fgets(line, sizeof(line), f))
		return can_read_kernel();
	p = strchr(line, '[');
	q = p ? strchr(p, ']') : NULL;
	if (!q)
		return true;
	*q = 0;
	snprintf(details[RT_FEATURE_LOCKDOWN], sizeof(details[0]), "%s", p + 1);
	return strcmp(p + 1, "confidentiality") != 0;
}

static const struct {
	const char *id;
	const char *text;
	const char *need;
} features[RT_NR_FEATURES] = {
#define FEATURE(id_, t, n) [RT_FEATURE_##id_] = {.id = #id_, .text = t, .need = n},
#include "redtap/features.def"
#undef FEATURE
};

/* `basis`: what the probe itself cannot do without; while that is missing, it is
 * the reason, and the probe would tell nothing. Its own number: none. */
static const struct {
	bool (*probe)(void);
	enum rt_feature basis;
} probes[RT_NR_FEATURES] = {
	[RT_FEATURE_BTF] = {probe_btf, RT_FEATURE_BTF},
	[RT_FEATURE_PRIVILEGE] = {probe_privilege, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_RINGBUF] = {probe_ringbuf, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_ATOMIC] = {probe_atomic, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_FUNC_ARGS] = {probe_func_args, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_SOCK_LENGTH] = {probe_sock_length, RT_FEATURE_SOCK_LENGTH},
	[RT_FEATURE_TASK_REGS] = {probe_task_regs, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_SK_STORAGE] = {probe_sk_storage, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_FENTRY] = {probe_fentry, RT_FEATURE_PRIVILEGE},
	[RT_FEATURE_STEADY_TP] = {probe_steady_tp, RT_FEATURE_BTF},
	[RT_FEATURE_STEADY_FN] = {probe_steady_fn, RT_FEATURE_STEADY_FN},
	[RT_FEATURE_TRACEFS] = {probe_tracefs, RT_FEATURE_LOCKDOWN},
	[RT_FEATURE_ITER] = {probe_iter, RT_FEATURE_BTF},
	[RT_FEATURE_ITER_FILES] = {probe_iter_files, RT_FEATURE_BTF},
	[RT_FEATURE_UPROBE] = {probe_uprobe, RT_FEATURE_UPROBE},
	[RT_FEATURE_LOCKDOWN] = {probe_lockdown, RT_FEATURE_LOCKDOWN},
	[RT_FEATURE_PID_NS] = {probe_pid_namespace, RT_FEATURE_PID_NS},
};

static bool has_basis(enum rt_feature f)
{
	return probes[f].basis == f || rt_features__has(probes[f].basis);
}

bool rt_features__has(enum rt_feature f)
{
	static signed char known[RT_NR_FEATURES]; /* 0: not asked yet */

	if (rt_features__is_disabled(f))
		return false;
	if (!known[f])
		known[f] = has_basis(f) && probes[f].probe() ? 1 : -1;
	return known[f] > 0;
}

bool rt_features__is_disabled(enum rt_feature f)
{
	return disabled[f][0];
}

const char *rt_features__text(enum rt_feature f)
{
	return features[f].text;
}

const char *rt_features__id(enum rt_feature f)
{
	return features[f].id;
}

const char *rt_features__need(enum rt_feature f)
{
	if (!rt_features__is_disabled(f) && !has_basis(f))
		f = probes[f].basis;
	return rt_features__is_disabled(f) ? disabled[f] : features[f].need;
}

const char *rt_features__detail(enum rt_feature f)
{
	return details[f];
}

const char *rt_features__missing(const enum rt_feature *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!rt_features__has(list[i]))
			return rt_features__need(list[i]);
	return NULL;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

/* One that libbpf can read, and of a kernel. */
static int check_btf_file(const char *path, char *errbuf, size_t errlen)
{
	libbpf_print_fn_t said;
	struct btf *btf = NULL;
	const char *wrong;
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		wrong = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		wrong = "no regular file";
	} else {
		said = libbpf_set_print(quiet);
		btf = btf__parse(path, NULL);
		libbpf_set_print(said);
		if (!btf)
			wrong = "holds no BTF";
		else if (btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT) <= 0)
			wrong = "its BTF is not a kernel's";
		else
			wrong = NULL;
		btf__free(btf);
	}
	if (!wrong)
		return 0;
	snprintf(errbuf, errlen, "--btf %s: %s", path, wrong);
	return -EINVAL;
}

int rt_features__setup(const struct rt_config *cfg, char *errbuf, size_t errlen)
{
	for (size_t i = 0; i < cfg->disable_feature.n; i++)
		for (int f = 0; f < RT_NR_FEATURES; f++)
			if (strcasecmp(cfg->disable_feature.items[i], features[f].id) == 0)
				snprintf(disabled[f], sizeof(disabled[f]),
					 "%s, which --disable-feature turned off",
					 features[f].text);
	return *cfg->btf ? check_btf_file(cfg->btf, errbuf, errlen) : 0;
}

/* By opening: access() asks for the user, and knows nothing of capabilities. */
static int can_read_event(int tracefs)
{
	__cleanup_fd int fd =
		openat(tracefs, "events/sched/sched_process_exec/id", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

int rt_tracefs__open(void)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	int fs, fd, err = 0;

	for (size_t i = 0; i < RT_ARRAY_SIZE(places); i++) {
		fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0) {
			err = errno == EACCES ? -EACCES : err;
			continue;
		}
		/* The folder is there also when nothing is mounted at it. */
		err = can_read_event(fd);
		if (!err)
			return fd;
		close(fd);
	}
	/* There, but not for us: the right to mount it would not help. */
	if (err == -EACCES)
		return err;
	fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) {
		fd = -errno;
		close(fs);
		return fd;
	}
	fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	close(fs);
	err = fd < 0 ? 0 : can_read_event(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}
