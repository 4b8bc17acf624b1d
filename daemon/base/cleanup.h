/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/cleanup - ownership on the line that declares it.
 *
 * AUTO(close_fd) int fd = -1;       closed when it goes out of scope
 * *out_fd = TAKE_FD(fd);            handed over, visibly
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/* Runs fn(&variable) at the end of the variable's scope. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Yields the pointer and leaves NULL behind: its owner is now someone else. */
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/* Yields the descriptor and leaves -1 behind. */
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#define MUST_CHECK __attribute__((warn_unused_result))

/**
 * close_fd - close *fd unless it is negative; leaves -1 behind.
 * @fd: descriptor owned by the caller
 */
static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/**
 * free_mem - free what a pointer variable points to; leaves NULL behind.
 * @pointer: address of the pointer variable; malloc'ed memory or NULL inside
 */
static inline void free_mem(void *pointer)
{
	void **p = pointer;

	free(*p);
	*p = NULL;
}

#endif
