/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of this program as JSON. See help_rows.h. */
#include "run/help_rows.h"

#include "export/formats.h"
#include "model/catalog.h"
#include "model/probe_site.h"
#include "model/report.h"
#include "run/opts_rows.h"
#include "screen/keys.h"
#include "view/columns.h"
#include "view/json_out.h"

static void put_names(struct json_out *j, const char *key, const char *const *names, size_t n)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < n; i++)
		if (names[i])
			json_text(j, NULL, names[i]);
	json_close(j, ']');
}

/* An object with up to three texts. */
static void put_row(struct json_out *j, const char *name, const char *key_a, const char *a, const char *key_b,
		    const char *b)
{
	json_open(j, NULL, '{');
	json_text(j, "name", name);
	json_text(j, key_a, a);
	if (key_b)
		json_text(j, key_b, b);
	json_close(j, '}');
}

static void put_documented(struct json_out *j)
{
	json_open(j, "drops", '[');
	for (size_t i = 0; i < NR_DROPS; i++)
		put_row(j, drop_rows[i].name, "meaning", drop_rows[i].meaning, "advice", drop_rows[i].advice);
	json_close(j, ']');
	json_open(j, "stack_ends", '[');
	for (size_t i = 0; i < NR_ENDS; i++)
		if (stack_end_rows[i].name)
			put_row(j, stack_end_rows[i].name, "meaning", stack_end_rows[i].meaning, "advice",
				stack_end_rows[i].advice);
	json_close(j, ']');
	json_open(j, "findings", '[');
	for (size_t i = 0; i < NR_FINDINGS; i++)
		put_row(j, finding_rows[i].name, "severity", finding_severity_names[finding_rows[i].severity],
			"wrong", finding_rows[i].wrong);
	json_close(j, ']');
}

void help_rows(struct buf *out)
{
	struct json_out j = {.out = out};

	json_open(&j, NULL, '{');
	json_open(&j, "options", '[');
	for (size_t i = 0; i < nr_option_rows; i++)
		put_row(&j, option_rows[i].name, "arg", option_rows[i].arg, "help", option_rows[i].help);
	json_close(&j, ']');
	json_open(&j, "formats", '[');
	for (size_t i = 0; i < nr_formats; i++)
		put_row(&j, formats[i].name, "help", formats[i].help, NULL, NULL);
	json_close(&j, ']');
	json_open(&j, "keys", '[');
	for (size_t i = 0; keys_name(i); i++)
		put_row(&j, keys_name(i), "help", keys_help(i), NULL, NULL);
	json_close(&j, ']');
	json_open(&j, "columns", '[');
	for (size_t i = 0; i < nr_columns; i++)
		put_row(&j, columns[i].key, "help", columns[i].help, NULL, NULL);
	json_close(&j, ']');
	json_open(&j, "families", '[');
	for (uint32_t i = 0; i < NR_JNI_FAMILIES; i++)
		json_text(&j, NULL, family_name(&jni_catalog, i));
	json_close(&j, ']');
	put_documented(&j);
	put_names(&j, "severities", finding_severity_names, NR_SEVERITIES);
	put_names(&j, "verdicts", site_verdict_names, NR_VERDICTS);
	put_names(&j, "strategies", site_strategy_names, NR_STRATEGIES);
	json_close(&j, '}');
	json_end_line(&j);
}
