/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What profiles have in common. See profile_parts.h. */
#include "export/profile_parts.h"

#include <string.h>
#include <zlib.h>

#include "export/marks.h"

#define GZIP_WINDOW (15 + 16)  /* zlib.h, deflateInit2: the largest window, and a gzip header */
#define GZIP_MEMORY 8          /* its default */
#define MAX_AT_ONCE (1U << 30) /* bytes that zlib is given; it counts by 32 bits */

/* --- packing --- */

struct packer {
	ProtobufCBuffer base;
	struct buf *out;
};

static void append(ProtobufCBuffer *base, size_t n, const uint8_t *p)
{
	buf_add(((struct packer *)base)->out, (const char *)p, n);
}

void profile_pack(struct buf *out, const ProtobufCMessage *piece)
{
	struct packer packer = {.base = {.append = append}, .out = out};

	protobuf_c_message_pack_to_buffer(piece, &packer.base);
}

/* What zlib makes of its input. */
static int put_deflated(struct buf *out, z_stream *z, int flush)
{
	char chunk[16384];
	int rc;

	do {
		z->next_out = (unsigned char *)chunk;
		z->avail_out = sizeof(chunk);
		rc = deflate(z, flush);
		buf_add(out, chunk, sizeof(chunk) - z->avail_out);
	} while (!z->avail_out);
	return rc;
}

void profile_gzip(struct buf *out, struct buf *const *parts, size_t n)
{
	z_stream z = {0};
	int rc =
	    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY);

	if (rc != Z_OK) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t at = 0, now; at < parts[i]->n; at += now) {
			now = parts[i]->n - at < MAX_AT_ONCE ? parts[i]->n - at : MAX_AT_ONCE;
			z.next_in = (unsigned char *)parts[i]->p + at;
			z.avail_in = (unsigned)now;
			put_deflated(out, &z, Z_NO_FLUSH);
		}
	rc = put_deflated(out, &z, Z_FINISH);
	out->failed |= rc != Z_STREAM_END;
	deflateEnd(&z);
}

/* --- tables --- */

uint32_t number_of(struct numbers *numbers, uint64_t a, uint64_t b, bool *is_new, struct buf *out)
{
	uint32_t number = hash_find(&numbers->hash, a, b);

	*is_new = !number;
	if (number)
		return number;
	if (numbers->n == UINT32_MAX || hash_set(&numbers->hash, a, b, numbers->n + 1)) {
		out->failed = true;
		*is_new = false;
		return 0;
	}
	return ++numbers->n;
}

void numbers_free(struct numbers *numbers)
{
	hash_free(&numbers->hash);
}

int64_t texts_add(struct texts *t, const char *s)
{
	char clean[MARK_MAX_NAME];
	const char *kept = strset_add(&t->set, text_clean(clean, sizeof(clean), s, strlen(s)));
	uint32_t number;
	bool is_new;

	if (!kept) {
		t->out->failed = true;
		return 0;
	}
	number = number_of(&t->numbers, (uintptr_t)kept, 0, &is_new, t->out);
	if (is_new)
		t->put(t->out, (char *)kept);
	return number ? number - 1 : 0;
}

int64_t texts_add_kept(struct texts *t, const char *s)
{
	uint32_t known = hash_find(&t->seen, (uintptr_t)s, 0);
	int64_t index;

	if (!s)
		return 0;
	if (known)
		return known - 1;
	index = texts_add(t, s);
	t->out->failed |= hash_set(&t->seen, (uintptr_t)s, 0, (uint32_t)index + 1) < 0;
	return index;
}

void texts_forget(struct texts *t)
{
	hash_free(&t->seen);
}

void texts_free(struct texts *t)
{
	hash_free(&t->seen);
	numbers_free(&t->numbers);
	strset_free(&t->set);
}

/* --- of a report --- */

bool frame_is_inlined_in(const struct frame *inner, const struct frame *outer)
{
	return inner->inlined && inner->type == outer->type && inner->offset == outer->offset &&
	       !inner->module == !outer->module &&
	       (!inner->module || strcmp(inner->module, outer->module) == 0);
}

bool site_outstanding_known(const struct report *r, const struct report_site *s)
{
	return !r->count_only && !s->life_unknown;
}

int64_t int64_of(uint64_t n)
{
	return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}
