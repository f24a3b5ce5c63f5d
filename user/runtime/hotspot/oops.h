/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the handles of a running HotSpot point at: the object and its class, read from outside. The
 * collector moves objects meanwhile: what is read is held against a second reading, tried again, and
 * at last called unreadable; it is never guessed.
 */
#ifndef JNITRACE_HOTSPOT_OOPS_H
#define JNITRACE_HOTSPOT_OOPS_H

#include "runtime/hotspot/hotspot.h"

struct oop_reader; /* opaque */

/*
 * h stays open as long as the result. How objects name their class is proven on java.lang.Class and
 * its mirror, whose class is known. -EPROTO with the reason when the VM's tables do not suffice; -EAGAIN with
 * the reason when it could not be proven now: the VM is starting, or the collector was in the way all the
 * time.
 */
int oop_reader_new(struct hotspot *h, struct oop_reader **out, struct error *err);
void oop_reader_free(struct oop_reader *r);
/* Read n references; classes are valid until oop_reader_forget(). 0, -ESRCH when the process is gone,
 * -ENOMEM. */
int oop_read(struct oop_reader *r, struct vm_ref *refs, size_t n);

#endif
