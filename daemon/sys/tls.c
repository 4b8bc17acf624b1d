/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls - see tls.h. Contexts here; connections in tls_conn.c, tickets in tls_ticket.c, certificates in tls_cert.c.
 *
 * A server has one context for each of its certificates, and the name that a client asks for picks one.
 */
#include "sys/tls.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "sys/tls_private.h"

/* Mozilla's "intermediate", version 5.7, without those that need parameters of their own (DHE). */
#define CIPHERS_1_2                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3 \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

int tls_init(void)
{
	/* The configuration file could add protocols, engines and more; and at_exit() work is for nobody here. */
	const uint64_t how = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
			     OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT;

	return OPENSSL_init_ssl(how, NULL) ? 0 : -ENOMEM;
}

void tls_take_error(char out_problem[TLS_PROBLEM_MAX], const char *otherwise)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	(void)text_copy(out_problem, TLS_PROBLEM_MAX, reason ? reason : otherwise);
	ERR_clear_error();
}

SSL_CTX *tls_context(const SSL_METHOD *method, enum tls_version min)
{
	const int least = min == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	(void)SSL_CTX_set_options(context,
				  SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	/* An idle connection gives its buffers back; our own may move between two tries. */
	(void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
						SSL_MODE_ENABLE_PARTIAL_WRITE |
						SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One read for head and body of a record. */
	SSL_CTX_set_read_ahead(context, 1);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(context, least) &&
	    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
	    SSL_CTX_set_cipher_list(context, CIPHERS_1_2) &&
	    SSL_CTX_set_ciphersuites(context, CIPHERS_1_3) &&
	    SSL_CTX_set1_groups_list(context, GROUPS))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* ---- servers --------------------------------------------------------------------------------- */

static int server_choose(SSL *ssl, int *alert, void *context)
{
	const struct tls_server *server = context;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < server->count; i++) {
		if (!tls_cert_has_name(server->certs[i], name))
			continue;
		(void)SSL_set_SSL_CTX(ssl, server->contexts[i]);
		return SSL_TLSEXT_ERR_OK;
	}
	/* Mail clients ask for all kinds of names, and take what they get or say why not. */
	return SSL_TLSEXT_ERR_NOACK;
}

/* A list of names, each behind its length (RFC 7301 section 3.1). */
static const unsigned char *alpn_find(const unsigned char *list, unsigned int len,
				      const char *name)
{
	const size_t name_len = strlen(name);
	unsigned int at = 0;

	while (at < len && at + 1 + list[at] <= len) {
		if (list[at] == name_len && memcmp(list + at + 1, name, name_len) == 0)
			return list + at + 1;
		at += 1u + list[at];
	}
	return NULL;
}

/* A browser that was led here by a page from elsewhere says that it speaks HTTP: it gets no session at all. */
static int server_choose_protocol(SSL *ssl, const unsigned char **out,
				  unsigned char *out_len, const unsigned char *list,
				  unsigned int len, void *context)
{
	static const char *const foreign[] = {"http/1.1", "http/1.0", "h2"};
	const struct tls_server *server = context;
	const unsigned char *found = NULL;

	(void)ssl;
	if (server->alpn[0])
		found = alpn_find(list, len, server->alpn);
	if (found) {
		*out = found;
		*out_len = (unsigned char)strlen(server->alpn);
		return SSL_TLSEXT_ERR_OK;
	}
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (alpn_find(list, len, foreign[i]))
			return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_NOACK;
}

static bool context_load(SSL_CTX *context, const struct tls_parsed *pair)
{
	return SSL_CTX_use_cert_and_key(context, pair->cert, pair->key, pair->chain, 0) ==
	       1;
}

static SSL_CTX *server_context(struct tls_server *server,
			       const struct tls_server_conf *conf)
{
	SSL_CTX *context = tls_context(TLS_server_method(), conf->min);

	if (!context)
		return NULL;
	if (!SSL_CTX_set_session_id_context(context, (const void *)conf->id,
					    (unsigned int)strlen(conf->id))) {
		SSL_CTX_free(context);
		return NULL;
	}
	tls_use_tickets(context, conf->tickets, conf->ticket_life_s);
	(void)SSL_CTX_set_tlsext_servername_callback(context, server_choose);
	(void)SSL_CTX_set_tlsext_servername_arg(context, server);
	SSL_CTX_set_alpn_select_cb(context, server_choose_protocol, server);
	return context;
}

/* A context holds one certificate for each kind of key. */
static bool kind_is_new(const struct tls_parsed *pairs, size_t at, size_t first)
{
	const int kind = EVP_PKEY_get_base_id(pairs[at].key);

	if (kind == EVP_PKEY_get_base_id(pairs[first].key))
		return false;
	for (size_t i = 0; i < at; i++)
		if (i != first && kind == EVP_PKEY_get_base_id(pairs[i].key) &&
		    tls_cert_covers(pairs[i].cert, pairs[first].cert))
			return false;
	return true;
}

/* Number first of the pairs, and those that hold its names with another kind of key. */
static int server_add(struct tls_server *server, const struct tls_server_conf *conf,
		      const struct tls_parsed *pairs, size_t first)
{
	SSL_CTX *context = server_context(server, conf);

	if (!context)
		return -ENOMEM;
	server->contexts[first] = context;
	server->certs[first] = pairs[first].cert;
	(void)X509_up_ref(pairs[first].cert);
	server->count = first + 1;
	for (size_t i = 0; i < conf->count; i++)
		if (i != first && kind_is_new(pairs, i, first) &&
		    tls_cert_covers(pairs[i].cert, pairs[first].cert) &&
		    !context_load(context, &pairs[i]))
			return -EINVAL;
	return context_load(context, &pairs[first]) ? 0 : -EINVAL;
}

static int server_fill(struct tls_server *server, const struct tls_server_conf *conf,
		       struct tls_parsed *pairs, char out_problem[TLS_PROBLEM_MAX])
{
	int err;

	for (size_t i = 0; i < conf->count; i++) {
		err = tls_parse_pair(&conf->pairs[i], &pairs[i], out_problem);
		if (err)
			return err;
	}
	for (size_t i = 0; i < conf->count; i++) {
		err = server_add(server, conf, pairs, i);
		if (err) {
			tls_take_error(out_problem, strerror(-err));
			return err;
		}
	}
	return 0;
}

int tls_server_new(const struct tls_server_conf *conf, struct tls_server **out_server,
		   char out_problem[TLS_PROBLEM_MAX])
{
	AUTO(tls_server_free) struct tls_server *server = calloc(1, sizeof(*server));
	struct tls_parsed pairs[TLS_CERTS_MAX] = {0};
	int err;

	(void)text_copy(out_problem, TLS_PROBLEM_MAX, strerror(ENOMEM));
	if (!server)
		return -ENOMEM;
	server->users = 1;
	if (conf->alpn)
		(void)text_copy(server->alpn, sizeof(server->alpn), conf->alpn);
	ERR_clear_error();
	err = server_fill(server, conf, pairs, out_problem);
	for (size_t i = 0; i < conf->count; i++)
		tls_parsed_done(&pairs[i]);
	if (!err)
		*out_server = TAKE_PTR(server);
	return err;
}

void tls_server_free(struct tls_server **server)
{
	struct tls_server *s = *server;

	*server = NULL;
	if (!s || --s->users > 0)
		return;
	for (size_t i = 0; i < s->count; i++) {
		SSL_CTX_free(s->contexts[i]);
		X509_free(s->certs[i]);
	}
	free(s);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* The session of the last connection: the next one need not verify again what this one has. */
static int client_keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(client->session);
	client->session = session;
	return 1; /* taken */
}

static int client_trust(SSL_CTX *context, const struct tls_pem *ca)
{
	STACK_OF(X509) *certs = tls_read_certs(ca);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	bool is_whole = certs != NULL;

	for (int i = 0; is_whole && i < sk_X509_num(certs); i++)
		is_whole = X509_STORE_add_cert(store, sk_X509_value(certs, i)) == 1;
	sk_X509_pop_free(certs, X509_free);
	return is_whole ? 0 : -EINVAL;
}

static int client_fill(struct tls_client *client, const struct tls_client_conf *conf)
{
	SSL_CTX *context = tls_context(TLS_client_method(), TLS_VERSION_1_2);

	if (!context)
		return -ENOMEM;
	client->context = context;
	(void)SSL_CTX_set_app_data(context, client);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
							      SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, client_keep_session);
	if (!conf->verify)
		return 0;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return client_trust(context, &conf->ca);
}

int tls_client_new(const struct tls_client_conf *conf, struct tls_client **out_client,
		   char out_problem[TLS_PROBLEM_MAX])
{
	AUTO(tls_client_free) struct tls_client *client = calloc(1, sizeof(*client));
	int err;

	(void)text_copy(out_problem, TLS_PROBLEM_MAX, strerror(ENOMEM));
	if (!client)
		return -ENOMEM;
	client->users = 1;
	client->verify = conf->verify;
	if (conf->name && !text_copy(client->name, sizeof(client->name), conf->name))
		return -EINVAL;
	ERR_clear_error();
	err = client_fill(client, conf);
	if (err == -EINVAL)
		tls_take_error(out_problem,
			       "there is no certificate of an authority in it");
	if (!err)
		*out_client = TAKE_PTR(client);
	return err;
}

void tls_client_free(struct tls_client **client)
{
	struct tls_client *c = *client;

	*client = NULL;
	if (!c || --c->users > 0)
		return;
	SSL_SESSION_free(c->session);
	SSL_CTX_free(c->context);
	free(c);
}
