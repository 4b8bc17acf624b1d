/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls_conn - one connection: handshake, reading, writing. See tls.h.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "sys/tls_private.h"

struct tls_conn {
	SSL *ssl;
	struct tls_server
		*server; /* one of the two, and the connection is one of its users */
	struct tls_client *client;
	const char *problem; /* static; NULL: nothing has failed */
	int read_error;	     /* of a read that failed: each further one says the same */
	bool wants_write;
	bool is_broken; /* not even a goodbye may follow */
};

void tls_conn_free(struct tls_conn **conn)
{
	struct tls_conn *c = *conn;

	if (!c)
		return;
	SSL_free(c->ssl);
	tls_server_free(&c->server);
	tls_client_free(&c->client);
	free(c);
	*conn = NULL;
}

static struct tls_conn *conn_new(SSL_CTX *context, int fd)
{
	AUTO(tls_conn_free) struct tls_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->ssl = SSL_new(context);
	if (!conn->ssl || !SSL_set_fd(conn->ssl, fd))
		return NULL;
	return TAKE_PTR(conn);
}

struct tls_conn *tls_accept(struct tls_server *server, int fd)
{
	struct tls_conn *conn = conn_new(server->contexts[0], fd);

	if (!conn)
		return NULL;
	conn->server = server;
	server->users++;
	SSL_set_accept_state(conn->ssl);
	return conn;
}

/* What is expected of the other side's certificate. */
static bool conn_expect(const struct tls_conn *conn, const struct tls_client *client)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);
	const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(param, client->name) == 1;

	if (is_address)
		return true; /* which is never asked for: RFC 6066 section 3 */
	ERR_clear_error();
	SSL_set_hostflags(conn->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(conn->ssl, client->name) == 1 &&
	       SSL_set_tlsext_host_name(conn->ssl, client->name) == 1;
}

struct tls_conn *tls_connect(struct tls_client *client, int fd)
{
	AUTO(tls_conn_free) struct tls_conn *conn = conn_new(client->context, fd);

	if (!conn)
		return NULL;
	conn->client = client;
	client->users++;
	if (client->name[0] && !conn_expect(conn, client))
		return NULL;
	SSL_set_connect_state(conn->ssl);
	if (client->session)
		(void)SSL_set_session(conn->ssl, client->session);
	return TAKE_PTR(conn);
}

/* ---- results --------------------------------------------------------------------------------- */

static int conn_fail(struct tls_conn *conn, int err, const char *problem)
{
	conn->is_broken = true;
	conn->problem = problem ? problem : strerrordesc_np(-err);
	return err;
}

/* Why verification or the protocol failed. */
static int conn_fail_protocol(struct tls_conn *conn)
{
	const long verified = SSL_get_verify_result(conn->ssl);
	const unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);

	ERR_clear_error();
	if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return conn_fail(conn, -ENODATA, "closed without a goodbye");
	if (conn->client && conn->client->verify && verified != X509_V_OK)
		reason = X509_verify_cert_error_string(verified);
	return conn_fail(conn, -EPROTO, reason ? reason : "protocol error");
}

/* What a call of the library that did not succeed means; saved_errno: as it was left. */
static int conn_result(struct tls_conn *conn, int result, int saved_errno)
{
	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		conn->wants_write = false;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		conn->wants_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return saved_errno > 0
			       ? conn_fail(conn, -saved_errno, NULL)
			       : conn_fail(conn, -ENODATA, "closed without a goodbye");
	default:
		return conn_fail_protocol(conn);
	}
}

int tls_handshake(struct tls_conn *conn)
{
	int result;
	int err;

	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(conn->ssl);
	if (result == 1)
		return 0;
	err = conn_result(conn, result, errno);
	/* Whichever way the other side left in the middle of it: it has gone. */
	if (err == 0 || err == -ENODATA || err == -EPIPE)
		return conn_fail(conn, -ECONNRESET, "closed in the handshake");
	return err;
}

ssize_t tls_read(struct tls_conn *conn, void *bytes, size_t cap_bytes)
{
	size_t got = 0;
	int result;
	int err;

	if (conn->read_error)
		return conn->read_error;
	ERR_clear_error();
	errno = 0;
	result = SSL_read_ex(conn->ssl, bytes, cap_bytes, &got);
	if (result == 1)
		return (ssize_t)got;
	err = conn_result(conn, result, errno);
	if (err != -EAGAIN)
		conn->read_error = err;
	return err;
}

ssize_t tls_write(struct tls_conn *conn, const void *bytes, size_t len)
{
	size_t total = 0;
	int result;
	int err;

	/* One call writes one record. */
	while (total < len) {
		size_t put = 0;

		ERR_clear_error();
		errno = 0;
		result = SSL_write_ex(conn->ssl, (const char *)bytes + total, len - total,
				      &put);
		if (result != 1) {
			err = conn_result(conn, result, errno);
			if (total > 0 && err == -EAGAIN)
				break;
			return err ? err : -EPIPE;
		}
		total += put;
	}
	return (ssize_t)total;
}

void tls_read_ahead(struct tls_conn *conn, size_t len)
{
	SSL_set_default_read_buffer_len(conn->ssl, len);
}

bool tls_wants_write(const struct tls_conn *conn)
{
	return conn->wants_write;
}

void tls_goodbye(struct tls_conn *conn)
{
	if (conn->is_broken || !SSL_is_init_finished(conn->ssl))
		return;
	ERR_clear_error();
	(void)SSL_shutdown(conn->ssl); /* once: the other side's is not waited for */
	ERR_clear_error();
	conn->is_broken = true;
}

void tls_no_goodbye(struct tls_conn *conn)
{
	conn->is_broken = true;
}

/* ---- facts ----------------------------------------------------------------------------------- */

const char *tls_version_text(const struct tls_conn *conn)
{
	return SSL_get_version(conn->ssl);
}

const char *tls_cipher_text(const struct tls_conn *conn)
{
	const char *name = SSL_get_cipher_name(conn->ssl);

	return name ? name : "";
}

bool tls_is_resumed(const struct tls_conn *conn)
{
	return SSL_session_reused(conn->ssl) == 1;
}

const char *tls_server_name(const struct tls_conn *conn)
{
	const char *name = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);

	return name ? name : "";
}

const char *tls_problem(const struct tls_conn *conn)
{
	return conn->problem ? conn->problem : "";
}
