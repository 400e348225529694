# SPDX-License-Identifier: Apache-2.0
# The only build file: BPF objects -> one skeleton -> one program; tests; install.
# Everything made goes under $(BUILD). `make help` lists the targets.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
comma := ,
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
# Where another architecture's headers and libraries are; set by `make cross`.
SYSROOT ?=
UNITDIR ?= /lib/systemd/system
VERSION := 0.1.0
ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
V ?= 0
ifeq ($(V),0)
Q := @
msg = @printf '  %-8s %s\n' $(1) $(2)
MAKEFLAGS += --no-print-directory
else
Q :=
msg = @:
endif

# Seconds each fuzz target runs; how long `make test` lets pytest run.
FUZZ_SECONDS ?= 60
TEST_FUZZ_SECONDS ?= 20
PYTEST_SECONDS ?= 1500
PYTEST_ARGS ?=
BENCH_ARGS ?=
# A make that compiles only, on all CPUs.
COMPILE = $(MAKE) -j$(shell nproc) --output-sync=target

# --- flags ----------------------------------------------------------------

PKGS := libbpf libelf zlib libcjson libmicrohttpd yaml-0.1
# What has no .pc file.
HEADERS := uthash.h
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
# clang -target bpf does not look where Debian keeps asm/*.h.
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Wformat=2
CFLAGS ?= -O2 -g
REDTAP_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) -Iinclude -iquote user -I$(BUILD) \
	-DREDTAP_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
LIBS := $(PKG_LIBS) -lpthread -lm
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -D__bpf__ \
	-Iinclude -Ibpf -Ivmlinux -Ivmlinux/$(ARCH) -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-missing-declarations -Wno-unused-function \
	$(if $(MULTIARCH),-idirafter $(SYSROOT)/usr/include/$(MULTIARCH))
