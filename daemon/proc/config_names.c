/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_names - see config_names.h.
 */
#include "proc/config_names.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "policy/routing.h"
#include "proc/config_lines.h"
#include "proc/mail_name.h"
#include "proc/snapshot.h"
#include "wire/mail_list.h"

#define ERRORS_PER_FILE_MAX 20u
#define NAME_SHOWN_MAX	    80u

static_assert(ROUTING_LOCAL_MAX >= MAIL_NAME_MAX && ROUTING_DOMAIN_MAX >= MAIL_NAME_MAX,
	      "a name fits");

/* One line, or one value of postern.conf, on its way into a table. */
struct names_line {
	struct config_fill *fill;
	struct config_place at; /* column: where the text begins, less one */
	const char *text;
	size_t len;
	enum text_row_origin origin;
};

typedef int (*names_fn)(const struct names_line *line);

static const char *file_of(const struct config_fill *fill, uint16_t origin,
			   const char *file)
{
	return origin == TEXT_ROW_IN_FILE ? file : fill->source->path;
}

static int problem(const struct names_line *line, unsigned int column, const char *text)
{
	struct config_place at = line->at;

	/* A value whose column is not known stands somewhere in its line. */
	at.column = line->origin == TEXT_ROW_IN_CONF && at.column == 0
			    ? 0
			    : at.column + column;
	report_error(&line->fill->config->report, at, "%s", text);
	return -EINVAL;
}

static int name_problem(const struct names_line *line, struct span name, int err)
{
	char shown[NAME_SHOWN_MAX * 4 + 96];
	struct buf text = BUF_OVER(shown);

	if (err == -ENOMEM)
		return problem(line, name.at + 1, "out of memory");
	buf_puts(&text, "'");
	buf_add_escaped(&text, line->text + name.at, name.len, NAME_SHOWN_MAX);
	buf_puts(&text, "': no name that can be in the DNS");
	return problem(line, name.at + 1, text.text);
}

/* 0, added; -EEXIST, it is there; -EINVAL, -ENOMEM: it is in the report. */
static int row_add(const struct names_line *line, struct text_builder *builder,
		   struct text_row *row, struct text_row *out_first)
{
	struct config_report *report = &line->fill->config->report;
	int err;

	row->origin = (uint16_t)line->origin;
	row->line = line->at.line;
	err = text_builder_add(builder, row, out_first);
	if (err == -ENOSPC)
		report_error(report, line->at, "one too many: at most %u",
			     TEXT_TABLE_ROWS_MAX);
	else if (err == -ENOMEM)
		report_error(report, line->at, "out of memory");
	return err;
}

/* ---- local domains ---- */

static int domain_line(const struct names_line *line)
{
	char key[MAIL_NAME_MAX + 1];
	struct line_problem wrong;
	struct mail_list_domain found;
	struct mail_name name;
	struct text_row row = {.key = key};
	int err = mail_list_parse_domain(line->text, line->len, &found, &wrong);

	if (err == 0)
		return 0;
	if (err < 0)
		return problem(line, wrong.column, wrong.text);
	err = mail_name_domain(line->text, &found.domain, &name);
	if (err)
		return name_problem(line, found.domain.text, err);
	key[0] = '.';
	memcpy(key + found.is_subdomains, name.text, name.len);
	row.key_len = name.len + found.is_subdomains;
	err = row_add(line, line->fill->config->domains, &row, NULL);
	return err == -EEXIST ? 0 : err; /* said twice it is as true as said once */
}

/* ---- routes ---- */

static int route_address(const struct names_line *line,
			 const struct mail_list_address *found,
			 struct routing_address *out_address)
{
	struct mail_name name;
	int err = mail_name_domain(line->text, &found->domain, &name);

