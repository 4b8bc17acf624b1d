/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/certs - see certs.h.
 */
#include "unit/certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define HOUR_S 3600

static EVP_PKEY *make_key(enum cert_kind kind)
{
	switch (kind) {
	case CERT_RSA:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	case CERT_RSA_SMALL:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	case CERT_EC:
	default:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	}
}

static void add_extension(X509 *cert, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static char *pem_of(BIO *bio)
{
	char *bytes;
	long len = BIO_get_mem_data(bio, &bytes);
	char *text = strndup(bytes, (size_t)len);

	assert_non_null(text);
	BIO_free(bio);
	return text;
}

void cert_make(const struct cert_wish *wish, struct cert_made *out_made)
{
	static long serial;
	X509 *cert = X509_new();
	EVP_PKEY *key = make_key(wish->kind);
	X509 *issuer = wish->issuer ? wish->issuer->cert : cert;
	EVP_PKEY *issuer_key = wish->issuer ? wish->issuer->key : key;
	BIO *cert_bio = BIO_new(BIO_s_mem());
	BIO *key_bio = BIO_new(BIO_s_mem());

	assert_non_null(key);
	(void)X509_set_version(cert, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), (long)wish->from_s);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert),
			      wish->until_s ? (long)wish->until_s : HOUR_S);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
					 (const unsigned char *)wish->subject, -1, -1, 0);
	(void)X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	(void)X509_set_pubkey(cert, key);
	if (!wish->issuer)
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->names)
		add_extension(cert, issuer, NID_subject_alt_name, wish->names);
	assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(cert_bio, cert), 1);
	assert_int_equal(
		PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL), 1);
	*out_made = (struct cert_made){cert, key, pem_of(cert_bio), pem_of(key_bio)};
}

void cert_free(struct cert_made *made)
{
	X509_free(made->cert);
	EVP_PKEY_free(made->key);
	free(made->cert_pem);
	free(made->key_pem);
	*made = (struct cert_made){0};
}

struct tls_pem cert_pem(const char *text)
{
	return (struct tls_pem){text, strlen(text)};
}

struct tls_pair cert_pair(const struct cert_made *made)
{
	return (struct tls_pair){cert_pem(made->cert_pem), cert_pem(made->key_pem)};
}
