/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/wire/data_twin - a stupid twin of wire/smtp_data, and a judge of its output.
 *
 * The twin has the whole message at hand and looks around in it as it likes. The judge knows
 * nothing of the rules: it reads the output as careless servers would. Used by
 * test_smtp_data.c and fuzz_smtp_data.c.
 */
#ifndef TESTS_DATA_TWIN_H
#define TESTS_DATA_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/smtp_data.h"

struct twin_result {
	char *out; /* the caller's memory, at least twice the input */
	size_t out_len;
	size_t consumed; /* only meaningful if is_end */
	uint8_t faults;
	bool is_end;
};

/* What wire/smtp_data should make of all of this input in NORMALIZE. */
void twin_run(const char *in, size_t len, struct twin_result *result);

/* No CR, LF but in pairs, and no NUL, up to the end of the message? */
bool twin_is_clean(const char *in, size_t len);

/*
 * Reads a message as no strict server would, in every way there is. Returns NULL if no
 * reading finds a lone dot, except as the very end if is_end; else what is wrong.
 */
const char *twin_judge(const char *out, size_t len, bool is_end);

/* How the input of twin_feed() is cut. */
struct twin_cuts {
	size_t first;	   /* bytes received first */
	size_t then;	   /* bytes received each time after that; > 0 */
	size_t room_bytes; /* for the output */
};

struct twin_feed {
	char *out; /* the caller's memory */
	size_t out_len;
	size_t consumed;
	uint8_t faults;
	bool is_end;
	bool is_refused;
	bool is_copied; /* output that was not the input itself */
};

/* Runs the real thing as a gate does; aborts when it breaks its contract. */
void twin_feed(enum smtp_data_mode mode, const char *in, size_t len,
	       const struct twin_cuts *cuts, struct twin_feed *feed);

#endif
