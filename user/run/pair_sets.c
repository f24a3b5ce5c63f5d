/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/pair_sets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_FOLDER "/etc/jnitrace/pairs.d"
#define USER_FOLDER   ".config/jnitrace/pairs.d"
#define NAME_BYTES    64
#define LINE_BYTES    4096
#define FILE_LINES    64

/*
 * Built in. A library of another version may lack some functions: those that it has are traced.
 */
static const struct {
	const char *name, *rule;
} sets[] = {
    {"malloc", "malloc=libc:malloc(ret,size=arg0)+calloc(ret,size=arg0*arg1)+~realloc(arg0,size=arg1)"
	       "+~reallocarray(arg0,size=arg1*arg2)+aligned_alloc(ret,size=arg1)+memalign(ret,size=arg1)"
	       "+posix_memalign(*arg0,size=arg2)+valloc(ret,size=arg0)+pvalloc(ret,size=arg0)"
	       "/free(arg0)"},
    {"file", "file=libc:fopen(ret)+fopen64(ret)+fdopen(ret)+tmpfile(ret)+tmpfile64(ret)+fmemopen(ret)"
	     "+open_memstream(ret)+~freopen(arg2,others)+~freopen64(arg2,others)/fclose(arg0,others)"},
    {"dir", "dir=libc:opendir(ret)+fdopendir(ret)/closedir(arg0)"},
    {"dl", "dl=libc:dlopen(ret,counted)+dlmopen(ret,counted)/dlclose(arg0)"},
    {"sqlite", "sqlite=libsqlite3:sqlite3_open(*arg1,okany)+sqlite3_open16(*arg1,okany)"
	       "+sqlite3_open_v2(*arg1,okany)/sqlite3_close(arg0,ok0)+sqlite3_close_v2(arg0)"},
    {"sqlite", "sqlite-stmt=libsqlite3:sqlite3_prepare(*arg3)+sqlite3_prepare_v2(*arg3)"
	       "+sqlite3_prepare_v3(*arg4)+sqlite3_prepare16(*arg3)+sqlite3_prepare16_v2(*arg3)"
	       "/sqlite3_finalize(arg0)"},
    {"openssl", "ssl=libssl:SSL_new(ret)+SSL_dup(ret)/^SSL_up_ref(arg0)+v:SSL_free(arg0)"},
    {"openssl", "ssl-ctx=libssl:SSL_CTX_new(ret)+SSL_CTX_new_ex(ret)/^SSL_CTX_up_ref(arg0)"
		"+v:SSL_CTX_free(arg0)"},
    {"zlib", "zlib-deflate=libz:deflateInit_(arg0,ok0)+deflateInit2_(arg0,ok0)+deflateCopy(arg0,ok0)"
	     "/deflateEnd(arg0)"},
    {"zlib", "zlib-inflate=libz:inflateInit_(arg0,ok0)+inflateInit2_(arg0,ok0)+inflateCopy(arg0,ok0)"
	     "/inflateEnd(arg0)"},
    {"zlib", "zlib-file=libz:gzopen(ret)+gzopen64(ret)+gzdopen(ret)/gzclose(arg0)+gzclose_r(arg0)"
	     "+gzclose_w(arg0)"},
    {"vulkan", "vulkan=libvulkan:vkCreateInstance(*arg2)/vkDestroyInstance(arg0)"},
    {"vulkan", "vulkan-device=libvulkan:vkCreateDevice(*arg3)/vkDestroyDevice(arg0)"},
    {"vulkan", "vulkan-memory=libvulkan:vkAllocateMemory(*arg3)/vkFreeMemory(arg1)"},
    {"vulkan", "vulkan-buffer=libvulkan:vkCreateBuffer(*arg3)/vkDestroyBuffer(arg1)"},
    {"vulkan", "vulkan-image=libvulkan:vkCreateImage(*arg3)/vkDestroyImage(arg1)"},
    {"vulkan", "vulkan-pool=libvulkan:vkCreateCommandPool(*arg3)/vkDestroyCommandPool(arg1)"},
    {"vulkan", "vulkan-fence=libvulkan:vkCreateFence(*arg3)/vkDestroyFence(arg1)"},
    {"vulkan", "vulkan-semaphore=libvulkan:vkCreateSemaphore(*arg3)/vkDestroySemaphore(arg1)"},
    {"jna", "jna=libjnidispatch:Java_com_sun_jna_Native_malloc(ret,size=arg2)"
	    "/Java_com_sun_jna_Native_free(arg2)"},
    {"jna", "jna-library=libjnidispatch:Java_com_sun_jna_Native_open(ret,counted)"
	    "/Java_com_sun_jna_Native_close(arg2)"},
    {"jna", "jna-callback=libjnidispatch:Java_com_sun_jna_Native_createNativeCallback(ret)"
	    "/Java_com_sun_jna_Native_freeNativeCallback(arg2)"},
    /* a multi handle has an easy one of its own, which it frees by another way */
    {"curl", "curl=libcurl:curl_easy_init(ret)+curl_easy_duphandle(ret)+curl_multi_init(ret,owns)"
	     "/curl_easy_cleanup(arg0)+curl_multi_cleanup(arg0)"},
};

