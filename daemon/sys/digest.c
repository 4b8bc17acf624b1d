/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/digest - see digest.h.
 */
#include "sys/digest.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct digest {
	EVP_MAC_CTX *mac;
	uint8_t key[DIGEST_KEY_BYTES];
	bool has_key;
};

void digest_free(struct digest **digest)
{
	struct digest *d = *digest;

	if (!d)
		return;
	EVP_MAC_CTX_free(d->mac);
	explicit_bzero(d->key, sizeof(d->key));
	free(d);
	*digest = NULL;
}

struct digest *digest_new(void)
{
	static const uint8_t probe_key[DIGEST_KEY_BYTES] = {1};
	const struct digest_text nothing = {"", 0};
	uint8_t probe[DIGEST_BYTES];
	AUTO(digest_free) struct digest *d = calloc(1, sizeof(*d));
	EVP_MAC *hmac;

	if (!d)
		return NULL;
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (!hmac)
		return NULL;
	d->mac = EVP_MAC_CTX_new(hmac); /* holds a reference of its own */
	EVP_MAC_free(hmac);
	if (!d->mac)
		return NULL;

	/* One digest now: the hash is fetched only when it is first used. */
	digest_set_key(d, probe_key);
	digest_credential(d, &nothing, &nothing, probe);
	d->has_key = false;
	return TAKE_PTR(d);
}

void digest_set_key(struct digest *digest, const uint8_t key[DIGEST_KEY_BYTES])
{
	memcpy(digest->key, key, sizeof(digest->key));
	digest->has_key = true;
}

static bool digest_update(struct digest *d, const struct digest_text *text)
{
	/* The length goes first, so that ("ab", "c") and ("a", "bc") differ. */
	const uint64_t len = text->len;

	return EVP_MAC_update(d->mac, (const void *)&len, sizeof(len)) &&
	       EVP_MAC_update(d->mac, text->bytes, text->len);
}

void digest_credential(struct digest *digest, const struct digest_text *user,
		       const struct digest_text *password, uint8_t out[DIGEST_BYTES])
{
	static const uint8_t zero[DIGEST_BYTES];
	char hash[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
		OSSL_PARAM_construct_end(),
	};
	uint8_t full[32];
	size_t len = 0;

	memset(out, 0, DIGEST_BYTES);
	if (!digest->has_key)
		return;
	if (!EVP_MAC_init(digest->mac, digest->key, sizeof(digest->key), params) ||
	    !digest_update(digest, user) || !digest_update(digest, password) ||
	    !EVP_MAC_final(digest->mac, full, &len, sizeof(full)) || len != sizeof(full))
		return;
	memcpy(out, full, DIGEST_BYTES);
	if (memcmp(out, zero, DIGEST_BYTES) == 0)
		out[0] = 1; /* zero is taken: it means unknown */
}
