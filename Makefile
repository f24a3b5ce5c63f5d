# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make                 the tool: build/jnitrace
# make demo            install what is missing, build, and trace a program that leaks
# make demo-node       the same with a program of Node.js
# make demo-ruby       the same with a program of Ruby, which frees twice: by hand, and by a finalizer
# make demo-art        the same, of an app on Android's runtime whose reference table is about to overflow
# make test            install what is missing, build, and run every test
# make test-unit       the unit and golden tests alone
# make test-live       live tests of one file, by a part of their names: T=test_limits K=depth
# make bench           what tracing costs, as ratios measured in one run (BENCH=--quick: in a minute)
# make kernels-preempt the storm of probes that preempt each other, in emulated machines (10 minutes and more)
# make bench-many      what the tool itself takes for 40 small JVMs: memory, descriptors, CPU time
# make fuzz           the fuzz targets, each for SECONDS=10 or of NAME=elf alone
# make fuzz-corpus    the same, and then tests/fuzz/corpus anew, from which CI starts (SECONDS=60)
# make fuzz-plants    does each fuzz target find the fault that is planted for it? (SECONDS=60 for each)
# make faults         every call of the tool that may fail does so, told apart by three functions above it
# make libraries      some fifty real libraries on two JDKs, traced with all checks for SECONDS=60 each
# make node-matrix    tests of Node-API on Node.js 18 to 26, Deno and Bun (K=: only those; 900 MB by npm, minutes)
# make builds         jnitrace run of real builds: Maven with Surefire, Gradle with its daemon (minutes)
# make storms         what processes do seldom, in large numbers: threads, libraries, call sites, ... (20 minutes)
# make estimates      a hundred runs with --sample: how many are within the error that they state (3 minutes)
# make herd           an agent of 2,000 JVMs, which may take 5 % of a CPU; a fleet of 8 hosts (9 minutes)
# make soak           tracers of busy JVMs for HOURS=24; fails when they take more and more, or one number is wrong
# make verdict-table how often verdicts are wrong, measured anew for docs/verdicts.md (minutes)
# make check           style: formatting, rooms (scripts/rooms.py), lengths
# make docs           the lists of the documents, from the rows of the program
# make format          put all sources into the house's format
# make arm64           compiles all sources for arm64 (and links nothing)
# make asan            the tool with address and undefined-behaviour checks, in build-asan
# make install         PREFIX (/usr/local) and DESTDIR as usual
#
# Variables: O=dir (build), V=1 (show commands), CC, CLANG, CFLAGS, SANITIZE=1, HTML=0 (without --format html,
# whose page is the one thing here that is made of packages from the network, by npm)

O ?= build
HTML ?= 1
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
jni := $(if $(jdk),-isystem $(jdk)/include -isystem $(jdk)/include/linux)

