/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/addr_list - see the header.
 */
#include "cli/addr_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/ctl.h"

#define QUOTE_MAX 64 /* bytes of a wrong word that are quoted */

void addr_list_done(struct addr_list *list)
{
	free_mem(&list->items);
	list->count = 0;
	list->capacity = 0;
}

static int addr_list_add(struct addr_list *list, const struct prefix *prefix)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		struct prefix *grown;

		if (list->count >= ADDR_LIST_MAX)
			return -ENOSPC;
		grown = realloc(list->items, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->capacity = capacity;
	}
	list->items[list->count++] = *prefix;
	return 0;
}

const char *addr_problem(const char *text, int error, const struct prefix *prefix,
			 char memory[128])
{
	char formatted[PREFIX_TEXT_MAX];

	switch (-error) {
	case ERANGE:
		return strchr(text, ':') ? "prefix length is 0..128"
					 : "prefix length is 0..32";
	case EDOM:
		(void)snprintf(
			memory, 128,
			"bits are set behind the prefix length; meant is %s, or one address",
			prefix_format(prefix, formatted));
		return memory;
	case ENOSPC:
		return "too many addresses in one list";
	case ENOMEM:
		return "out of memory";
	default:
		return "no address; write 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32";
	}
}

/* line: number in the list; 0: a word of the command line. */
static int addr_list_word(struct cli *cli, struct addr_list *list, const char *word,
			  size_t line)
{
	char memory[128], quoted[4 * QUOTE_MAX + 8], where[32] = "";
	struct buf quote = BUF_OVER(quoted);
	struct prefix prefix;
	int err;

	err = prefix_parse(word, &prefix);
	if (!err)
		err = addr_list_add(list, &prefix);
	if (!err)
		return CTL_OK;
	buf_add_escaped(&quote, word, strlen(word), QUOTE_MAX);
	if (line > 0)
		(void)snprintf(where, sizeof(where), "line %zu: ", line);
	return cli_usage(cli, "%s'%s': %s", where, quoted,
			 addr_problem(word, err, &prefix, memory));
}

/* Cut comment and space off; the rest is one word, or empty. */
static char *line_word(char *line)
{
	char *end;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	end = line + strlen(line);
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return line;
}

static int addr_list_stream(struct cli *cli, struct addr_list *list)
{
	char line[ADDR_LIST_LINE_MAX];
	size_t problems = 0;

	for (size_t number = 1; fgets(line, sizeof(line), cli->in); number++) {
		bool whole = strchr(line, '\n') || feof(cli->in);
		char *word;

		if (!whole)
			return cli_usage(cli, "line %zu: longer than %u bytes", number,
					 ADDR_LIST_LINE_MAX);
		word = line_word(line);
		if (!word[0])
			continue;
		if (addr_list_word(cli, list, word, number) != CTL_OK &&
		    ++problems == ADDR_LIST_PROBLEMS_MAX)
			return cli_usage(cli, "too many mistakes; nothing was changed");
	}
	if (ferror(cli->in))
		return cli_usage(cli, "standard input: %s", strerror(errno));
	if (problems)
		return cli_usage(cli, "nothing was changed");
	if (list->count == 0)
		return cli_usage(cli, "no address in the list on standard input");
	return CTL_OK;
}

int addr_list_read(struct cli *cli, int argc, char **argv, struct addr_list *list)
{
	int status = CTL_OK;

	if (argc == 1 && strcmp(argv[0], "-") == 0)
		return addr_list_stream(cli, list);
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0)
			return cli_usage(cli,
					 "'-': a list from standard input stands alone");
		if (addr_list_word(cli, list, argv[i], 0) != CTL_OK)
			status = CTL_USAGE;
	}
	return status;
}
