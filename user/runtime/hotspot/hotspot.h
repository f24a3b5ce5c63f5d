/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HotSpot seen from outside: its exported tables (gHotSpotVMStructs and kin), read with
 * process_vm_readv. Everything read is hostile: bounded, checked, refused with a reason.
 */
#ifndef JNITRACE_HOTSPOT_H
#define JNITRACE_HOTSPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"
#include "elf/elf.h"
#include "model/vm.h"
#include "proc/proc.h"

#define HOTSPOT_MAX_RANGES 8
struct addr_range {
	uint64_t start, end; /* addresses in the target */
};

/* A name of the VM's tables is kept as a 64-bit hash of kind, type and field: no strings to own. */
struct vm_name {
	uint64_t key; /* 0: free */
	uint64_t value;
};
struct vm_names {
	struct vm_name *v; /* open addressing */
	size_t n, mask;
};

/*
 * Which word of an OopStorage counts its entries: a proof that may need several readings, also in later
 * calls, when the target makes references at full speed.
 */
#define STORAGE_MAX_BYTES 1024
struct vm_counters {
	uint64_t addr[NR_VM_TABLES]; /* proven: of the words that count */
	bool proven;
	bool started;         /* array_word is known: its blocks name the storage as their owner */
	int readings, useful; /* made so far */
	size_t array_word;    /* of the storage: its blocks */
	bool possible[STORAGE_MAX_BYTES / 8];
	bool by_code;       /* the only possible one is known from code */
	bool chains_proven; /* JDK 8 has none: where the head of the list of free handles is */
};

struct hotspot {
	pid_t pid;
	const struct elf_image *libjvm; /* not owned */
	uint64_t bias;
	bool early; /* as hotspot_open() was told */
	/* Of libjvm: executable mappings; all others, with .bss; of those, the writable part of the file. */
	struct addr_range code[HOTSPOT_MAX_RANGES], data[HOTSPOT_MAX_RANGES], written[HOTSPOT_MAX_RANGES];
	size_t nr_code, nr_data, nr_written;
	struct vm_names names;
	struct vm_counters counters;
	char version[128]; /* "17.0.15+6-Debian-1deb12u1"; cleaned; "": unknown */
	int feature;       /* 8, 11, 17, ...; 0: unknown */
	/* Offset of JavaThread::_jni_attach_state; 0: unknown, or not looked for yet. */
	uint32_t attach_state;
	bool attach_state_known;
	/* Of JavaThread::_jni_active_critical; 0: there is none that counts. It takes many reads to know. */
	uint64_t critical;
	bool critical_known;
};

/*
 * libjvm: the open library, which must stay open as long as the result; bias: load address minus
 * link-time address; maps: of the target, only used during the call. With the reason in err: -EPROTO when
 * the file is no HotSpot that can be read; -EAGAIN when its memory is not, or not yet, as it should be:
 * the VM is being loaded or has not begun to run. In a process that is not young that is a lie. early: the
 * library is known to be loaded, so that its tables are whole: the VM need not have begun.
 */
int hotspot_open(pid_t pid, const struct elf_image *libjvm, uint64_t bias, const struct proc_maps *maps,
		 bool early, struct hotspot **out, struct error *err);
void hotspot_close(struct hotspot *h);

/* An error about this VM; returns rc. */
int hotspot_error(const struct hotspot *h, struct error *err, int rc, const char *why);

/* Lookups in the VM's tables (units: bytes / addresses in the target). false: no such name. */
bool hotspot_field_offset(const struct hotspot *h, const char *type, const char *field,
			  uint64_t *offset_bytes);
bool hotspot_static_addr(const struct hotspot *h, const char *type, const char *field, uint64_t *addr);
bool hotspot_type_size(const struct hotspot *h, const char *type, uint64_t *size_bytes);
bool hotspot_constant(const struct hotspot *h, const char *name, int64_t *value);
/* Read a pointer-sized static field. false: no such field, or unreadable. */
bool hotspot_read_static(const struct hotspot *h, const char *type, const char *field, uint64_t *value);

/* The range of libjvm's data that holds addr, or NULL. */
const struct addr_range *hotspot_data_range(const struct hotspot *h, uint64_t addr);
static inline bool hotspot_in_code(const struct hotspot *h, uint64_t addr)
{
	for (size_t i = 0; i < h->nr_code; i++)
		if (addr - h->code[i].start < h->code[i].end - h->code[i].start)
			return true;
	return false;
}

#endif
