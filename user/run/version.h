/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which jnitrace this is. */
#ifndef JNITRACE_VERSION_H
#define JNITRACE_VERSION_H

extern const char version[]; /* "0.1.0" */
extern const char commit[];  /* of the sources; "": not known */

#endif
