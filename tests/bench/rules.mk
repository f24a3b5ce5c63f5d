# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The programs of tests/bench/run.py: the work, the cheapest uprobe there can be, and a writer of recordings.

bench-programs: $(O)/bench/Bench.class $(O)/bench/libbench.so $(O)/bench/floor $(O)/bench/floor.bpf.o $(O)/bench/recording

$(O)/bench/Bench.class: tests/bench/Bench.java
	$(build_class)

$(O)/bench/libbench.so: private fixture_flags := -fomit-frame-pointer
$(O)/bench/libbench.so: tests/bench/bench.c
	$(build_library)

$(O)/bench/floor: tests/bench/floor.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(warnings) -o $@ $< -lbpf

$(O)/bench/recording: tests/bench/recording.c $(library)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(cflags) -o $@ $< $(library) $(libs)

$(O)/bench/floor.bpf.o: tests/bench/floor.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(bpf_cflags) -c -o $@ $<
