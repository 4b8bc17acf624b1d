/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_list - the list files: one entry a line, up to millions of them.
 *
 * Each file is read once, whatever the number of policies that name it, through one buffer.
 * What policy/list_parse says of a line becomes an error with file, line and column.
 */
#include <errno.h>

#include "policy/flags.h"
#include "policy/limits.h"
#include "policy/list_parse.h"
#include "proc/config_fill.h"
#include "proc/config_lines.h"

#define ERRORS_PER_FILE_MAX 20u

/* What is said once for a policy, with the first place where it was seen. */
struct list_seen {
	uint16_t flags;	     /* of all entries */
	bool is_ar_needed;   /* to relay, see policy_needs_ar */
	bool is_relay;	     /* an entry makes an open relay */
	bool is_relay_by_aa; /* without AR */
	struct config_place relay_at;
	struct config_place first_at[FLAG_COUNT]; /* by number of the flag's bit */
};

#define RELAY_BY_AR                                                                      \
	"AA with AR on a range that holds the Internet is an open relay: take AA or AR " \
	"away, or set i-want-an-open-relay = yes"
#define RELAY_BY_AA                                                                          \
	"AA on a range that holds the Internet is an open relay: with aa-login the backend " \
	"takes each of them for a user, and postern does not refuse relaying; take AA "      \
	"away, or set local-domains and relay = enforce, or i-want-an-open-relay = yes"

struct list_reader {
	struct config_fill *fill;
	struct list_seen *seen; /* by policy */
	uint16_t list;
	unsigned int line;
	size_t errors;
	int failure; /* -ENOMEM, -ENOSPC: no use to go on */
};

static struct config_place list_place(const struct list_reader *reader,
				      unsigned int column)
{
	return (struct config_place){reader->fill->config->conf.lists[reader->list],
				     reader->line, column};
}

static void seen_note(struct list_seen *seen, const struct list_entry *entry,
		      struct config_place at)
{
	uint16_t fresh = (uint16_t)(entry->flags & ~seen->flags);

	for (unsigned int bit = 0; fresh && bit < FLAG_COUNT; bit++)
		if (fresh & (1u << bit))
			seen->first_at[bit] = at;
	seen->flags |= entry->flags;
	if (!seen->is_relay &&
	    entry_is_open_relay(&entry->prefix, entry->flags, seen->is_ar_needed)) {
		seen->is_relay = true;
		seen->is_relay_by_aa = !(entry->flags & FLAG_AR);
		seen->relay_at = at;
	}
}

static void entry_add(struct list_reader *reader, const struct list_entry *entry)
{
	struct config *config = reader->fill->config;
	const struct prefix_row row = {
		.prefix = entry->prefix,
		.value = entry->flags,
		.origin = reader->list,
		.line = reader->line,
	};

	for (uint8_t i = 0; i < config->conf.policy_count; i++) {
		int err;

		if (!(config->lists[i] & (1u << reader->list)))
			continue;
		seen_note(&reader->seen[i], entry, list_place(reader, 0));
		err = prefix_builder_add(config->builders[i], &row);
		if (err == -ENOSPC)
			report_error(&config->report, list_place(reader, 0),
				     "policy %s: more than %u entries",
				     config->conf.policies[i].name,
				     PREFIX_TABLE_ROWS_MAX);
		if (err)
			reader->failure = err;
		config->entries[i]++;
	}
}

static int line_read(void *context, const char *line, size_t len)
{
	struct list_reader *reader = context;
	struct config_report *report = &reader->fill->config->report;
	struct line_problem wrong;
	struct list_entry entry;
	int result;

	reader->line++;
	result = list_parse_line(line, len, &entry, &wrong);
	if (result > 0)
		entry_add(reader, &entry);
	if (result >= 0)
		return reader->failure;
	report_error(report, list_place(reader, wrong.column), "%s", wrong.text);
	if (++reader->errors == ERRORS_PER_FILE_MAX) {
		report_error(report, list_place(reader, 0),
			     "too many errors: the rest of this file was not read");
		reader->failure = -EINVAL;
	}
	return reader->failure;
}

