/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of formats. See formats.h. */
#include "export/formats.h"

#include <string.h>

#include "export/csv.h"
#include "export/folded.h"
#include "export/html.h"
#include "export/pprof.h"
#include "view/census.h"
#include "view/diff.h"
#include "view/doctor.h"
#include "view/fleet.h"
#include "view/json.h"
#include "view/probes.h"
#include "view/table.h"
#if JNITRACE_HTML
#include "page.h" /* says whether there is one */
#endif

static void table(void *state, struct buf *out, const struct report *const *reports, size_t n,
		  const struct view_opts *o)
{
	(void)state;
	view_table(out, reports, n, o);
}

static void json(void *state, struct buf *out, const struct report *const *reports, size_t n,
		 const struct view_opts *o)
{
	(void)state;
	view_json(out, reports, n, o);
}

static void none(void *state, struct buf *out, const struct report *const *reports, size_t n,
		 const struct view_opts *o)
{
	(void)state, (void)out, (void)reports, (void)n, (void)o;
}

const struct format format_none = {.name = "none", .reports = none};

/* clang-format off */
const struct format formats[] = {
	{ .name = "table", .help = "for people; live on a terminal",
	  .needs = FORMAT_CLASSES, .screen = true, .losses = true,
	  .reports = table, .census = view_census_table, .probes = view_probes_table,
	  .doctor = view_doctor_table, .fleet = view_fleet_table, .diff = view_diff_table },
	{ .name = "json", .help = "for scripts: an object per line, target and interval (docs/json.md)",
	  .needs = FORMAT_CLASSES | FORMAT_THREADS,
	  .reports = json, .census = view_census_json, .probes = view_probes_json,
	  .doctor = view_doctor_json, .fleet = view_fleet_json, .diff = view_diff_json },
	{ .name = "folded", .help = "for flame graphs: a line per stack, with the references outstanding at the end",
	  .at_end = true,
	  .reports = folded_reports },
	{ .name = "csv", .help = "for spreadsheets: a row per site and interval (RFC 4180)",
	  .needs = FORMAT_CLASSES,
	  .begin = csv_begin, .reports = csv_reports, .diff = csv_diff },
	{ .name = "pprof", .help = "for pprof: a profile of what is outstanding at the end, by stack, class and family",
	  .needs = FORMAT_CLASSES, .at_end = true, .binary = true,
	  .begin = pprof_begin, .reports = pprof_reports, .end = pprof_end },
#if JNITRACE_HTML && !defined(PAGE_ABSENT)
	{ .name = "html", .help = "for a browser: one page with flame graph, growth, findings and tables",
	  .needs = FORMAT_CLASSES, .at_end = true,
	  .begin = html_begin, .note = html_note, .copy = html_copy, .forget = html_forget,
	  .reports = html_reports, .end = html_end },
#endif
};
/* clang-format on */
const size_t nr_formats = ARRAY_LEN(formats);

const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < nr_formats; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
