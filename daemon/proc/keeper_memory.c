/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_memory - the memory by which the ledger tells the gates: bans, and recent logins.
 *
 * Made anew for each ledger, since one that died may have left it in the middle of a change. A gate
 * gets it, read-only, when the ledger has said READY: then it is filled. Until a new ledger is so far,
 * gates go on with the old one. Bans are read back from the store; recent logins are stored
 * nowhere, so a new ledger is given the old memory to take them over from.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/prefix_set.h"
#include "policy/auth.h"
#include "proc/keeper_state.h"

static size_t memory_size(const struct keeper *keeper, enum shared_memory what)
{
	const struct conf_limits *limits = &keeper_conf(keeper)->limits;

	if (what == SHARED_LOGINS)
		return prefix_set_valued_size(limits->am_clients_max,
					      sizeof(struct auth_recent));
	return prefix_set_size(limits->bans_max);
}

void memories_init(struct keeper *keeper)
{
	for (size_t i = 0; i < SHARED_COUNT; i++)
		keeper->memories[i].next_fd = keeper->memories[i].fd = -1;
}

/* Of a size that every holder knows and none can change. */
static int memory_make(size_t size_bytes, const char *name, int *next_fd)
{
	AUTO(close_fd) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size_bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	close_fd(next_fd);
	*next_fd = TAKE_FD(fd);
	return 0;
}

int memories_make(struct keeper *keeper)
{
	static const char *const names[] = {
		[SHARED_BANS] = "postern-bans",
		[SHARED_LOGINS] = "postern-logins",
	};
	int err = 0;

	static_assert(sizeof(names) / sizeof(names[0]) == SHARED_COUNT,
		      "a name for each");
	for (size_t i = 0; i < SHARED_COUNT && !err; i++)
		err = memory_make(memory_size(keeper, (enum shared_memory)i), names[i],
				  &keeper->memories[i].next_fd);
	return err;
}

/* Opened anew, since a descriptor that came from memfd_create() could be mapped writable. */
static int memory_publish(struct keeper_memory *memory)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory->next_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close_fd(&memory->fd);
	memory->fd = fd;
	return 0;
}

int memories_publish(struct keeper *keeper)
{
	int err = 0;

	for (size_t i = 0; i < SHARED_COUNT && !err; i++)
		err = memory_publish(&keeper->memories[i]);
	return err;
}

bool memories_are_there(const struct keeper *keeper)
{
	for (size_t i = 0; i < SHARED_COUNT; i++)
		if (keeper->memories[i].fd < 0)
			return false;
	return true;
}

static void memory_send(struct keeper_child *child, enum shared_memory what, int fd,
			bool writable)
{
	struct msg msg = {.type = MSG_SHARED};

	msg.shared.size_bytes = memory_size(child->keeper, what);
	msg.shared.what = what;
	msg.shared.writable = writable;
	child_send(child, &msg, fd);
}

void memories_send(struct keeper_child *child)
{
	const struct keeper_memory *memories = child->keeper->memories;
	const bool is_ledger = child->role == ROLE_LEDGER;

	for (unsigned int i = 0; i < SHARED_COUNT; i++)
		memory_send(child, (enum shared_memory)i,
			    is_ledger ? memories[i].next_fd : memories[i].fd, is_ledger);
	if (is_ledger && memories[SHARED_LOGINS].fd >= 0)
		memory_send(child, SHARED_LOGINS, memories[SHARED_LOGINS].fd, false);
}

void memories_free(struct keeper *keeper)
{
	for (size_t i = 0; i < SHARED_COUNT; i++) {
		close_fd(&keeper->memories[i].next_fd);
		close_fd(&keeper->memories[i].fd);
	}
}
