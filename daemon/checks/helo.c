/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/helo - see the header.
 */
#include "checks/helo.h"

#include "base/buf.h"
#include "wire/revname.h"

#define QUOTE_MAX \
	40u /* bytes of the name in the evidence, which become up to four times as many */

/* What is between brackets is an address whatever it is: RFC 5321 4.1.3 knows nothing else there. */
static const char *helo_problem(const char *name, size_t len)
{
	if (len > 0 && name[0] == '[')
		return "an address";
	for (size_t i = 0; i < len; i++)
		if (name[i] == ':')
			return "an address";
	return hostname_problem(name, len);
}

enum check_result check_helo(const char *name, size_t len,
			     struct check_answer *out_answer)
{
	const char *problem = helo_problem(name, len);
	struct buf buf;

	*out_answer = (struct check_answer){.result = problem ? CHECK_HIT : CHECK_CLEAN};
	buf_init(&buf, out_answer->evidence, sizeof(out_answer->evidence));
	if (problem)
		buf_printf(&buf, "%s: ", problem);
	buf_add_escaped(&buf, name, len, QUOTE_MAX);
	return out_answer->result;
}
