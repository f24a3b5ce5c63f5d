/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "proc/linker.h"

#include <elf.h>
#include <errno.h>

#include "bpf/border/unwind.h"
#include "proc/proc.h"

#define MAX_HEADERS 64  /* a program has about 13 */
#define MAX_DYNAMIC 256 /* entries; about 30 */

/* Where the program's dynamic section is. */
static int find_dynamic(pid_t pid, uint64_t *addr)
{
	Elf64_Phdr ph[MAX_HEADERS];
	uint64_t headers = proc_auxv(pid, AT_PHDR), n = proc_auxv(pid, AT_PHNUM);
	const Elf64_Phdr *self = NULL, *dynamic = NULL;
	int rc;

	if (!headers || !n || n > MAX_HEADERS || proc_auxv(pid, AT_PHENT) != sizeof(ph[0]))
		return -ENOENT;
	rc = proc_read(pid, headers, ph, n * sizeof(ph[0]));
	if (rc)
		return rc;
	for (uint64_t i = 0; i < n; i++) {
		if (ph[i].p_type == PT_PHDR)
			self = &ph[i];
		else if (ph[i].p_type == PT_DYNAMIC)
			dynamic = &ph[i];
	}
	if (!self || !dynamic)
		return -ENOENT;
	*addr = headers - self->p_vaddr + dynamic->p_vaddr;
	return 0;
}

int linker_find(pid_t pid, struct linker *out)
{
	struct link_debug head;
	uint64_t at;
	int rc = find_dynamic(pid, &at);

	for (int i = 0; !rc && i < MAX_DYNAMIC; i++, at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;

		rc = proc_read(pid, at, &d, sizeof(d));
		if (rc || d.d_tag == DT_NULL)
			break;
		if (d.d_tag != DT_DEBUG)
			continue;
		if (!d.d_un.d_ptr)
			return -EAGAIN;
		rc = proc_read(pid, d.d_un.d_ptr, &head, sizeof(head));
		if (rc)
			return rc;
		if (head.version < 1 || !head.brk)
			return head.version ? -EPROTO : -EAGAIN;
		out->call_at = head.brk;
		out->debug_at = d.d_un.d_ptr;
		return 0;
	}
	return rc ?: -ENOENT;
}
