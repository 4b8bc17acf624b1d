/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/certs - certificates made on the spot, as PEM text. For tests alone.
 */
#ifndef TESTS_UNIT_CERTS_H
#define TESTS_UNIT_CERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/tls.h"

enum cert_kind {
	CERT_EC,
	CERT_RSA,
	CERT_RSA_SMALL, /* 1024 bits: refused by the library */
};

struct cert_wish {
	const char *names; /* "DNS:a,DNS:*.b,IP:192.0.2.1"; NULL: the subject alone */
	const char *subject;
	enum cert_kind kind;
	int64_t from_s, until_s;	/* from now */
	const struct cert_made *issuer; /* NULL: signs itself */
};

struct cert_made {
	void *cert, *key;	  /* the library's */
	char *cert_pem, *key_pem; /* NUL-terminated */
};

/* A certificate that is good for an hour unless the wish says otherwise (until_s 0). Fails the test if it cannot. */
void cert_make(const struct cert_wish *wish, struct cert_made *out_made);
void cert_free(struct cert_made *made);

struct tls_pem cert_pem(const char *text);
struct tls_pair cert_pair(const struct cert_made *made);

#endif
