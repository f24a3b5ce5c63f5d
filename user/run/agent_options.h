/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's options as its parts want them; and taken anew from a file, as far as it goes without a
 * restart. */
#ifndef JNITRACE_AGENT_OPTIONS_H
#define JNITRACE_AGENT_OPTIONS_H

#include "agent/http.h"
#include "judge/service.h"
#include "run/options.h"
#include "run/windows.h"

struct http_options agent_http_options(const struct options *o);
struct windows_request agent_windows_request(const struct options *o);
/* Could an agent run with them, as far as can be told without beginning? 0, or -errno with err. */
int agent_options_check(const struct options *o, struct error *err);

/*
 * The command line and its file anew. start: what the agent began with, now: what holds, which stays as it is
 * on failure. out: what may hold from now on; its config is the caller's; changed: the
 * names of options that differ from now; restart: of those in the file that differ from start, but cannot
 * change: they are as in start. "a,b"; the caller frees both. 0, or -errno with err.
 */
int agent_options_again(const struct options *start, const struct options *now, struct options *out,
			struct buf *changed, struct buf *restart, struct error *err);

#endif
