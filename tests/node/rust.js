// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Addons that others have made with napi-rs, behind the same commands as addon.c: see driver.js. Found by NODE_PATH.
'use strict';

const { Blake3Hasher } = require('@napi-rs/blake-hash-linux-x64-gnu');
const { compress } = require('@napi-rs/snappy-linux-x64-gnu');

module.exports = {
	hasher: (object) => { object.hasher = new Blake3Hasher(); },
	compress: (object) => compress(JSON.stringify(object)),
	compress_buffer: (object) => compress(Buffer.from(JSON.stringify(object))),
};
