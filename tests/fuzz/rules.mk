# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Programs of libFuzzer's, one for each tests/fuzz/fuzz_*.c, with address and undefined-behaviour checks. They and
# the tool's own objects are built into $(O)-fuzz: make fuzz.

fuzz_programs := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
# Functions that a program has in place of the tool's or libc's.
fuzz_wraps_helper := fork kill waitpid poll send recv elf_lines_bytes
fuzz_wraps_linker := open fopen
fuzz_wraps_package := open fopen proc_open_under proc_open_dir_under
fuzz_wraps_perf := open fopen hotspot_read_static
fuzz_wraps_proc := open fopen readlink proc_open_in_root
fuzz_wraps_scopes := open fopen hotspot_field_offset hotspot_type_size
fuzz_wraps_scripts := open fopen
fuzz_link = $(CC) $(filter-out -MMD -MP,$(cflags)) -fsanitize=fuzzer $(fuzz_wraps_$(1):%=-Wl$(comma)--wrap=%)

fuzz-programs: $(fuzz_programs)

$(fuzz_programs): $(O)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) $(library)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(call fuzz_link,$*) -o $@ $< $(library) $(libs)

# The same with a fault in the tool that they must find, one for each tests/fuzz/plants/PROGRAM[-WHAT].sed.
fuzz_plants := $(patsubst tests/fuzz/plants/%.sed,$(O)/fuzz/plants/%/fuzz,$(wildcard tests/fuzz/plants/*.sed))
planted_in = diff -rq user $(@D)/user | sed -n 's/^Files \(.*\) and .* differ$$/\1/p'

fuzz-planted: $(fuzz_plants)

$(fuzz_plants): $(O)/fuzz/plants/%/fuzz: tests/fuzz/plants/%.sed $(fuzz_programs)
	$(call say,PLANT,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -r user $(@D) && find $(@D)/user -name '*.c' -exec sed -i -f $< {} +
	$(Q)[ "$$(diff -rU0 user $(@D)/user | grep -c '^@@')" = 1 ]
	$(Q)f=$$($(planted_in)) && $(CC) $(filter-out -MMD -MP,$(cflags)) -iquote "$$(dirname "$$f")" -c -o $(@D)/planted.o "$(@D)/$$f"
	$(Q)$(call fuzz_link,$(firstword $(subst -, ,$*))) -o $@ tests/fuzz/fuzz_$(firstword $(subst -, ,$*)).c $(@D)/planted.o $(library) $(libs)

.PHONY: fuzz-programs fuzz-planted
