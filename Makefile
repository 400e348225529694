# SPDX-License-Identifier: Apache-2.0
# The only build file: BPF objects -> one skeleton -> one program; tests; install.
# Everything made goes under build/. `make help` lists the targets.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PYTHON ?= /usr/bin/python3
VERSION := 0.1.0
ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
V ?= 0
ifeq ($(V),0)
Q := @
msg = @printf '  %-8s %s\n' $(1) $(2)
else
Q :=
msg = @:
endif

PKGS := libbpf libelf zlib libcjson libmicrohttpd yaml-0.1
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Wformat=2
CFLAGS ?= -O2 -g
REDTAP_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) -Iinclude -Iuser -I$(BUILD) \
	-DREDTAP_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -D__bpf__ \
	-Iinclude -Ibpf -Ivmlinux -Ivmlinux/$(ARCH) -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-missing-declarations -Wno-unused-function

BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_OBJ := $(BPF_SRC:%.c=$(BUILD)/%.o)
SKEL := $(BUILD)/redtap.skel.h
SRC := $(shell find user -name '*.c' | sort)
OBJ := $(SRC:%.c=$(BUILD)/%.o)
LIB_OBJ := $(filter-out $(BUILD)/user/main.o,$(OBJ))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo test test-all check fuzz bench install uninstall clean help setup

all: $(BUILD)/redtap ## build the program, build/redtap

$(BUILD)/redtap: $(OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/user/%.o: user/%.c | $(SKEL)
	$(call msg,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(REDTAP_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call msg,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/redtap.bpf.o: $(BPF_OBJ)
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/redtap.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name redtap_bpf > $@

-include $(OBJ:.o=.d) $(BPF_OBJ:.o=.d)

# --- tests ---------------------------------------------------------------

UNIT_CFLAGS = $(REDTAP_CFLAGS) $(CFLAGS)
SAN_CFLAGS = $(REDTAP_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
SAN_OBJ := $(LIB_OBJ:$(BUILD)/%=$(BUILD)/san/%)

$(BUILD)/san/user/%.o: user/%.c | $(SKEL)
	$(call msg,CC-SAN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIB_OBJ)
	$(call msg,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS) -lcmocka

$(BUILD)/san/unit/%: tests/unit/%.c $(SAN_OBJ)
	$(call msg,TEST-SAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -MMD -MP -o $@ $< $(SAN_OBJ) $(LIBS) -lcmocka

-include $(SAN_OBJ:.o=.d) $(wildcard $(BUILD)/unit/*.d $(BUILD)/san/unit/*.d)

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
