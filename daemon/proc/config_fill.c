/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_fill - see config_fill.h. One function per kind of value; each error quotes the value and says
 * what would be right.
 */
#include "proc/config_fill.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"

#define REMEDY_MAX_BYTES 256u

struct config_place setting_place(const struct config_fill *fill,
				  const struct config_setting *setting)
{
	return (struct config_place){
		fill->source->path,
		setting->line,
		source_column(fill->source, setting->line, setting->text),
	};
}

/* The number of bytes decides; libc's memcpy keeps us from caring about alignment. */
static void number_store(void *member, size_t size, uint64_t number)
{
	const uint8_t narrow = (uint8_t)number;
	const uint32_t middle = (uint32_t)number;

	if (size == sizeof(narrow))
		memcpy(member, &narrow, size);
	else if (size == sizeof(middle))
		memcpy(member, &middle, size);
	else
		memcpy(member, &number, sizeof(number));
}

static void fill_number(struct config_fill *fill, const struct config_field *field,
			const struct config_setting *setting, void *member)
{
	uint64_t number;
	int err = num_parse_u64(setting->text, field->max, &number);

	if (!err && number < field->min)
		err = -ERANGE;
	if (err)
		report_error(&fill->config->report, setting_place(fill, setting),
			     "%s: '%s' is not a whole number from %" PRIu64
			     " to %" PRIu64,
			     field->name, setting->text, field->min, field->max);
	else
		number_store(member, field->size, number);
}

static void fill_duration(struct config_fill *fill, const struct config_field *field,
			  const struct config_setting *setting, void *member)
{
	char least[DURATION_TEXT_MAX];
	char most[DURATION_TEXT_MAX];
	int64_t seconds;
	int err = num_parse_duration(setting->text, &seconds);

	if (err) {
		report_error(
			&fill->config->report, setting_place(fill, setting),
			"%s: '%s' is not a time: write a number with s, m, h, d or w, "
			"such as 90s, 10m, 1h30m or 7d%s",
			field->name, setting->text,
			field->max == INT64_MAX ? ", or forever" : "");
		return;
	}
	if (seconds < (int64_t)field->min || seconds > (int64_t)field->max) {
		report_error(&fill->config->report, setting_place(fill, setting),
			     "%s: '%s' is out of range: %s to %s", field->name,
			     setting->text,
			     num_format_duration((int64_t)field->min, least),
			     num_format_duration((int64_t)field->max, most));
		return;
	}
	memcpy(member, &seconds, sizeof(seconds));
}

static void fill_choice(struct config_fill *fill, const struct config_field *field,
			const struct config_setting *setting, void *member)
{
	char known[REMEDY_MAX_BYTES];
	struct buf buf = BUF_OVER(known);

	for (uint8_t i = 0; field->choices[i]; i++) {
		if (strcmp(setting->text, field->choices[i]) == 0) {
			memcpy(member, &i, sizeof(i));
			return;
		}
		buf_printf(&buf, "%s%s", buf.len ? ", " : "", field->choices[i]);
	}
	report_error(&fill->config->report, setting_place(fill, setting),
		     "%s: '%s' is none of: %s", field->name, setting->text, known);
}

static void fill_yes(struct config_fill *fill, const struct config_field *field,
		     const struct config_setting *setting, void *member)
{
	const bool is_yes = strcmp(setting->text, "yes") == 0;

	if (is_yes || strcmp(setting->text, "no") == 0)
		memcpy(member, &is_yes, sizeof(is_yes));
	else
		report_error(&fill->config->report, setting_place(fill, setting),
			     "%s: '%s' is neither yes nor no", field->name,
			     setting->text);
}

static void fill_text(struct config_fill *fill, const struct config_field *field,
		      const struct config_setting *setting, void *member)
{
	if (setting->text[0] == '\0')
		report_error(&fill->config->report, setting_place(fill, setting),
			     "%s: is empty: give a value or leave the line out",
			     field->name);
	else if (!text_copy(member, field->size, setting->text))
		report_error(&fill->config->report, setting_place(fill, setting),
			     "%s: '%s' is longer than %zu characters", field->name,
			     setting->text, field->size - 1);
}

static void fill_value(struct config_fill *fill, const struct config_field *field,
		       const struct config_setting *setting, void *object)
{
	void *member = (char *)object + field->offset;

	switch (field->kind) {
	case CONFIG_TEXT:
		fill_text(fill, field, setting, member);
		break;
	case CONFIG_YES:
		fill_yes(fill, field, setting, member);
		break;
	case CONFIG_NUMBER:
		fill_number(fill, field, setting, member);
		break;
	case CONFIG_DURATION:
		fill_duration(fill, field, setting, member);
		break;
	case CONFIG_CHOICE:
		fill_choice(fill, field, setting, member);
		break;
	case CONFIG_OWN:
	case CONFIG_LIST:
		field->store(fill, object, setting);
		break;
	}
}

void fill_object(struct config_fill *fill, const struct config_section *section,
		 const struct config_fields *shape, void *object)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct config_field *field = &shape->rows[i];
		const struct config_setting *setting;

		for (unsigned int n = 0;; n++) {
			setting = section_setting(section, field->name, n);
			if (!setting)
				break;
			if (setting->is_repeated)
				report_error(&fill->config->report,
					     setting_place(fill, setting),
					     "%s: is set a second time here: keep one",
					     field->name);
			fill_value(fill, field, setting, object);
		}
	}
}
