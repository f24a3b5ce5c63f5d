/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows of jnitrace doctor. See doctor_checks.h. */
#include "run/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/util.h"
#include "kernel/kernel_features.h"
#include "proc/proc.h"
#include "run/privileges.h"
#include "screen/terminal.h"

/* Inodes of the first namespaces, which the kernel numbers itself (include/linux/proc_ns.h). */
#define FIRST_PID_NS  0xEFFFFFFCUL
#define FIRST_USER_NS 0xEFFFFFFDUL
/* A target takes some tens: its libraries, and its probes where they are perf events. */
#define FEW_FILES 1024
#define LOCKDOWN  "/sys/kernel/security/lockdown"

static void found(struct check *c, enum check_state state, const char *advice, const char *format, ...)
    JT_PRINTF(4, 5);
static void found(struct check *c, enum check_state state, const char *advice, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->found, sizeof(c->found), format, ap);
	va_end(ap);
	c->state = state;
	snprintf(c->advice, sizeof(c->advice), "%s", advice ?: "");
}

static enum exit_code found_error(struct check *c, const struct error *err)
{
	found(c, CHECK_BAD, err->advice, "%s: %s", err->what, err->why);
	return err->exit_code;
}

static enum exit_code look_at_kernel(struct check *c)
{
	struct utsname u;

	if (uname(&u))
		return EXIT_OK;
	found(c, CHECK_OK, NULL, "%s %s, %s", u.sysname, u.release, u.machine);
	return EXIT_OK;
}

static enum exit_code look_at_privileges(struct check *c)
{
	struct privileges_lacking lacking;

	if (privileges_lacking(&lacking)) {
		found(c, CHECK_NOTE, NULL, "the capabilities of this process cannot be read");
	} else if (*lacking.needed) {
		found(c, CHECK_BAD, "run it as root, or with these capabilities", "lacking: %s",
		      lacking.needed);
		return EXIT_PERMISSION;
	} else if (*lacking.helpful) {
		found(c, CHECK_NOTE, "run it as root for all of them",
		      "lacking: %s (some processes, files or figures will be missing)", lacking.helpful);
	} else {
		found(c, CHECK_OK, NULL, "all that tracing takes");
	}
	return EXIT_OK;
}

static enum exit_code look_at_bpf(struct check *c)
{
	struct error err = {0};

	if (features_check_bpf(&err))
		return found_error(c, &err);
	found(c, CHECK_OK, NULL, "programs can be loaded (libbpf %s)", features_libbpf());
	return EXIT_OK;
}

static enum exit_code look_at_btf(struct check *c)
{
	struct error err = {0};

	if (features_check_btf(&err))
		return found_error(c, &err);
	found(c, CHECK_OK, NULL, "the kernel describes its types");
	return EXIT_OK;
}

static enum exit_code look_at_uprobes(struct check *c)
{
	struct features features;
	struct error err = {0};

	if (features_check_uprobes(&err))
		return found_error(c, &err);
	if (features_detect(&features, &err))
		found(c, CHECK_OK, NULL, "there; whether many fit into one link is not known");
	else if (features.uprobe_multi)
		found(c, CHECK_OK, NULL, "there, many in one link (uprobe_multi)");
	else
		found(c, CHECK_NOTE,
		      features_built_multi() ? "Linux 6.10 and later attach faster"
					     : "a build with libbpf 1.3 or later attaches faster",
		      "there, one descriptor each (no uprobe_multi)");
	return EXIT_OK;
}

/* "none [integrity] confidentiality": the mode in force stands in brackets. */
static enum exit_code look_at_lockdown(struct check *c)
{
	char text[128] = "";
	int fd = open(LOCKDOWN, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n >= 0 && strstr(text, "[confidentiality]")) {
		found(c, CHECK_BAD, "boot without lockdown=confidentiality",
		      "confidentiality: programs may not read memory");
		return EXIT_PERMISSION;
	}
	found(c, CHECK_OK, NULL, "%s",
	      n >= 0 && strstr(text, "[integrity]") ? "integrity, which lets it trace" : "none");
	return EXIT_OK;
}

static bool is_first(const char *link, unsigned long inode)
{
	struct stat st;

	return !stat(link, &st) && st.st_ino == inode;
}

static enum exit_code look_at_namespaces(struct check *c)
{
	if (!is_first("/proc/self/ns/user", FIRST_USER_NS)) {
		found(c, CHECK_NOTE, "run it on the host",
		      "in a user namespace: its root may not load programs");
	} else if (!is_first("/proc/self/ns/pid", FIRST_PID_NS)) {
		found(c, CHECK_NOTE, "run it on the host, or in a container with the host's (--pid=host)",
		      "in a pid namespace: processes outside of it are not seen");
	} else {
		found(c, CHECK_OK, NULL, "the host's: all its processes are seen");
	}
	return EXIT_OK;
}

static enum exit_code look_at_processes(struct check *c)
{
	struct pid_list pids = {0};
	size_t closed = 0;

	if (proc_list(&pids)) {
		found(c, CHECK_BAD, "mount /proc", "/proc cannot be read");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < pids.n; i++)
		closed += proc_access(pids.v[i]) == -EACCES;
	if (closed)
		found(c, CHECK_NOTE, proc_access_advice(), "%zu, of which %zu may not be looked into", pids.n,
		      closed);
	else
		found(c, CHECK_OK, NULL, "%zu, all may be looked into", pids.n);
	free(pids.v);
	return EXIT_OK;
}

static enum exit_code look_at_files(struct check *c)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return EXIT_OK;
	if (limit.rlim_cur < FEW_FILES)
		found(c, CHECK_NOTE, "ulimit -n 65536", "%llu may be open at once, few for many targets",
		      (unsigned long long)limit.rlim_cur);
	else
		found(c, CHECK_OK, NULL, "%llu may be open at once", (unsigned long long)limit.rlim_cur);
	return EXIT_OK;
}

static enum exit_code look_at_terminal(struct check *c)
{
	struct terminal *t = NULL;
	char why[128] = "";

	if (!isatty(STDOUT_FILENO)) {
		found(c, CHECK_OK, NULL, "stdout is none: plain tables");
	} else if (terminal_open(stdout, false, &t, why)) {
		found(c, CHECK_NOTE, "set TERM to what the terminal is, as xterm-256color",
		      "plain tables, for %s", *why ? why : "want of memory");
	} else {
		found(c, CHECK_OK, NULL, "the live screen can be shown");
	}
	terminal_close(t);
	return EXIT_OK;
}

static const struct {
	const char *name;
	enum exit_code (*look)(struct check *c); /* EXIT_OK unless nothing can be traced */
} rows[] = {
    {"kernel", look_at_kernel},
    {"privileges", look_at_privileges},
    {"BPF", look_at_bpf},
    {"BTF", look_at_btf},
    {"uprobes", look_at_uprobes},
    {"lockdown", look_at_lockdown},
    {"namespaces", look_at_namespaces},
    {"processes", look_at_processes},
    {"files", look_at_files},
    {"terminal", look_at_terminal},
};
_Static_assert(ARRAY_LEN(rows) <= DOCTOR_MAX_CHECKS, "each needs a place");

size_t doctor_checks(struct check *out, enum exit_code *code)
{
	*code = EXIT_OK;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum exit_code now;

		out[i] = (struct check){.name = rows[i].name};
		now = rows[i].look(&out[i]);
		/* Of two reasons the one that a user can mend first. */
		if (now == EXIT_PERMISSION || *code == EXIT_OK)
			*code = now;
	}
	return ARRAY_LEN(rows);
}
