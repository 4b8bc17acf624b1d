/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls_ticket - sessions that a client keeps for us, sealed with keys that all gates share.
 *
 * RFC 5077, RFC 8446 section 4.6.1. Tickets of the newest key are made; those of the older ones are taken, and
 * replaced.
 */
#include <assert.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "sys/tls_private.h"

#define NAME_BYTES   16u
#define CIPHER_AT    NAME_BYTES
#define CIPHER_BYTES 32u
#define MAC_AT	     (CIPHER_AT + CIPHER_BYTES)
#define MAC_BYTES    32u

static_assert(MAC_AT + MAC_BYTES == TLS_TICKET_KEY_BYTES, "name, cipher, MAC");

/* What a callback of the library says. */
enum {
	TICKET_ERROR = -1,
	TICKET_NONE = 0, /* do without */
	TICKET_GOOD = 1,
	TICKET_RENEW = 2, /* good, and a new one shall be made */
};

static bool ticket_set_keys(const struct tls_ticket_key *key, const unsigned char *iv,
			    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	char hash[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(key->bytes + MAC_AT), MAC_BYTES),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->bytes + CIPHER_AT,
				 iv, is_new) == 1;
}

static int ticket_on_key(SSL *ssl, unsigned char *name, unsigned char *iv,
			 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	const struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (tickets->count == 0)
		return TICKET_NONE;
	if (is_new) {
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return TICKET_ERROR;
		memcpy(name, tickets->keys[0].bytes, NAME_BYTES);
		return ticket_set_keys(&tickets->keys[0], iv, cipher, mac, 1)
			       ? TICKET_GOOD
			       : TICKET_ERROR;
	}
	for (uint32_t i = 0; i < tickets->count && i < TLS_TICKET_KEYS; i++) {
		if (memcmp(name, tickets->keys[i].bytes, NAME_BYTES) != 0)
			continue;
		if (!ticket_set_keys(&tickets->keys[i], iv, cipher, mac, 0))
			return TICKET_ERROR;
		/* A client of TLS 1.3 uses each ticket once (RFC 8446 appendix C.4): it needs the next. */
		return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? TICKET_GOOD
								   : TICKET_RENEW;
	}
	return TICKET_NONE;
}

void tls_use_tickets(SSL_CTX *context, const struct tls_tickets *tickets, int64_t life_s)
{
	(void)SSL_CTX_set_app_data(context, (void *)tickets);
	(void)SSL_CTX_set_timeout(context, (long)life_s);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_on_key);
}
