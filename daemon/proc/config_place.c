/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_place - where in postern.conf something stands that is wrong only beside something else.
 *
 * policy/conf_validate knows no lines: it names the section and the setting in its words, "policy 'x': ban-time: ...".
 * They are looked up again here.
 */
#include <string.h>

#include "proc/config_fill.h"

#define WORD_MAX_BYTES 64u

/* "policy 'x': " at the start: its section. Return: what stands behind; @problem itself if it names none. */
static const char *problem_section(const struct config_tree *tree, const char *problem,
				   struct config_section *out_section)
{
	static const char *const kinds[] = {"policy", "service", "rbl", "certificate"};
	struct config_section section;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i]);
		const char *title = problem + len + 2;

		if (strncmp(problem, kinds[i], len) != 0 ||
		    strncmp(problem + len, " '", 2) != 0)
			continue;
		for (unsigned int j = 0; tree_section(tree, kinds[i], j, &section); j++) {
			len = strlen(section.title);
			if (strncmp(title, section.title, len) != 0 ||
			    strncmp(title + len, "': ", 3) != 0)
				continue;
			*out_section = section;
			return title + len + 3;
		}
	}
	return problem;
}

/* The value that is quoted, if it is one of several; else the first. NULL: the setting is not there. */
static const struct config_setting *problem_setting(const struct config_section *section,
						    const char *problem)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const struct config_setting *first, *setting;
	char name[WORD_MAX_BYTES];
	size_t len = strspn(problem, letters);

	if (len == 0 || len >= sizeof(name))
		return NULL;
	memcpy(name, problem, len);
	name[len] = '\0';
	first = setting = section_setting(section, name, 0);
	for (unsigned int i = 1; setting && !strstr(problem + len, setting->text); i++)
		setting = section_setting(section, name, i);
	return setting ? setting : first;
}

struct config_place problem_place(const struct config_fill *fill,
				  const struct config_tree *tree, const char *problem)
{
	struct config_place place = {fill->source->path, 0, 0};
	const struct config_setting *setting = NULL;
	struct config_section section;
	const char *rest = problem_section(tree, problem, &section);

	if (rest != problem) {
		place.line = section.line;
		setting = problem_setting(&section, rest);
	}
	if (rest == problem && tree_section(tree, NULL, 0, &section))
		setting = problem_setting(&section, problem);
	if (rest == problem && !setting && tree_section(tree, "limits", 0, &section))
		setting = problem_setting(&section, problem);
	return setting ? setting_place(fill, setting) : place;
}
