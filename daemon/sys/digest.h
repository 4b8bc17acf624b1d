/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/digest - keyed digests of credentials (OpenSSL).
 *
 * The same user and password give the same few bytes as long as the key lives, which is in
 * memory alone; the password cannot be found from them. HMAC-SHA256 (RFC 2104), cut.
 */
#ifndef SYS_DIGEST_H
#define SYS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define DIGEST_BYTES	 8u
#define DIGEST_KEY_BYTES 32u

struct digest;

struct digest_text {
	const void *bytes; /* borrowed */
	size_t len;
};

/**
 * digest_new - load what the library needs.
 *
 * Call it before the sandbox is entered: the library reads files the first time. Without a key
 * all digests are zero, which means "unknown".
 *
 * Return: the object; NULL if the library refuses.
 */
struct digest *digest_new(void);
void digest_free(struct digest **digest);

/* Take a key; digests made with another one no longer compare equal. */
void digest_set_key(struct digest *digest, const uint8_t key[DIGEST_KEY_BYTES]);

/**
 * digest_credential - digest of a user name and a password.
 * @user, @password: any bytes; the pair is unambiguous
 * @out: all zero without a key or if the library fails; never zero otherwise
 */
void digest_credential(struct digest *digest, const struct digest_text *user,
		       const struct digest_text *password, uint8_t out[DIGEST_BYTES]);

#endif