	if (err)
		return name_problem(line, found->domain.text, err);
	if (found->domain.kind == SMTP_DOMAIN_GENERAL)
		return problem(line, found->domain.text.at + 1,
			       "a route has a domain, or a literal of IPv4 or IPv6");
	out_address->domain_len = name.len;
	memcpy(out_address->domain, name.text, name.len);
	mail_name_local(line->text, found->local, found->is_quoted, &name);
	if (found->is_quoted && name.len == 0)
		return problem(line, found->local.at + 1, "the local part is empty");
	out_address->local_len = name.len;
	memcpy(out_address->local, name.text, name.len);
	return 0;
}

/* A client that has not said SMTPUTF8 may be sent there as well. */
static bool local_is_ascii(const struct routing_address *address)
{
	for (size_t i = 0; i < address->local_len; i++)
		if ((unsigned char)address->local[i] > 127)
			return false;
	return true;
}

static int route_add(const struct names_line *line, const struct routing_address *from,
		     const struct routing_address *to)
{
	struct config *config = line->fill->config;
	char key[ROUTING_KEY_MAX], value[ROUTING_KEY_MAX];
	struct text_row row = {.key = key, .value = value};
	struct text_row first;
	int err;

	row.key_len = routing_key(from, true, key);
	row.value_len = routing_key(to, false, value);
	err = row_add(line, config->routes, &row, &first);
	if (err != -EEXIST)
		return err;
	report_error(&config->report, line->at,
		     "a route for this address stands at %s:%u already: keep one of them",
		     file_of(line->fill, first.origin, config->conf.routes_file),
		     first.line);
	return -EINVAL;
}

static int route_line(const struct names_line *line)
{
	struct line_problem wrong;
	struct routing_address from, to;
	struct mail_list_route found;
	int err = mail_list_parse_route(line->text, line->len, &found, &wrong);

	if (err == 0)
		return 0;
	if (err < 0)
		return problem(line, wrong.column, wrong.text);
	err = route_address(line, &found.from, &from);
	if (!err)
		err = route_address(line, &found.to, &to);
	if (err)
		return err;
	if (!local_is_ascii(&to))
		return problem(
			line, found.to.local.at + 1,
			"where a route leads has a local part of ASCII: a client without "
			"SMTPUTF8 could not be sent there");
	return route_add(line, &from, &to);
}

/* "a@b -> c@d" of a row. */
static void row_show(struct buf *text, const struct text_row *row)
{
	buf_add_escaped(text, row->key, row->key_len, NAME_SHOWN_MAX);
	buf_puts(text, " -> ");
	buf_add_escaped(text, row->value, row->value_len, NAME_SHOWN_MAX);
}

static void conflict_report(struct config_fill *fill,
			    const struct routing_conflict *conflict)
{
	struct config *config = fill->config;
	const char *file = config->conf.routes_file;
	const struct config_place at = {file_of(fill, conflict->row.origin, file),
					conflict->row.line, 0};
	char row_text[NAME_SHOWN_MAX * 8 + 8], next_text[NAME_SHOWN_MAX * 8 + 8];
	struct buf row = BUF_OVER(row_text);
	struct buf next = BUF_OVER(next_text);

	row_show(&row, &conflict->row);
	row_show(&next, &conflict->next);
	if (conflict->next.line == conflict->row.line &&
	    conflict->next.origin == conflict->row.origin && conflict->is_loop)
		report_error(&config->report, at,
			     "%s: a loop: it leads to itself; take it out", row_text);
	else if (conflict->is_loop)
		report_error(&config->report, at, "%s: a loop, by %s at %s:%u: break it",
			     row_text, next_text,
			     file_of(fill, conflict->next.origin, file),
			     conflict->next.line);
	else
		report_error(
			&config->report, at,
			"%s: a chain: %s at %s:%u leads on; let this one lead to where "
			"it ends",
			row_text, next_text, file_of(fill, conflict->next.origin, file),
			conflict->next.line);
}