SAN_CFLAGS := $(REDTAP_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
FUZZ_CFLAGS := $(REDTAP_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wno-error

# --- what there is --------------------------------------------------------

# maps.bpf.c first: libbpf 1.1's linker loses the offsets of maps that it meets as
# `extern` before their definition.
BPF_SRC := bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c,$(sort $(wildcard bpf/*.bpf.c)))
BPF_OBJ := $(BPF_SRC:%.c=$(BUILD)/%.o)
SKEL := $(BUILD)/redtap.skel.h
# The same once more, for kernels without atomic instructions (bpf/README.md).
LEGACY_OBJ := $(BPF_SRC:%.c=$(BUILD)/legacy/%.o)
LEGACY_SKEL := $(BUILD)/legacy.skel.h
SRC := $(sort $(shell find user -name '*.c'))
OBJ := $(SRC:%.c=$(BUILD)/%.o)
MAIN_OBJ := $(BUILD)/user/main.o
LIB_OBJ := $(filter-out $(MAIN_OBJ),$(OBJ))
SAN_OBJ := $(LIB_OBJ:$(BUILD)/%=$(BUILD)/san/%)
FUZZ_OBJ := $(LIB_OBJ:$(BUILD)/%=$(BUILD)/fuzz/%)

UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
SAN_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/san/unit/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
BENCH_SRC := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BIN := $(BENCH_SRC:tests/bench/%.c=$(BUILD)/bench/%)
BENCH_BPF := $(patsubst tests/bench/%.c,$(BUILD)/bench/%.o,$(wildcard tests/bench/*.bpf.c))
VM_BIN := $(addprefix $(BUILD)/vm/,exact verify talk uring)
PYTEST_DIRS := $(wildcard tests/e2e tests/bpf)

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all cross demo test lint unit check fuzz e2e bench install uninstall clean help setup \
	smoke-kernel test-kernels check-cross test-programs bench-programs bench-scale bench-churn \
	bench-icount FORCE

all: $(BUILD)/redtap ## build the program, $(BUILD)/redtap

# --- the program ----------------------------------------------------------

# Says what is missing in one sentence, rather than by a compiler's first error.
$(BUILD)/.prerequisites: Makefile
	@mkdir -p $(@D)
	@missing=; \
	for c in $(firstword $(CC)) $(CLANG) $(LLVM_STRIP) $(BPFTOOL) $(PKG_CONFIG); do \
		command -v $$c >/dev/null || missing="$$missing $$c"; done; \
	for p in $(PKGS); do $(PKG_CONFIG) --exists $$p 2>/dev/null || missing="$$missing $$p"; done; \
	for h in $(HEADERS); do echo "#include <$$h>" | $(CC) $(PKG_CFLAGS) $(CFLAGS) -E -xc - \
		>/dev/null 2>&1 || missing="$$missing $$h"; done; \
	if [ -n "$$missing" ]; then \
		echo "missing for the build:$$missing. Run tools/setup.sh build (as root) first." >&2; \
		exit 1; fi
	@touch $@

# Changes only when a compiler or its flags do; every object depends on it.
$(BUILD)/.flags: FORCE | $(BUILD)/.prerequisites
	@printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS) $(LDFLAGS) $(REDTAP_CFLAGS) $(LIBS))' \
		'$(CLANG) $(BPF_CFLAGS)' > $@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

# Changes only when a source comes or goes, so that a deleted one is unlinked.
$(BUILD)/.sources: FORCE | $(BUILD)/.prerequisites
	@printf '%s\n' $(SRC) $(BPF_SRC) > $@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

$(BUILD)/redtap: $(OBJ) $(BUILD)/.sources
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ) $(LIBS)

$(BUILD)/user/%.o: user/%.c $(BUILD)/.flags | $(SKEL) $(LEGACY_SKEL)
	$(call msg,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(REDTAP_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/.flags
	$(call msg,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/redtap.bpf.o: $(BPF_OBJ) $(BUILD)/.sources
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJ)
	$(Q)$(LLVM_STRIP) -g $@

$(SKEL): $(BUILD)/redtap.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name redtap_bpf > $@

$(BUILD)/legacy/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/.flags
	$(call msg,BPF-OLD,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DRT_LEGACY -fvisibility=hidden -MMD -MP -c -o $@ $<

$(BUILD)/legacy.bpf.o: $(LEGACY_OBJ) $(BUILD)/.sources
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(LEGACY_OBJ)
	$(Q)$(LLVM_STRIP) -g $@

$(LEGACY_SKEL): $(BUILD)/legacy.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name legacy_bpf > $@

# --- for another architecture ---------------------------------------------

# All of the above once more, below $(BUILD)/arm64, by Debian's cross compiler.
# What it links with is unpacked into the cache: nothing foreign is installed.
CROSS_BUILD := $(BUILD)/arm64
CROSS_TARGETS ?= $(CROSS_BUILD)/redtap

cross: ## build the program for arm64, $(BUILD)/arm64/redtap
	@tools/setup.sh build cross
	@root=$$(tools/setup.sh --sysroot arm64) && \
	export PKG_CONFIG_SYSROOT_DIR=$$root && \
	export PKG_CONFIG_LIBDIR=$$root/usr/lib/aarch64-linux-gnu/pkgconfig:$$root/usr/share/pkgconfig && \
	$(COMPILE) ARCH=arm64 BUILD=$(CROSS_BUILD) SYSROOT=$$root \
		CC="aarch64-linux-gnu-gcc --sysroot=$$root" $(CROSS_TARGETS)

# --- tests ----------------------------------------------------------------

# The same program under ASan and UBSan.
$(BUILD)/san/user/%.o: user/%.c $(BUILD)/.flags | $(SKEL) $(LEGACY_SKEL)
	$(call msg,CC-SAN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/san/redtap: $(SAN_OBJ) $(BUILD)/san/user/main.o $(BUILD)/.sources
	$(call msg,LINK-SAN,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

$(BUILD)/unit/%: tests/unit/%.c $(LIB_OBJ) $(BUILD)/.sources
	$(call msg,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(REDTAP_CFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS) -lcmocka

# Its own kernel side: what the agent's loop asks of user/bpf.
$(BUILD)/unit/test_agent $(BUILD)/san/unit/test_agent: LIBS += \
	$(addprefix -Wl$(comma)--wrap=rt_bpf__,new free wait_fd drain has_records sweep)

$(BUILD)/san/unit/%: tests/unit/%.c $(SAN_OBJ) $(BUILD)/.sources
	$(call msg,TEST-SAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -MMD -MP -o $@ $< $(SAN_OBJ) $(LIBS) -lcmocka

# libFuzzer comes with clang, whatever compiler builds the program.
$(BUILD)/fuzz/user/%.o: user/%.c $(BUILD)/.flags | $(SKEL) $(LEGACY_SKEL)
	$(call msg,CC-FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_OBJ) $(BUILD)/.sources
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(FUZZ_OBJ) $(LIBS)

$(BUILD)/bench/%.bpf.o: tests/bench/%.bpf.c $(BUILD)/.flags
	$(call msg,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/empty_cost $(BUILD)/bench/swarm: $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/.flags
	$(call msg,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(REDTAP_CFLAGS) $(CFLAGS) -o $@ $< $(LIBS)

$(BUILD)/bench/bench_%: tests/bench/bench_%.c $(LIB_OBJ) $(BUILD)/.sources
	$(call msg,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(REDTAP_CFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS)

-include $(OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(LEGACY_OBJ:.o=.d) $(SAN_OBJ:.o=.d) $(BUILD)/san/user/main.d $(FUZZ_OBJ:.o=.d)
-include $(UNIT_BIN:=.d) $(SAN_BIN:=.d) $(FUZZ_BIN:=.d) $(BENCH_BIN:=.d) $(BENCH_BPF:.o=.d)

RUN := $(PYTHON) tests/run.py --results $(BUILD)/results
# What `make test` makes, and the results it must find afterwards.
STAGES := lint check-cross check fuzz smoke-kernel e2e
RESULTS := lint cross unit check fuzz kernel e2e

setup: ## install the packages for building, testing, benching and the demo (root)
	tools/setup.sh

# Each stage writes its numbers to $(BUILD)/results. One that fails does not
# keep the next from running; one that wrote nothing counts as failed.
test: ## everything that must hold: packages, build, style, tests, fuzz, end to end (root)
	@if [ "$$(id -u)" != 0 ]; then \
		echo "make test needs root: it loads BPF programs and makes network namespaces." >&2; \
		echo "Without root: make lint unit check fuzz" >&2; exit 1; fi
	tools/setup.sh build test vm
	@rm -rf $(BUILD)/results
	@$(COMPILE) all
	@$(COMPILE) -k test-programs || :
	@for stage in $(STAGES); do \
		$(MAKE) -k $$stage FUZZ_SECONDS=$(TEST_FUZZ_SECONDS) || :; done
	@$(RUN) sum $(RESULTS)

lint: ## style, layering and kernel type checks
	@$(RUN) lint tools/check_style.sh tools/check_layers.sh tools/check_vmlinux.sh

check-cross: cross ## whether `make cross` made what it should
	@RT_CROSS=$(CROSS_BUILD) $(RUN) lint --name cross tools/check_cross.sh

unit: $(UNIT_BIN) ## unit tests
	@$(RUN) unit unit $(UNIT_BIN)

check: $(UNIT_BIN) $(SAN_BIN) ## unit tests, plain and under ASan and UBSan
	@bad=0; $(RUN) unit unit $(UNIT_BIN) || bad=1; \
		$(RUN) unit check $(SAN_BIN) || bad=1; exit $$bad

fuzz: $(FUZZ_BIN) ## run every fuzz target for FUZZ_SECONDS=60 seconds
	@$(RUN) fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_BIN)

e2e: all $(BUILD)/bench/swarm ## end-to-end and BPF tests (root)
	@RT_E2E_BIN=$${RT_E2E_BIN:-$(abspath $(BUILD)/redtap)} \
		$(RUN) pytest --seconds $(PYTEST_SECONDS) $(PYTEST_DIRS) -- $(PYTEST_ARGS)

test-programs: $(UNIT_BIN) $(SAN_BIN) $(FUZZ_BIN) $(VM_BIN) $(BUILD)/bench/swarm ## build all test programs, run none

bench-programs: $(BENCH_BIN) $(BENCH_BPF) $(BUILD)/bench/empty_cost $(BUILD)/bench/swarm

bench: ## measure overhead, exactness, memory and start time: one table (root)
	@tools/setup.sh build bench
	@$(COMPILE) all bench-programs
	@$(PYTHON) tests/bench/bench.py --build $(BUILD) $(BENCH_ARGS)

bench-scale: ## 50,000 connections, 200 services, 2,000 routes: memory, scrapes, exactness (root)
bench-churn: ## an hour of processes, connections and paths that come and go: nothing grows (root)
bench-icount: ## instructions per request that redtap adds to nginx, in a guest
bench-scale bench-churn bench-icount:
	@tools/setup.sh build bench vm
	@$(COMPILE) all bench-programs
	@$(PYTHON) tests/bench/$(@:bench-%=%).py --build $(BUILD) $(BENCH_ARGS)

# The programs that run in the guest share what they need; each links it all.
$(BUILD)/vm/%: tests/vm/%.c tests/vm/traffic.c $(LIB_OBJ) $(BUILD)/.sources
	$(call msg,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(REDTAP_CFLAGS) $(CFLAGS) -o $@ $(filter %.c %.o,$^) $(LIBS)

smoke-kernel: all $(BUILD)/vm/exact $(BUILD)/vm/verify ## exact counts on two other kernels, in QEMU
	@BUILD=$(BUILD) $(RUN) unit --seconds 900 kernel tests/vm/smoke

test-kernels: ## each backend on other kernels, in QEMU: one table
	@tools/setup.sh build vm
	@$(COMPILE) all $(VM_BIN)
	@$(MAKE) cross CROSS_TARGETS="$(addprefix $(CROSS_BUILD)/,redtap vm/exact vm/verify)"
	@tools/check_vmlinux.sh --arch arm64
	@bad=0; for part in matrix hostile same; do \
		$(PYTHON) tests/vm/$$part.py --build $(BUILD) || bad=1; done; exit $$bad

demo: ## a real nginx under load, and what redtap says about it (root)
	@tools/setup.sh build demo
	@$(COMPILE) all
	@tools/demo.sh $(BUILD)/redtap

# --- install --------------------------------------------------------------

install: all ## install the stripped program and its systemd unit under PREFIX and DESTDIR
	$(call msg,INSTALL,$(DESTDIR)$(PREFIX)/bin/redtap)
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR)
	$(Q)install -m 755 $(BUILD)/redtap $(DESTDIR)$(PREFIX)/bin/redtap
	$(Q)$(LLVM_STRIP) $(DESTDIR)$(PREFIX)/bin/redtap
	$(call msg,INSTALL,$(DESTDIR)$(UNITDIR)/redtap.service)
	$(Q)sed 's|@BINDIR@|$(PREFIX)/bin|' tools/deploy/systemd/redtap.service.in \
		> $(DESTDIR)$(UNITDIR)/redtap.service
	$(Q)chmod 644 $(DESTDIR)$(UNITDIR)/redtap.service

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/redtap $(DESTDIR)$(UNITDIR)/redtap.service

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | \
		sed 's/:.*## /\t/;s/$$(BUILD)/$(BUILD)/' | expand -t 16
