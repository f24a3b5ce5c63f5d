/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An addon that keeps listeners, and forgets to let go of the old one of two: see scripts/demo-node. */
#define NAPI_VERSION 8
#include <node_api.h>

#define MAX_LISTENERS 16

static napi_ref listeners[MAX_LISTENERS], latest;

static napi_value argument(napi_env env, napi_callback_info info)
{
	size_t n = 1;
	napi_value value = NULL;

	napi_get_cb_info(env, info, &n, &value, NULL, NULL);
	return value;
}

/* The one that was the latest is forgotten, and never deleted. */
static napi_value on_price(napi_env env, napi_callback_info info)
{
	napi_create_reference(env, argument(env, info), 1, &latest);
	return NULL;
}

/* This one is right: what was in the place before is deleted. */
static napi_value on_order(napi_env env, napi_callback_info info)
{
	static unsigned next;
	napi_ref *place = &listeners[next++ % MAX_LISTENERS];

	if (*place)
		napi_delete_reference(env, *place);
	napi_create_reference(env, argument(env, info), 1, place);
	return NULL;
}

NAPI_MODULE_INIT()
{
	napi_value f;

	napi_create_function(env, "onPrice", NAPI_AUTO_LENGTH, on_price, NULL, &f);
	napi_set_named_property(env, exports, "onPrice", f);
	napi_create_function(env, "onOrder", NAPI_AUTO_LENGTH, on_order, NULL, &f);
	napi_set_named_property(env, exports, "onOrder", f);
	return exports;
}
