/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/tls_bundle - certificates, keys and trusted authorities of a whole configuration, in sealed memory.
 *
 * The keeper makes it, every gate maps it for as long as it takes to make its contexts. Files are read into
 * that memory and nowhere else: no other process of ours ever holds a key.
 */
#ifndef PROC_TLS_BUNDLE_H
#define PROC_TLS_BUNDLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/cleanup.h"
#include "policy/conf.h"
#include "sys/tls.h"

#define TLS_BUNDLE_MAX_BYTES (64u << 20)
#define TLS_FILE_MAX_BYTES \
	(4u << 20) /* the authorities of a whole system: some 200 KiB */

/* Does a file look as it did? */
struct file_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
	mode_t mode;
};

/* PEM text inside the memory; len 0: there is none. */
struct tls_bundle_part {
	uint64_t offset, len;
};

struct tls_bundle_head {
	uint64_t magic;
	uint64_t size_bytes;
	/* By index into conf.certificates. */
	struct tls_bundle_part chains[CONF_CERTIFICATES_MAX];
	struct tls_bundle_part keys[CONF_CERTIFICATES_MAX];
	/* By index into conf.services. */
	struct tls_bundle_part authorities[CONF_SERVICES_MAX];
};

/* A mapped one. */
struct tls_bundle {
	const struct tls_bundle_head *head; /* NULL: not mapped */
	size_t size_bytes;
};

struct tls_bundle_builder {
	int fd; /* owned; -1: none */
	struct tls_bundle_head *head;
	uint64_t end;
};

/* 0; -errno. */
int tls_bundle_begin(struct tls_bundle_builder *out_builder) MUST_CHECK;

/**
 * tls_bundle_add - read a file into the memory.
 * @out_part, @out_stamp: untouched on failure
 *
 * Return: 0; -ENODATA, it is empty; -EFBIG; -errno.
 */
int tls_bundle_add(struct tls_bundle_builder *builder, const char *path,
		   struct tls_bundle_part *out_part,
		   struct file_stamp *out_stamp) MUST_CHECK;

/* Nobody can change it from now on. The builder is empty afterwards. 0; -errno. */
int tls_bundle_end(struct tls_bundle_builder *builder, int *out_fd) MUST_CHECK;
void tls_bundle_drop(struct tls_bundle_builder *builder);

/* Text of a part while it is being built. */
struct tls_pem tls_bundle_built(const struct tls_bundle_builder *builder,
				const struct tls_bundle_part *part);

/* Map sealed memory. 0; -EPROTO, it is none of ours; -errno. */
int tls_bundle_open(int fd, struct tls_bundle *out_bundle) MUST_CHECK;
void tls_bundle_close(struct tls_bundle *bundle);

struct tls_pem tls_bundle_text(const struct tls_bundle *bundle,
			       const struct tls_bundle_part *part);

/* The stamp of a file as it is now. 0; -errno. */
int file_stamp_take(const char *path, struct file_stamp *out_stamp) MUST_CHECK;
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

#endif
