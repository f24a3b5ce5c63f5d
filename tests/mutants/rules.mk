# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The tool with a fault in its BPF programs, one for each tests/mutants/NAME.sed: the live tests must see it.
# Only the skeleton differs, so only its users are compiled again.

mutants := $(patsubst tests/mutants/%.sed,$(O)/mutants/%/jnitrace,$(wildcard tests/mutants/*.sed))
skeleton_users := $(patsubst user/kernel/%.c,%,$(shell grep -l '"kernel/tracer_priv.h"' user/kernel/*.c))

fixtures: $(mutants)

$(O)/mutants/%/jnitrace: tests/mutants/%.sed $(tool)
	$(call say,MUTANT,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -r bpf $(@D) && sed -i -f $< $(@D)/bpf/*.bpf.h $(@D)/bpf/*/*.bpf.h
	$(Q)[ "$$(diff -rU0 bpf $(@D)/bpf | grep -c '^@@')" = 1 ]
	$(Q)$(CLANG) $(bpf_cflags) -iquote $(@D)/bpf -c -o $(@D)/o $(@D)/bpf/jnitrace.bpf.c && $(BPFTOOL) gen object $(@D)/o.o $(@D)/o
	$(Q)$(BPFTOOL) gen skeleton $(@D)/o.o name jnitrace_bpf >$(@D)/jnitrace.skel.h
	$(Q)for f in $(skeleton_users); do $(CC) -iquote $(@D) $(filter-out -MMD -MP,$(cflags)) -c -o $(@D)/$$f.o user/kernel/$$f.c || exit 1; done
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $(O)/user/main.o $(skeleton_users:%=$(@D)/%.o) $(library) $(libs)