/* Calls of these come by the million each second, and each costs some microseconds more. */
static const char *const hot[] = {"malloc"};

static int add_built_in(const char *name, struct catalog *c, struct pairs *out, struct error *err)
{
	int rc = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(sets) && (!rc || rc == -ENOENT); i++)
		if (!strcmp(sets[i].name, name))
			rc = pairs_add(out, c, sets[i].rule, true, "--pairs", err);
	for (size_t i = 0; i < ARRAY_LEN(hot) && !rc; i++)
		if (!strcmp(hot[i], name))
			warn("--pairs %s: each call costs some microseconds more: a program that does little "
			     "else "
			     "becomes a hundred times slower (--sample 100 follows one handle in 100, at "
			     "three quarters of that)",
			     name);
	return rc;
}

/* A rule on each line; '#' begins a comment line. -ENOENT: there is no such file. */
static int add_file(const char *path, struct catalog *c, struct pairs *out, struct error *err)
{
	FILE *f = fopen(path, "re");
	char line[LINE_BYTES], what[256];
	int rc = f ? 0 : -errno;

	for (int n = 1; f && !rc && fgets(line, sizeof(line), f); n++) {
		size_t length = strcspn(line, "\n");

		snprintf(what, sizeof(what), "%.200s, line %d", path, n);
		if (n > FILE_LINES || (line[length] != '\n' && !feof(f)))
			rc = error_set(err, -E2BIG, EXIT_USAGE, what, NULL,
				       "a set has at most %d lines of %d characters", FILE_LINES, LINE_BYTES);
		line[length] = '\0';
		if (!rc && length && *line != '#')
			rc = pairs_add(out, c, line, true, what, err);
	}
	if (f)
		fclose(f);
	else if (rc != -ENOENT)
		error_set(err, rc, EXIT_FAILED, path, NULL, "%s", strerror(-rc));
	return rc;
}

/* A user's own comes before the system's, and that before what is built in. */
static int add_named(const char *name, struct catalog *c, struct pairs *out, struct error *err)
{
	const char *home = getenv("HOME");
	char path[512];
	int rc = -ENOENT;

	if (home) {
		snprintf(path, sizeof(path), "%.300s/" USER_FOLDER "/%s", home, name);
		rc = add_file(path, c, out, err);
	}
	if (rc == -ENOENT) {
		snprintf(path, sizeof(path), SYSTEM_FOLDER "/%s", name);
		rc = add_file(path, c, out, err);
	}
	return rc == -ENOENT ? add_built_in(name, c, out, err) : rc;
}

static void put_names(char *out, size_t cap)
{
	size_t at = (size_t)snprintf(out, cap, "one of: ");

	for (size_t i = 0; i < ARRAY_LEN(sets) && at < cap; i++)
		if (i == 0 || strcmp(sets[i].name, sets[i - 1].name))
			at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "", sets[i].name);
	if (at < cap)
		snprintf(out + at, cap - at, "; or a file in " SYSTEM_FOLDER " or ~/" USER_FOLDER);
}

static int add_sets(const char *names, struct catalog *c, struct pairs *out, struct error *err)
{
	int rc = 0;

	do {
		size_t n = strcspn(names, ",");
		char name[NAME_BYTES], advice[256];

		snprintf(name, sizeof(name), "%.*s", n < NAME_BYTES ? (int)n : NAME_BYTES - 1, names);
		rc = *name && *name != '.' && !strchr(name, '/') ? add_named(name, c, out, err) : -ENOENT;
		if (rc == -ENOENT) {
			put_names(advice, sizeof(advice));
			return error_set(err, rc, EXIT_USAGE, "--pairs", advice, "unknown set '%s'", name);
		}
		names += n + (names[n] == ',');
	} while (!rc && *names);
	return rc;
}

/* The value of argv[*i] when that is this option; *i is at its last word then. NULL: it is another. */
static const char *value_of(const char *option, int argc, char **argv, int *i)
{
	size_t n = strlen(option);

	if (strncmp(argv[*i], option, n))
		return NULL;
	if (argv[*i][n] == '=')
		return argv[*i] + n + 1;
	return !argv[*i][n] && *i + 1 < argc ? argv[++*i] : NULL;
}

int pairs_take(int argc, char **argv, struct catalog *c, struct pairs *out, struct error *err)
{
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (int i = 1; i < argc && !rc && strcmp(argv[i], "--"); i++) {
		const char *rule = value_of("--pair", argc, argv, &i);
		const char *sets = rule ? NULL : value_of("--pairs", argc, argv, &i);

		if (rule)
			rc = pairs_add(out, c, rule, false, "--pair", err);
		else if (sets)
			rc = add_sets(sets, c, out, err);
	}
	return rc;
}
