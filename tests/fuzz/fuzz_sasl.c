/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_sasl - any exchange stays inside its memory, and only a presented credential of an
 * offered mechanism can be a strike. What base64 strictly is, is also so leniently.
 *
 * The input is a text: the first line is the mechanism, then the client's lines.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "wire/base64.h"
#include "wire/sasl.h"

#define LINES_MAX 32u

static void check_base64(const char *line, size_t len)
{
	static char strict[SASL_SCRATCH_BYTES];
	static char lenient[SASL_SCRATCH_BYTES];
	size_t strict_len = 0;
	size_t lenient_len = 0;

	if (base64_decode(line, len, strict, sizeof(strict), &strict_len) != 0)
		return;
	if (base64_decode_lenient(line, len, lenient, sizeof(lenient), &lenient_len) != 0)
		abort();
	assert(strict_len == lenient_len && memcmp(strict, lenient, strict_len) == 0);
	assert(strict_len <= len / 4 * 3);
}

static void check_outcomes(const struct sasl_dialogue *dialogue)
{
	for (unsigned int code = 200; code < 600; code++) {
		const struct smtp_enhanced enhanced = {
			.class = (uint8_t)(code / 100), .subject = 7, .detail = 8};
		enum sasl_outcome outcome = sasl_outcome(code, enhanced, dialogue);

		assert(outcome < SASL_OUTCOME_COUNT && sasl_outcome_name(outcome));
		if (outcome == SASL_REFUSED)
			assert(code >= 500 && dialogue->is_presented &&
			       dialogue->is_offered && !dialogue->is_cancelled &&
			       !dialogue->is_broken);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sasl_scratch scratch;
	const char *at = (const char *)data;
	const char *end = at + size;
	struct sasl_dialogue dialogue;
	unsigned int lines = 0;

	for (; at <= end && lines < LINES_MAX; lines++) {
		const char *lf = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		size_t len = (size_t)((lf ? lf : end) - at);

		if (lines == 0) {
			sasl_begin(&dialogue, at, len, (size & 1) != 0);
		} else {
			sasl_client_line(&dialogue, at, len, &scratch);
			assert(scratch.secret_at + scratch.secret_len <=
			       SASL_SCRATCH_BYTES);
			assert(!scratch.secret_len || dialogue.is_presented);
			check_base64(at, len);
		}
		assert(dialogue.user_len <= SASL_USER_MAX);
		check_outcomes(&dialogue);
		at += len + 1;
	}
	return 0;
}
