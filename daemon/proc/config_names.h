/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_names - the local domains and the routing table: from postern.conf, and from their files.
 *
 * Rows of both tables have the place where they stand: origin is enum text_row_origin (proc/snapshot), line counts from 1.
 */
#ifndef PROC_CONFIG_NAMES_H
#define PROC_CONFIG_NAMES_H

#include "proc/config_fill.h"

/* Functions of the rows in proc/config_fields; object is not used. */
void names_store_domain(struct config_fill *fill, void *object,
			const struct config_setting *setting);
void names_store_domains_file(struct config_fill *fill, void *object,
			      const struct config_setting *setting);
void names_store_route(struct config_fill *fill, void *object,
		       const struct config_setting *setting);
void names_store_routes_file(struct config_fill *fill, void *object,
			     const struct config_setting *setting);

/* Read the files that are named, and look for loops and chains of routes. After all settings. */
void names_read_files(struct config_fill *fill);

#endif
