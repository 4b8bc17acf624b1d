/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls_cert - see tls_cert.h.
 */
#include "sys/tls_cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "sys/tls_private.h"

/* ---- reading PEM ----------------------------------------------------------------------------- */

static BIO *pem_open(const struct tls_pem *pem)
{
	return pem->len > INT_MAX ? NULL : BIO_new_mem_buf(pem->bytes, (int)pem->len);
}

/* Nobody sits in front of a daemon. */
static int refuse_passphrase(char *out, int cap, int is_writing, void *was_asked)
{
	(void)out;
	(void)cap;
	(void)is_writing;
	if (was_asked)
		*(bool *)was_asked = true;
	return -1;
}

STACK_OF(X509) * tls_read_certs(const struct tls_pem *pem)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *bio = pem_open(pem);
	X509 *cert = NULL;
	bool is_whole = certs && bio;

	ERR_clear_error();
	while (is_whole && (cert = PEM_read_bio_X509(bio, NULL, refuse_passphrase, NULL)))
		is_whole = sk_X509_push(certs, cert) > 0;
	/* At the end of the text it finds no start of another one; all else is a broken one. */
	if (is_whole && sk_X509_num(certs) > 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	else
		is_whole = false;
	BIO_free(bio);
	if (is_whole)
		return certs;
	sk_X509_pop_free(certs, X509_free);
	return NULL;
}

static EVP_PKEY *read_key(const struct tls_pem *pem, bool *out_is_locked)
{
	BIO *bio = pem_open(pem);
	EVP_PKEY *key = NULL;

	*out_is_locked = false;
	ERR_clear_error();
	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase,
					      out_is_locked);
	BIO_free(bio);
	return key;
}

EVP_PKEY *tls_read_key(const struct tls_pem *pem)
{
	bool is_locked;

	return read_key(pem, &is_locked);
}

void tls_parsed_done(struct tls_parsed *parsed)
{
	X509_free(parsed->cert);
	sk_X509_pop_free(parsed->chain, X509_free);
	EVP_PKEY_free(parsed->key);
	*parsed = (struct tls_parsed){0};
}

int tls_parse_pair(const struct tls_pair *pair, struct tls_parsed *out_parsed,
		   char out_problem[TLS_PROBLEM_MAX])
{
	struct tls_parsed parsed = {.chain = tls_read_certs(&pair->chain)};

	if (parsed.chain)
		parsed.cert = sk_X509_shift(parsed.chain);
	if (parsed.cert)
		parsed.key = tls_read_key(&pair->key);
	if (parsed.key && X509_check_private_key(parsed.cert, parsed.key) == 1) {
		*out_parsed = parsed;
		return 0;
	}
	tls_take_error(out_problem, "no certificate, no key, or one of another");
	tls_parsed_done(&parsed);
	return -EINVAL;
}

/* ---- names ----------------------------------------------------------------------------------- */

bool tls_cert_has_name(X509 *cert, const char *name)
{
	return X509_check_host(cert, name, strlen(name),
			       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* A name as it stands, if it is one that can be shown. */
static bool name_text(const GENERAL_NAME *name, char out[TLS_NAME_MAX])
{
	const ASN1_STRING *text = GENERAL_NAME_get0_value(name, NULL);
	struct buf buf;

	buf_init(&buf, out, TLS_NAME_MAX);
	if (name->type == GEN_IPADD) {
		const int family = ASN1_STRING_length(text) == 4 ? AF_INET : AF_INET6;
		char address[INET6_ADDRSTRLEN];

		if (ASN1_STRING_length(text) != 4 && ASN1_STRING_length(text) != 16)
			return false;
		if (inet_ntop(family, ASN1_STRING_get0_data(text), address,
			      sizeof(address)))
			buf_puts(&buf, address);
	} else if (name->type == GEN_DNS) {
		buf_add_escaped(&buf, ASN1_STRING_get0_data(text),
				(size_t)ASN1_STRING_length(text), TLS_NAME_MAX / 4);
	}
	return buf.len > 0;
}

static bool cert_has_exactly(X509 *cert, const char *wanted)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char name[TLS_NAME_MAX];
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
		found = name_text(sk_GENERAL_NAME_value(names, i), name) &&
			strcasecmp(name, wanted) == 0;
	GENERAL_NAMES_free(names);
	return found;
}

bool tls_cert_covers(X509 *cert, X509 *other)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(other, NID_subject_alt_name, NULL, NULL);
	char name[TLS_NAME_MAX];
	bool all = names != NULL;

	for (int i = 0; all && i < sk_GENERAL_NAME_num(names); i++)
		if (name_text(sk_GENERAL_NAME_value(names, i), name))
			all = cert_has_exactly(cert, name);
	GENERAL_NAMES_free(names);
	return all;
}

/* ---- facts ----------------------------------------------------------------------------------- */

static int64_t time_of(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void facts_common_name(struct tls_cert_facts *facts, X509 *cert)
{
	char text[TLS_NAME_MAX];
	struct buf buf;
	int len = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
					    text, sizeof(text));

	if (len <= 0)
		return;
	buf_init(&buf, facts->names[0], TLS_NAME_MAX);
	buf_add_escaped(&buf, text, (size_t)len, TLS_NAME_MAX / 4);
	facts->name_count = 1;
}

