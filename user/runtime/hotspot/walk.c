/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The layout of Java frames, threads and code in one HotSpot VM, from its exported tables. What no table
 * exports: the offset of JNIEnv (found by hotspot_jni_env), the words of an interpreter frame (those of JDK
 * 8, and since 9 the same; user/runtime/hotspot/frames.c refuses a frame whose bytecode is not in its
 * method), and where virtual threads keep the frames that are not on a stack (symbols of libjvm).
 */
#include "runtime/hotspot/walk.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/flags.h"
#include "runtime/hotspot/jni.h"
#include "runtime/hotspot/threads.h"

#define MAX_FIELD_BYTES   4096
#define MAX_HEAP_BYTES    (4ULL << 30)
#define MAX_SEGMENT_SHIFT 12
#define MAX_THREADS       8
#define WORD              8

/* A field of the VM's that the walker reads, under the names it has had. */
struct field_row {
	const char *name[3][2]; /* type, field; tried in order */
	size_t at;              /* of a u32 in struct java_config */
};
#define AT(member) offsetof(struct java_config, member)
static const struct field_row fields[] = {
    {{{"JavaCallWrapper", "_anchor"}}, AT(wrapper_anchor)},
    {{{"CodeBlob", "_size"}}, AT(blob_size)},
    {{{"CodeBlob", "_frame_size"}}, AT(frame_size)},
    {{{"nmethod", "_compile_id"}}, AT(compile_id)},
    {{{"nmethod", "_orig_pc_offset"}, {"CompiledMethod", "_orig_pc_offset"}}, AT(orig_pc)},
};

static bool field(const struct hotspot *h, const char *type, const char *name, uint32_t *offset)
{
	uint64_t v;

	if (!hotspot_field_offset(h, type, name, &v) || v >= MAX_FIELD_BYTES)
		return false;
	*offset = (uint32_t)v;
	return true;
}

static int missing(const struct hotspot *h, struct error *err, const char *what)
{
	char why[128];

	snprintf(why, sizeof(why), "its tables do not say %s", what);
	return hotspot_error(h, err, -ENOENT, why);
}

static int read_fields(const struct hotspot *h, struct java_config *c, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field_row *r = &fields[i];
		bool found = false;
		uint32_t offset = 0;

		for (size_t k = 0; k < ARRAY_LEN(r->name) && r->name[k][0] && !found; k++)
			found = field(h, r->name[k][0], r->name[k][1], &offset);
		if (!found)
			return missing(h, err, r->name[0][1]);
		memcpy((char *)c + r->at, &offset, sizeof(offset));
	}
	field(h, "CodeBlob", "_name", &c->blob_name);
	if (field(h, "CompiledMethod", "_deopt_handler_begin", &c->deopt)) {
		field(h, "CompiledMethod", "_deopt_mh_handler_begin", &c->deopt_mh);
		return 0;
	}
	c->deopt_is_offset = 1;
	if (!field(h, "nmethod", "_deopt_handler_offset", &c->deopt) &&
	    !field(h, "nmethod", "_deopt_handler_entry_offset", &c->deopt) &&
	    !field(h, "nmethod", "_deoptimize_offset", &c->deopt)) /* JDK 8 */
		return missing(h, err, "where a deoptimized frame returns to");
	if (!field(h, "nmethod", "_deopt_mh_handler_offset", &c->deopt_mh))
		field(h, "nmethod", "_deoptimize_mh_offset", &c->deopt_mh);
	return 0;
}

/* --- the thread --------------------------------------------------------------------------------- */

