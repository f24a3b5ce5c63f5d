/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A command line: one argument a line of the input. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "model/catalog.h"
#include "run/opts.h"

#define ARGS 64

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	/* --help and --version print; libFuzzer itself writes to stderr */
	return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1), *argv[ARGS + 2] = {(char *)"jnitrace"}, *save = NULL;
	struct error err = {0};
	struct options options;
	int argc = 1, rc;

	if (!text)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	for (char *a = strtok_r(text, "\n", &save); a && argc <= ARGS; a = strtok_r(NULL, "\n", &save))
		argv[argc++] = a;
	rc = opts_parse(argc, argv, &jni_catalog, &options, &err);
	if (rc < 0 && !err.what[0] && !err.why[0])
		abort(); /* a refusal says why */
	free(text);
	return 0;
}
