/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The classes of ART's objects, by the dex files that they come from. */
#ifndef JNITRACE_ART_CLASSES_H
#define JNITRACE_ART_CLASSES_H

#include "runtime/art/art.h"
#include "runtime/art/dex.h"

/*
 * Prove, with an object of any class, where a class names what: see classes.c. -EAGAIN: this object does not
 * tell, another one may.
 */
int art_classes_new(const struct art *a, uint32_t object, struct art_classes **out);
void art_classes_free(struct art_classes *c);
/* Pointers to classes become invalid. */
void art_classes_forget(struct art_classes *c);
/* What is said of the object that ref->object is: its class, and of a class object, which. 0 or -ENOMEM. */
int art_classes_read(struct art_classes *c, uint32_t object, struct vm_ref *ref);

/* The dex file of a class, and its numbers in the file's lists of types and of classes. false: not found. */
bool art_class_dex(const struct art_classes *c, uint32_t class, struct art_dex *out, uint32_t *type,
		   uint32_t *class_def);

#endif
