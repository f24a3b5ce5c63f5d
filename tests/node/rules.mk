# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Addons of Node.js: one with known truth, the same by node-addon-api, and the demo's. The headers are node's own, or
# Debian's libnode-dev; npm brings node-addon-api, and addons of others.

fixtures: $(O)/fixtures/addon.node $(O)/fixtures/classes.node
demo-node-fixture: $(O)/fixtures/listeners.node

$(O)/fixtures/%.node: tests/node/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -g $(warnings) -fPIC -shared -isystem /usr/include/node -o $@ $<

addons := build-addons
$(O)/fixtures/%.node: tests/node/%.cpp $(addons)/.packages
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)[ ! -e $(addons)/.packages ] || $(CXX) -O2 -g $(warnings) -std=c++17 -fPIC -shared -DNAPI_VERSION=8 -DNAPI_CPP_EXCEPTIONS \
		-isystem /usr/include/node -isystem $(addons)/node_modules/node-addon-api -o $@ $<

$(addons)/.packages: $(if $(wildcard $(addons)/.packages),,FORCE) tests/node/package.json tests/node/package-lock.json | $(O)/.tools
	@mkdir -p $(@D) && cp $(filter %.json,$^) $(@D)
	$(call say,NPM,tests/node/package.json)
	$(Q)cd $(@D) && if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 >/dev/null; then touch .packages; \
		else echo "make: npm gave no packages: tests of addons made with them will fail" >&2; fi
