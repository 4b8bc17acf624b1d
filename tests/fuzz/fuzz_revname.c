/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_revname - any bytes as a DNS message, and as the name of a host.
 *
 * What comes out is a NUL-terminated text within its bounds, and a name that is given out is the name of
 * a host; a failure leaves the output as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/revname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct revname_answer answer, before;

	memset(&answer, 0x5a, sizeof(answer));
	before = answer;
	if (revname_read_answer(data, size, "7.2.0.192.in-addr.arpa", &answer) != 0) {
		if (memcmp(&answer, &before, sizeof(answer)) != 0)
			abort();
	} else {
		if (!memchr(answer.name, '\0', sizeof(answer.name)) ||
		    !memchr(answer.other, '\0', sizeof(answer.other)) ||
		    answer.ptr_count > REVNAME_NAMES_MAX || answer.ttl_s > INT32_MAX)
			abort();
		if (answer.name[0] && hostname_problem(answer.name, strlen(answer.name)))
			abort();
		for (const char *p = answer.other; *p; p++)
			if (*p <= ' ' || *p > '~')
				abort();
	}
	if (hostname_problem((const char *)data, size) == NULL &&
	    (size > REVNAME_TEXT_MAX || memchr(data, '\0', size)))
		abort();
	return 0;
}
