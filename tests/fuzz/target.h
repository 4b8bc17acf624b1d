/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/target - what the fuzz targets share: how an input is handed to the code under test, and the questions
 * that are asked of many results. A broken promise aborts, so that the fuzzer keeps the input.
 */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "base/line_problem.h"
#include "wire/span.h"

/* The target itself, for libFuzzer or replay_main. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Abort, and say what was promised. */
void target_check(int holds, const char *what);

/* A span lies within a text of this length. */
void target_check_span(struct span span, size_t len);

/* A text ends within its memory, and is fit for a terminal. Returns its length. */
size_t target_check_text(const char *text, size_t cap_bytes);

/* A mistake in a line has a text, and a column inside the line or just behind it. */
void target_check_problem(const struct line_problem *problem, size_t line_len);

/* Calls for each line, in memory of exactly its size, so that ASan sees a step beyond it. */
void target_each_line(const uint8_t *data, size_t size,
		      void (*check_line)(const char *line, size_t len));

/**
 * target_feed_fn - feed a stream, and sum up what was seen.
 * @step: bytes that arrive at once; see target_received()
 * @kind: what else the input chooses
 *
 * Return: equal sums for equal sights.
 */
typedef uint64_t (*target_feed_fn)(const char *in, size_t len, size_t step, uint8_t kind);

/* Fed whole, byte by byte, and in pieces of cut + 1, a stream looks the same. */
void target_feed(target_feed_fn feed, const uint8_t *data, size_t size, uint8_t cut,
		 uint8_t kind);

/* How much of the stream is there when one more piece has arrived; before the first one it was 0. */
size_t target_received(size_t received, size_t len, size_t step);

#endif
