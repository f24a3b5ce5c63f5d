/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The texts of /proc/PID: mappings, identity, threads, and who the process is to a person. */
#include "fake.h"

#include "proc/proc.h"
#include "run/who.h"

ssize_t __wrap_readlink(const char *path, char *p, size_t cap);
int __wrap_proc_open_in_root(pid_t pid, const char *path);

/* Its program is a Java launcher, and its root is ours. */
ssize_t __wrap_readlink(const char *path, char *p, size_t cap)
{
	const char *to = strstr(path, "/exe") ? "/usr/bin/java" : "/srv/root";
	size_t n = strlen(to) < cap ? strlen(to) : cap;

	memcpy(p, to, n);
	return (ssize_t)n;
}

int __wrap_proc_open_in_root(pid_t pid, const char *path)
{
	(void)pid, (void)path;
	for (size_t i = 0; i < fake.nr_files; i++)
		if (!strcmp(fake.file[i].name, "passwd"))
			return fuzz_file(fake.file[i].p, fake.file[i].n);
	return -ENOENT;
}

static void ask_maps(void)
{
	static const char *const names[] = {"libjvm.so", NULL};
	struct proc_maps maps;

	if (proc_maps_read(FAKE_PID, &maps) != 0) {
		if (maps.v || maps.n)
			abort();
		return;
	}
	for (size_t i = 0; i < maps.n; i++) {
		const struct mapping *m = &maps.v[i];

		if (m->start >= m->end || (m->path && m->path[0] != '/'))
			abort();
		proc_maps_find(&maps, m->start);
	}
	proc_maps_find_library(&maps, names, NULL);
	proc_maps_free(&maps);
}

static void ask_who(const struct fake_file *podinfo)
{
	struct who who;

	who_read(FAKE_PID, NULL, &who);
	deployed_of_podinfo("annotations", (const char *)podinfo->p, podinfo->n, &who.deployed);
	deployed_of_podinfo("labels", (const char *)podinfo->p, podinfo->n, &who.deployed);
	fake_check_clean(who.main, sizeof(who.main));
	fake_check_clean(who.command, sizeof(who.command));
	fake_check_clean(who.user, sizeof(who.user));
	fake_check_clean(who.container, sizeof(who.container));
	fake_check_clean(who.cgroup, sizeof(who.cgroup));
	fake_check_clean(who.deployed.service, sizeof(who.deployed.service));
	fake_check_clean(who.deployed.version, sizeof(who.deployed.version));
	fake_check_clean(who.deployed.image, sizeof(who.deployed.image));
	fake_check_clean(who.deployed.pod, sizeof(who.deployed.pod));
	fake_check_clean(who.deployed.pod_namespace, sizeof(who.deployed.pod_namespace));
	fake_check_clean(who.deployed.pod_uid, sizeof(who.deployed.pod_uid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const files[] = {"maps", "stat",      "status", "cgroup",  "cmdline", "passwd",
					    "comm", "schedstat", "auxv",   "environ", "podinfo"};
	char name[PROC_THREAD_NAME_MAX];
	struct proc_times times;
	struct proc_id id;

	fake.nr_files = 0;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		fake.file[fake.nr_files++] = fake_take(files[i], &data, &n);
	ask_maps();
	if (proc_id_read(FAKE_PID, &id) == 0) {
		fake_check_clean(id.comm, sizeof(id.comm));
		proc_id_alive(&id);
	}
	proc_thread_times(FAKE_PID, 1, &times);
	if (proc_thread_name(FAKE_PID, 1, name) > sizeof(name))
		abort();
	for (uint64_t type = 0; type < 8; type++)
		proc_auxv(FAKE_PID, type);
	ask_who(&fake.file[fake.nr_files - 1]);
	return 0;
}
