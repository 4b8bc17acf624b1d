/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_read - postern.conf through libconfuse: settings with their lines.
 *
 * Every setting comes as text with the line on which it stands; what it means is proc/config_fill's
 * business. So one run finds every wrong value, not the first alone.
 */
#ifndef PROC_CONFIG_READ_H
#define PROC_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "proc/config_report.h"
#include "proc/config_source.h"

#define CONFIG_FIELDS_MAX 64u /* settings of one kind of section */

struct config_fill;
struct config_setting;

enum config_kind {
	CONFIG_TEXT,	 /* char[size] */
	CONFIG_YES,	 /* bool */
	CONFIG_NUMBER,	 /* uint8_t, uint32_t or uint64_t by size */
	CONFIG_DURATION, /* int64_t */
	CONFIG_CHOICE,	 /* uint8_t: index into choices */
	CONFIG_OWN,	 /* its function stores it */
	CONFIG_LIST,	 /* the same, for each value of a list */
};

/* Stores one value, or reports what is wrong with it. */
typedef void (*config_store_fn)(struct config_fill *fill, void *object,
				const struct config_setting *setting);

/* A setting: a row of a table that the parser and the manual's test read, too. */
struct config_field {
	const char *name;
	enum config_kind kind;
	size_t offset, size;	    /* of the member of the object */
	uint64_t min, max;	    /* CONFIG_NUMBER; CONFIG_DURATION in seconds */
	const char *const *choices; /* CONFIG_CHOICE; ends with NULL */
	config_store_fn store;	    /* CONFIG_OWN, CONFIG_LIST */
};

struct config_fields {
	const char *section; /* NULL: outside of any */
	const struct config_field *rows;
	size_t count;
};

struct config_setting {
	unsigned int line;
	bool is_repeated; /* the setting had a value already */
	char text[];
};

struct config_section {
	const char *title; /* borrowed from the tree; NULL: has none */
	unsigned int line; /* where it ends */
	void *node;
};

struct config_tree; /* what libconfuse made of the file */

/**
 * tree_parse - parse a source.
 * @source: borrowed for the call
 * @shapes: the settings outside of sections, then of each kind of section
 * @count: how many shapes
 * @report: receives syntax errors and unknown settings
 *
 * Return: the tree; NULL, it is in the report.
 */
struct config_tree *tree_parse(const struct config_source *source,
			       const struct config_fields *shapes, size_t count,
			       struct config_report *report);
void tree_free(struct config_tree **tree);

/* Section number index of a kind; NULL kind: the outside. false: there is none. */
bool tree_section(const struct config_tree *tree, const char *kind, unsigned int index,
		  struct config_section *out_section);

/* Value number index of a setting; NULL: there is none. Valid as long as the tree. */
const struct config_setting *section_setting(const struct config_section *section,
					     const char *name, unsigned int index);

#endif
