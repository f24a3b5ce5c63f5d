# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A library for programs of Ruby, without a header of Ruby's: the gem ffi calls it.

fixtures demo-ruby-fixture: $(O)/fixtures/libtexture.so

$(O)/fixtures/libtexture.so: tests/ruby/texture.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -fPIC -shared -o $@ $<
