/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's options. See agent_options.h. */
#include "run/agent_options.h"

#include <errno.h>

#include "run/config.h"
#include "run/opts_rows.h"
#include "run/profiles.h"

struct http_options agent_http_options(const struct options *o)
{
	return (struct http_options){
	    .listen = o->listen,
	    .tls_cert = o->tls_cert,
	    .tls_key = o->tls_key,
	    .token_file = o->token_file,
	    .client_ca = o->tls_client_ca,
	};
}

struct windows_request agent_windows_request(const struct options *o)
{
	return (struct windows_request){
	    .rules = {.every_s = o->every_s, .rest_s = o->rest_s, .spread_s = o->window_s},
	    .length_s = o->window_s,
	    .at_a_time = (size_t)o->windows,
	    .limit_bytes = o->limit_bytes,
	    .max_refs = o->max_refs,
	    .podinfo = o->podinfo,
	    .budget_share = o->budget_share,
	    .only = o->trace,
	};
}

int agent_options_check(const struct options *o, struct error *err)
{
	const struct http_options http = agent_http_options(o);
	const struct windows_request windows = agent_windows_request(o);
	struct service_rules *services = NULL;
	int rc = http_check(&http, err);

	rc = rc ?: windows_check(&windows, err);
	rc = rc ?: profiles_check(o, err);
	rc = rc ?: service_rules_new(o->service_rules, o->nr_service_rules, &services, err);
	service_rules_free(services);
	return rc;
}

static void add_name(struct buf *names, const char *name)
{
	buf_printf(names, "%s%s", names->n ? "," : "", name);
}

int agent_options_again(const struct options *start, const struct options *now, struct options *out,
			struct buf *changed, struct buf *restart, struct error *err)
{
	int rc = start->again(start, out, err);

	if (rc)
		return rc < 0 ? rc : -EINVAL;
	for (size_t i = 0; i < nr_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		/* Who began without windows has given up the privileges that they need. */
		bool reloads =
		    row->reloads && !(row->at == offsetof(struct options, windows) && !start->windows);

		if (!option_in_file(row, CMD_AGENT))
			continue;
		if (!reloads && !option_equal(row, start, out))
			add_name(restart, row->name);
		if (!reloads)
			option_copy(row, out, start);
		else if (!option_equal(row, now, out))
			add_name(changed, row->name);
	}
	rc = agent_options_check(out, err);
	if (rc)
		config_free(out->config);
	return rc;
}
