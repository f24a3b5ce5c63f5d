/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who a process is to a person. See who.h. */
#include "run/who.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/foreign.h"
#include "run/names.h"
#include "runtime/runtime.h"

#define MAX_ARGS_BYTES   (1U << 20) /* a long class path; what is behind is not looked at */
#define MAX_CGROUP_BYTES (1U << 17) /* 16 hierarchies of version 1, each with PATH_MAX, and more */
#define MAX_STATUS_BYTES (1U << 14)
#define MAX_PASSWD_BYTES (1U << 20)
#define MAX_PODINFO_BYTES                                                                                    \
	(1U << 19) /* all annotations of an object are 256 KiB at most, before they are quoted */
#define ID_DIGITS 64

/* Takes fd (or a negative errno). What was read, with a NUL behind it; NULL: nothing. The caller frees. */
static char *read_whole(int fd, size_t max, size_t *n)
{
	char *text = fd >= 0 ? malloc(max + 1) : NULL;
	ssize_t got = 1;

	*n = 0;
	while (text && got > 0 && *n < max) {
		got = foreign_pread(fd, text + *n, max - *n, *n);
		*n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	if (!text || *n == 0) {
		free(text);
		return NULL;
	}
	text[*n] = '\0';
	return text;
}

static char *read_proc(pid_t pid, const char *name, size_t max, size_t *n)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return read_whole(open(path, O_RDONLY | O_CLOEXEC), max, n);
}

