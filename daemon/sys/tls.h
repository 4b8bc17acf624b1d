/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/tls - TLS on a connected socket (OpenSSL): towards clients and towards backends.
 *
 * What a service offers is a tls_server, how its backend is verified a tls_client, one connection a
 * tls_conn. All of them are made from memory: no file is opened, and no configuration of the
 * library is read. What is in a certificate is sys/tls_cert's.
 *
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446) with the ciphers and groups of Mozilla's "intermediate" that have forward
 * secrecy by elliptic curves; no renegotiation, no compression, no early data.
 */
#ifndef SYS_TLS_H
#define SYS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define TLS_CERTS_MAX	     8u /* certificates of one server */
#define TLS_TICKET_KEYS	     3u /* one makes tickets, the older ones are still accepted */
#define TLS_TICKET_KEY_BYTES 80u
#define TLS_PROBLEM_MAX	     192u /* a sentence, with the NUL */

enum tls_version {
	TLS_VERSION_1_2,
	TLS_VERSION_1_3,
};

/* PEM text, borrowed. */
struct tls_pem {
	const void *bytes;
	size_t len;
};

/* A chain, the server's own certificate first, and the key of that. */
struct tls_pair {
	struct tls_pem chain, key;
};

/* RFC 5077: name, key of the cipher, key of the MAC. */
struct tls_ticket_key {
	uint8_t bytes[TLS_TICKET_KEY_BYTES];
};

/* The newest first. count 0: no tickets are made or accepted. */
struct tls_tickets {
	uint32_t count;
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
};

struct tls_server;
struct tls_client;
struct tls_conn;

/**
 * tls_init - load the library, without its configuration file.
 *
 * Before anything else of OpenSSL, and before a sandbox is entered.
 *
 * Return: 0; -ENOMEM.
 */
int tls_init(void) MUST_CHECK;

struct tls_server_conf {
	const struct tls_pair
		*pairs; /* the first is for clients that ask for no name we have */
	size_t count;	/* 1..TLS_CERTS_MAX */
	enum tls_version min;
	/* Tickets of one id do not open sessions of another. <= 31 bytes */
	const char *id;
	const char *alpn; /* name of the protocol (RFC 7301); NULL: it has none */
	/* Borrowed, and read anew for each ticket: outlives every connection. */
	const struct tls_tickets *tickets;
	int64_t ticket_life_s; /* > 0 */
};

/**
 * tls_server_new - what a service offers.
 * @out_server: untouched on failure
 * @out_problem: why it failed
 *
 * A client that names a host gets the first certificate that is made out for it, and with it those of another kind
 * of key that hold the same names: the client chooses among them.
 *
 * Return: 0; -EINVAL, out_problem says which certificate and what is wrong; -ENOMEM.
 */
int tls_server_new(const struct tls_server_conf *conf, struct tls_server **out_server,
		   char out_problem[TLS_PROBLEM_MAX]) MUST_CHECK;
/* Connections that were made from it go on. */
void tls_server_free(struct tls_server **server);

struct tls_client_conf {
	bool verify;
	struct tls_pem ca; /* trusted authorities; unused without verify */
	const char *
		name; /* in the backend's certificate, and asked for (SNI); NULL: only without verify */
};

/* How a backend is spoken to. As tls_server_new(). */
int tls_client_new(const struct tls_client_conf *conf, struct tls_client **out_client,
		   char out_problem[TLS_PROBLEM_MAX]) MUST_CHECK;
void tls_client_free(struct tls_client **client);

/**
 * tls_accept, tls_connect - a connection on a socket, before its handshake.
 * @fd: non-blocking; stays the caller's, and open for as long as the connection. A write to one that is closed on the
 *      other side raises SIGPIPE, which has to be ignored.
 *
 * Return: the connection; NULL without memory.
 */
struct tls_conn *tls_accept(struct tls_server *server, int fd);
struct tls_conn *tls_connect(struct tls_client *client, int fd);
void tls_conn_free(struct tls_conn **conn);

/**
 * tls_handshake - go on with it.
 *
 * Return: 0, it is done; -EAGAIN, wait (tls_wants_write() says for what); -ECONNRESET, the other side went away;
 * -EPROTO, it failed: tls_problem() says why.
 */
int tls_handshake(struct tls_conn *conn);

/**
 * tls_read - read what has been decrypted, or read and decrypt.
 *
 * Return: bytes; 0, the other side said that nothing more comes; -EAGAIN, wait; -ENODATA, the stream ended without
 * that, perhaps cut by a third party; -EPROTO; -errno.
 *
 * More may be there until it says -EAGAIN, however little the last call gave.
 */
ssize_t tls_read(struct tls_conn *conn, void *bytes, size_t cap_bytes);

/**
 * tls_write - encrypt and write.
 *
 * After -EAGAIN the next call must begin with the same bytes, from wherever, and have no fewer.
 *
 * Return: bytes written, perhaps fewer; -EAGAIN; -EPROTO; -errno.
 */
ssize_t tls_write(struct tls_conn *conn, const void *bytes, size_t len);

/**
 * tls_read_ahead - how much may be taken out of the socket at once.
 * @len: the memory for it is given back whenever nothing is in it; a record, 16 KiB, is the least
 *
 * From the next read on that finds none of it in use. Fewer system calls for bulk, and more memory held by a peer
 * that leaves a record unfinished.
 */
void tls_read_ahead(struct tls_conn *conn, size_t len);

/* Did the last -EAGAIN wait for room to write, rather than for something to read? */
bool tls_wants_write(const struct tls_conn *conn);

/* Say that nothing more comes (close_notify), if that goes at once. Nothing may be written afterwards. */
void tls_goodbye(struct tls_conn *conn);

/* There will be no goodbye: what the stream was to bring has been cut off. */
void tls_no_goodbye(struct tls_conn *conn);

/* What became of a handshake: "TLSv1.3"; the cipher's name; was an earlier session taken up; SNI or "". */
const char *tls_version_text(const struct tls_conn *conn);
const char *tls_cipher_text(const struct tls_conn *conn);
bool tls_is_resumed(const struct tls_conn *conn);
const char *tls_server_name(const struct tls_conn *conn);

/* Why it failed, in the library's words. Valid as long as the connection. */
const char *tls_problem(const struct tls_conn *conn);

#endif
