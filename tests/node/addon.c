/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Node-API addon that does a known thing in known numbers: addon.command(n, object or function). Each kind
 * of call has a function of its own, so that a site is known by the name of its caller. Node may load it in
 * several threads (workers): what it keeps, it keeps by environment.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define OLD        101
#define NOINLINE   __attribute__((noinline))
#define ABORT_USES 3

/* What an environment keeps, so that a compiler or a leak checker finds no fault of its own with it. */
struct kept {
	void **v;
	size_t n, cap;
};
struct own {
	napi_ref old[OLD];
	int nr_old;
	struct kept kept;
	unsigned finalized;
	bool failed; /* a call that ought to succeed has not, or the other way round */
};
/* Finalizers of objects, which count in it, may come later. */
static void end_data(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)data;
	(void)hint;
}

typedef void command_fn(napi_env env, struct own *own, napi_value with);

static void expect(struct own *own, bool holds)
{
	own->failed |= !holds;
}

static void keep(struct own *own, void *what)
{
	struct kept *k = &own->kept;

	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 64;
		k->v = realloc(k->v, k->cap * sizeof(*k->v));
		if (!k->v)
			abort();
	}
	k->v[k->n++] = what;
}

static napi_value text(napi_env env)
{
	napi_value s;

	napi_create_string_utf8(env, "addon", NAPI_AUTO_LENGTH, &s);
	return s;
}

/* --- references --- */

static NOINLINE void leak_strong(napi_env env, struct own *own, napi_value with)
{
	napi_ref ref;

	expect(own, napi_create_reference(env, with, 1, &ref) == napi_ok);
	keep(own, ref);
}

static NOINLINE void leak_weak(napi_env env, struct own *own, napi_value with)
{
	napi_ref ref;

	expect(own, napi_create_reference(env, with, 0, &ref) == napi_ok);
	keep(own, ref);
}

static NOINLINE void come_and_go(napi_env env, struct own *own, napi_value with)
{
	napi_value value;
	napi_ref ref;

	expect(own, napi_create_reference(env, with, 1, &ref) == napi_ok);
	expect(own, napi_get_reference_value(env, ref, &value) == napi_ok);
	expect(own, napi_delete_reference(env, ref) == napi_ok);
}

/* Up to two and down to one again: it stays, whatever its count. */
static NOINLINE void count_up_and_down(napi_env env, struct own *own, napi_value with)
{
	napi_ref ref;
	uint32_t n;

	expect(own, napi_create_reference(env, with, 0, &ref) == napi_ok);
	expect(own, napi_reference_ref(env, ref, &n) == napi_ok && n == 1);
	expect(own, napi_reference_ref(env, ref, &n) == napi_ok && n == 2);
	expect(own, napi_reference_unref(env, ref, &n) == napi_ok && n == 1);
	keep(own, ref);
}

/* A failed call leaves what was in its result before: here what looks like a handle, and was one. */
static NOINLINE void fail_with_stale_result(napi_env env, struct own *own, napi_value with)
{
	napi_ref ref = own->kept.n ? own->kept.v[0] : (napi_ref)0x1230;

	(void)with;
	expect(own, napi_create_reference(env, NULL, 1, &ref) != napi_ok);
}

static NOINLINE void delete_old(napi_env env, struct own *own, napi_value with)
{
	(void)with;
	if (own->nr_old > 0)
		expect(own, napi_delete_reference(env, own->old[--own->nr_old]) == napi_ok);
}

static NOINLINE void use_deleted(napi_env env, struct own *own, napi_value with)
{
	napi_value value;
	napi_ref ref;

	expect(own, napi_create_reference(env, with, 1, &ref) == napi_ok);
	expect(own, napi_delete_reference(env, ref) == napi_ok);
	napi_get_reference_value(env, ref, &value); /* of freed memory: any result will do */
}

/* Node does not survive it. */
static NOINLINE void delete_twice(napi_env env, struct own *own, napi_value with)
{
	napi_ref ref;

	expect(own, napi_create_reference(env, with, 1, &ref) == napi_ok);
	napi_delete_reference(env, ref);
	napi_delete_reference(env, ref);
}

/* --- threadsafe functions --- */

static inline __attribute__((always_inline)) napi_threadsafe_function
tsfn_new(napi_env env, struct own *own, napi_value with, size_t threads)
{
	napi_threadsafe_function f = NULL;

	expect(own, napi_create_threadsafe_function(env, with, NULL, text(env), 0, threads, NULL, NULL, NULL,
						    NULL, &f) == napi_ok);
	expect(own, napi_unref_threadsafe_function(env, f) == napi_ok);
	return f;
}

