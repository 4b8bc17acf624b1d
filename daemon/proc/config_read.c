/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_read - see config_read.h.
 *
 * libconfuse hands no context to its callbacks, so source and report of the parse that is running stand in a
 * variable of this file. The keeper and --check parse one file at a time.
 */
#include "proc/config_read.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <confuse.h>

#include "base/buf.h"

#define SHAPES_MAX	8u
#define KNOWN_MAX_BYTES 1024u
#define WORD_MAX_BYTES	64u

struct config_tree {
	cfg_t *root;
};

static struct {
	const struct config_source *source;
	struct config_report *report;
} parsing;

/* "a, b, c": the settings that a section knows. */
static void known_list(const cfg_t *section, char text[KNOWN_MAX_BYTES])
{
	struct buf buf;

	buf_init(&buf, text, KNOWN_MAX_BYTES);
	for (const cfg_opt_t *opt = section->opts; opt && opt->name; opt++)
		buf_printf(&buf, "%s%s", buf.len ? ", " : "", opt->name);
}

/* Column of what a message of libconfuse quotes; 0: it quotes nothing that stands in the line. */
static unsigned int quoted_column(const char *message, unsigned int line)
{
	const char *begin = strchr(message, '\'');
	char word[WORD_MAX_BYTES];
	size_t len;

	if (!begin)
		return 0;
	len = strcspn(++begin, "'");
	if (len >= sizeof(word))
		return 0;
	memcpy(word, begin, len);
	word[len] = '\0';
	return source_word_column(parsing.source, line, word);
}

static void on_error(cfg_t *section, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* What would be right, of that which libconfuse only says is wrong; "" if it is not known. */
static const char *remedy_of(const char *message)
{
	static const struct {
		const char *begin, *remedy;
	} rows[] = {
		{"unexpected token",
		 ": quote a value that has more than letters, digits, ., :, / and - in it; "
		 "{ } is for lists and sections"},
		{"found duplicate title",
		 ": give it another name, or make one of the two"},
		{"missing equal sign",
		 ": write name = value, and quote a value that has blanks in it"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncmp(message, rows[i].begin, strlen(rows[i].begin)) == 0)
			return rows[i].remedy;
	return "";
}

static void on_error(cfg_t *section, const char *format, va_list args)
{
	static const char unknown[] = "no such option";
	struct config_place at = {.line = (unsigned int)section->line};
	char known[KNOWN_MAX_BYTES];
	char raw[256], text[sizeof(raw) * 4];
	struct buf shown = BUF_OVER(text);

	/* Not while parsing: a setting was asked for that its section does not know. */
	if (!parsing.report)
		return;
	(void)vsnprintf(raw, sizeof(raw), format, args);
	at.file = parsing.source->path;
	at.column = quoted_column(raw, at.line);
	buf_add_escaped(&shown, raw, strlen(raw), sizeof(raw));
	if (strncmp(text, unknown, strlen(unknown)) != 0) {
		report_error(parsing.report, at, "%s%s", text, remedy_of(text));
		return;
	}
	known_list(section, known);
	report_error(parsing.report, at, "unknown setting%s; known %s%s: %s",
		     text + strlen(unknown),
		     strcmp(section->name, "root") == 0 ? "here" : "in ",
		     strcmp(section->name, "root") == 0 ? "" : section->name, known);
}

/* Was the setting given before? libconfuse forgets its values at the second "=", so it is marked. */
static bool note_repeated(cfg_opt_t *opt)
{
	char mark[] = "set";

	if (opt->nvalues != 1)
		return false; /* a further value of a list */
	if (opt->comment)
		return true;
	(void)cfg_opt_setcomment(opt, mark);
	return false;
}

static int on_value(cfg_t *section, cfg_opt_t *opt, const char *value, void *result)
{
	size_t len = strlen(value);
	struct config_setting *setting = malloc(sizeof(*setting) + len + 1);

	if (!setting)
		return -1;
	setting->line = (unsigned int)section->line;
	setting->is_repeated = note_repeated(opt);
	memcpy(setting->text, value, len + 1);
	*(void **)result = setting;
	return 0;
}

static void shape_options(const struct config_fields *shape, cfg_opt_t *options)
{
	assert(shape->count <= CONFIG_FIELDS_MAX);
	for (size_t i = 0; i < shape->count; i++) {
		bool is_list = shape->rows[i].kind == CONFIG_LIST;

		options[i] = (cfg_opt_t)CFG_PTR_CB(shape->rows[i].name, NULL,
						   (is_list ? CFGF_LIST : CFGF_NONE) |
							   CFGF_NODEFAULT,
						   on_value, free);
	}
	options[shape->count] = (cfg_opt_t)CFG_END();
}

static cfg_t *root_make(const struct config_fields *shapes, size_t count)
{
	static const cfg_flag_t titled = CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES;
	cfg_opt_t sections[SHAPES_MAX][CONFIG_FIELDS_MAX + 1];
	cfg_opt_t root[CONFIG_FIELDS_MAX + SHAPES_MAX + 1];
	size_t end = shapes[0].count;

	assert(count <= SHAPES_MAX);
	shape_options(&shapes[0], root);
	for (size_t i = 1; i < count; i++) {
		bool is_limits = strcmp(shapes[i].section, "limits") == 0;

		shape_options(&shapes[i], sections[i]);
		root[end++] = (cfg_opt_t)CFG_SEC(shapes[i].section, sections[i],
						 is_limits ? CFGF_NODEFAULT : titled);
	}
	root[end] = (cfg_opt_t)CFG_END();
	return cfg_init(root, CFGF_NONE);
}

struct config_tree *tree_parse(const struct config_source *source,
			       const struct config_fields *shapes, size_t count,
			       struct config_report *report)
{
	AUTO(tree_free) struct config_tree *tree = calloc(1, sizeof(*tree));
	size_t errors = report->errors;
	int result;

	if (tree)
		tree->root = root_make(shapes, count);
	if (!tree || !tree->root) {
		report_error(report, (struct config_place){source->path, 0, 0},
			     "out of memory");
		return NULL;
	}
	parsing.source = source;
	parsing.report = report;
	(void)cfg_set_error_function(tree->root, on_error);
	result = cfg_parse_buf(tree->root, source->text);
	parsing.report = NULL;
	if (result != CFG_SUCCESS && report->errors == errors)
		report_error(report, (struct config_place){source->path, 0, 0},
			     "cannot be understood");
	if (report->errors != errors)
		return NULL;
	return TAKE_PTR(tree);
}

void tree_free(struct config_tree **tree)
{
	if (*tree && (*tree)->root)
		(void)cfg_free((*tree)->root);
	free(*tree);
	*tree = NULL;
}

bool tree_section(const struct config_tree *tree, const char *kind, unsigned int index,
		  struct config_section *out_section)
{
	cfg_t *node = tree->root;

	if (kind)
		node = index < cfg_size(tree->root, kind)
			       ? cfg_getnsec(tree->root, kind, index)
			       : NULL;
	if (!node || (!kind && index > 0))
		return false;
	out_section->title = kind && strcmp(kind, "limits") != 0 ? cfg_title(node) : NULL;
	out_section->line = kind ? (unsigned int)node->line : 0;
	out_section->node = node;
	return true;
}

const struct config_setting *section_setting(const struct config_section *section,
					     const char *name, unsigned int index)
{
	cfg_opt_t *opt = cfg_getopt(section->node, name);

	if (!opt || index >= cfg_opt_size(opt))
		return NULL;
	return cfg_opt_getnptr(opt, index);
}
