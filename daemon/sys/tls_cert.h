/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls_cert - what certificate files say, and whether they can be used (OpenSSL).
 *
 * Looks, and keeps nothing: the caller reads the files and decides what their faults mean.
 * PEM (RFC 7468) of certificates (RFC 5280) and private keys.
 */
#ifndef SYS_TLS_CERT_H
#define SYS_TLS_CERT_H

#include <stdint.h>

#include "sys/tls.h"

#define TLS_NAME_MAX  256u /* with the NUL */
#define TLS_NAMES_MAX 16u  /* kept of a certificate */

enum tls_cert_fault {
	TLS_CERT_GOOD,
	TLS_CERT_NONE,	 /* no certificate in the chain's text */
	TLS_CERT_BROKEN, /* one that cannot be read */
	TLS_CERT_KEY_NONE, /* no private key in the key's text, or one that cannot be read */
	TLS_CERT_KEY_LOCKED, /* it asks for a passphrase */
	TLS_CERT_MISMATCH,   /* the first certificate is not that key's */
	TLS_CERT_ORDER,	     /* it is that of another certificate of the chain */
	TLS_CERT_REFUSED, /* the library will not use it: too small a key, too weak a signature */
	TLS_CERT_FAULTS,
};

/* No pointers: it travels between processes. */
struct tls_cert_facts {
	uint32_t fault;	     /* enum tls_cert_fault */
	uint32_t name_count; /* of all names in it; the first TLS_NAMES_MAX are kept */
	int64_t not_before_s, not_after_s; /* seconds since 1970 */
	uint32_t cert_count;		   /* in the chain */
	uint32_t
		broken_at; /* the chain's certificate, from 1, that did not issue the one before; 0: none */
	char names[TLS_NAMES_MAX]
		  [TLS_NAME_MAX];      /* printable ASCII; hosts and addresses */
	char issuer[TLS_NAME_MAX];     /* printable ASCII */
	char key[32];		       /* "RSA 2048", "EC 256" */
	char problem[TLS_PROBLEM_MAX]; /* the library's words; "" */
};

/**
 * tls_cert_look - what a certificate, its chain and its key are worth.
 * @out_facts: written whole; with a fault only what was found before it
 *
 * Says nothing about the time: an expired certificate has no fault.
 */
void tls_cert_look(const struct tls_pair *pair, struct tls_cert_facts *out_facts);

/* How many certificates there are in a text of trusted authorities; 0: none, or one is broken. */
uint32_t tls_cert_count(const struct tls_pem *pem);

#endif
