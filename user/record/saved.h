/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A report that owns what it points to: what a recording says of a target so far. Its lists, its structs
 * behind pointers and its texts are its own; stacks are those of the recording.
 */
#ifndef JNITRACE_SAVED_H
#define JNITRACE_SAVED_H

#include "base/strset.h"
#include "record/fields.h"

struct saved {
	struct report report;
	struct strset text; /* of all its names; grows until the target is gone */
	double last_s;      /* elapsed_s of the report before */
	size_t bytes;       /* of lists and structs, about */
};
void saved_free(struct saved *s);

/* A copy, but for the texts, which stay those of from. 0 or -ENOMEM; to be freed in both cases. */
int saved_copy(struct saved *to, const struct saved *from);

/* Let the list at `to`, in a struct of s, have n elements; new ones are zero. 0 or -ENOMEM. */
int saved_resize(struct saved *s, const struct field *list, void *to, size_t n);
/* Let there be a struct at this pointer field, zero when it is new; want false: none. 0 or -ENOMEM. */
int saved_pointer(struct saved *s, const struct field *f, void *to, bool want);

/*
 * Rates need not be saved: they are differences by time, as the aggregate makes them. Call it when the
 * report's own elapsed_s and final are known; acquired and outstanding are those of the report before.
 */
void saved_rates(const struct saved *s, struct report_site *site, uint64_t acquired, uint64_t outstanding);

static inline size_t list_length(const struct field *list, const void *in)
{
	return *(const size_t *)((const char *)in + list->n_at);
}
static inline void *list_element(const struct field *list, const void *in, size_t i)
{
	return *(char *const *)((const char *)in + list->at) + i * list->of->bytes;
}

#endif
