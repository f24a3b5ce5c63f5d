/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stands in stacks of flame graphs for frames that are not there. */
#ifndef JNITRACE_MARKS_H
#define JNITRACE_MARKS_H

#define MARK_NO_STACK  "[no stack]"
#define MARK_TRUNCATED "[truncated]" /* what is outermost is not known */
#define MARK_MAX_NAME  1024          /* bytes of a frame's name; more are cut off */

#endif
