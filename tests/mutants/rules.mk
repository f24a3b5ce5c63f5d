# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The tool with a fault in its BPF programs, one for each tests/mutants/NAME.sed: the live tests must see it.
# What is compiled again is the file that loads them, and all that use the skeleton where its layout changed.

mutants := $(patsubst tests/mutants/%.sed,$(O)/mutants/%/jnitrace,$(wildcard tests/mutants/*.sed))
# By what the compiler noted when it made the tool.
skeleton_users = $(patsubst $(O)/%.d,%.c,$(shell grep -l 'jnitrace\.skel\.h' $(O)/user/kernel/*.d))
loader = $(or $(shell grep -l 'jnitrace_bpf__open' $(skeleton_users)),$(error no file loads the skeleton))
skeleton_layout = sed '/elf_bytes(size_t \*sz)$$/q' $(1)/jnitrace.skel.h

fixtures: $(mutants)

$(O)/mutants/%/jnitrace: tests/mutants/%.sed $(tool)
	$(call say,MUTANT,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -r bpf $(@D) && sed -i -f $< $(@D)/bpf/*.bpf.h $(@D)/bpf/*/*.bpf.h
	$(Q)[ "$$(diff -rU0 bpf $(@D)/bpf | grep -c '^@@')" = 1 ]
	$(Q)$(CLANG) $(bpf_cflags) -iquote $(@D)/bpf -c -o $(@D)/bpf.1 $(@D)/bpf/jnitrace.bpf.c && $(BPFTOOL) gen object $(@D)/bpf.2 $(@D)/bpf.1
	$(Q)$(BPFTOOL) gen skeleton $(@D)/bpf.2 name jnitrace_bpf >$(@D)/jnitrace.skel.h
	$(Q)users='$(loader)'; [ "$$($(call skeleton_layout,$(@D)))" = "$$($(call skeleton_layout,$(O)))" ] || users='$(skeleton_users)'; \
	for f in $$users; do $(CC) -iquote $(@D) $(filter-out -MMD -MP,$(cflags)) -c -o $(@D)/$$(basename $$f .c).o $$f || exit 1; done
	$(Q)$(CC) $(sanitize) $(LDFLAGS) -o $@ $(O)/user/main.o $(@D)/*.o $(library) $(libs)
