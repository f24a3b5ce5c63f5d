/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands, one row each: a command is a file that runs it and a row here. */
#ifndef JNITRACE_COMMANDS_H
#define JNITRACE_COMMANDS_H

#include "base/util.h"
#include "run/options.h"

struct command_row {
	const char *name;
	const char *help;       /* a line */
	const char *exit_codes; /* beside 0 to 4; "": none */
	const char *examples;   /* lines "  COMMAND LINE    what it does" */
	/* Returns the exit code; err is set where there is more to say. */
	enum exit_code (*run)(const struct options *o, struct error *err);
};
extern const struct command_row commands[NR_ALL_COMMANDS];

#endif