/* The part of a JavaThread that has all words the walker needs, as one piece to read. */
static int thread_piece(const struct hotspot *h, struct java_config *c, struct error *err)
{
	struct jni_env env;
	uint32_t anchor, base, size, sp, pc, fp, cont = 0, lo, hi;
	uint64_t os_thread;
	int rc = hotspot_jni_env(h, &env, err);

	if (rc)
		return rc;
	if (!field(h, "JavaThread", "_anchor", &anchor) ||
	    !field(h, "JavaFrameAnchor", "_last_Java_sp", &sp) ||
	    !field(h, "JavaFrameAnchor", "_last_Java_pc", &pc) ||
	    !field(h, "JavaFrameAnchor", "_last_Java_fp", &fp) || sp != 0 || pc != WORD || fp != 2 * WORD)
		return missing(h, err, "where a thread's last Java frame is");
	if (!field(h, "JavaThread", "_stack_base", &base) || !field(h, "JavaThread", "_stack_size", &size))
		return missing(h, err, "where a thread's stack is");
	lo = base < size ? base : size;
	lo = lo < anchor ? lo : anchor;
	lo = lo < env.offset_bytes ? lo : (uint32_t)env.offset_bytes;
	hi = base > size ? base : size;
	hi = hi > anchor + 2 * WORD ? hi : anchor + 2 * WORD;
	hi = hi > env.offset_bytes ? hi : (uint32_t)env.offset_bytes;
	hi += WORD;
	if (hi - lo > JAVA_THREAD_WORDS * WORD || (base | size | anchor | env.offset_bytes) % WORD)
		return missing(h, err, "a layout of JavaThread that is known");
	c->thread_from = (int32_t)lo - (int32_t)env.offset_bytes;
	c->thread_bytes = hi - lo;
	c->env_word = (uint8_t)((env.offset_bytes - lo) / WORD);
	c->anchor_word = (uint8_t)((anchor - lo) / WORD);
	c->stack_base_word = (uint8_t)((base - lo) / WORD);
	c->stack_size_word = (uint8_t)((size - lo) / WORD);
	c->env_in_thread = (int32_t)env.offset_bytes;
	c->env_table[0] = env.table[0];
	c->env_table[1] = env.table[1];
	if (hotspot_thread_field(h, "_osthread", &os_thread) &&
	    field(h, "OSThread", "_thread_id", &c->os_thread_id))
		c->os_thread_from_env = (int32_t)os_thread - (int32_t)env.offset_bytes;
	if (!hotspot_list_at(h, &c->list))
		c->list.at = 0;
	if (field(h, "JavaThread", "_cont_entry", &cont))
		c->cont_entry_from_env = (int32_t)cont - (int32_t)env.offset_bytes;
	return 0;
}

size_t hotspot_anchors(const struct hotspot *h, const struct java_config *c, struct frame_anchor *out,
		       size_t cap)
{
	uint64_t *thread = calloc(cap, sizeof(*thread)), word[JAVA_THREAD_WORDS];
	size_t n = thread ? hotspot_java_threads(h, thread, cap) : 0, found = 0;

	for (size_t i = 0; i < n; i++)
		if (!proc_read(h->pid, thread[i] + (uint64_t)(int64_t)(c->env_in_thread + c->thread_from),
			       word, c->thread_bytes) &&
		    word[c->anchor_word])
			out[found++] = (struct frame_anchor){word[c->anchor_word], word[c->anchor_word + 1]};
	free(thread);
	return found;
}

/* Some threads as they are now must agree with what was found. */
static int check_threads(const struct hotspot *h, const struct java_config *c, struct error *err)
{
	uint64_t thread[MAX_THREADS], word[JAVA_THREAD_WORDS];
	size_t n = hotspot_java_threads(h, thread, MAX_THREADS), good = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t base, size, sp;

		if (proc_read(h->pid, thread[i] + (uint64_t)(int64_t)(c->env_in_thread + c->thread_from),
			      word, c->thread_bytes))
			continue;
		base = word[c->stack_base_word];
		size = word[c->stack_size_word];
		sp = word[c->anchor_word];
		if (!base && !size)
			continue; /* is just starting */
		if (base % WORD || size == 0 || size > base || (sp && base - sp > size))
			return missing(h, err, "where a thread's stack is, as its threads show");
		good++;
	}
	return good ? 0 : -EAGAIN;
}

/* --- code --------------------------------------------------------------------------------------- */

static bool in_heaps(const struct java_config *c, uint64_t addr)
{
	for (uint32_t i = 0; i < c->nr_heaps; i++)
		if (addr - c->heap[i].start < c->heap[i].end - c->heap[i].start)
			return true;
	return false;
}

static bool read_u64(const struct hotspot *h, uint64_t addr, uint64_t *v)
{
	return proc_read(h->pid, addr, v, sizeof(*v)) == 0;
}

static bool read_heap(const struct hotspot *h, uint64_t heap, struct java_config *c)
{
	struct java_heap *out = &c->heap[c->nr_heaps];
	uint32_t memory, segmap, low, high, at_shift, shift;

	if (!field(h, "CodeHeap", "_memory", &memory) || !field(h, "CodeHeap", "_segmap", &segmap) ||
	    !field(h, "CodeHeap", "_log2_segment_size", &at_shift) ||
	    !field(h, "VirtualSpace", "_low_boundary", &low) ||
	    !field(h, "VirtualSpace", "_high_boundary", &high))
		return false;
	if (!read_u64(h, heap + memory + low, &out->start) || !read_u64(h, heap + memory + high, &out->end) ||
	    !read_u64(h, heap + segmap + low, &out->segmap) ||
	    proc_read(h->pid, heap + at_shift, &shift, sizeof(shift)))
		return false;
	if (shift < 3 || shift > MAX_SEGMENT_SHIFT || (c->nr_heaps && shift != c->segment_shift) ||
	    out->start >= out->end || out->end - out->start > MAX_HEAP_BYTES)
		return false;
	c->segment_shift = (uint8_t)shift;
	c->nr_heaps++;
	return true;
}

