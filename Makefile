# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make                 the tool: build/jnitrace
# make demo            install what is missing, build, and trace a program that leaks
# make test            install what is missing, build, and run every test
# make bench           what tracing costs, as ratios measured in one run (BENCH=--quick: in a minute)
# make kernels-preempt the storm of probes that preempt each other, in emulated machines (10 minutes and more)
# make check           style: formatting, rooms (scripts/rooms.py), lengths
# make format          put all sources into the house's format
# make asan            the tool with address and undefined-behaviour checks, in build-asan
# make install         PREFIX (/usr/local) and DESTDIR as usual
#
# Variables: O=dir (build), V=1 (show commands), CC, CLANG, CFLAGS, SANITIZE=1

O ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= $(firstword $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool) bpftool)
VERSION := 0.1.0

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
MAKEFLAGS += --no-print-directory
endif

machine := $(shell uname -m)
bpf_arch := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(machine)))
jdk := $(firstword $(wildcard /usr/lib/jvm/java-17-openjdk-*))

CFLAGS ?= -O2 -g
warnings := -Wall -Wextra -Werror
comma := ,
sanitize := $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

# -iquote, not -I: <elf.h> is the system's, "elf.h" is ours.
includes := -iquote $(O) -iquote . -iquote user -iquote bpf
cflags = -std=gnu11 -D_GNU_SOURCE -DJNITRACE_VERSION='"$(VERSION)"' $(CFLAGS) $(warnings) $(sanitize) $(includes) -MMD -MP
bpf_cflags = -target bpf -mcpu=v3 -O2 -g $(warnings) -D__TARGET_ARCH_$(bpf_arch) -Ivmlinux
libs := -lbpf -ldw -lelf -lyajl -llzma -liberty -lz -lm

bpf_sources := $(wildcard bpf/*.bpf.c)
bpf_objects := $(bpf_sources:%.c=$(O)/%.o)
skeletons := $(bpf_sources:bpf/%.bpf.c=$(O)/%.skel.h)
user_objects := $(patsubst %.c,$(O)/%.o,$(wildcard user/*.c user/*/*.c user/*/*/*.c))
library := $(O)/libjnitrace.a
tool := $(O)/jnitrace

all: $(tool)

$(tool): $(O)/user/main.o $(library)
	$(call say,LINK,$@)
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $^ $(libs)

$(library): $(filter-out $(O)/user/main.o,$(user_objects))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $^

$(O)/user/%.o: user/%.c | $(skeletons) $(O)/.tools
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(cflags) -c -o $@ $<

$(O)/bpf/%.bpf.o: bpf/%.bpf.c | $(O)/.tools
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(bpf_cflags) -iquote bpf -MMD -MP -c -o $@.tmp $< -MF $(@:.o=.d) -MT $@
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm $@.tmp

$(O)/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@.tmp && mv $@.tmp $@

# What the build needs is there, or is asked for by name.
$(O)/.tools: scripts/setup
	@mkdir -p $(@D)
	@scripts/setup --check build
	@touch $@

