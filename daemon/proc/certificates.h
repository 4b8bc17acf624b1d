/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/certificates - the certificate files of a configuration: read, looked at, and laid out for the gates.
 *
 * Used at start, by --check, at a reload, and when the keeper sees that a file has changed. The
 * looking is done by a process of its own, without rights, that ends with it: neither is a file parsed by
 * root, nor does a key stay in memory that the others inherit.
 */
#ifndef PROC_CERTIFICATES_H
#define PROC_CERTIFICATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "policy/conf.h"
#include "proc/tls_bundle.h"
#include "sys/tls_cert.h"

#define CERTIFICATE_SOON_S \
	(14 * INT64_C(86400)) /* said before it expires; renewals come at 30 days */

enum certificate_file {
	CERTIFICATE_CHAIN, /* of conf.certificates */
	CERTIFICATE_KEY,
	CERTIFICATE_CA, /* of conf.services */
};

struct certificates {
	int bundle_fd; /* owned */
	struct tls_cert_facts facts[CONF_CERTIFICATES_MAX];
	struct file_stamp chains[CONF_CERTIFICATES_MAX];
	struct file_stamp keys[CONF_CERTIFICATES_MAX];
	struct file_stamp authorities[CONF_SERVICES_MAX];
};

/* What is wrong with, or doubtful about, a file: which one, and what would be right. */
struct certificate_note {
	bool is_error;
	enum certificate_file file;
	uint8_t index;
	const char *text;
};

typedef void (*certificate_note_fn)(void *context, const struct certificate_note *note);

/**
 * certificates_read - read every file that a configuration names.
 * @conf: complete
 * @now_s: wall clock
 * @note, @context: hears every fault and every doubt
 * @out_certificates: NULL if the configuration needs none; untouched on failure
 *
 * Return: 0; -EINVAL, a note was an error; -ENOMEM; -errno.
 */
int certificates_read(const struct conf *conf, int64_t now_s, certificate_note_fn note,
		      void *context, struct certificates **out_certificates) MUST_CHECK;
void certificates_free(struct certificates **certificates);

/* Has a file been replaced since, or written to? One that cannot be seen now has not. */
bool certificates_have_changed(const struct certificates *certificates,
			       const struct conf *conf);

/* "expired since 2026-01-31", "expires in 3 days", "not valid before ..."; "" if nothing is to be said. */
void certificate_time_problem(const struct tls_cert_facts *facts, int64_t now_s,
			      struct buf *out);

#endif
