/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a runtime tells the kernel side about the VM: places in its code, and where its threads stand. */
#ifndef JNITRACE_VM_PLACES_H
#define JNITRACE_VM_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places in the VM's library, as offsets in its file, that are passed when something happens. */
#define VM_PLACES 4
struct vm_places {
	uint64_t at[VM_PLACES];
	size_t n;
	bool at_entry; /* of one function, whose first argument is what goes */
};

/* The last Java frame of a thread that is in native code. */
struct java_anchor {
	uint64_t sp, pc;
};

#endif