CFLAGS ?= -O2 -g
warnings := -Wall -Wextra -Werror
comma := ,
# gcc's libubsan.so writes to stderr beside libasan.so, whatever its log_path says.
static_ubsan := $(if $(findstring clang,$(CC)),,-static-libubsan)
sanitize := $(if $(SANITIZE),-fsanitize=address$(comma)undefined $(static_ubsan) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# -iquote, not -I: <elf.h> is the system's, "elf.h" is ours.
includes := -iquote $(O) -iquote . -iquote user -iquote bpf
cflags = -std=gnu11 -D_GNU_SOURCE -DJNITRACE_VERSION='"$(VERSION)"' -DJNITRACE_HTML=$(HTML) $(CFLAGS) $(warnings) $(sanitize) $(includes) -MMD -MP
bpf_cflags = -target bpf -mcpu=v3 -O2 -g $(warnings) -D__TARGET_ARCH_$(bpf_arch) -Ivmlinux
libs := $(shell pkg-config --libs ncursesw 2>/dev/null || echo -lncursesw -ltinfo) -lmicrohttpd -lcurl -lgnutls -lyaml -lbpf -ldw -lelf -lyajl -ljansson -lzstd -lprotobuf-c -llzma -liberty -lz -lm

bpf_sources := $(wildcard bpf/*.bpf.c)
bpf_objects := $(bpf_sources:%.c=$(O)/%.o)
skeletons := $(bpf_sources:bpf/%.bpf.c=$(O)/%.skel.h)
user_sources := $(wildcard user/*.c user/*/*.c user/*/*/*.c)
user_objects := $(patsubst %.c,$(O)/%.o,$(if $(filter 0,$(HTML)),$(filter-out %/html.c,$(user_sources)),$(user_sources)))
messages := $(patsubst %.proto,$(O)/%.pb-c,$(wildcard user/*/*.proto))
library := $(O)/libjnitrace.a
tool := $(O)/jnitrace

all: $(tool)

$(tool): $(O)/user/main.o $(library)
	$(call say,LINK,$@)
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $^ $(libs)

$(library): $(filter-out $(O)/user/main.o,$(user_objects)) $(messages:=.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $^

# Which commit this is; only what says so is made anew when it changes.
commit := $(shell git -C $(CURDIR) describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
$(O)/.commit: FORCE
	@mkdir -p $(@D)
	@echo '$(commit)' | cmp -s - $@ || echo '$(commit)' >$@
$(O)/.html: FORCE
	@mkdir -p $(@D)
	@echo '$(HTML)' | cmp -s - $@ || echo '$(HTML)' >$@
$(O)/user/export/formats.o $(O)/user/export/page_parts.o: $(O)/.html
$(O)/user/run/version.o: $(O)/.commit
$(O)/user/run/version.o: cflags += -DJNITRACE_COMMIT='"$(commit)"'
FORCE:

$(O)/user/%.o: user/%.c | $(skeletons) $(messages:=.h) $(O)/.tools
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

# Messages of protobuf, packed and unpacked by protobuf-c.
$(O)/%.pb-c.c $(O)/%.pb-c.h: %.proto | $(O)/.tools
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(O) $<
$(O)/%.pb-c.o: $(O)/%.pb-c.c
	$(call say,CC,$<)
	$(Q)$(CC) $(cflags) -c -o $@ $<

# The page of --format html, made once for all builds. Without npm's packages the tool is built without it.
page := build-page
page_files := $(wildcard user/export/page/*.json user/export/page/*.mjs user/export/page/src/*)
ifneq ($(HTML),0)
$(O)/user/export/page_parts.o $(O)/user/export/formats.o: $(page)/page.h
$(O)/user/export/page_parts.o $(O)/user/export/formats.o: includes += -iquote $(page)
endif
$(page)/page.h: $(page_files) $(page)/.packages $(if $(wildcard $(page)/.packages),,FORCE)
	@cp -R user/export/page/. $(page)
	$(Q)cd $(page) && if [ -e .packages ]; then node build.mjs page.h.new; else printf '#define PAGE_ABSENT\nstatic const unsigned char page_head[1], page_tail[1];\n' >page.h.new; fi && \
		mv page.h.new page.h
$(page)/.packages: user/export/page/package.json user/export/page/package-lock.json | $(O)/.tools
	@mkdir -p $(page) && cp $^ $(page)
	$(call say,NPM,user/export/page/package.json)
	$(Q)cd $(page) && rm -f .packages && \
		if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 >/dev/null; then touch .packages; \
		else echo "make: npm gave no packages: this build has no --format html (make again when it can; HTML=0 does without)" >&2; fi

# Other programs that read what the tool writes, for the tests.
readers := build-readers
fixtures: $(readers)/.packages
$(readers)/.packages: $(if $(wildcard $(readers)/.packages),,FORCE) tests/page/package.json tests/page/package-lock.json | $(O)/.tools
	@mkdir -p $(@D) && cp $(filter %.json,$^) $(@D)
	$(call say,NPM,tests/page/package.json)
	$(Q)cd $(@D) && if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 >/dev/null; then touch .packages; \
		else echo "make: npm gave no packages: tests of pages will fail" >&2; fi

# What the build needs is there, or is asked for by name.
$(O)/.tools: scripts/setup
	@mkdir -p $(@D)
	@scripts/setup --check build
	@touch $@

# Unit and golden tests: each test_*.c in or below these folders is a program, linked with all of the tool
# but main.o and with the other sources of its folder. tests/unit mirrors user/.
test_folders := tests/unit tests/golden
test_objects := $(patsubst %.c,$(O)/%.o,$(shell find $(test_folders) -name '*.c'))
test_programs := $(basename $(foreach o,$(test_objects),$(if $(filter test_%,$(notdir $(o))),$(o))))
in_folder = $(foreach o,$(test_objects),$(if $(filter $(@D)/,$(dir $(o))),$(o)))
beside = $(filter-out $(@D)/test_%,$(in_folder))

unit-programs: $(test_programs)

$(test_objects): $(O)/%.o: %.c | $(skeletons) $(messages:=.h) $(O)/.tools
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(cflags) -iquote $(<D) -iquote tests/unit $(jni) -c -o $@ $<

.SECONDEXPANSION:
$(test_programs): %: %.o $$(beside) $(library)
	$(call say,LINK,$@)
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $^ -lcmocka $(libs)

all unit-programs fixtures bench-programs demo-fixture demo-node-fixture demo-ruby-fixture: ; @:

include tests/mutants/rules.mk tests/fixtures/rules.mk tests/bench/rules.mk tests/runtime/rules.mk tests/node/rules.mk tests/ruby/rules.mk tests/fuzz/rules.mk

# How often verdicts are wrong and intervals hold: simulated, with fixed seeds, into docs/verdicts.md.
HISTORIES ?= 400
verdict-table: $(O)/tests/unit/judge/test_rates
	$(Q)scripts/verdict-table $< $(HISTORIES)

bench:
	$(Q)scripts/setup test
	$(Q)$(MAKE) all bench-programs
	$(Q)/usr/bin/python3 -B tests/bench/run.py $(O) $(BENCH)

# Real libraries, used rightly: no finding, no loss (LIBRARIES='--only jna --jdk 17', '--write').
libraries:
	$(Q)scripts/setup libraries
	$(Q)$(MAKE) all
	$(Q)/usr/bin/python3 -B tests/libraries/run.py $(O) --seconds $(or $(SECONDS),60) $(LIBRARIES)

bench-many: all $(O)/fixtures/Oracle.class $(O)/fixtures/liboracle.so
	$(Q)/usr/bin/python3 -B tests/bench/many.py $(O) $(BENCH)

# Instrumented, with all checks, in a folder of its own.
fuzz_make = $(MAKE) O=$(O)-fuzz CC=clang SANITIZE=1 CFLAGS='-O1 -g -fsanitize=fuzzer-no-link'
fuzz-build:
	+$(Q)$(fuzz_make) fuzz-programs
fuzz:
	$(Q)scripts/setup test
	+$(Q)$(fuzz_make) fuzz-programs
	$(Q)scripts/fuzz $(O)-fuzz $(or $(SECONDS),10) $(NAME)
fuzz-corpus:
	$(Q)scripts/setup test
	+$(Q)$(fuzz_make) fuzz-programs
	$(Q)scripts/fuzz --corpus $(O)-fuzz $(or $(SECONDS),60) $(NAME)
fuzz-plants:
	$(Q)scripts/setup test
	+$(Q)$(fuzz_make) fuzz-planted
	$(Q)scripts/fuzz --plants $(O)-fuzz $(or $(SECONDS),60) $(NAME)

faults:
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) all fixtures
	$(Q)JNITRACE_FAULT_DEPTH=3 scripts/test-live $(O) -s tests/live/test_faults.py

# The tests of Node-API on Node.js 18 to 26, as their makers and as Debian have built them, and others on Deno and Bun.
node-matrix:
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) all fixtures
	$(Q)if [ "$$(id -u)" = 0 ]; then scripts/node-matrix; else sudo --preserve-env=JNITRACE_NODES_ROOT scripts/node-matrix; fi >$(O)/node-matrix
	$(Q)failed=0; while read -r name program <&3; do \
		case $$name in deno | bun) continue ;; esac; echo "== $$name"; \
		JNITRACE_NODE=$$program scripts/test-live $(O) tests/live/test_node.py $(if $(K),-k '$(K)') || failed=1; \
	done 3<$(O)/node-matrix; \
	echo "== deno, bun" && scripts/test-live $(O) -W ignore tests/node/test_hosts.py $(if $(K),-k '$(K)') && exit $$failed

builds:
	$(Q)scripts/setup builds
	$(Q)$(MAKE) all fixtures
	$(Q)scripts/test-live $(O) --durations=0 tests/builds/test_builds.py

storms:
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) all fixtures
	$(Q)export JNITRACE_BUILD=$(O); if [ "$$(id -u)" = 0 ]; then scripts/jdk-matrix; \
	else sudo --preserve-env=JNITRACE_BUILD,JNITRACE_JDK_ROOT scripts/jdk-matrix; fi
	$(Q)JNITRACE_STORMS=1 scripts/test-live $(O) -s --durations=0 tests/live/test_storms.py
	$(Q)JNITRACE_STORMS=1 scripts/test-live $(O) tests/live/test_lifecycle.py -k 'attach_detach_storm and 17 and multi'

estimates:
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) all fixtures
	$(Q)JNITRACE_ESTIMATES=1 scripts/test-live $(O) -s tests/live/test_sampling.py -k hundred

herd:
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) all fixtures
	$(Q)JNITRACE_HERD=1 scripts/test-live $(O) -s tests/live/test_agent_herd.py tests/live/test_fleet_hosts.py

soak: all
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) $(O)/fixtures/Churn.class $(O)/fixtures/libchurn.so $(O)/fixtures/libleaf.so $(O)/fixtures/libheap.so
	$(Q)/usr/bin/python3 -B tests/storms/soak.py $(O) --hours $(or $(HOURS),24)

asan:
	$(Q)$(MAKE) O=$(O)-asan SANITIZE=1 all

# All sources for another machine. They are not linked: its libraries are not here, but their headers are the same.
arm64_cc := clang --target=aarch64-linux-gnu -nostdlibinc -isystem /usr/aarch64-linux-gnu/include -idirafter /usr/include \
	-idirafter /usr/include/$(shell gcc -print-multiarch)
arm64:
	$(Q)scripts/setup --check test
	+$(Q)$(MAKE) O=$(O)-arm64 CC='$(arm64_cc)' machine=aarch64 HTML=0 CFLAGS='-O1 -g' objects
objects: $(user_objects)

demo:
	$(Q)scripts/setup demo
	$(Q)$(MAKE) all demo-fixture
	$(Q)scripts/demo $(O)

demo-node:
	$(Q)scripts/setup demo-node
	$(Q)$(MAKE) all demo-node-fixture
	$(Q)scripts/demo-node $(O)

# The same with a Ruby program.
demo-ruby:
	$(Q)scripts/setup demo-ruby
	$(Q)$(MAKE) all demo-ruby-fixture
	$(Q)scripts/demo-ruby $(O)

# The same on Android's runtime, which Debian has: its reference table is about to overflow.
demo-art:
	$(Q)scripts/setup demo-art
	$(Q)$(MAKE) all $(O)/fixtures/art-host
	$(Q)JNITRACE_BUILD=$(O) scripts/art-matrix bookworm
	$(Q)scripts/demo-art $(O)

test:
	$(Q)scripts/setup test
	$(Q)scripts/run-tests $(O)

# Three builds run these; scripts/run-tests sums up all suites at its end.
RESULTS ?= $(O)/results-unit
SUITE ?= unit
run-unit: unit-programs
	$(Q)scripts/test-programs $(RESULTS) $(SUITE) $(test_programs)

test-unit:
	$(Q)scripts/setup --check test
	$(Q)rm -rf $(RESULTS)
	$(Q)$(MAKE) run-unit
	$(Q)scripts/test-summary $(RESULTS) unit

test-live:
	$(Q)scripts/setup --check test
	$(Q)$(MAKE) all fixtures
	$(Q)scripts/test-live $(O) $(if $(K),-k '$(K)') tests/live$(T:%=/%.py)

check: all
	$(Q)JNITRACE_BUILD=$(O) scripts/checks
	$(Q)JNITRACE_BUILD=$(O) /usr/bin/python3 -B -m pytest -p no:cacheprovider -q --no-header --tb=short tests/checks

format:
	$(Q)git ls-files -co --exclude-standard 'user/*.[ch]' 'bpf/*.[ch]' 'tests/*.[ch]' | xargs clang-format -i --style=file

# The lists of the documents, from the rows of the program.
docs: all
	$(Q)JNITRACE_BUILD=$(O) scripts/docs

# The pictures of the README; a test says when they are no longer what the screen shows.
pictures: all
	$(Q)JNITRACE_BUILD=$(O) /usr/bin/python3 -B tests/live/pictures.py

install: all
	install -D -m 755 $(tool) $(DESTDIR)$(PREFIX)/bin/jnitrace
	install -D -m 644 docs/jnitrace.1 $(DESTDIR)$(PREFIX)/share/man/man1/jnitrace.1

clean:
	rm -rf $(O) $(O)-arm64 $(O)-asan $(O)-clang $(O)-fuzz $(page) $(readers)

.PHONY: all FORCE arm64 objects asan builds node-matrix storms estimates herd soak faults fuzz fuzz-build fuzz-corpus fuzz-plants bench bench-many libraries demo demo-node demo-ruby demo-art test test-unit run-unit test-live kernels-preempt check docs pictures format install clean unit-programs fixtures bench-programs demo-fixture demo-node-fixture demo-ruby-fixture
.DELETE_ON_ERROR:
.SECONDARY:

-include $(user_objects:.o=.d) $(messages:=.d) $(bpf_objects:.o=.d) $(test_objects:.o=.d)
