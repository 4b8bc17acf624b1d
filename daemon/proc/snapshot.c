/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/snapshot - see snapshot.h.
 *
 * Layout: head, conf, protected set, local domains, routes, then the table of each policy; each part begins at a
 * multiple of PART_ALIGN. Offsets instead of pointers, as every process maps it elsewhere.
 */
#include "proc/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SNAPSHOT_MAGIC UINT64_C(0x316e726574736f70) /* "postern1" */
#define PART_ALIGN     64u
#define SEALS	       (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct snapshot_head {
	uint64_t magic;
	uint64_t size_bytes;
	uint64_t conf_offset;
	uint64_t protected_offset;
	uint64_t table_offsets[CONF_POLICIES_MAX];
	uint64_t table_sizes[CONF_POLICIES_MAX];
	uint64_t domains_offset, domains_size;
	uint64_t routes_offset, routes_size;
	uint32_t policy_count;
	uint32_t pad;
};

/* Reserves len bytes behind *end. */
static uint64_t head_place(uint64_t *end, size_t len)
{
	uint64_t at = (*end + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;

	*end = at + len;
	return at;
}

static void head_make(struct snapshot_head *head, const struct snapshot_parts *parts)
{
	uint64_t end = sizeof(*head);

	*head = (struct snapshot_head){
		.magic = SNAPSHOT_MAGIC,
		.policy_count = parts->conf->policy_count,
		.domains_size = text_table_size(parts->domains),
		.routes_size = text_table_size(parts->routes),
	};
	head->conf_offset = head_place(&end, sizeof(struct conf));
	head->protected_offset = head_place(&end, sizeof(struct protected_set));
	head->domains_offset = head_place(&end, head->domains_size);
	head->routes_offset = head_place(&end, head->routes_size);
	for (uint32_t i = 0; i < head->policy_count; i++) {
		head->table_sizes[i] = prefix_table_size(parts->builders[i]);
		head->table_offsets[i] = head_place(&end, head->table_sizes[i]);
	}
	head->size_bytes = end;
}

static int snapshot_fill(int fd, const struct snapshot_head *head,
			 const struct snapshot_parts *parts)
{
	uint8_t *memory;

	memory = mmap(NULL, head->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	memcpy(memory, head, sizeof(*head));
	memcpy(memory + head->conf_offset, parts->conf, sizeof(*parts->conf));
	memcpy(memory + head->protected_offset, parts->protected_set,
	       sizeof(*parts->protected_set));
	(void)text_table_write(parts->domains, memory + head->domains_offset);
	(void)text_table_write(parts->routes, memory + head->routes_offset);
	for (uint32_t i = 0; i < head->policy_count; i++)
		(void)prefix_table_write(parts->builders[i],
					 memory + head->table_offsets[i]);
	if (munmap(memory, head->size_bytes))
		return -errno;
	return 0;
}

/* Memory of its full size: fallocate, so that want of it is an error here and not a SIGBUS later. */
static int snapshot_memory(uint64_t size_bytes, int *out_fd)
{
	AUTO(close_fd)
	int fd = memfd_create("postern-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fallocate(fd, 0, 0, (off_t)size_bytes))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int snapshot_make(const struct snapshot_parts *parts, int *out_fd)
{
	AUTO(close_fd) int fd = -1;
	struct snapshot_head head;
	int err;

	assert(parts->conf->policy_count <= CONF_POLICIES_MAX);
	head_make(&head, parts);
	err = snapshot_memory(head.size_bytes, &fd);
	if (!err)
		err = snapshot_fill(fd, &head, parts);
	if (err)
		return err;
	if (fcntl(fd, F_ADD_SEALS, SEALS))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int snapshot_protect(const struct snapshot *snapshot,
		     const struct protected_set *protected_set, int *out_fd)
{
	const struct snapshot_head *head = snapshot->memory;
	AUTO(close_fd) int fd = -1;
	uint8_t *memory;
	int err = snapshot_memory(snapshot->size_bytes, &fd);

	if (err)
		return err;
	memory = mmap(NULL, snapshot->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	if (memory == MAP_FAILED)
		return -errno;
	memcpy(memory, snapshot->memory, snapshot->size_bytes);
	memcpy(memory + head->protected_offset, protected_set, sizeof(*protected_set));
	/* A page that is mapped for writing cannot be sealed against it. */
	if (munmap(memory, snapshot->size_bytes) || fcntl(fd, F_ADD_SEALS, SEALS))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

static bool part_fits(const struct snapshot_head *head, uint64_t offset, uint64_t len)
{
	uint64_t end;

	return offset >= sizeof(*head) && offset % PART_ALIGN == 0 &&
	       !__builtin_add_overflow(offset, len, &end) && end <= head->size_bytes;
}

static bool head_is_valid(const struct snapshot_head *head, size_t size_bytes)
{
	if (head->magic != SNAPSHOT_MAGIC || head->size_bytes != size_bytes ||
	    head->policy_count > CONF_POLICIES_MAX ||
	    !part_fits(head, head->conf_offset, sizeof(struct conf)) ||
	    !part_fits(head, head->protected_offset, sizeof(struct protected_set)) ||
	    !part_fits(head, head->domains_offset, head->domains_size) ||
	    !part_fits(head, head->routes_offset, head->routes_size))
		return false;
	for (uint32_t i = 0; i < head->policy_count; i++)
		if (!part_fits(head, head->table_offsets[i], head->table_sizes[i]))
			return false;
	return true;
}

int snapshot_open(int fd, struct snapshot *out_snapshot)
{
	struct snapshot snapshot = {0};
	const struct snapshot_head *head;
	const uint8_t *bytes;
	struct stat st;
	int seals;

	if (fstat(fd, &st))
		return -errno;
	seals = fcntl(fd, F_GET_SEALS);
	/* Unsealed memory could shrink under us: SIGBUS. */
	if (seals < 0 || (seals & SEALS) != SEALS ||
	    st.st_size < (off_t)sizeof(struct snapshot_head))
		return -EPROTO;
	snapshot.size_bytes = (size_t)st.st_size;
	snapshot.memory = mmap(NULL, snapshot.size_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (snapshot.memory == MAP_FAILED)
		return -errno;
	head = snapshot.memory;
	bytes = snapshot.memory;
	if (head_is_valid(head, snapshot.size_bytes)) {
		snapshot.conf = (const void *)(bytes + head->conf_offset);
		snapshot.protected_set = (const void *)(bytes + head->protected_offset);
		snapshot.domains = text_table_attach(bytes + head->domains_offset,
						     head->domains_size);
		snapshot.routes =
			text_table_attach(bytes + head->routes_offset, head->routes_size);
		for (uint32_t i = 0; i < head->policy_count; i++)
			snapshot.tables[i] =
				(const void *)(bytes + head->table_offsets[i]);
	}
	if (!snapshot.conf || !snapshot.domains || !snapshot.routes ||
	    snapshot.conf->abi != CONF_ABI ||
	    snapshot.conf->policy_count != head->policy_count) {
		snapshot_close(&snapshot);
		return -EPROTO;
	}
	*out_snapshot = snapshot;
	return 0;
}

void snapshot_close(struct snapshot *snapshot)
{
	if (snapshot->memory)
		(void)munmap(snapshot->memory, snapshot->size_bytes);
	*snapshot = (struct snapshot){0};
}
