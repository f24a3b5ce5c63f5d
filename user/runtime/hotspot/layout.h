/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What no table of the VM's exports and its sources say: the layout of the things that hold references.
 * Offsets and sizes in bytes. What is read by these is proven each time against what it must agree with.
 */
#ifndef JNITRACE_HOTSPOT_LAYOUT_H
#define JNITRACE_HOTSPOT_LAYOUT_H

#include "model/vm.h"

/* JDK 11 to 28, gc/shared/oopStorage.hpp: ActiveArray: _size, _block_count, _refcount; then Block*[] */
#define STORAGE_ARRAY_HEADER 24
#define STORAGE_MAX_BLOCKS   (1u << 20) /* our limit: 64 M references */
/* JDK 11 to 28, gc/shared/oopStorage.inline.hpp: Block: oop _data[64], _allocated_bitmask, _owner */
#define STORAGE_BLOCK_SLOTS     64
#define STORAGE_BLOCK_BITMAP_AT 512
struct storage_block_words { /* at STORAGE_BLOCK_BITMAP_AT */
	uint64_t bitmap, owner;
};

/* JDK 8 to 28, runtime/jniHandles.hpp: JNIHandleBlock::block_size_in_oops */
#define JNI_BLOCK_SLOTS     32
#define JNI_BLOCK_MAX_BYTES 512
/* The same: after _next, which is exported: _last, _pop_frame_link, _free_list */
#define JNI_BLOCK_LAST_AFTER_NEXT 8
#define JNI_BLOCK_POP_AFTER_NEXT  16
#define JNI_BLOCK_FREE_AFTER_NEXT 24

/* Kind of a handle in its lowest bits (runtime/jniHandles.hpp; before JDK 21 weak ones only). */
#define JNI_HANDLE_KIND_BITS 7ULL

/* Statics of JNIHandles that name the tables. */
static const char *const jni_handles_fields[NR_VM_TABLES] = {
    [VM_GLOBAL] = "_global_handles",
    [VM_WEAK] = "_weak_global_handles",
};

#endif
