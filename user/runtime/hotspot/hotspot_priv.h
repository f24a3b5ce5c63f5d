/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the readers of HotSpot share among themselves: hotspot.c, hotspot_jni.c, hotspot_counts.c. */
#ifndef JNITRACE_HOTSPOT_PRIV_H
#define JNITRACE_HOTSPOT_PRIV_H

#include "runtime/hotspot/hotspot.h"

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
	uint64_t addr[2]; /* proven: of the word that counts global, weak */
	bool proven;
	bool started;
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
	/* Of libjvm: executable mappings; all others, with .bss; of those, the writable part of the file. */
	struct addr_range code[HOTSPOT_MAX_RANGES], data[HOTSPOT_MAX_RANGES], written[HOTSPOT_MAX_RANGES];
	size_t nr_code, nr_data, nr_written;
	struct vm_names names;
	struct vm_counters counters;
	char version[128];
	int feature; /* 8, 11, 17, ...; 0: unknown */
	uint32_t
	    attach_state; /* offset of JavaThread::_jni_attach_state; 0: unknown, or not looked for yet */
	bool attach_state_known;
};

static inline bool hotspot_in_code(const struct hotspot *h, uint64_t addr)
{
	for (size_t i = 0; i < h->nr_code; i++)
		if (addr - h->code[i].start < h->code[i].end - h->code[i].start)
			return true;
	return false;
}

/* The range of libjvm's data that holds addr, or NULL. */
const struct addr_range *hotspot_data_range(const struct hotspot *h, uint64_t addr);
/* Read a pointer-sized static field. false: no such field, or unreadable. */
bool hotspot_read_static(const struct hotspot *h, const char *type, const char *field, uint64_t *value);
/* Are the tables of references chains of JNIHandleBlocks? JDK 8. */
bool hotspot_has_chains(const struct hotspot *h);
/*
 * The handles in use of the chain at first, added to out; each slot as it was at some moment of the reading.
 * -EAGAIN: a collection came between, or the layout is not proven yet and this reading contradicts it.
 */
struct handle_blocks;
int hotspot_chain_blocks(struct hotspot *h, uint64_t first, struct handle_blocks *out);
/* Where a thread has what belongs to its local references; offsets in bytes. */
#define JNI_BLOCK_SLOTS     32 /* JNIHandleBlock::block_size_in_oops */
#define JNI_BLOCK_MAX_BYTES 512
struct thread_layout {
	uint64_t thread_bytes, osthread, handles; /* in JavaThread */
	uint64_t tid;                             /* in OSThread */
	uint64_t block_bytes, slots, top, next;   /* of JNIHandleBlock; after next: _last, _pop_frame_link */
	uint64_t deleted;                         /* JDK 8: what a deleted handle holds */
};
bool hotspot_thread_layout(const struct hotspot *h, struct thread_layout *l);
/* Offset of a field of JavaThread or of its base class. */
bool hotspot_thread_field(const struct hotspot *h, const char *field, uint64_t *offset);
/* The addresses of all JavaThreads, nothing else of them; the caller frees out->v. */
struct vm_threads;
int hotspot_thread_list(const struct hotspot *h, struct vm_threads *out);
/* Address of the value, a 64-bit integer, of the VM's performance counter of this name; 0: there is none. */
uint64_t hotspot_perf_counter(const struct hotspot *h, const char *name);
/* An error about this VM; returns rc. */
int hotspot_error(const struct hotspot *h, struct error *err, int rc, const char *why);
/* Up to cap addresses of JavaThreads. */
size_t hotspot_java_threads(const struct hotspot *h, uint64_t *out, size_t cap);
/* A bool flag of the command line. -ENOENT: not known to this VM. */
int hotspot_bool_flag(const struct hotspot *h, const char *name, bool *value);
/* How references in fields are compressed (UseCompressedOops): base + (field << shift). */
bool hotspot_compressed_oops(const struct hotspot *h, uint64_t *base, uint8_t *shift);
/*
 * Where a JavaThread has its JNIEnv, and the function tables a JNIEnv may name (table[1] 0: only one).
 * -EAGAIN: no thread yet; -ENOENT with the reason.
 */
struct jni_env {
	size_t offset_bytes;
	uint64_t table[2];
};
int hotspot_jni_env(const struct hotspot *h, struct jni_env *out, struct error *err);

#endif