# Unit and golden tests: test_*.c is a program each, linked with all of the tool but main.o, and
# with the other files of its folder.
test_dirs := tests/unit tests/golden
test_programs := $(foreach d,$(test_dirs),$(patsubst %.c,$(O)/%,$(wildcard $(d)/test_*.c)))
test_helper = $(patsubst %.c,$(O)/%.o,$(filter-out $(wildcard $(1)/test_*.c),$(wildcard $(1)/*.c)))

unit-programs: $(test_programs)

$(O)/tests/%.o: tests/%.c | $(skeletons) $(O)/.tools
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(cflags) -iquote $(<D) $(if $(jdk),-isystem $(jdk)/include -isystem $(jdk)/include/linux) -c -o $@ $<

define test_program
$(O)/$(1)/test_%: $(O)/$(1)/test_%.o $(call test_helper,$(1)) $(library)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(sanitize) $$(LDFLAGS) -o $$@ $$^ -lcmocka -ljansson $$(libs)
endef
$(foreach d,$(test_dirs),$(eval $(call test_program,$(d))))

# The tool with a fault in its BPF programs, one for each tests/mutants/NAME.sed: the tests must see it.
mutants := $(patsubst tests/mutants/%.sed,$(O)/mutants/%/jnitrace,$(wildcard tests/mutants/*.sed))
skeleton_users := $(patsubst user/kernel/%.c,%,$(shell grep -l '"kernel/tracer_priv.h"' user/kernel/*.c))

$(O)/mutants/%/jnitrace: tests/mutants/%.sed $(tool)
	$(call say,MUTANT,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -r bpf $(@D) && sed -i -f $< $(@D)/bpf/*.bpf.h $(@D)/bpf/*/*.bpf.h
	$(Q)[ "$$(diff -rU0 bpf $(@D)/bpf | grep -c '^@@')" = 1 ]
	$(Q)$(CLANG) $(bpf_cflags) -iquote $(@D)/bpf -c -o $(@D)/o $(@D)/bpf/jnitrace.bpf.c && $(BPFTOOL) gen object $(@D)/o.o $(@D)/o
	$(Q)$(BPFTOOL) gen skeleton $(@D)/o.o name jnitrace_bpf >$(@D)/jnitrace.skel.h
	$(Q)for f in $(skeleton_users); do $(CC) -iquote $(@D) $(filter-out -MMD -MP,$(cflags)) -c -o $(@D)/$$f.o user/kernel/$$f.c || exit 1; done
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $(O)/user/main.o $(skeleton_users:%=$(@D)/%.o) $(library) $(libs)

# Java programs with a native part, for the demo and the live tests. --release 8: every JVM runs them.
fixtures: $(O)/fixtures/Leaky.class $(O)/fixtures/libleaky.so $(O)/fixtures/Oracle.class $(O)/fixtures/liboracle.so
fixtures: $(O)/fixtures/Census.class $(O)/fixtures/libcensus.so $(O)/liar/liar $(O)/liar/libjvm.so
fixtures: $(O)/fixtures/Frames.class $(O)/fixtures/Unload.class $(O)/fixtures/libframes.so
fixtures: $(O)/fixtures/Calls.class $(O)/fixtures/libcalls.so $(O)/fixtures/Foreign.java
fixtures: $(O)/fixtures/Misuse.class $(O)/fixtures/libmisuse.so
fixtures: $(O)/fixtures/Memo.class $(O)/fixtures/libmemo.so $(O)/fixtures/libhidden.so $(mutants)
fixtures: $(O)/fixtures/Locals.class $(O)/fixtures/liblocals.so
fixtures: $(O)/fixtures/Threads.class $(O)/fixtures/libthreads.so $(O)/fixtures/libother.so
fixtures: $(O)/fixtures/Native.class $(O)/fixtures/libnative.so $(O)/fixtures/libbare.so $(O)/fixtures/libbarefp.so
fixtures: $(O)/fixtures/libplug1.so $(O)/fixtures/libplug2.so
fixtures: $(O)/fixtures/Pins.class $(O)/fixtures/libpins.so $(O)/fixtures/Zstd.class
fixtures: $(O)/fixtures/Storm.class $(O)/fixtures/libstorm.so
fixtures: $(O)/fixtures/Tail.class $(O)/fixtures/libtaila.so $(O)/fixtures/libtailb.so $(O)/fixtures/libtailc.so
fixtures: bench-programs
# Libraries of Debian's, used as their users do.
libraries := /usr/share/java/jna.jar:/usr/share/java/sqlite-jdbc.jar
fixtures: $(O)/fixtures/Callbacks.class $(O)/fixtures/Sqlite.class
$(O)/fixtures/Callbacks.class: tests/fixtures/libraries/Callbacks.java
$(O)/fixtures/Sqlite.class: tests/fixtures/libraries/Sqlite.java
$(O)/fixtures/Callbacks.class $(O)/fixtures/Sqlite.class:
	@mkdir -p $(@D)
	$(call say,JAVAC,$<)
	$(Q)$(jdk)/bin/javac --release 17 -cp $(libraries) -d $(@D) $<

demo-fixture: $(O)/fixtures/Leaky.class $(O)/fixtures/libleaky.so
all unit-programs fixtures bench-programs demo-fixture: ; @:

$(O)/fixtures/Leaky.class: tests/fixtures/demo/Leaky.java
$(O)/fixtures/Oracle.class: tests/fixtures/oracle/Oracle.java
$(O)/fixtures/Frames.class: tests/fixtures/frames/Frames.java
$(O)/fixtures/Unload.class: tests/fixtures/frames/Unload.java
$(O)/fixtures/Calls.class: tests/fixtures/calls/Calls.java $(O)/fixtures/Frames.class
$(O)/fixtures/Memo.class: tests/fixtures/memo/Memo.java
$(O)/fixtures/Threads.class: tests/fixtures/threads/Threads.java
$(O)/fixtures/Locals.class: tests/fixtures/locals/Locals.java
$(O)/fixtures/Native.class: tests/fixtures/native/Native.java
$(O)/fixtures/Misuse.class: tests/fixtures/misuse/Misuse.java
$(O)/fixtures/Pins.class: tests/fixtures/pins/Pins.java
$(O)/fixtures/Zstd.class: tests/fixtures/pins/Zstd.java
$(O)/fixtures/Storm.class: tests/fixtures/storm/Storm.java
$(O)/fixtures/Tail.class: tests/fixtures/tail/Tail.java
$(O)/fixtures/%.class:
	@mkdir -p $(@D)
	$(call say,JAVAC,$<)
	$(Q)$(jdk)/bin/javac --release 8 -Xlint:all,-options -cp $(@D) -d $(@D) $<

# Newer than the compiler here: JVMs that have what it uses compile it themselves.
$(O)/fixtures/Foreign.java: tests/fixtures/calls/Foreign.java
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(O)/fixtures/Census.class: tests/fixtures/census/Census.java
$(O)/fixtures/libcensus.so: tests/fixtures/census/census.c
# A process that looks like a JVM and lies.
$(O)/liar/libjvm.so: tests/fixtures/census/lies.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -fPIC -shared -o $@ $<
$(O)/liar/liar: tests/fixtures/census/liar.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -o $@ $< -ldl
$(O)/fixtures/libleaky.so: tests/fixtures/demo/leaky.c
$(O)/fixtures/liboracle.so: tests/fixtures/oracle/oracle.c
$(O)/fixtures/libthreads.so: tests/fixtures/threads/threads.c
$(O)/fixtures/libother.so: tests/fixtures/threads/other.c
$(O)/fixtures/liblocals.so: tests/fixtures/locals/locals.c
$(O)/fixtures/libframes.so: tests/fixtures/frames/frames.c
$(O)/fixtures/libcalls.so: tests/fixtures/calls/calls.c
$(O)/fixtures/libmisuse.so: tests/fixtures/misuse/misuse.c
$(O)/fixtures/libpins.so: tests/fixtures/pins/pins.c
$(O)/fixtures/libstorm.so: tests/fixtures/storm/storm.c
$(O)/fixtures/libtaila.so $(O)/fixtures/libtailb.so $(O)/fixtures/libtailc.so: tests/fixtures/tail/tail.c
$(O)/fixtures/libtaila.so: fixture_cflags := -DTAIL_CLASS=TailA
$(O)/fixtures/libtailb.so: fixture_cflags := -DTAIL_CLASS=TailB
$(O)/fixtures/libtailc.so: fixture_cflags := -DTAIL_REGISTERS -s
$(O)/fixtures/libmemo.so: tests/fixtures/memo/memo.c
$(O)/fixtures/libhidden.so: tests/fixtures/memo/hidden.c
$(O)/fixtures/libhidden.so: fixture_cflags := -fno-asynchronous-unwind-tables -fno-unwind-tables
$(O)/fixtures/%.so:
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(fixture_cflags) $(warnings) -fPIC -shared -pthread -I$(jdk)/include -I$(jdk)/include/linux -o $@ $<

bench-programs: $(O)/bench/Bench.class $(O)/bench/libbench.so $(O)/bench/floor $(O)/bench/floor.bpf.o
bench:
	$(Q)scripts/setup test
	$(Q)$(MAKE) all bench-programs
	$(Q)/usr/bin/python3 -B tests/bench/run.py $(O) $(BENCH)

$(O)/bench/Bench.class: tests/bench/Bench.java
	@mkdir -p $(@D)
	$(call say,JAVAC,$<)
	$(Q)$(jdk)/bin/javac --release 8 -Xlint:all,-options -d $(@D) $<

$(O)/bench/libbench.so: tests/bench/bench.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g -fomit-frame-pointer $(warnings) -fPIC -shared -pthread -I$(jdk)/include -I$(jdk)/include/linux -o $@ $<

$(O)/bench/floor: tests/bench/floor.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(warnings) -o $@ $< -lbpf

$(O)/bench/floor.bpf.o: tests/bench/floor.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) -target bpf -mcpu=v3 -O2 -g $(warnings) -D__TARGET_ARCH_$(bpf_arch) -Ivmlinux -c -o $@ $<
# Native stacks of every kind: without frame pointers, without unwind tables.
$(O)/fixtures/libnative.so: tests/fixtures/native/native.cpp
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) -O2 -g -fomit-frame-pointer $(warnings) -fPIC -shared -pthread -I$(jdk)/include -I$(jdk)/include/linux -o $@ $< -lffi

# By Debian's compiler: another's in PATH may make other code.
fixtures: $(O)/fixtures/librusty.so $(O)/fixtures/Jna.class
$(O)/fixtures/librusty.so: tests/fixtures/native/rusty.rs
	@mkdir -p $(@D)
	$(call say,RUSTC,$<)
	$(Q)/usr/bin/rustc --edition 2021 --crate-type cdylib -O -g -C panic=unwind -C force-frame-pointers=no -D warnings -o $@ $<

jna := /usr/share/java/jna.jar
$(O)/fixtures/Jna.class: tests/fixtures/native/Jna.java $(O)/fixtures/Native.class
	@mkdir -p $(@D)
	$(call say,JAVAC,$<)
	$(Q)$(jdk)/bin/javac --release 8 -Xlint:all,-options -cp $(jna):$(@D) -d $(@D) $<

bare := -O1 -fno-optimize-sibling-calls -fno-asynchronous-unwind-tables -fno-unwind-tables
$(O)/fixtures/libbare.so: bare_cflags := $(bare) -fomit-frame-pointer
$(O)/fixtures/libbarefp.so: bare_cflags := $(bare) -fno-omit-frame-pointer
$(O)/fixtures/libbare.so $(O)/fixtures/libbarefp.so: tests/fixtures/native/bare.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(bare_cflags) $(warnings) -fPIC -shared -o $@ $<

# Two libraries of one layout.
$(O)/fixtures/libplug1.so: plug := -DPLUG=plug1_down -DPLUG_BYTES=1000
$(O)/fixtures/libplug2.so: plug := -DPLUG=plug2_down -DPLUG_BYTES=3000
$(O)/fixtures/libplug1.so $(O)/fixtures/libplug2.so: tests/fixtures/native/plug.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g -fomit-frame-pointer -fno-ipa-ra -fno-optimize-sibling-calls $(plug) $(warnings) -fPIC -shared -o $@ $<

asan:
	$(Q)$(MAKE) O=$(O)-asan SANITIZE=1 all

demo:
	$(Q)scripts/setup demo
	$(Q)$(MAKE) all demo-fixture
	$(Q)scripts/demo $(O)

test:
	$(Q)scripts/setup test
	$(Q)scripts/run-tests $(O)

check: all
	$(Q)JNITRACE_BUILD=$(O) scripts/checks

format:
	$(Q)git ls-files -co --exclude-standard 'user/*.[ch]' 'bpf/*.[ch]' 'tests/*.[ch]' | xargs clang-format -i --style=file

install: all
	install -D -m 755 $(tool) $(DESTDIR)$(PREFIX)/bin/jnitrace
	install -D -m 644 docs/jnitrace.1 $(DESTDIR)$(PREFIX)/share/man/man1/jnitrace.1

clean:
	rm -rf $(O) $(O)-asan $(O)-clang

.PHONY: all asan bench demo test kernels-preempt check format install clean unit-programs fixtures bench-programs demo-fixture
.DELETE_ON_ERROR:
.SECONDARY:

-include $(user_objects:.o=.d) $(bpf_objects:.o=.d) $(test_programs:%=%.d) $(wildcard $(O)/tests/*/*.d)
