/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Databases of packages, of dpkg and of apk, in a process's root; and the path of the file that is looked
 * for. */
#include "fake.h"

#include <limits.h>
#include <sys/stat.h>

#include "proc/package.h"

static char lists[] = "/tmp/fuzz_package.XXXXXX";

int __wrap_proc_open_under(int root_fd, const char *name);
int __wrap_proc_open_dir_under(int root_fd, const char *name);

/* All lists are one, and so are both databases. */
int __wrap_proc_open_under(int root_fd, const char *name)
{
	size_t i = strstr(name, ".list") ? 0 : 1;

	(void)root_fd;
	return fuzz_file(fake.file[i].p, fake.file[i].n);
}

int __wrap_proc_open_dir_under(int root_fd, const char *name)
{
	(void)root_fd, (void)name;
	return open(lists, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_lists(void)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/p:amd64.list", lists);
	unlink(name);
	rmdir(lists);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char name[64];
	int fd;

	(void)argc, (void)argv;
	if (!mkdtemp(lists))
		return 1;
	atexit(remove_lists);
	snprintf(name, sizeof(name), "%s/p:amd64.list", lists);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? 1 : close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fake_file wanted = fake_take("path", &data, &n);
	struct package found;
	char *path;

	fake.file[0] = fake_take("list", &data, &n);
	fake.file[1] = (struct fake_file){"database", data, n};
	if (wanted.n >= PATH_MAX)
		return 0;
	path = malloc(wanted.n + 1); /* exactly as long as it is */
	if (!path)
		abort();
	memcpy(path, wanted.p, wanted.n);
	path[wanted.n] = '\0';
	if (!package_of_file(NULL, -1, path, &found) && found.name[0])
		abort();
	fake_check_clean(found.name, sizeof(found.name));
	fake_check_clean(found.version, sizeof(found.version));
	free(path);
	return 0;
}
