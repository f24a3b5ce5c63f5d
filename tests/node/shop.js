// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program that uses listeners.c as one would: see scripts/demo-node.
'use strict';

const addon = require(process.env.JNITRACE_ADDON);

function watchPrices(customer) {
	addon.onPrice(() => customer);
}

function watchOrders(customer) {
	addon.onOrder(() => customer);
}

let customer = 0;
setInterval(() => {
	watchPrices(++customer);
	watchOrders(customer);
}, 20);
