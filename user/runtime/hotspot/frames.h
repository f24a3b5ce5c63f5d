/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Java frames by name: package.Class.method, source file and line, inlined methods, read from the VM's own
 * memory (Method, ConstMethod, nmethod with its PcDescs and scopes). Nothing is believed that does not fit
 * together: what cannot be named says so, and is never named wrongly.
 */
#ifndef JNITRACE_JAVA_SYMBOLS_H
#define JNITRACE_JAVA_SYMBOLS_H

#include "bpf/border/shared.h"
#include "model/report.h"
#include "runtime/hotspot/hotspot.h"

struct java_symbols; /* one per target */

/*
 * How many classes the VM has unloaded until now, of which the walker put the lowest bits into its frames,
 * and how many when klass (an InstanceKlass*; 0: none) may have been unloaded last; not known: *last is *n. 0
 * or -errno.
 */
typedef int java_unloads_fn(void *of, uint64_t klass, uint64_t *n, uint64_t *last);

/* h and of must live as long as the result. -ENOENT with the reason when the VM's tables lack what is needed;
 * -ENOMEM. */
int java_symbols_new(const struct hotspot *h, java_unloads_fn *unloads, void *of, struct java_symbols **out,
		     struct error *err);
void java_symbols_free(struct java_symbols *j);
/* Time has passed: what is remembered of methods is compared with the VM before it is used again. */
void java_symbols_refresh(struct java_symbols *j);
/*
 * Append the frames of one raw frame (RAW_INTERPRETED, RAW_COMPILED, RAW_DEOPTIMIZED), innermost first; none
 * for the VM's stubs. At most half a million different ones get a name. Frames Java itself hides have
 * `hidden` set. Texts live as long as j. 0 or -ENOMEM.
 */
int java_symbols_add(struct java_symbols *j, const struct raw_frame *raw, struct frames *out);
/*
 * *addr: the function behind one raw frame that is a native method's: of compiled code the one that it calls,
 * of an interpreted method the one it has now. 0: it is no native method's, or the method may have gone or
 * got another function since. Nothing is known of what lies at *addr. 0 or -ENOMEM.
 */
int java_symbols_native(struct java_symbols *j, const struct raw_frame *raw, uint64_t *addr);
/* Frames without a name: their code or class was gone when they were to be named, or there were too many. */
uint64_t java_symbols_unnamed(const struct java_symbols *j);

#endif
