# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The tool with a fault in its BPF programs, one for each tests/mutants/NAME.sed: the live tests must see it.
# Only the programs' bytes differ, so only the file that loads them is compiled again.

mutants := $(patsubst tests/mutants/%.sed,$(O)/mutants/%/jnitrace,$(wildcard tests/mutants/*.sed))
loader := $(shell grep -l 'jnitrace_bpf__open' user/kernel/*.c)

fixtures: $(mutants)

$(O)/mutants/%/jnitrace: tests/mutants/%.sed $(tool)
	$(call say,MUTANT,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -r bpf $(@D) && sed -i -f $< $(@D)/bpf/*.bpf.h $(@D)/bpf/*/*.bpf.h
	$(Q)[ "$$(diff -rU0 bpf $(@D)/bpf | grep -c '^@@')" = 1 ]
	$(Q)$(CLANG) $(bpf_cflags) -iquote $(@D)/bpf -c -o $(@D)/o $(@D)/bpf/jnitrace.bpf.c && $(BPFTOOL) gen object $(@D)/o.o $(@D)/o
	$(Q)$(BPFTOOL) gen skeleton $(@D)/o.o name jnitrace_bpf >$(@D)/jnitrace.skel.h
	$(Q)for f in $(@D) $(O); do sed '/elf_bytes(size_t \*sz)$$/q' $$f/jnitrace.skel.h | cksum; done | uniq | wc -l | grep -qx 1
	$(Q)$(CC) -iquote $(@D) $(filter-out -MMD -MP,$(cflags)) -c -o $(@D)/loader.o $(loader)
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $(O)/user/main.o $(@D)/loader.o $(library) $(libs)
