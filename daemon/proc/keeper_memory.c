/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_memory - the memory by which the ledger tells the gates (bans, recent logins), and the gates each other
 * (sessions of each client).
 *
 * The ledger's is made anew for each ledger, since one that died may have left it in the middle of a change. A gate
 * gets it, read-only, when the ledger has said READY: then it is filled. Until a new ledger is so far,
 * gates go on with the old one. Bans are read back from the store; recent logins are stored
 * nowhere, so a new ledger is given the old memory to take them over from; also that of the program before this
 * one, see keeper_handover. The gates' own is made once: each clears its part when it begins.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/prefix_set.h"
#include "base/tally.h"
#include "policy/auth.h"
#include "proc/keeper_state.h"

/* The first ones are the ledger's. */
#define LEDGERS ((size_t)SHARED_LOGINS + 1)

static_assert(SHARED_BANS == 0 && SHARED_LOGINS == 1, "the ledger's come first");

static size_t memory_size(const struct keeper *keeper, enum shared_memory what)
{
	const struct conf_limits *limits = &keeper_conf(keeper)->limits;

	switch (what) {
	case SHARED_LOGINS:
		return prefix_set_valued_size(limits->am_clients_max,
					      sizeof(struct auth_recent));
	case SHARED_SESSIONS:
		/* Each session is counted twice, and no gate has more than all of them. */
		return tally_size(
			keeper_conf(keeper)->gates,
			2 * (limits->sessions_max / keeper_conf(keeper)->gates + 1));
	case SHARED_BANS:
	case SHARED_COUNT:
	default:
		return prefix_set_size(limits->bans_max);
	}
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

/* Once, and for as long as the keeper lives. */
static int sessions_make(struct keeper *keeper)
{
	const size_t size_bytes = memory_size(keeper, SHARED_SESSIONS);
	struct keeper_memory *memory = &keeper->memories[SHARED_SESSIONS];
	void *mapped;
	int err;

	if (memory->fd >= 0)
		return 0;
	err = memory_make(size_bytes, "postern-sessions", &memory->fd);
	if (err)
		return err;
	mapped =
		mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	tally_init(mapped);
	(void)munmap(mapped, size_bytes);
	return 0;
}

int memories_make(struct keeper *keeper)
{
	static const char *const names[] = {
		[SHARED_BANS] = "postern-bans",
		[SHARED_LOGINS] = "postern-logins",
	};
	int err = sessions_make(keeper);

	for (size_t i = 0; i < LEDGERS && !err; i++)
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

	for (size_t i = 0; i < LEDGERS && !err; i++)
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
	struct stat is;

	if (fstat(fd, &is)) {
		child_kill(child, "its memory is not there");
		return;
	}
	msg.shared.size_bytes = (uint64_t)is.st_size;
	msg.shared.what = what;
	msg.shared.writable = writable;
	child_send(child, &msg, fd);
}

void memories_send(struct keeper_child *child)
{
	const struct keeper_memory *memories = child->keeper->memories;
	const bool is_ledger = child->role == ROLE_LEDGER;

	for (unsigned int i = 0; i < LEDGERS; i++)
		memory_send(child, (enum shared_memory)i,
			    is_ledger ? memories[i].next_fd : memories[i].fd, is_ledger);
	if (!is_ledger)
		memory_send(child, SHARED_SESSIONS, memories[SHARED_SESSIONS].fd, true);
	else if (memories[SHARED_LOGINS].fd >= 0)
		memory_send(child, SHARED_LOGINS, memories[SHARED_LOGINS].fd, false);
}

void memories_free(struct keeper *keeper)
{
	for (size_t i = 0; i < SHARED_COUNT; i++) {
		close_fd(&keeper->memories[i].next_fd);
		close_fd(&keeper->memories[i].fd);
	}
}
