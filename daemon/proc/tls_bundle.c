/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/tls_bundle - see tls_bundle.h. Offsets instead of pointers, as every process maps it elsewhere.
 */
#include "proc/tls_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BUNDLE_MAGIC UINT64_C(0x31736c746e747370) /* "pstntls1" */
#define SEALS	     (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- stamps ---------------------------------------------------------------------------------- */

static void stamp_of(const struct stat *st, struct file_stamp *out_stamp)
{
	*out_stamp = (struct file_stamp){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.changed = st->st_mtim,
		.mode = st->st_mode,
	};
}

int file_stamp_take(const char *path, struct file_stamp *out_stamp)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	stamp_of(&st, out_stamp);
	return 0;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* ---- making ---------------------------------------------------------------------------------- */

int tls_bundle_begin(struct tls_bundle_builder *out_builder)
{
	AUTO(close_fd)
	int fd = memfd_create("postern-tls", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;

	/* As large as it may get: what is not written takes no memory. */
	if (fd < 0 || ftruncate(fd, TLS_BUNDLE_MAX_BYTES))
		return -errno;
	memory = mmap(NULL, TLS_BUNDLE_MAX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	if (memory == MAP_FAILED)
		return -errno;
	*out_builder = (struct tls_bundle_builder){
		.fd = TAKE_FD(fd),
		.head = memory,
		.end = sizeof(struct tls_bundle_head),
	};
	out_builder->head->magic = BUNDLE_MAGIC;
	return 0;
}

void tls_bundle_drop(struct tls_bundle_builder *builder)
{
	if (builder->head)
		(void)munmap(builder->head, TLS_BUNDLE_MAX_BYTES);
	builder->head = NULL;
	close_fd(&builder->fd);
}

static int file_open(const char *path, int *out_fd, struct stat *out_st)
{
	AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, out_st))
		return -errno;
	if (!S_ISREG(out_st->st_mode))
		return S_ISDIR(out_st->st_mode) ? -EISDIR : -EINVAL;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int tls_bundle_add(struct tls_bundle_builder *builder, const char *path,
		   struct tls_bundle_part *out_part, struct file_stamp *out_stamp)
{
	char *memory = (char *)builder->head;
	AUTO(close_fd) int fd = -1;
	uint64_t len = 0;
	struct stat st;
	int err = file_open(path, &fd, &st);

	if (err)
		return err;
	for (;;) {
		uint64_t room = TLS_BUNDLE_MAX_BYTES - builder->end - len;
		ssize_t got;

		if (len > TLS_FILE_MAX_BYTES || room == 0)
			return -EFBIG;
		got = read(fd, memory + builder->end + len,
			   room < TLS_FILE_MAX_BYTES ? room : TLS_FILE_MAX_BYTES);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (uint64_t)got;
	}
	if (len == 0)
		return -ENODATA;
	*out_part = (struct tls_bundle_part){builder->end, len};
	stamp_of(&st, out_stamp);
	builder->end += len;
	return 0;
}

int tls_bundle_end(struct tls_bundle_builder *builder, int *out_fd)
{
	builder->head->size_bytes = builder->end;
	/* What is mapped for writing cannot be sealed against it. */
	if (munmap(builder->head, TLS_BUNDLE_MAX_BYTES))
		return -errno;
	builder->head = NULL;
	if (ftruncate(builder->fd, (off_t)builder->end) ||
	    fcntl(builder->fd, F_ADD_SEALS, SEALS))
		return -errno;
	*out_fd = TAKE_FD(builder->fd);
	return 0;
}

struct tls_pem tls_bundle_built(const struct tls_bundle_builder *builder,
				const struct tls_bundle_part *part)
{
	return (struct tls_pem){(const char *)builder->head + part->offset,
				(size_t)part->len};
}

/* ---- using ----------------------------------------------------------------------------------- */

static bool parts_fit(const struct tls_bundle_head *head,
		      const struct tls_bundle_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t end;

		if (parts[i].len == 0)
			continue;
		if (parts[i].offset < sizeof(*head) ||
		    __builtin_add_overflow(parts[i].offset, parts[i].len, &end) ||
		    end > head->size_bytes)
			return false;
	}
	return true;
}

int tls_bundle_open(int fd, struct tls_bundle *out_bundle)
{
	struct tls_bundle bundle;
	struct stat st;
	void *memory;
	int seals;

	if (fstat(fd, &st))
		return -errno;
	seals = fcntl(fd, F_GET_SEALS);
	/* Unsealed memory could shrink under us: SIGBUS. */
	if (seals < 0 || (seals & SEALS) != SEALS ||
	    st.st_size < (off_t)sizeof(*bundle.head))
		return -EPROTO;
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	bundle = (struct tls_bundle){memory, (size_t)st.st_size};
	if (bundle.head->magic != BUNDLE_MAGIC ||
	    bundle.head->size_bytes != bundle.size_bytes ||
	    !parts_fit(bundle.head, bundle.head->chains, CONF_CERTIFICATES_MAX) ||
	    !parts_fit(bundle.head, bundle.head->keys, CONF_CERTIFICATES_MAX) ||
	    !parts_fit(bundle.head, bundle.head->authorities, CONF_SERVICES_MAX)) {
		tls_bundle_close(&bundle);
		return -EPROTO;
	}
	*out_bundle = bundle;
	return 0;
}

void tls_bundle_close(struct tls_bundle *bundle)
{
	if (bundle->head)
		(void)munmap((void *)bundle->head, bundle->size_bytes);
	*bundle = (struct tls_bundle){0};
}

struct tls_pem tls_bundle_text(const struct tls_bundle *bundle,
			       const struct tls_bundle_part *part)
{
	return (struct tls_pem){(const char *)bundle->head + part->offset,
				(size_t)part->len};
}
