/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which Node.js a host of Node-API is, or says it is compatible with. */
#ifndef JNITRACE_NODE_VERSION_H
#define JNITRACE_NODE_VERSION_H

#include "elf/elf.h"

#define NODE_VERSION_BYTES 32

/* "20.20.2", by what napi_get_node_version() answers; "": that cannot be told from its code. */
void node_version(const struct elf_image *e, char out[NODE_VERSION_BYTES]);

#endif