/* The subject's common name counts only where there is no other (RFC 6125 section 6.4.4). */
static void facts_names(struct tls_cert_facts *facts, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char name[TLS_NAME_MAX];

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (!name_text(sk_GENERAL_NAME_value(names, i), name))
			continue;
		if (facts->name_count < TLS_NAMES_MAX)
			memcpy(facts->names[facts->name_count], name, sizeof(name));
		facts->name_count++;
	}
	GENERAL_NAMES_free(names);
	if (facts->name_count == 0)
		facts_common_name(facts, cert);
}

static void facts_issuer(struct tls_cert_facts *facts, X509 *cert)
{
	const X509_NAME *issuer = X509_get_issuer_name(cert);
	static const int kinds[] = {NID_commonName, NID_organizationName};
	char text[TLS_NAME_MAX];
	struct buf buf;

	buf_init(&buf, facts->issuer, sizeof(facts->issuer));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && buf.len == 0; i++) {
		int len = X509_NAME_get_text_by_NID((X509_NAME *)issuer, kinds[i], text,
						    sizeof(text));

		if (len > 0)
			buf_add_escaped(&buf, text, (size_t)len, TLS_NAME_MAX / 4);
	}
}

static void facts_key(struct tls_cert_facts *facts, EVP_PKEY *key)
{
	const char *kind = EVP_PKEY_get0_type_name(key);
	struct buf buf = BUF_OVER(facts->key);

	buf_printf(&buf, "%.16s %d", kind ? kind : "?", EVP_PKEY_get_bits(key));
}

/* Each one issued the one before it (RFC 5246 section 7.4.2); clients of some makes insist. */
static uint32_t chain_broken_at(const STACK_OF(X509) * chain)
{
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (X509_NAME_cmp(X509_get_issuer_name(sk_X509_value(chain, i - 1)),
				  X509_get_subject_name(sk_X509_value(chain, i))) != 0)
			return (uint32_t)i + 1;
	return 0;
}

/* Would a server take it? Its level of security asks for keys and signatures of some strength. */
static bool is_usable(const STACK_OF(X509) * chain, EVP_PKEY *key)
{
	SSL_CTX *context = tls_context(TLS_server_method(), TLS_VERSION_1_2);
	STACK_OF(X509) *rest = sk_X509_dup(chain);
	bool is_good = context && rest;

	if (is_good) {
		(void)sk_X509_shift(rest);
		is_good = SSL_CTX_use_cert_and_key(context, sk_X509_value(chain, 0), key,
						   rest, 0) == 1;
	}
	sk_X509_free(rest);
	SSL_CTX_free(context);
	return is_good;
}

static enum tls_cert_fault fault_of_pair(const STACK_OF(X509) * chain, EVP_PKEY *key)
{
	if (X509_check_private_key(sk_X509_value(chain, 0), key) == 1)
		return is_usable(chain, key) ? TLS_CERT_GOOD : TLS_CERT_REFUSED;
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (X509_check_private_key(sk_X509_value(chain, i), key) == 1)
			return TLS_CERT_ORDER;
	return TLS_CERT_MISMATCH;
}

static enum tls_cert_fault look(const struct tls_pair *pair, struct tls_cert_facts *facts,
				STACK_OF(X509) * chain)
{
	enum tls_cert_fault fault;
	bool is_locked;
	EVP_PKEY *key;
	X509 *cert;

	if (!chain)
		return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
			       ? TLS_CERT_NONE
			       : TLS_CERT_BROKEN;
	cert = sk_X509_value(chain, 0);
	facts->cert_count = (uint32_t)sk_X509_num(chain);
	facts->not_before_s = time_of(X509_get0_notBefore(cert));
	facts->not_after_s = time_of(X509_get0_notAfter(cert));
	facts->broken_at = chain_broken_at(chain);
	facts_names(facts, cert);
	facts_issuer(facts, cert);
	key = read_key(&pair->key, &is_locked);
	if (!key)
		return is_locked ? TLS_CERT_KEY_LOCKED : TLS_CERT_KEY_NONE;
	facts_key(facts, key);
	ERR_clear_error();
	fault = fault_of_pair(chain, key);
	EVP_PKEY_free(key);
	return fault;
}

void tls_cert_look(const struct tls_pair *pair, struct tls_cert_facts *out_facts)
{
	STACK_OF(X509) *chain = tls_read_certs(&pair->chain);

	memset(out_facts, 0, sizeof(*out_facts));
	out_facts->fault = look(pair, out_facts, chain);
	if (out_facts->fault != TLS_CERT_GOOD)
		tls_take_error(out_facts->problem, "");
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
}

uint32_t tls_cert_count(const struct tls_pem *pem)
{
	STACK_OF(X509) *certs = tls_read_certs(pem);
	uint32_t count = certs ? (uint32_t)sk_X509_num(certs) : 0;

	sk_X509_pop_free(certs, X509_free);
	ERR_clear_error();
	return count;
}
