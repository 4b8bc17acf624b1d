/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_revname - any bytes as the name of a host.
 *
 * What is taken for one has no NUL and no byte that a host's name cannot have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "wire/revname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	if (hostname_problem((const char *)data, size) != NULL)
		return 0;
	if (size > REVNAME_TEXT_MAX)
		abort();
	for (size_t i = 0; i < size; i++)
		if (!memchr(allowed, data[i], sizeof(allowed) - 1))
			abort();
	return 0;
}
