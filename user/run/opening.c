/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/opening.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define YOUNG_S    5.0
#define STARTING_S 30.0
/* A launcher that has not loaded its runtime after a minute runs something else (java -version of a stub). */
#define LAUNCHER_S 60.0

enum process_age process_age(const struct proc_id *id)
{
	double age_s = proc_age_s(id);

	return age_s < YOUNG_S ? AGE_YOUNG : age_s < STARTING_S ? AGE_STARTING : AGE_SETTLED;
}

/* A launcher always loads a runtime. */
static bool is_launcher(const struct proc_id *id, const struct runtime *only)
{
	char link[64], exe[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)id->pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0)
		return false;
	exe[n] = 0;
	base = strrchr(exe, '/');
	return base && runtime_has_launcher(only, base + 1) && proc_age_s(id) < LAUNCHER_S;
}

/* Will a runtime appear? Any process may exec one while it is young. */
static bool may_become_one(const struct proc_id *id, const struct runtime *only)
{
	return process_age(id) == AGE_YOUNG || is_launcher(id, only);
}

/* The process's mappings, if it can be traced at all. */
static int read_process(struct opening *o, const struct proc_id *id, const char *what, struct error *err)
{
	int rc = proc_id_alive(id) ? proc_access(id->pid) ?: proc_maps_read(id->pid, &o->maps) : -ESRCH;

	if (rc == -ESRCH)
		return error_set(err, rc, EXIT_NO_TARGET, what, NULL, "it has exited");
	if (rc)
		return error_set(err, rc, rc == -EACCES || rc == -EPERM ? EXIT_PERMISSION : EXIT_FAILED, what,
				 proc_access_advice(), "cannot look into it: %s", strerror(-rc));
	if (o->maps.n && proc_elf_class(id->pid) == 1)
		return error_set(err, -ENOEXEC, EXIT_NO_TARGET, what, "trace a 64-bit JVM",
				 "a 32-bit process, which is not supported");
	return 0;
}

/* The runtime's file among the mappings, and its instance. */
static int open_runtime(struct opening *o, const struct proc_id *id, const struct runtime *only,
			struct elf_cache *images, bool early, const char *what, struct error *err)
{
	int rc = vm_file_open(&o->maps, only, images, what, &o->file, err);

	if (rc)
		return rc;
	rc = vm_open(id->pid, &o->file, &o->maps, early, &o->vm, &o->vm_why);
	o->starting = rc == -EAGAIN && process_age(id) != AGE_SETTLED;
	return rc == -ENOMEM ? error_set(err, rc, EXIT_FAILED, what, NULL, "out of memory") : 0;
}

int opening_look(struct opening *o, const struct proc_id *id, const struct runtime *only,
		 struct elf_cache *images, bool early, const char *what, struct error *err)
{
	struct error none = {0};
	int rc;

	*o = (struct opening){0};
	rc = read_process(o, id, what, err);
	if (rc)
		return rc;
	rc = open_runtime(o, id, only, images, early, what, &none);
	if (rc == -ENOENT && may_become_one(id, only))
		return -EAGAIN;
	if (rc)
		*err = none;
	return rc;
}

int opening_look_at_any(struct opening *o, const struct proc_id *id, struct elf_cache *images, bool early,
			const char *what, struct error *err)
{
	const struct runtime *runtime;
	int rc;

	*o = (struct opening){0};
	rc = read_process(o, id, what, err);
	if (rc)
		return rc;
	runtime = runtime_mapped(&o->maps);
	if (runtime)
		return open_runtime(o, id, runtime, images, early, what, err);
	return is_launcher(id, NULL) ? -EAGAIN : 0;
}

uint32_t opening_families(pid_t pid, const struct catalog *c)
{
	struct proc_maps maps = {0};
	uint32_t families = 0;
	const char *name;

	if (!proc_maps_read(pid, &maps))
		for (size_t i = 0; (name = runtime_name(i)); i++)
			if (vm_file_is_mapped(&maps, runtime_by_name(name)))
				families |= runtime_families(runtime_by_name(name), c);
	proc_maps_free(&maps);
	return families ?: ~0U;
}

const char *opening_runtime(pid_t pid)
{
	struct proc_maps maps = {0};
	bool none = proc_maps_read(pid, &maps);
	const char *name = NULL;

	for (size_t i = 0;
	     !none && (name = runtime_name(i)) && !vm_file_is_mapped(&maps, runtime_by_name(name));)
		i++;
	proc_maps_free(&maps);
	return name;
}

bool opening_by_fragments(pid_t pid)
{
	struct proc_maps maps = {0};
	bool any = false, by_fragments = false;
	const char *name;

	if (!proc_maps_read(pid, &maps))
		for (size_t i = 0; (name = runtime_name(i)); i++)
			if (vm_file_is_mapped(&maps, runtime_by_name(name))) {
				any = true;
				by_fragments |= runtime_by_name(name)->by_fragments;
			}
	proc_maps_free(&maps);
	return by_fragments || !any;
}

void opening_close(struct opening *o)
{
	vm_close(o->vm);
	vm_file_close(&o->file);
	proc_maps_free(&o->maps);
	*o = (struct opening){0};
}
