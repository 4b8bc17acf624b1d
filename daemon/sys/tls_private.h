/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls_private - what the parts of sys/tls share.
 */
#ifndef SYS_TLS_PRIVATE_H
#define SYS_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "sys/tls.h"

/* A certificate with its chain and key, as the library has it. */
struct tls_parsed {
	X509 *cert;
	STACK_OF(X509) * chain; /* what follows it */
	EVP_PKEY *key;
};

void tls_parsed_done(struct tls_parsed *parsed);

/* Every certificate in a PEM text; text between them is skipped. NULL: none, or one is broken. */
STACK_OF(X509) * tls_read_certs(const struct tls_pem *pem);

/* The private key in a PEM text; asks nobody for a passphrase. NULL. */
EVP_PKEY *tls_read_key(const struct tls_pem *pem);

/* 0; -EINVAL, out_problem says what. */
int tls_parse_pair(const struct tls_pair *pair, struct tls_parsed *out_parsed,
		   char out_problem[TLS_PROBLEM_MAX]) MUST_CHECK;

/* Is the certificate made out for this host name (RFC 6125)? */
bool tls_cert_has_name(X509 *cert, const char *name);

/* Are all names of one certificate names of another one, too? */
bool tls_cert_covers(X509 *cert, X509 *other);

/* A context with what holds for servers and clients alike; NULL. */
SSL_CTX *tls_context(const SSL_METHOD *method, enum tls_version min);

/* What the library has noted last, as a sentence; forgets all. */
void tls_take_error(char out_problem[TLS_PROBLEM_MAX], const char *otherwise);

/* Ways of a ticket, RFC 5077 section 4. */
void tls_use_tickets(SSL_CTX *context, const struct tls_tickets *tickets, int64_t life_s);

/* Shared by connections: a server lives as long as one of them. */
struct tls_server {
	unsigned int users;
	size_t count;
	SSL_CTX *contexts[TLS_CERTS_MAX];
	X509 *certs[TLS_CERTS_MAX]; /* whose names choose the context */
	char alpn[16];		    /* "": none */
};

struct tls_client {
	unsigned int users;
	SSL_CTX *context;
	SSL_SESSION *session; /* the last one that can be taken up again; NULL */
	char name[256];	      /* "" : none */
	bool verify;
};

#endif