static NOINLINE void leak_tsfn(napi_env env, struct own *own, napi_value with)
{
	keep(own, tsfn_new(env, own, with, 1));
}

static NOINLINE void release_tsfn(napi_env env, struct own *own, napi_value with)
{
	napi_threadsafe_function f = tsfn_new(env, own, with, 1);

	expect(own, napi_release_threadsafe_function(f, napi_tsfn_release) == napi_ok);
}

/* Two threads, and one more; the last release lets go of it. */
static NOINLINE void share_tsfn(napi_env env, struct own *own, napi_value with)
{
	napi_threadsafe_function f = tsfn_new(env, own, with, 2);

	expect(own, napi_acquire_threadsafe_function(f) == napi_ok);
	for (int i = 0; i < 3; i++)
		expect(own, napi_release_threadsafe_function(f, napi_tsfn_release) == napi_ok);
}

/* One release of two: it stays. */
static NOINLINE void release_tsfn_half(napi_env env, struct own *own, napi_value with)
{
	napi_threadsafe_function f = tsfn_new(env, own, with, 2);

	expect(own, napi_release_threadsafe_function(f, napi_tsfn_release) == napi_ok);
	keep(own, f);
}

static NOINLINE void abort_tsfn(napi_env env, struct own *own, napi_value with)
{
	napi_threadsafe_function f = tsfn_new(env, own, with, ABORT_USES);

	expect(own, napi_release_threadsafe_function(f, napi_tsfn_abort) == napi_ok);
}

/* --- work --- */

struct job {
	napi_async_work work;
};

static void job_run(napi_env env, void *data)
{
	(void)env;
	(void)data;
}

static void job_done(napi_env env, napi_status status, void *data)
{
	struct job *job = data;

	(void)status;
	napi_delete_async_work(env, job->work);
	free(job);
}

static void job_done_and_kept(napi_env env, napi_status status, void *data)
{
	(void)env;
	(void)status;
	(void)data;
}

static NOINLINE void finish_work(napi_env env, struct own *own, napi_value with)
{
	struct job *job = malloc(sizeof(*job));

	(void)with;
	expect(own,
	       napi_create_async_work(env, NULL, text(env), job_run, job_done, job, &job->work) == napi_ok);
	expect(own, napi_queue_async_work(env, job->work) == napi_ok);
}

static NOINLINE void leak_work(napi_env env, struct own *own, napi_value with)
{
	napi_async_work work;

	(void)with;
	expect(own, napi_create_async_work(env, NULL, text(env), job_run, job_done_and_kept, NULL, &work) ==
			napi_ok);
	expect(own, napi_queue_async_work(env, work) == napi_ok);
	keep(own, work);
}

/* --- what has a finalizer --- */

static void finalize(napi_env env, void *data, void *hint)
{
	struct own *own = hint;

	(void)env;
	own->finalized++;
	free(data);
}

static NOINLINE void wrap(napi_env env, struct own *own, napi_value with)
{
	expect(own, napi_wrap(env, with, malloc(16), finalize, own, NULL) == napi_ok);
}

/* Whose memory it is nobody says. */
static NOINLINE void wrap_without_finalizer(napi_env env, struct own *own, napi_value with)
{
	expect(own, napi_wrap(env, with, own, NULL, NULL, NULL) == napi_ok);
}

static NOINLINE void wrap_and_remove(napi_env env, struct own *own, napi_value with)
{
	void *data = NULL;

	expect(own, napi_wrap(env, with, malloc(16), finalize, own, NULL) == napi_ok);
	expect(own, napi_remove_wrap(env, with, &data) == napi_ok && data);
	free(data);
}

/* The reference to a wrapped object belongs to who wraps it. */
static NOINLINE void wrap_with_reference(napi_env env, struct own *own, napi_value with)
{
	void *data = NULL;
	napi_ref ref;

	expect(own, napi_wrap(env, with, malloc(16), finalize, own, &ref) == napi_ok);
	expect(own, napi_remove_wrap(env, with, &data) == napi_ok && data);
	expect(own, napi_delete_reference(env, ref) == napi_ok);
	free(data);
}

