# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The tool with one more runtime: row.c beside the tool's own objects, and nothing else.

test_runtime := $(O)/test-runtime
fixtures: $(test_runtime)/jnitrace $(test_runtime)/libthing.so $(test_runtime)/things $(test_runtime)/crates

$(test_runtime)/jnitrace: tests/runtime/row.c $(O)/user/main.o $(library)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(cflags)) $(LDFLAGS) -o $@ $^ $(libs)

$(test_runtime)/libthing.so: tests/runtime/libthing.c tests/runtime/things.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -fPIC -shared -o $@ $<

$(test_runtime)/things: tests/runtime/things.c $(test_runtime)/libthing.so tests/runtime/things.h
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -o $@ $(filter-out %.h,$^) -Wl,-rpath,'$$ORIGIN'

$(test_runtime)/libcrates.so: tests/runtime/crates.cpp
	$(call say,CXX,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -O2 -g $(warnings) -fPIC -shared -o $@ $<

$(test_runtime)/crates: tests/runtime/crates.cpp $(test_runtime)/libcrates.so
	$(call say,CXX,$@)
	$(Q)$(CXX) -std=c++17 -O2 -g $(warnings) -DCRATES_MAIN -o $@ $< -L$(@D) -lcrates -Wl,-rpath,'$$ORIGIN'
