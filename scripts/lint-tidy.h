/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scripts/lint-tidy - what clang-tidy must know and cannot see; put before each source by `make tidy`.
 *
 * After a failed call errno is positive (C17 7.5). Without this the analyzer follows each
 * `return -errno;` as if it could return 0, and calls every output left untouched a bug. It cannot
 * keep "less than 0" across the minus, only numbers: so each reading of errno gives one of a few.
 */
#include <errno.h>

int tidy_choice(void); /* nowhere defined: the analyzer tries every answer */

static inline int *tidy_errno(void)
{
	static int value;

	switch (tidy_choice()) {
	case 0:
		value = EINTR;
		break;
	case 1:
		value = EAGAIN;
		break;
	case 2:
		value = ENOENT;
		break;
	case 3:
		value = EEXIST;
		break;
	default:
		value = EIO;
	}
	return &value;
}

#undef errno
#define errno (*tidy_errno())
