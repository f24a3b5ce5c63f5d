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
#include "model/vm_places.h"
#include "proc/proc.h"

struct hotspot; /* opaque */

/*
 * libjvm: the open library, which must stay open as long as the result; bias: load address minus
 * link-time address; maps: of the target, only used during the call. With the reason in err: -EPROTO when
 * the file is no HotSpot that can be read; -EAGAIN when its memory is not, or not yet, as it should be:
 * the VM is being loaded or has not begun to run. In a process that is not young that is a lie.
 */
int hotspot_open(pid_t pid, const struct elf_image *libjvm, uint64_t bias, const struct proc_maps *maps,
		 struct hotspot **out, struct error *err);
void hotspot_close(struct hotspot *h);

/* "17.0.15+6-Debian-1deb12u1"; cleaned; never NULL ("" when unknown). */
const char *hotspot_version(const struct hotspot *h);

/*
 * Run-time addresses of the functions behind the JNI function tables: env[slot] of
 * JNINativeInterface_, vm[slot] of JNIInvokeInterface_; 0 where a slot is empty or points outside
 * libjvm. With -Xcheck:jni this is the table below the checking one. vm is all zero where it could
 * not be proven. -ENOENT with the reason when env cannot be proven; -EAGAIN, err untouched, while there
 * is no Java thread yet to prove it by.
 */
#define JNI_ENV_SLOTS                                                                                        \
	233 /* the JNI 1.6 table, GetObjectRefType is its last; later slots by the VM's version */
#define JNI_ENV_SLOTS_MAX 240
#define JNI_VM_SLOTS      8
struct jni_tables {
	uint64_t env[JNI_ENV_SLOTS_MAX];
	uint64_t vm[JNI_VM_SLOTS];
	int nr_env; /* slots that the table of this Java version has */
};
int hotspot_jni_tables(struct hotspot *h, struct jni_tables *out, struct error *err);

/* Does it run with -Xcheck:jni? false also when that is not known. */
bool hotspot_checks_jni(const struct hotspot *h);

/* The VM's own counts of references in use. false in `known` where the layout could not be proven. */
struct vm_counts {
	bool known;
	uint64_t global, weak;
};
int hotspot_counts(struct hotspot *h, struct vm_counts *out);

/* Whose VM it is; its Java version: 8, 11, 17, ... (0: unknown). */
pid_t hotspot_pid(const struct hotspot *h);
int hotspot_feature(const struct hotspot *h);
/* An error about this VM; returns rc. */
int hotspot_error(const struct hotspot *h, struct error *err, int rc, const char *why);

/* The last Java frames of all threads that have one now, at most cap. */
struct java_config;
size_t hotspot_anchors(const struct hotspot *h, const struct java_config *c, struct java_anchor *out,
		       size_t cap);

/* Lookups for other readers of the VM (units: bytes / addresses in the target). */
bool hotspot_field_offset(const struct hotspot *h, const char *type, const char *field,
			  uint64_t *offset_bytes);
bool hotspot_static_addr(const struct hotspot *h, const char *type, const char *field, uint64_t *addr);
bool hotspot_type_size(const struct hotspot *h, const char *type, uint64_t *size_bytes);
bool hotspot_constant(const struct hotspot *h, const char *name, int64_t *value);

#endif