static void routes_check(struct config_fill *fill)
{
	struct config *config = fill->config;
	const size_t size = text_table_size(config->routes);
	AUTO(free_mem) void *memory = malloc(size);
	const struct text_table *table;
	size_t errors = 0;

	if (!memory) {
		report_error(&config->report,
			     (struct config_place){fill->source->path, 0, 0},
			     "out of memory");
		return;
	}
	table = text_table_write(config->routes, memory);
	if (text_table_count(table) > config->conf.limits.routes_max)
		report_error(&config->report,
			     (struct config_place){fill->source->path, 0, 0},
			     "there are %zu routes: routes-max, in limits, allows %u",
			     text_table_count(table), config->conf.limits.routes_max);
	for (size_t i = 0; i < text_table_count(table) && errors < ERRORS_PER_FILE_MAX;
	     i++) {
		struct routing_conflict conflict;

		if (!routing_conflict(table, i, &conflict))
			continue;
		conflict_report(fill, &conflict);
		errors++;
	}
}

/* ---- files and values ---- */

struct names_reader {
	struct names_line line;
	names_fn read;
	size_t errors;
};

static int reader_line(void *context, const char *text, size_t len)
{
	struct names_reader *reader = context;
	int err;

	reader->line.at.line++;
	reader->line.text = text;
	reader->line.len = len;
	err = reader->read(&reader->line);
	if (err == 0)
		return 0;
	if (err == -EINVAL && ++reader->errors < ERRORS_PER_FILE_MAX)
		return 0;
	if (err == -EINVAL)
		report_error(&reader->line.fill->config->report, reader->line.at,
			     "too many errors: the rest of this file was not read");
	return err;
}

static void file_read(struct config_fill *fill, const char *path,
		      struct config_place named_at, names_fn read)
{
	struct names_reader reader = {
		.line = {.fill = fill, .at = {path, 0, 0}, .origin = TEXT_ROW_IN_FILE},
		.read = read,
	};

	if (path[0])
		lines_read(&fill->config->report, path, named_at, reader_line, &reader);
}

void names_read_files(struct config_fill *fill)
{
	file_read(fill, fill->config->conf.local_domains_file, fill->domains_place,
		  domain_line);
	file_read(fill, fill->config->conf.routes_file, fill->routes_place, route_line);
	routes_check(fill);
}

static void value_read(struct config_fill *fill, const struct config_setting *setting,
		       names_fn read)
{
	struct names_line line = {
		.fill = fill,
		.at = setting_place(fill, setting),
		.text = setting->text,
		.len = strlen(setting->text),
		.origin = TEXT_ROW_IN_CONF,
	};

	if (line.at.column > 0)
		line.at.column--;
	if (strspn(line.text, " \t") == line.len)
		report_error(&fill->config->report, line.at,
			     "an empty value: take it out");
	else
		(void)read(&line); /* what is wrong is in the report */
}

static void path_store(struct config_fill *fill, const struct config_setting *setting,
		       char out_path[CONF_PATH_MAX])
{
	char path[CONF_PATH_MAX];

	if (setting->text[0] == '\0' || !fill_path(fill, setting->text, path))
		report_error(&fill->config->report, setting_place(fill, setting),
			     "'%s' is no path of a file, or too long a one",
			     setting->text);
	else
		(void)text_copy(out_path, CONF_PATH_MAX, path);
}

void names_store_domain(struct config_fill *fill, void *object,
			const struct config_setting *setting)
{
	(void)object;
	value_read(fill, setting, domain_line);
}

void names_store_domains_file(struct config_fill *fill, void *object,
			      const struct config_setting *setting)
{
	(void)object;
	fill->domains_place = setting_place(fill, setting);
	path_store(fill, setting, fill->config->conf.local_domains_file);
}

void names_store_route(struct config_fill *fill, void *object,
		       const struct config_setting *setting)
{
	(void)object;
	value_read(fill, setting, route_line);
}

void names_store_routes_file(struct config_fill *fill, void *object,
			     const struct config_setting *setting)
{
	(void)object;
	fill->routes_place = setting_place(fill, setting);
	path_store(fill, setting, fill->config->conf.routes_file);
}