static void list_read(struct config_fill *fill, struct list_seen *seen, uint16_t list)
{
	struct config_place whole = {fill->config->conf.lists[list], 0, 0};
	struct list_reader reader = {.fill = fill, .seen = seen, .list = list};

	lines_read(&fill->config->report, whole.file, fill->list_places[list], line_read,
		   &reader);
	if (reader.failure == -ENOMEM)
		report_error(&fill->config->report, whole, "out of memory");
}

static void list_sort(struct config *config, uint8_t policy)
{
	struct prefix_row first;
	struct prefix_row second;
	char text[PREFIX_TEXT_MAX];

	if (prefix_builder_sort(config->builders[policy], &first, &second) != -EEXIST)
		return;
	report_error(
		&config->report,
		(struct config_place){config->conf.lists[second.origin], second.line, 1},
		"%s is in policy %s already, at %s:%u: keep one of them",
		prefix_format(&second.prefix, text), config->conf.policies[policy].name,
		config->conf.lists[first.origin], first.line);
}

/* What an admin should know of a policy as a whole. */
/* A flag without lists, or lists without a flag: one of the two was forgotten. */
static void warn_rbl(struct config_fill *fill, uint8_t index,
		     const struct list_seen *seen)
{
	const struct conf_policy *policy = &fill->config->conf.policies[index];
	const bool has_flag = seen->flags & FLAG_RBL;
	unsigned int bit = 0;

	if (policy->mode[CHECK_RBL] == MODE_OFF || has_flag == (policy->rbls != 0))
		return;
	while (!(FLAG_RBL >> bit & 1u))
		bit++;
	if (has_flag)
		report_warning(
			&fill->config->report, seen->first_at[bit],
			"policy %s: flag RBL has no effect: the policy names no rbls to ask",
			policy->name);
	else
		report_warning(&fill->config->report,
			       (struct config_place){fill->source->path,
						     fill->policy_lines[index], 0},
			       "policy %s: rbls has no effect: no entry has the flag RBL",
			       policy->name);
}

static void seen_report(struct config_fill *fill, uint8_t policy,
			const struct list_seen *seen)
{
	struct config *config = fill->config;
	const char *name = config->conf.policies[policy].name;

	if (seen->is_relay && !config->conf.want_open_relay)
		report_error(&config->report, seen->relay_at,
			     seen->is_relay_by_aa ? RELAY_BY_AA : RELAY_BY_AR);
	warn_rbl(fill, policy, seen);
	if (config->conf.policies[policy].enabled && !(seen->flags & FLAG_PA))
		report_warning(&config->report,
			       (struct config_place){fill->source->path,
						     fill->policy_lines[policy], 0},
			       "policy %s has no entry with PA: it lets nobody in", name);
}

/*
 * Where postern refuses relaying nobody relays without AR. Where it does not, the backend decides, and with
 * aa-login it takes AA for the login of a user.
 */
static bool policy_needs_ar(const struct config *config, uint8_t policy)
{
	const struct conf *conf = &config->conf;

	if (text_builder_count(config->domains) > 0 &&
	    conf->policies[policy].mode[CHECK_RELAY] == MODE_ENFORCE)
		return true;
	for (size_t i = 0; i < conf->service_count; i++)
		if (conf->services[i].policy == policy &&
		    conf_service_is_on(conf, &conf->services[i]) &&
		    conf->services[i].aa_login[0] != '\0')
			return false;
	return true;
}

void fill_lists(struct config_fill *fill)
{
	struct config *config = fill->config;
	AUTO(free_mem) struct list_seen *seen = calloc(CONF_POLICIES_MAX, sizeof(*seen));

	for (uint8_t i = 0; i < config->conf.policy_count; i++) {
		config->builders[i] = prefix_builder_new();
		if (!config->builders[i] || !seen) {
			report_error(&config->report, (struct config_place){0},
				     "out of memory");
			return;
		}
		seen[i].is_ar_needed = policy_needs_ar(config, i);
	}
	for (uint16_t i = 0; i < config->conf.list_count; i++)
		list_read(fill, seen, i);
	for (uint8_t i = 0; i < config->conf.policy_count; i++) {
		list_sort(config, i);
		seen_report(fill, i, &seen[i]);
	}
}
