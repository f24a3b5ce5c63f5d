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
fuzz_link = $(CC) $(filter-out -MMD -MP,$(cflags)) -fsanitize=fuzzer $(fuzz_wraps_$(1):%=-Wl$(comma)--wrap=%)

fuzz-programs: $(fuzz_programs)

$(fuzz_programs): $(O)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) $(library)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(call fuzz_link,$*) -o $@ $< $(library) $(libs)

.PHONY: fuzz-programs
