/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_proxy - a header that is read, written and read again says the same, and no shorter
 * piece of it is taken for a header.
 *
 * link: target.c
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "wire/proxy.h"

typedef int (*write_fn)(const struct proxy_header *header, char *out, size_t cap,
			size_t *out_len);

static void check_again(const struct proxy_header *header, write_fn write)
{
	struct proxy_header again;
	char out[PROXY_V1_MAX_BYTES];
	size_t consumed = 0;
	size_t len = 0;
	int err;

	err = write(header, out, sizeof(out), &len);
	/* Mapped addresses are folded one by one: then nothing can be written. */
	if (err == -EINVAL) {
		assert(!header->is_local && header->source.family != header->dest.family);
		return;
	}
	assert(err == 0 && len <= sizeof(out));
	if (proxy_parse(out, len, &again, &consumed) != 1)
		abort();
	assert(consumed == len && again.is_local == header->is_local);
	if (header->is_local)
		return;
	assert(addr_equal(&again.source, &header->source));
	assert(addr_equal(&again.dest, &header->dest));
	assert(again.source_port == header->source_port);
	assert(again.dest_port == header->dest_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header header;
	size_t consumed = 0;
	size_t ignored;
	int got;

	got = proxy_parse((const char *)data, size, &header, &consumed);
	assert(got != 0 || size < PROXY_PARSE_MAX_BYTES);
	if (got != 1)
		return 0;
	assert(consumed > 0 && consumed <= size && consumed <= PROXY_PARSE_MAX_BYTES);
	for (size_t len = 0; len < consumed; len++) {
		struct proxy_header piece;

		if (proxy_parse((const char *)data, len, &piece, &ignored) != 0)
			abort();
	}
	check_again(&header, proxy_write_v1);
	check_again(&header, proxy_write_v2);
	return 0;
}
