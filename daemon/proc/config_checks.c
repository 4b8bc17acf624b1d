/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_checks - DNS lists and the settings of checks that are more than a number or a choice.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "policy/flags.h"
#include "proc/config_fill.h"
#include "wire/revname.h"

/* ---- sections rbl ------------------------------------------------------------------------------ */

void store_rbl_reply(struct config_fill *fill, void *object,
		     const struct config_setting *setting)
{
	struct config_report *report = &fill->config->report;
	struct config_place at = setting_place(fill, setting);
	struct conf_rbl *rbl = object;
	int err;

	if (rbl->reply_count == RBL_PATTERNS_MAX) {
		report_error(report, at, "'%s' is one too many: at most %u",
			     setting->text, RBL_PATTERNS_MAX);
		return;
	}
	err = rbl_pattern_parse(setting->text, &rbl->replies[rbl->reply_count]);
	if (!err)
		rbl->reply_count++;
	else if (err == -EDOM)
		report_error(
			report, at,
			"'%s' is no reply that says that an address is listed: those are in "
			"127.0.0.0/8, and not in 127.255.255.0/24, which are error codes",
			setting->text);
	else
		report_error(
			report, at,
			"'%s' is no reply of a list: write 127.0.0.2, or 127.0.0.[2..11] for "
			"several, each octet from 0 to 255; other ones are values of their own",
			setting->text);
}

void store_zone(struct config_fill *fill, void *object,
		const struct config_setting *setting)
{
	struct conf_rbl *rbl = object;
	size_t len = strlen(setting->text);

	if (!text_copy(rbl->zone, sizeof(rbl->zone), setting->text)) {
		report_error(&fill->config->report, setting_place(fill, setting),
			     "zone: '%s' is too long", setting->text);
		return;
	}
	if (len > 1 && rbl->zone[len - 1] == '.')
		rbl->zone[len - 1] = '\0';
}

void load_rbls(struct config_fill *fill, const struct config_tree *tree)
{
	const struct config_fields *shape = &config_shape_table[SHAPE_RBL];
	struct config_report *report = &fill->config->report;
	struct conf *conf = &fill->config->conf;
	struct config_section section;

	for (unsigned int i = 0; tree_section(tree, shape->section, i, &section); i++) {
		struct config_place at = {fill->source->path, section.line, 0};
		struct conf_rbl *rbl = &conf->rbls[conf->rbl_count];

		if (i == CONF_RBLS_MAX) {
			report_error(report, at, "rbl %s is one too many: at most %u",
				     section.title, CONF_RBLS_MAX);
			return;
		}
		(void)text_copy(rbl->name, sizeof(rbl->name), section.title);
		fill_object(fill, &section, shape, rbl);
		if (!section_setting(&section, "zone", 0))
			report_error(
				report, at,
				"rbl %s: zone is missing: where the list is, such as zone = "
				"\"zen.example.net\"",
				section.title);
		conf->rbl_count++;
	}
}

/* ---- of policies ------------------------------------------------------------------------------- */

void store_rbl(struct config_fill *fill, void *object,
	       const struct config_setting *setting)
{
	struct config_place at = setting_place(fill, setting);
	struct conf_policy *policy = object;
	int index = conf_rbl_find(&fill->config->conf, setting->text);

	if (index < 0)
		report_error(&fill->config->report, at,
			     "'%s' is no DNS list of this file: add a section rbl %s { "
			     "zone = \"...\" }",
			     setting->text, setting->text);
	else if (policy->rbls & UINT32_C(1) << index)
		report_error(&fill->config->report, at, "'%s' is named twice: keep one",
			     setting->text);
	else
		policy->rbls |= UINT32_C(1) << index;
}

void store_undotted(struct config_fill *fill, void *object,
		    const struct config_setting *setting)
{
	struct config_report *report = &fill->config->report;
	struct config_place at = setting_place(fill, setting);
	struct conf_policy *policy = object;

	if (policy->helo_undotted_count == CONF_UNDOTTED_MAX) {
		report_error(report, at, "'%s' is one too many: at most %u",
			     setting->text, CONF_UNDOTTED_MAX);
		return;
	}
	/* A name of a host is one with another label. */
	if (strchr(setting->text, '.') || strlen(setting->text) >= CONF_UNDOTTED_BYTES ||
	    hostname_label_problem(setting->text, strlen(setting->text)))
		report_error(report, at,
			     "'%s' is no name without a dot: 1 to 63 letters, digits and "
			     "hyphens, such as localhost",
			     setting->text);
	else
		(void)text_copy(policy->helo_undotted[policy->helo_undotted_count++],
				CONF_UNDOTTED_BYTES, setting->text);
}
