/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_smtp_data - any message, cut anywhere, comes out as the twin says, and has no second
 * end in the eyes of the judge.
 *
 * The first three bytes of the input choose the cuts and the room.
 * link: target.c ../unit/wire/data_twin.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "unit/wire/data_twin.h"

#define HEAD_BYTES 3u

static void check_reject(const char *in, size_t len, const struct twin_cuts *cuts,
			 const struct twin_result *want, struct twin_feed *got)
{
	const uint8_t bare = SMTP_DATA_BARE_CR | SMTP_DATA_BARE_LF;

	twin_feed(SMTP_DATA_REJECT, in, len, cuts, got);
	assert(got->is_end == want->is_end);
	if (!want->is_end)
		return;
	assert(got->consumed == want->consumed);
	assert(got->is_refused == ((want->faults & bare) != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data + HEAD_BYTES;
	struct twin_result want = {0};
	struct twin_feed got = {0};
	struct twin_cuts cuts;
	size_t len;

	if (size < HEAD_BYTES)
		return 0;
	len = size - HEAD_BYTES;
	cuts = (struct twin_cuts){.first = data[0],
				  .then = 1u + data[1],
				  .room_bytes = SMTP_DATA_ROOM_MIN + data[2] * 8u};
	want.out = malloc(2 * len + 3);
	got.out = malloc(2 * len + 3);
	assert(want.out && got.out);

	twin_run(in, len, &want);
	twin_feed(SMTP_DATA_NORMALIZE, in, len, &cuts, &got);
	assert(got.is_end == want.is_end);
	assert(got.out_len <= want.out_len);
	assert(memcmp(got.out, want.out, got.out_len) == 0);
	assert(!twin_judge(got.out, got.out_len, got.is_end));
	assert(!got.is_end || got.out_len == want.out_len);
	assert(!got.is_end || got.consumed == want.consumed);
	assert(!got.is_end || got.faults == want.faults);
	assert(!got.is_copied || !twin_is_clean(in, len));
	check_reject(in, len, &cuts, &want, &got);
	free(want.out);
	free(got.out);
	return 0;
}
