/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_shared - see gate_shared.h.
 */
#include "proc/gate_shared.h"

#include <errno.h>
#include <sys/mman.h>

#include "proc/gate_count.h"

/* Is it what the ledger writes there? */
static bool set_is_fine(const struct prefix_set *set, uint32_t what)
{
	const size_t value_bytes = what == SHARED_LOGINS ? sizeof(struct auth_recent) : 0;

	return set && prefix_set_value_bytes(set) == value_bytes;
}

static int shared_begin(struct gate *gate, uint32_t what, void *memory, size_t size_bytes)
{
	const struct prefix_set *set;

	if (what == SHARED_SESSIONS)
		return count_take_memory(gate, memory, size_bytes) ? -EPROTO : 0;
	set = prefix_set_attach(memory, size_bytes);
	if (!set_is_fine(set, what))
		return -EPROTO;
	gate->shared[what] = set;
	return 0;
}

int shared_take(struct gate *gate, const struct msg_shared *message, int fd)
{
	const int access = message->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	const uint32_t what = message->what;
	void *memory;

	if (what == SHARED_SESSIONS && gate->shared_memory[what])
		return 0;
	memory = mmap(NULL, message->size_bytes, access, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	if (shared_begin(gate, what, memory, message->size_bytes)) {
		(void)munmap(memory, message->size_bytes);
		return -EPROTO;
	}
	if (gate->shared_memory[what])
		(void)munmap(gate->shared_memory[what], gate->shared_bytes[what]);
	gate->shared_memory[what] = memory;
	gate->shared_bytes[what] = message->size_bytes;
	return 0;
}

void shared_done(struct gate *gate)
{
	for (size_t i = 0; i < SHARED_COUNT; i++)
		if (gate->shared_memory[i])
			(void)munmap(gate->shared_memory[i], gate->shared_bytes[i]);
}
