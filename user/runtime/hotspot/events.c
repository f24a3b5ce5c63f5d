/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the VM passes when code is freed, classes are unloaded, threads wait for a collection. */
#include "runtime/hotspot/events.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "arch/insn.h"
#include "runtime/hotspot/flags.h"
#include "runtime/hotspot/perf.h"

#define MAX_INSN_BYTES 16

static bool can_probe(const struct hotspot *h, uint64_t vaddr)
{
	uint8_t code[MAX_INSN_BYTES];
	struct insn insn;

	if (!elf_is_code(h->libjvm, vaddr))
		return false;
	insn_decode(elf_machine(h->libjvm), code, elf_read(h->libjvm, vaddr, code, sizeof(code)), &insn);
	return insn.cost != INSN_UNSAFE;
}

/*
 * By symbol, else by USDT probe. JDK: CodeCache::free is the one way to free code, and follows
 * nmethod::post_compiled_method_unload (one or two sites); InstanceKlass::unload_class, which has the other
 * probe in it, comes before the class loader's metaspace is freed. A class that is redefined loses its
 * methods, too: all that nobody runs at add_previous_version(), those that have run on later on. That has no
 * probe.
 */
#define MAX_EVENT_SYMBOLS 3
static const struct {
	const char *symbol[MAX_EVENT_SYMBOLS], *usdt; /* the first one is needed */
} vm_events[] = {
    [VM_CODE_FREED] = {{"_ZN9CodeCache4freeEP8CodeBlob"}, "compiled__method__unload"},
    [VM_CLASS_UNLOADED] = {{"_ZN13InstanceKlass12unload_classEPS_",
			    "_ZN13InstanceKlass20add_previous_versionEPS_i",
			    "_ZN13InstanceKlass27purge_previous_version_listEv"},
			   "class__unloaded"},
};

/* Entries of functions. How many; 0: not the first one. */
static size_t event_functions(const struct hotspot *h, enum vm_event event, uint64_t *vaddr, size_t cap)
{
	struct elf_wanted w[MAX_EVENT_SYMBOLS] = {0};
	size_t wanted = 0, n = 0;

	while (wanted < MAX_EVENT_SYMBOLS && vm_events[event].symbol[wanted]) {
		w[wanted].name = vm_events[event].symbol[wanted];
		wanted++;
	}
	if (elf_find_symbols(h->libjvm, ELF_SYMTAB, w, wanted) <= 0 || !w[0].vaddr ||
	    !can_probe(h, w[0].vaddr))
		return 0;
	for (size_t i = 0; i < wanted && n < cap; i++)
		if (w[i].vaddr && can_probe(h, w[i].vaddr))
			vaddr[n++] = w[i].vaddr;
	return n;
}

size_t hotspot_event_places(const struct hotspot *h, enum vm_event event, uint64_t *vaddr, size_t cap,
			    bool *at_entry)
{
	struct elf_usdts notes = {0};
	bool all = true;
	size_t n = event_functions(h, event, vaddr, cap);

	*at_entry = n > 0;
	if (n)
		return n;
	if (elf_usdt_read(h->libjvm, "hotspot", &notes))
		return 0;
	for (size_t i = 0; i < notes.n && all; i++) {
		if (strcmp(notes.v[i].name, vm_events[event].usdt) != 0)
			continue;
		all = n < cap && !notes.v[i].semaphore && can_probe(h, notes.v[i].vaddr);
		if (all)
			vaddr[n++] = notes.v[i].vaddr;
	}
	free(notes.v);
	return all ? n : 0;
}

/* JDK: ClassLoadingService::notify_class_unloaded, called by InstanceKlass::unload_class. */
uint64_t hotspot_unloads_counter(const struct hotspot *h)
{
	return hotspot_perf_counter(h, "java.cls.unloadedClasses");
}

/* G1 since JDK 22 and Shenandoah pin what a section holds (JEP 423), Epsilon never collects. */
int hotspot_gc_waits(const struct hotspot *h)
{
	if ((hotspot_flag(h, "UseG1GC") && h->feature >= 22) || hotspot_flag(h, "UseShenandoahGC") ||
	    hotspot_flag(h, "UseEpsilonGC"))
		return 0;
	return hotspot_flag(h, "UseG1GC") || hotspot_flag(h, "UseParallelGC") ||
		       hotspot_flag(h, "UseSerialGC") || hotspot_flag(h, "UseZGC")
		   ? 1
		   : -1;
}

/* In the library or, if it has none of them, in a separate debug file. How many, or -errno. */
static int find_symbols(const struct hotspot *h, const char *library_path, struct elf_wanted *wanted,
			size_t n)
{
	struct elf_image *debug;
	int found = elf_find_symbols(h->libjvm, ELF_SYMTAB, wanted, n);

	if (found > 0 || elf_open_debug(h->libjvm, h->pid, library_path, &debug) < 0)
		return found;
	found = elf_find_symbols(debug, ELF_SYMTAB, wanted, n);
	elf_close(debug);
	return found;
}

/*
 * JDK: gc/shared/gcLocker.cpp. Until 24 a thread that needs a collection waits in stall_until_clear(), one
 * that wants a section of its own in jni_lock(); since 25 in block() and enter_slow(). The generational ZGC's
 * own thread waits in ZJNICritical::block() (gc/z/zJNICritical.cpp) before it moves objects; the older one's
 * in the middle of ZDriver::pause().
 */
size_t hotspot_gc_wait_places(const struct hotspot *h, const char *library_path, uint64_t *vaddr, size_t cap,
			      const char **why)
{
	struct elf_wanted w[] = {{.name = "_ZN8GCLocker17stall_until_clearEv"},
				 {.name = "_ZN8GCLocker8jni_lockEP10JavaThread"},
				 {.name = "_ZN8GCLocker5blockEv"},
				 {.name = "_ZN8GCLocker10enter_slowEP10JavaThread"}};
	struct elf_wanted z[] = {{.name = "_ZN12ZJNICritical5blockEv"}}, *wanted = w;
	size_t n = 0, nr_wanted = ARRAY_LEN(w);

	*why = "how threads wait for this collector is not known";
	if (hotspot_gc_waits(h) != 1)
		return 0;
	*why = "this collector waits in the middle of a function of its own, where no probe can tell it";
	if (hotspot_flag(h, "UseZGC") && !hotspot_is_generational_zgc(h))
		return 0;
	if (hotspot_flag(h, "UseZGC")) {
		wanted = z;
		nr_wanted = ARRAY_LEN(z);
	}
	*why = "threads wait in functions of the VM that neither its tables nor its USDT probes tell, only "
	       "symbols, and the library has none";
	if (find_symbols(h, library_path, wanted, nr_wanted) <= 0)
		return 0;
	for (size_t i = 0; i < nr_wanted && n < cap; i++)
		if (wanted[i].vaddr && can_probe(h, wanted[i].vaddr))
			vaddr[n++] = wanted[i].vaddr;
	if (n > 0)
		*why = NULL;
	return n;
}
