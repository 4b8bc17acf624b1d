/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config - postern.conf and the list files, as plain data and sorted tables.
 *
 * The one way in: for the start, for --check, and for a reload. It reads files and writes nothing;
 * used by the keeper and by main.c. Grammar and every setting: postern.conf(5).
 */
#ifndef PROC_CONFIG_H
#define PROC_CONFIG_H

#include "base/cleanup.h"
#include "base/prefix_table.h"
#include "base/text_table.h"
#include "policy/conf.h"
#include "proc/certificates.h"
#include "proc/config_read.h"
#include "proc/config_report.h"

struct config {
	struct conf conf; /* ids of policies are still 0 */
	struct prefix_builder
		*builders[CONF_POLICIES_MAX];  /* sorted; by index of the policy */
	struct text_builder *domains, *routes; /* policy/relay, policy/routing */
	uint32_t entries[CONF_POLICIES_MAX];   /* rows of each policy */
	uint32_t lists[CONF_POLICIES_MAX];     /* bit 1 << index into conf.lists */
	struct certificates *certificates;     /* NULL: none are needed */
	struct config_report report;
};

/**
 * config_load - read a configuration and everything that it names.
 * @path: of postern.conf; list files are found beside it
 * @out_config: written also on -EINVAL, for its report; free it with config_free()
 *
 * Return: 0, usable (the report may hold warnings); -EINVAL, the report says why; -ENOMEM.
 */
int config_load(const char *path, struct config **out_config) MUST_CHECK;
void config_free(struct config **config);

/* All settings there are, for the manual's test: the outside, then each kind of section. */
const struct config_fields *config_shapes(size_t *out_count);

#endif
