/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Classes of the VM, by address: proven before they are believed. */
#ifndef JNITRACE_HOTSPOT_KLASS_H
#define JNITRACE_HOTSPOT_KLASS_H

#include "runtime/hotspot/oop_words.h"

/* The class at this address, checked; NULL: not one, or out of memory. Valid until oop_reader_forget(). */
const struct vm_class *oop_class(struct oop_reader *r, struct oop_masks *m, uint64_t klass);
/* Forget the classes known so far: their memory may be used anew. Pointers to them become invalid. */
void oop_reader_forget(struct oop_reader *r);
/* A Klass that the VM exports: "Class" for java.lang.Class. */
bool oop_known_klass(const struct oop_reader *r, const char *name, uint64_t *klass);
/* Does the Klass's mirror name the Klass? Its address in *mirror. */
bool oop_mirror_proves(const struct oop_reader *r, struct oop_masks *m, uint64_t klass, uint64_t *mirror);
/* "[Ljava/lang/String;" -> "java.lang.String[]"; false: no legal class name (JVMS 4.2). dst: 2 * n + 1. */
bool class_name_decode(const char *symbol, size_t n, char *dst, size_t cap);
/* Element type of an array of a primitive type, NULL: it is not one. */
const char *class_primitive(const struct vm_class *array);

#endif
