# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Addons of Node.js: one with known truth, and the demo's. The headers are node's own, or Debian's libnode-dev.

fixtures: $(O)/fixtures/addon.node
demo-node-fixture: $(O)/fixtures/listeners.node

$(O)/fixtures/%.node: tests/node/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -fPIC -shared -isystem /usr/include/node -o $@ $<