static NOINLINE void wrap_twice(napi_env env, struct own *own, napi_value with)
{
	void *data = malloc(16);

	expect(own, napi_wrap(env, with, malloc(16), finalize, own, NULL) == napi_ok);
	expect(own, napi_wrap(env, with, data, finalize, own, NULL) != napi_ok);
	free(data);
}

static NOINLINE void external(napi_env env, struct own *own, napi_value with)
{
	napi_value value;

	expect(own, napi_create_external(env, malloc(16), finalize, own, &value) == napi_ok);
	napi_set_named_property(env, with, "external", value);
}

static NOINLINE void external_buffer(napi_env env, struct own *own, napi_value with)
{
	napi_value value;

	expect(own, napi_create_external_buffer(env, 64, malloc(64), finalize, own, &value) == napi_ok);
	napi_set_named_property(env, with, "buffer", value);
}

static NOINLINE void external_arraybuffer(napi_env env, struct own *own, napi_value with)
{
	napi_value value;

	expect(own, napi_create_external_arraybuffer(env, malloc(64), 64, finalize, own, &value) == napi_ok);
	napi_set_named_property(env, with, "arraybuffer", value);
}

static NOINLINE void add_finalizer(napi_env env, struct own *own, napi_value with)
{
	expect(own, napi_add_finalizer(env, with, malloc(16), finalize, own, NULL) == napi_ok);
}

/* --- work that uses what others may free --- */

/* Such work waits for the command finish_lent. */
static sem_t may_finish;
static unsigned lent;

struct lent_job {
	napi_async_work work;
	napi_ref held;
};

static void lent_run(napi_env env, void *data)
{
	(void)env;
	(void)data;
	while (sem_wait(&may_finish))
		;
}

static void lent_done(napi_env env, napi_status status, void *data)
{
	struct lent_job *job = data;

	(void)status;
	if (job->held)
		napi_delete_reference(env, job->held);
	napi_delete_async_work(env, job->work);
	free(job);
}

/* The object's memory is for the work to use: nothing holds the object unless a reference does. */
static inline __attribute__((always_inline)) void lend(napi_env env, struct own *own, napi_value with,
						       bool held)
{
	struct lent_job *job = calloc(1, sizeof(*job));
	void *data = NULL;

	expect(own, napi_wrap(env, with, malloc(16), finalize, own, NULL) == napi_ok);
	expect(own, napi_unwrap(env, with, &data) == napi_ok && data);
	if (held)
		expect(own, napi_create_reference(env, with, 1, &job->held) == napi_ok);
	expect(own,
	       napi_create_async_work(env, NULL, text(env), lent_run, lent_done, job, &job->work) == napi_ok);
	expect(own, napi_queue_async_work(env, job->work) == napi_ok);
	lent++;
}

static NOINLINE void lend_to_work(napi_env env, struct own *own, napi_value with)
{
	lend(env, own, with, false);
}

static NOINLINE void lend_and_hold(napi_env env, struct own *own, napi_value with)
{
	lend(env, own, with, true);
}

static NOINLINE void lend_to_none(napi_env env, struct own *own, napi_value with)
{
	void *data = NULL;

	expect(own, napi_wrap(env, with, malloc(16), finalize, own, NULL) == napi_ok);
	expect(own, napi_unwrap(env, with, &data) == napi_ok && data);
}

static NOINLINE void finish_lent(napi_env env, struct own *own, napi_value with)
{
	(void)env;
	(void)own;
	(void)with;
	for (; lent > 0; lent--)
		sem_post(&may_finish);
}

/* --- scopes --- */

static NOINLINE void open_and_close(napi_env env, struct own *own, napi_value with)
{
	napi_escapable_handle_scope escapable;
	napi_handle_scope scope;

	(void)with;
	expect(own, napi_open_handle_scope(env, &scope) == napi_ok);
	expect(own, napi_close_handle_scope(env, scope) == napi_ok);
	expect(own, napi_open_escapable_handle_scope(env, &escapable) == napi_ok);
	expect(own, napi_close_escapable_handle_scope(env, escapable) == napi_ok);
}

static NOINLINE void escape_once(napi_env env, struct own *own, napi_value with)
{
	napi_escapable_handle_scope scope;
	napi_value out;

	expect(own, napi_open_escapable_handle_scope(env, &scope) == napi_ok);
	expect(own, napi_escape_handle(env, scope, with, &out) == napi_ok);
	expect(own, napi_close_escapable_handle_scope(env, scope) == napi_ok);
}

