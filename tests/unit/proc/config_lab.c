/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/config_lab - see config_lab.h.
 */
#include "config_lab.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char dir[64];

int lab_set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/postern-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	lab_write("a.list", LAB_LIST);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

int lab_tear_down(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

void lab_path(char out[LAB_PATH_MAX_BYTES], const char *name)
{
	(void)snprintf(out, LAB_PATH_MAX_BYTES, "%s/%s", dir, name);
}

void lab_write(const char *name, const char *text)
{
	char path[LAB_PATH_MAX_BYTES];
	FILE *file;

	lab_path(path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

int lab_load(const char *text, struct config **out_config)
{
	char path[LAB_PATH_MAX_BYTES];

	lab_write("postern.conf", text);
	lab_path(path, "postern.conf");
	return config_load(path, out_config);
}

bool lab_says(const struct config *config, bool is_error, const char *words)
{
	for (size_t i = 0; i < config->report.kept; i++)
		if (config->report.notes[i].is_error == is_error &&
		    strstr(config->report.notes[i].text, words))
			return true;
	return false;
}

const char *lab_first_error(const struct config *config)
{
	for (size_t i = 0; i < config->report.kept; i++) {
		const char *text = config->report.notes[i].text;

		if (!config->report.notes[i].is_error)
			continue;
		return strncmp(text, dir, strlen(dir)) == 0 ? text + strlen(dir) + 1
							    : text;
	}
	return "";
}

void lab_expect_error(const struct config *config, const char *why, const char *place,
		      const char *words)
{
	const char *text = lab_first_error(config);

	if (strncmp(text, place, strlen(place)) != 0 || !strstr(text, words))
		fail_msg("%s: '%s'", why, text);
}
