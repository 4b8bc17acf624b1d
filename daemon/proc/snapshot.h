/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/snapshot - configuration and address lists in one sealed, read-only memfd.
 *
 * The keeper makes it; every process maps the same copy. A reload makes a new one and
 * passes its descriptor on; sessions begun under the old one see the new one from then on.
 */
#ifndef PROC_SNAPSHOT_H
#define PROC_SNAPSHOT_H

#include <stddef.h>

#include "base/cleanup.h"
#include "base/prefix_table.h"
#include "base/text_table.h"
#include "policy/conf.h"
#include "policy/limits.h"

struct snapshot {
	const struct conf *conf;
	const struct protected_set *protected_set;
	const struct prefix_table *tables[CONF_POLICIES_MAX]; /* by index of the policy */
	const struct text_table *domains;		      /* policy/relay */
	const struct text_table *routes;		      /* policy/routing */
	void *memory;
	size_t size_bytes;
};

/* Where a row of domains or routes stands: origin of a text_row. */
enum text_row_origin {
	TEXT_ROW_IN_CONF, /* postern.conf */
	TEXT_ROW_IN_FILE, /* conf.local_domains_file, conf.routes_file */
};

/* What goes into a snapshot; all of it is copied. */
struct snapshot_parts {
	const struct conf *conf;
	const struct protected_set *protected_set;
	struct prefix_builder *const *builders;	     /* a sorted one for each policy */
	const struct text_builder *domains, *routes; /* NULL: none */
};

/* Lay everything out in a new memfd and seal it. @out_fd: owned by the caller. 0; -errno. */
int snapshot_make(const struct snapshot_parts *parts, int *out_fd) MUST_CHECK;

/* A copy of @snapshot with another set of what is protected; @out_fd: owned by the caller. 0; -errno. */
int snapshot_protect(const struct snapshot *snapshot,
		     const struct protected_set *protected_set, int *out_fd) MUST_CHECK;

/* Map it. @fd may be closed afterwards. 0; -EPROTO, not one of this program; -errno. */
int snapshot_open(int fd, struct snapshot *out_snapshot) MUST_CHECK;
void snapshot_close(struct snapshot *snapshot);

#endif