static NOINLINE void escape_twice(napi_env env, struct own *own, napi_value with)
{
	napi_escapable_handle_scope scope;
	napi_value out;

	expect(own, napi_open_escapable_handle_scope(env, &scope) == napi_ok);
	expect(own, napi_escape_handle(env, scope, with, &out) == napi_ok);
	expect(own, napi_escape_handle(env, scope, with, &out) == napi_escape_called_twice);
	expect(own, napi_close_escapable_handle_scope(env, scope) == napi_ok);
}

static NOINLINE void close_out_of_order(napi_env env, struct own *own, napi_value with)
{
	napi_handle_scope outer, inner;

	(void)with;
	expect(own, napi_open_handle_scope(env, &outer) == napi_ok);
	expect(own, napi_open_handle_scope(env, &inner) == napi_ok);
	expect(own, napi_close_handle_scope(env, outer) == napi_ok);
	expect(own, napi_close_handle_scope(env, inner) == napi_ok);
}

/* Of freed memory: any result will do. */
static NOINLINE void escape_closed(napi_env env, struct own *own, napi_value with)
{
	napi_escapable_handle_scope scope;
	napi_value out;

	expect(own, napi_open_escapable_handle_scope(env, &scope) == napi_ok);
	expect(own, napi_escape_handle(env, scope, with, &out) == napi_ok);
	expect(own, napi_close_escapable_handle_scope(env, scope) == napi_ok);
	napi_escape_handle(env, scope, with, &out);
}

/* Node aborts when this returns. */
static NOINLINE void leave_scope_open(napi_env env, struct own *own, napi_value with)
{
	napi_handle_scope scope;

	(void)with;
	expect(own, napi_open_handle_scope(env, &scope) == napi_ok);
}

/* --- promises --- */

static inline __attribute__((always_inline)) napi_deferred deferred_new(napi_env env, struct own *own)
{
	napi_deferred deferred = NULL;
	napi_value promise;

	expect(own, napi_create_promise(env, &deferred, &promise) == napi_ok);
	return deferred;
}

static NOINLINE void leak_deferred(napi_env env, struct own *own, napi_value with)
{
	(void)with;
	keep(own, deferred_new(env, own));
}

static NOINLINE void resolve_deferred(napi_env env, struct own *own, napi_value with)
{
	expect(own, napi_resolve_deferred(env, deferred_new(env, own), with) == napi_ok);
}

static NOINLINE void reject_deferred(napi_env env, struct own *own, napi_value with)
{
	expect(own, napi_reject_deferred(env, deferred_new(env, own), with) == napi_ok);
}

/* Nothing to resolve it with: it stays. */
static NOINLINE void resolve_with_nothing(napi_env env, struct own *own, napi_value with)
{
	napi_deferred deferred = deferred_new(env, own);

	(void)with;
	expect(own, napi_resolve_deferred(env, deferred, NULL) == napi_invalid_arg);
	keep(own, deferred);
}

/* Not while an exception is pending, but then. */
static NOINLINE void reject_at_last(napi_env env, struct own *own, napi_value with)
{
	napi_deferred deferred = deferred_new(env, own);
	napi_value exception;

	expect(own, napi_throw_error(env, NULL, "pending") == napi_ok);
	for (int i = 0; i < 3; i++)
		expect(own, napi_reject_deferred(env, deferred, with) == napi_pending_exception);
	expect(own, napi_get_and_clear_last_exception(env, &exception) == napi_ok);
	expect(own, napi_reject_deferred(env, deferred, with) == napi_ok);
}

/* The thread is ended by what looks at the object: the call fails, and it is gone. */
static NOINLINE void resolve_and_exit(napi_env env, struct own *own, napi_value with)
{
	if (napi_resolve_deferred(env, deferred_new(env, own), with) != napi_generic_failure)
		abort();
}

/* --- what lasts as long as the environment --- */

static void end_hook(napi_async_cleanup_hook_handle handle, void *data)
{
	(void)data;
	napi_remove_async_cleanup_hook(handle);
}

static NOINLINE void leave_hook(napi_env env, struct own *own, napi_value with)
{
	napi_async_cleanup_hook_handle handle;

	(void)with;
	expect(own, napi_add_async_cleanup_hook(env, end_hook, own, &handle) == napi_ok);
	keep(own, handle);
}