/* Does it run a launcher, so that its arguments say what it runs? */
static bool is_launcher(pid_t pid)
{
	char link[64], exe[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	base = strrchr(exe, '/');
	return base && runtime_has_launcher(NULL, base + 1);
}

static void read_command(pid_t pid, struct who *out)
{
	char *args = malloc(MAX_ARGS_BYTES + 1);
	ssize_t n = args ? foreign_text(pid, FOREIGN_CMDLINE, args, MAX_ARGS_BYTES) : 0;

	if (n <= 0) {
		free(args);
		return;
	}
	args[n] = '\0';
	if (is_launcher(pid))
		names_main_of(args, (size_t)n, out->main, sizeof(out->main));
	while (n > 0 && args[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (args[i] == '\0')
			args[i] = ' ';
	text_clean(out->command, sizeof(out->command), args, (size_t)n);
	free(args);
}

bool who_user_of(const char *text, uint32_t uid, char *out, size_t cap)
{
	const char *next;

	for (const char *line = text; *line; line = next) {
		const char *eol = strchrnul(line, '\n'), *name_end, *password_end;
		char *end;

		next = eol + (*eol == '\n');
		name_end = memchr(line, ':', (size_t)(eol - line));
		password_end = name_end ? memchr(name_end + 1, ':', (size_t)(eol - name_end - 1)) : NULL;
		if (!password_end || name_end == line || !isdigit((unsigned char)password_end[1]) ||
		    strtoul(password_end + 1, &end, 10) != uid || *end != ':')
			continue;
		text_clean(out, cap, line, (size_t)(name_end - line));
		return true;
	}
	return false;
}

static void read_user(pid_t pid, struct who *out)
{
	char *status, *passwd, *line, *end;
	unsigned long uid;
	size_t n;

	status = read_proc(pid, "status", MAX_STATUS_BYTES, &n);
	line = status ? strstr(status, "\nUid:\t") : NULL;
	if (line) { /* real, effective, saved, of files */
		strtoul(line + strlen("\nUid:\t"), &end, 10);
		uid = strtoul(end, NULL, 10);
		snprintf(out->user, sizeof(out->user), "%lu", uid);
		passwd = read_whole(proc_open_in_root(pid, "/etc/passwd"), MAX_PASSWD_BYTES, &n);
		if (passwd)
			who_user_of(passwd, (uint32_t)uid, out->user, sizeof(out->user));
		free(passwd);
	}
	free(status);
}

/* Where 64 hexadecimal digits stand by themselves; NULL: nowhere. */
static const char *find_id(const char *s, size_t n)
{
	size_t digits = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && isxdigit((unsigned char)s[i]) && !isupper((unsigned char)s[i])) {
			digits++;
			continue;
		}
		if (digits == ID_DIGITS)
			return s + i - ID_DIGITS;
		digits = 0;
	}
	return NULL;
}

/* Lines "number:controllers:path"; version 2 has one, without controllers. The longest path says most. */
void who_cgroup_of(const char *text, struct who *out)
{
	size_t longest = 0;
	const char *next;

	for (const char *line = text; *line; line = next) {
		const char *eol = strchrnul(line, '\n'),
			   *controllers = memchr(line, ':', (size_t)(eol - line));
		const char *path = controllers ? memchr(controllers + 1, ':', (size_t)(eol - controllers - 1))
					       : NULL,
			   *id;
		size_t n = path ? (size_t)(eol - path - 1) : 0;

		next = eol + (*eol == '\n');
		if (n <= longest || path[1] != '/')
			continue;
		longest = n;
		text_clean(out->cgroup, sizeof(out->cgroup), path + 1, n);
		id = find_id(path + 1, n);
		snprintf(out->container, sizeof(out->container), "%.*s", id ? ID_DIGITS : 0, id ?: "");
	}
}

/*
 * Annotations, then labels. The files are links, from one folder there to another, and lead nowhere else:
 * what is outside may be a file that its owner must not read. Nor is anything told of one but the value of a
 * known key, lest it is another file, mounted there.
 */
static void read_podinfo(pid_t pid, const char *folder, struct deployed *out)
{
	static const char *const files[] = {"annotations", "labels"};
	int root_fd = proc_root_open(pid),
	    dir_fd = root_fd < 0 ? root_fd : foreign_open_dir(pid, root_fd, folder ?: DEPLOYED_PODINFO);

	for (size_t i = 0; i < ARRAY_LEN(files) && dir_fd >= 0; i++) {
		size_t n;
		char *text =
		    read_whole(foreign_open_under(pid, dir_fd, files[i], NULL), MAX_PODINFO_BYTES, &n);

		if (text) {
			deployed_of_podinfo(files[i], text, n, out);
			explicit_bzero(text, n);
		}
		free(text);
	}
	if (dir_fd >= 0)
		close(dir_fd);
	if (root_fd >= 0)
		close(root_fd);
}

void who_read(pid_t pid, const char *podinfo, struct who *out)
{
	char host[sizeof(out->host)] = "", *cgroup;
	size_t n;

	*out = (struct who){0};
	read_command(pid, out);
	read_user(pid, out);
	cgroup = read_proc(pid, "cgroup", MAX_CGROUP_BYTES, &n);
	if (cgroup)
		who_cgroup_of(cgroup, out);
	free(cgroup);
	deployed_of_cgroup(out->cgroup, &out->deployed);
	if (*out->command) /* else its memory does not answer */
		deployed_read(pid, &out->deployed);
	if (*out->command)
		read_podinfo(pid, podinfo, &out->deployed);
	if (gethostname(host, sizeof(host) - 1) == 0)
		text_clean(out->host, sizeof(out->host), host, strlen(host));
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

void who_tell(const struct who *who, struct report_target *t)
{
	t->main = or_null(who->main);
	t->command = or_null(who->command);
	t->user = or_null(who->user);
	t->container = or_null(who->container);
	t->cgroup = or_null(who->cgroup);
	t->host = or_null(who->host);
	t->service = or_null(who->deployed.service);
	t->version = or_null(who->deployed.version);
	t->image = or_null(who->deployed.image);
	t->pod = or_null(who->deployed.pod);
	t->pod_namespace = or_null(who->deployed.pod_namespace);
	t->pod_uid = or_null(who->deployed.pod_uid);
}
