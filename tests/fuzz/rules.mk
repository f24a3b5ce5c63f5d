# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Programs of libFuzzer's, one for each tests/fuzz/fuzz_*.c, with address and undefined-behaviour checks. They and
# the tool's own objects are built into $(O)-fuzz: make fuzz.

fuzz_programs := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))

fuzz-programs: $(fuzz_programs)

$(fuzz_programs): $(O)/%: %.c tests/fuzz/fuzz.h $(library)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(cflags)) -fsanitize=fuzzer -o $@ $< $(library) $(libs)

.PHONY: fuzz-programs