static NOINLINE void remove_hook(napi_env env, struct own *own, napi_value with)
{
	napi_async_cleanup_hook_handle handle;

	(void)with;
	expect(own, napi_add_async_cleanup_hook(env, end_hook, own, &handle) == napi_ok);
	expect(own, napi_remove_async_cleanup_hook(handle) == napi_ok);
}

/* The environment's data are replaced: Node.js calls no finalizer of the old ones. */
static NOINLINE void replace_data(napi_env env, struct own *own, napi_value with)
{
	struct own *another = malloc(sizeof(*another));

	(void)with;
	*another = *own;
	expect(another, napi_set_instance_data(env, another, end_data, NULL) == napi_ok);
}

/* --- the module --- */

#define COMMAND(name)                                                                                        \
	{                                                                                                    \
#name, name                                                                                  \
	}
static const struct {
	const char *name;
	command_fn *run;
} commands[] = {
    COMMAND(leak_strong),
    COMMAND(leak_weak),
    COMMAND(come_and_go),
    COMMAND(count_up_and_down),
    COMMAND(fail_with_stale_result),
    COMMAND(delete_old),
    COMMAND(use_deleted),
    COMMAND(delete_twice),
    COMMAND(leak_tsfn),
    COMMAND(release_tsfn),
    COMMAND(share_tsfn),
    COMMAND(release_tsfn_half),
    COMMAND(abort_tsfn),
    COMMAND(finish_work),
    COMMAND(leak_work),
    COMMAND(wrap),
    COMMAND(wrap_and_remove),
    COMMAND(wrap_without_finalizer),
    COMMAND(wrap_with_reference),
    COMMAND(wrap_twice),
    COMMAND(external),
    COMMAND(external_buffer),
    COMMAND(external_arraybuffer),
    COMMAND(add_finalizer),
    COMMAND(lend_to_work),
    COMMAND(lend_and_hold),
    COMMAND(lend_to_none),
    COMMAND(finish_lent),
    COMMAND(open_and_close),
    COMMAND(escape_once),
    COMMAND(escape_twice),
    COMMAND(close_out_of_order),
    COMMAND(escape_closed),
    COMMAND(leave_scope_open),
    COMMAND(leak_deferred),
    COMMAND(resolve_deferred),
    COMMAND(reject_deferred),
    COMMAND(resolve_with_nothing),
    COMMAND(reject_at_last),
    COMMAND(resolve_and_exit),
    COMMAND(leave_hook),
    COMMAND(remove_hook),
    COMMAND(replace_data),
};

/* addon.command(with) */
static napi_value called(napi_env env, napi_callback_info info)
{
	size_t n = 1;
	napi_value with;
	struct own *own;
	void *at;

	napi_get_cb_info(env, info, &n, &with, NULL, &at);
	napi_get_instance_data(env, (void **)&own);
	commands[(size_t)at].run(env, own, with);
	if (own->failed)
		napi_throw_error(env, NULL, commands[(size_t)at].name);
	return NULL;
}

/* addon.finalized(): how many finalizers ran in this environment. */
static napi_value finalized(napi_env env, napi_callback_info info)
{
	struct own *own;
	napi_value n;

	(void)info;
	napi_get_instance_data(env, (void **)&own);
	napi_create_uint32(env, own->finalized, &n);
	return n;
}

/* addon.work_unasked(): work of a callback that does not ask what it was given. */
static napi_value work_unasked(napi_env env, napi_callback_info info)
{
	struct lent_job *job = calloc(1, sizeof(*job));

	(void)info;
	napi_create_async_work(env, NULL, text(env), lent_run, lent_done, job, &job->work);
	napi_queue_async_work(env, job->work);
	lent++;
	return NULL;
}

NAPI_MODULE_INIT()
{
	struct own *own = calloc(1, sizeof(*own));
	napi_value f;

	napi_set_instance_data(env, own, end_data, NULL);
	for (; own->nr_old < OLD; own->nr_old++)
		napi_create_reference(env, exports, 1, &own->old[own->nr_old]);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		napi_create_function(env, commands[i].name, NAPI_AUTO_LENGTH, called, (void *)i, &f);
		napi_set_named_property(env, exports, commands[i].name, f);
	}
	napi_create_function(env, "finalized", NAPI_AUTO_LENGTH, finalized, NULL, &f);
	napi_set_named_property(env, exports, "finalized", f);
	napi_create_function(env, "work_unasked", NAPI_AUTO_LENGTH, work_unasked, NULL, &f);
	napi_set_named_property(env, exports, "work_unasked", f);
	return exports;
}
