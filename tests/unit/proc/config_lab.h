/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/config_lab - a postern.conf and its files in a directory of their own, read by the real config_load().
 */
#ifndef TESTS_CONFIG_LAB_H
#define TESTS_CONFIG_LAB_H

#include <stdbool.h>

#include "proc/config.h"

#define LAB_PATH_MAX_BYTES 128u

/* What most files begin with: a policy, and its list that lab_set_up() has written. */
#define POLICY	 "policy p { lists = { \"a.list\" } }\n"
#define LAB_LIST "192.0.2.0/24 PA\n"

/* A test in a directory that no other has used. */
#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_set_up, lab_tear_down)

/* The directory, with a.list in it; and away with everything in it. For cmocka, as set-up and tear-down. */
int lab_set_up(void **state);
int lab_tear_down(void **state);

/* Where a file of the directory is. */
void lab_path(char out[LAB_PATH_MAX_BYTES], const char *name);

/* Write a file of the directory, or write it anew. */
void lab_write(const char *name, const char *text);

/* Write postern.conf and read it: what config_load() says. */
int lab_load(const char *text, struct config **out_config);

/* Is there an error (or a warning) with these words? */
bool lab_says(const struct config *config, bool is_error, const char *words);

/* The text of the first error, without the directory; "": there is none. */
const char *lab_first_error(const struct config *config);

/* The first error begins with its place and has these words, or the test fails and names the case. */
void lab_expect_error(const struct config *config, const char *why, const char *place,
		      const char *words);

#endif
