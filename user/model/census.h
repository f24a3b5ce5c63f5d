/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One reading of the reference tables of a JVM, as plain data. Owned by who reads: census_free(). */
#ifndef JNITRACE_MODEL_CENSUS_H
#define JNITRACE_MODEL_CENSUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/growth.h"
#include "model/report.h"
#include "model/vm.h"

struct census_thread {
	pid_t tid;
	char name[64];        /* as the kernel knows it; cleaned */
	int64_t local_refs;   /* -1: unknown */
	int native_attached;  /* 0, 1; -1: unknown */
	int64_t criticals;    /* critical sections that it is inside; -1: unknown */
	bool gone;            /* it has ended, and the VM does not know: it was never detached */
	struct growth growth; /* of its local references, when the census is watched */
};

struct census_class {
	enum vm_table table;
	const char *name;
	uint64_t count;    /* references; an estimate when sampled */
	uint64_t distinct; /* objects; of the sample when sampled */
	struct {
		struct report_of *v;
		size_t n, cap;
	} of;                 /* java.lang.Class only, a row for each loader; the most frequent first */
	struct growth growth; /* when the census is watched */
};
/* How the classes of one table were read. Counts of references. */
struct census_table {
	uint64_t in_use; /* when the table was walked; the VM goes on */
	uint64_t read, cleared, unreadable;
	uint64_t stale; /* of read: ZGC may have moved the object since, the class is likely, not sure */
	bool sampled;
};

struct census {
	char service[128]; /* by the operator's rules; "": none fits */
	struct report_target target;
	double time_unix_s;
	double elapsed_s;            /* since the first reading */
	uint64_t refs[NR_VM_TABLES]; /* the VM's own count */
	bool refs_known;
	char count_note[NR_VM_TABLES][256]; /* what there is to say of refs; "" */
	bool table_bytes_known[NR_VM_TABLES];
	uint64_t table_bytes[NR_VM_TABLES]; /* memory of the slots, used or not */
	bool threads_known;
	struct {
		struct census_thread *v;
		size_t n, cap;
	} threads;
	int64_t local_refs;      /* of all threads; -1: unknown */
	int64_t native_attached; /* threads; -1: unknown */
	int64_t gone;            /* threads that have ended attached; -1: unknown */
	bool classes_known;      /* false: not asked for, or refused */
	char refused[256];       /* why the classes, or all, could not be read; "" */
	struct census_table tables[NR_VM_TABLES];
	struct {
		struct census_class *v; /* most references first */
		size_t n, cap;
	} classes;
	struct {
		char **v; /* names, owned */
		size_t n, cap;
	} names;
	double read_ms;        /* time it took */
	double growth_per_min; /* of all references since the first reading; NAN: unknown */
	bool classes_wanted;   /* by --classes */
	bool watched;          /* by --watch: the growth here and of the classes is judged */
	double limit;          /* of references, for the time until it is reached; 0: none */
	struct growth growth[NR_VM_TABLES];
	struct growth local_growth;    /* of the local references of all threads */
	struct growth attached_growth; /* of the threads that native code has attached */
};

/*
 * What metrics, logs and profiles call a process: by the operator's rules ("": none fits), else what it says
 * of itself, else its main class or jar file: "/opt/app/server.jar" is "server". Returns out.
 */
const char *service_of(const char *by_rules, const struct report_target *t, char *out, size_t cap);

#endif