/* The addresses of the CodeHeaps: one until JDK 8, since then a list. */
static int list_heaps(const struct hotspot *h, uint64_t heap[JAVA_MAX_HEAPS], uint32_t *n, struct error *err)
{
	uint64_t list, array;
	uint32_t at_length, at_data;

	*n = 1;
	if (hotspot_read_static(h, "CodeCache", "_heap", &heap[0]))
		return heap[0] ? 0 : -EAGAIN;
	if ((!field(h, "GrowableArrayBase", "_len", &at_length) &&
	     !field(h, "GenericGrowableArray", "_len", &at_length)) ||
	    !field(h, "GrowableArray<int>", "_data", &at_data) ||
	    !hotspot_read_static(h, "CodeCache", "_heaps", &list))
		return missing(h, err, "where its code heaps are");
	if (!list || proc_read(h->pid, list + at_length, n, sizeof(*n)) || *n == 0)
		return -EAGAIN;
	if (*n > JAVA_MAX_HEAPS || !read_u64(h, list + at_data, &array) ||
	    proc_read(h->pid, array, heap, *n * sizeof(heap[0])))
		return missing(h, err, "where its code heaps are");
	return 0;
}

static int read_heaps(const struct hotspot *h, struct java_config *c, struct error *err)
{
	uint64_t bytes, heap[JAVA_MAX_HEAPS];
	uint32_t n;
	int rc;

	if (!hotspot_type_size(h, "HeapBlock", &bytes) || bytes > 64 ||
	    !field(h, "HeapBlock::Header", "_used", &c->block_used) || c->block_used >= bytes)
		return missing(h, err, "where its code heaps are");
	c->heap_block_bytes = (uint32_t)bytes;
	rc = list_heaps(h, heap, &n, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		if (!read_heap(h, heap[i], c))
			return missing(h, err, "a layout of code heaps that is known");
	return 0;
}

static int read_interpreter(const struct hotspot *h, struct java_config *c, struct error *err)
{
	uint64_t queue;
	uint32_t at_buffer, at_limit, limit;
	int64_t words;

	if (!field(h, "StubQueue", "_stub_buffer", &at_buffer) ||
	    !field(h, "StubQueue", "_buffer_limit", &at_limit) ||
	    !hotspot_read_static(h, "AbstractInterpreter", "_code", &queue) ||
	    !hotspot_read_static(h, "StubRoutines", "_call_stub_return_address", &c->call_stub_return) ||
	    !hotspot_constant(h, "frame::entry_frame_call_wrapper_offset", &words) || words < -32 ||
	    words > -1)
		return missing(h, err, "where its interpreter is");
	if (!queue || !c->call_stub_return)
		return -EAGAIN;
	c->wrapper_words = (int32_t)words;
	if (hotspot_constant(h, "frame::interpreter_frame_sender_sp_offset", &words) ? words != -1
										     : h->feature != 8)
		return missing(h, err, "a layout of interpreter frames that is known");
	/* frame::interpreter_frame_bcp_offset; JDK 8's frames have no mirror (frame_x86.hpp) */
	c->bcp_words = h->feature == 8 ? 7 : 8;
	if (elf_machine(h->libjvm) != EM_X86_64)
		return missing(h, err, "a layout of frames that is known for this machine");
	if (!read_u64(h, queue + at_buffer, &c->interpreter_start) ||
	    proc_read(h->pid, queue + at_limit, &limit, sizeof(limit)))
		return missing(h, err, "where its interpreter is");
	c->interpreter_end = c->interpreter_start + limit;
	if (limit == 0 || !in_heaps(c, c->interpreter_start) || !in_heaps(c, c->interpreter_end - 1) ||
	    !in_heaps(c, c->call_stub_return))
		return missing(h, err, "where its interpreter is");
	return 0;
}

/* --- virtual threads ---------------------------------------------------------------------------- */

enum chunk_symbol {
	SYM_RETURN_PC,
	SYM_RETURN_BARRIER,
	SYM_CHUNK_SP,
	SYM_CHUNK_PC,
	SYM_CHUNK_BOTTOM,
	SYM_CHUNK_PARENT,
	SYM_CONT_TAIL,
	SYM_CHUNK_STACK,
	NR_CHUNK_SYMBOLS
};
static const char *const chunk_symbols[NR_CHUNK_SYMBOLS] = {
    [SYM_RETURN_PC] = "_ZN17ContinuationEntry10_return_pcE",
    [SYM_RETURN_BARRIER] = "_ZN12StubRoutines19_cont_returnBarrierE",
    [SYM_CHUNK_SP] = "_ZN26jdk_internal_vm_StackChunk10_sp_offsetE",
    [SYM_CHUNK_PC] = "_ZN26jdk_internal_vm_StackChunk10_pc_offsetE",
    [SYM_CHUNK_BOTTOM] = "_ZN26jdk_internal_vm_StackChunk14_bottom_offsetE",
    [SYM_CHUNK_PARENT] = "_ZN26jdk_internal_vm_StackChunk14_parent_offsetE",
    [SYM_CONT_TAIL] = "_ZN28jdk_internal_vm_Continuation12_tail_offsetE",
    [SYM_CHUNK_STACK] = "_ZN23InstanceStackChunkKlass16_offset_of_stackE",
};

bool hotspot_compressed_oops(const struct hotspot *h, uint64_t *base, uint8_t *shift)
{
	uint64_t base_at, shift_at;
	uint32_t word = 0;

	if ((!hotspot_static_addr(h, "CompressedOops", "_base", &base_at) &&
	     !hotspot_static_addr(h, "CompressedOops", "_narrow_oop._base", &base_at)) ||
	    (!hotspot_static_addr(h, "CompressedOops", "_shift", &shift_at) &&
	     !hotspot_static_addr(h, "CompressedOops", "_narrow_oop._shift", &shift_at)) ||
	    !read_u64(h, base_at, base) || proc_read(h->pid, shift_at, &word, sizeof(word)) || word > 8)
		return false;
	*shift = (uint8_t)word;
	return true;
}

static void read_oops(const struct hotspot *h, struct java_config *c)
{
	if (hotspot_flag(h, "UseZGC")) {
		c->oops = hotspot_is_generational_zgc(h) ? OOPS_ZGC : OOPS_WIDE;
		return;
	}
	c->oops = hotspot_flag(h, "UseCompressedOops") ? OOPS_NARROW : OOPS_WIDE;
	if (c->oops == OOPS_NARROW && !hotspot_compressed_oops(h, &c->oop_base, &c->oop_shift))
		c->chunk_stack = 0;
}

/*
 * Frames of a virtual thread that lie in the heap. Without symbols the walk ends there with a reason.
 */
static void read_chunks(const struct hotspot *h, struct java_config *c)
{
	struct elf_wanted w[NR_CHUNK_SYMBOLS] = {0};
	uint32_t offset[NR_CHUNK_SYMBOLS] = {0};
	uint64_t size;

	for (int i = 0; i < NR_CHUNK_SYMBOLS; i++)
		w[i].name = chunk_symbols[i];
	if (h->feature < 19 || elf_find_symbols(h->libjvm, ELF_SYMTAB, w, NR_CHUNK_SYMBOLS) < 0)
		return;
	if (!hotspot_static_addr(h, "ContinuationEntry", "_return_pc", &c->enter_special_pc_at) &&
	    w[SYM_RETURN_PC].vaddr)
		c->enter_special_pc_at = w[SYM_RETURN_PC].vaddr + h->bias;
	if (!w[SYM_RETURN_BARRIER].vaddr ||
	    !read_u64(h, w[SYM_RETURN_BARRIER].vaddr + h->bias, &c->return_barrier))
		return;
	for (int i = SYM_CHUNK_SP; i < NR_CHUNK_SYMBOLS; i++)
		if (!w[i].vaddr || proc_read(h->pid, w[i].vaddr + h->bias, &offset[i], sizeof(offset[i])) ||
		    offset[i] < 8 || offset[i] >= MAX_FIELD_BYTES)
			return;
	if (hotspot_type_size(h, "ContinuationEntry", &size) && size != 64 && size != 56)
		return;
	/* Before what JDK 26 took out. The walker believes a chunk only when it agrees with itself. */
	c->entry_cont = 16;
	c->chunk_sp = offset[SYM_CHUNK_SP];
	c->chunk_pc = offset[SYM_CHUNK_PC];
	c->chunk_bottom = offset[SYM_CHUNK_BOTTOM];
	c->chunk_parent = offset[SYM_CHUNK_PARENT];
	c->cont_tail = offset[SYM_CONT_TAIL];
	c->chunk_stack = offset[SYM_CHUNK_STACK];
	read_oops(h, c);
}

/* --- all together --------------------------------------------------------------------------------- */

int hotspot_walk(const struct hotspot *h, struct java_config *out, struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_fields(h, out, err);
	rc = rc ?: thread_piece(h, out, err);
	rc = rc ?: check_threads(h, out, err);
	rc = rc ?: read_heaps(h, out, err);
	rc = rc ?: read_interpreter(h, out, err);
	if (rc)
		return rc;
	read_chunks(h, out);
	out->on = MANAGED_BY_ANCHORS;
	return 0;
}
