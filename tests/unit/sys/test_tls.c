/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two ends of a socket pair that speak TLS: what is agreed on, which certificate comes, which session is taken up
 * again, what is verified, and how an end is told from a cut.
 *
 * link: ../certs.c
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "sys/tls.h"
#include "unit/certs.h"

static struct cert_made ca, mx, mx_rsa, other;
static struct tls_tickets tickets;

static int set_up(void **state)
{
	const struct cert_wish ca_wish = {.subject = "the authority"};
	const struct cert_wish mx_wish = {.subject = "mx",
					  .names = "DNS:mx.example.org,IP:192.0.2.1",
					  .issuer = &ca};
	const struct cert_wish rsa_wish = {.subject = "mx",
					   .names = "DNS:mx.example.org,IP:192.0.2.1",
					   .kind = CERT_RSA,
					   .issuer = &ca};
	const struct cert_wish other_wish = {
		.subject = "other",
		.names = "DNS:other.example.org,DNS:*.sub.example.org",
		.issuer = &ca};

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(tls_init(), 0);
	cert_make(&ca_wish, &ca);
	cert_make(&mx_wish, &mx);
	cert_make(&rsa_wish, &mx_rsa);
	cert_make(&other_wish, &other);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cert_free(&ca);
	cert_free(&mx);
	cert_free(&mx_rsa);
	cert_free(&other);
	return 0;
}

/* ---- two ends -------------------------------------------------------------------------------- */

struct ends {
	int fds[2];
	struct tls_conn *server, *client;
};

static void ends_done(struct ends *ends)
{
	tls_conn_free(&ends->server);
	tls_conn_free(&ends->client);
	close_fd(&ends->fds[0]);
	close_fd(&ends->fds[1]);
}

static void ends_open(struct ends *ends, struct tls_server *server,
		      struct tls_client *client)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends->fds),
			 0);
	ends->server = tls_accept(server, ends->fds[0]);
	ends->client = tls_connect(client, ends->fds[1]);
	assert_non_null(ends->server);
	assert_non_null(ends->client);
}

/* Both go on in turn until both are done or one fails. Returns the client's result. */
static int ends_shake(struct ends *ends, int *out_server)
{
	int server = -EAGAIN, client = -EAGAIN;

	for (int i = 0; i < 20 && (server == -EAGAIN || client == -EAGAIN); i++) {
		if (client == -EAGAIN)
			client = tls_handshake(ends->client);
		if (server == -EAGAIN)
			server = tls_handshake(ends->server);
	}
	*out_server = server;
	return client;
}

static struct tls_server *server_of(const struct tls_pair *pairs, size_t count,
				    enum tls_version min)
{
	const struct tls_server_conf conf = {
		.pairs = pairs,
		.count = count,
		.min = min,
		.id = "smtp",
		.tickets = &tickets,
		.ticket_life_s = 3600,
	};
	struct tls_server *server = NULL;
	char problem[TLS_PROBLEM_MAX];

	if (tls_server_new(&conf, &server, problem))
		fail_msg("%s", problem);
	return server;
}

static struct tls_client *client_of(const char *name, bool verify)
{
	const struct tls_client_conf conf = {
		.verify = verify, .ca = cert_pem(ca.cert_pem), .name = name};
	struct tls_client *client = NULL;
	char problem[TLS_PROBLEM_MAX];

	if (tls_client_new(&conf, &client, problem))
		fail_msg("%s", problem);
	return client;
}

static void both_are_up(struct ends *ends)
{
	int server;

	assert_int_equal(ends_shake(ends, &server), 0);
	assert_int_equal(server, 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void what_one_writes_the_other_reads(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	AUTO(tls_server_free)
	struct tls_server *server = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_client_free)
	struct tls_client *client = client_of("mx.example.org", true);
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};
	char text[32];

	(void)state;
	ends_open(&ends, server, client);
	both_are_up(&ends);
	assert_string_equal(tls_version_text(ends.server), "TLSv1.3");
	assert_string_equal(tls_server_name(ends.server), "mx.example.org");
	assert_int_equal(tls_read(ends.server, text, sizeof(text)), -EAGAIN);
	assert_false(tls_wants_write(ends.server));
	assert_int_equal(tls_write(ends.client, "EHLO", 4), 4);
	assert_int_equal(tls_read(ends.server, text, 2), 2);
	assert_int_equal(tls_read(ends.server, text + 2, sizeof(text) - 2), 2);
	assert_memory_equal(text, "EHLO", 4);
	tls_goodbye(ends.client);
	assert_int_equal(tls_read(ends.server, text, sizeof(text)), 0);
}

static void an_end_without_a_goodbye_is_a_cut(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	AUTO(tls_server_free)
	struct tls_server *server = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_client_free) struct tls_client *client = client_of(NULL, false);
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};
	char text[32];

	(void)state;
	ends_open(&ends, server, client);
	both_are_up(&ends);
	assert_int_equal(tls_write(ends.client, "half", 4), 4);
	close_fd(&ends.fds[1]);
	assert_int_equal(tls_read(ends.server, text, sizeof(text)), 4);
	assert_int_equal(tls_read(ends.server, text, sizeof(text)), -ENODATA);
	assert_int_equal(tls_read(ends.server, text, sizeof(text)), -ENODATA);
}

static void a_full_socket_makes_the_writer_wait(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	AUTO(tls_server_free)
	struct tls_server *server = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_client_free) struct tls_client *client = client_of(NULL, false);
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};
	static char sent[1 << 20], got[1 << 20];
	size_t put = 0, taken = 0;
	bool has_waited = false;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 31 + i / 251);
	ends_open(&ends, server, client);
	both_are_up(&ends);
	while (taken < sizeof(sent)) {
		ssize_t n = put < sizeof(sent) ? tls_write(ends.server, sent + put,
							   sizeof(sent) - put)
					       : -EAGAIN;

		if (n > 0)
			put += (size_t)n;
		else if (put < sizeof(sent))
			has_waited = tls_wants_write(ends.server);
		n = tls_read(ends.client, got + taken, sizeof(got) - taken);
		if (n > 0)
			taken += (size_t)n;
		else
			assert_int_equal(n, -EAGAIN);
	}
	assert_true(has_waited);
	assert_memory_equal(sent, got, sizeof(sent));
}

static const struct {
	const char *why;
	const char *name;	 /* asked for */
	const char *certificate; /* a name that only the one that comes has */
} names[] = {
	{"the first by its name", "mx.example.org", "mx.example.org"},
	{"the second by its name", "other.example.org", "other.example.org"},
	{"in capitals", "OTHER.example.org", "other.example.org"},
	{"by a wildcard", "a.sub.example.org", "a.sub.example.org"},
	{"a wildcard is for one label: the first", "a.b.sub.example.org",
	 "mx.example.org"},
	{"a name that nobody has: the first", "www.example.org", "mx.example.org"},
};

static void the_name_asked_for_chooses_the_certificate(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx), cert_pair(&other)};
	AUTO(tls_server_free)
	struct tls_server *server = server_of(pairs, 2, TLS_VERSION_1_2);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* What is verified and what is asked for is one thing here: so ask without, then look. */
		AUTO(tls_client_free)
		struct tls_client *client = client_of(names[i].name, true);
		AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};
		const bool fits = strcasecmp(names[i].name, names[i].certificate) == 0;
		int on_server;
		int result;

		ends_open(&ends, server, client);
		result = ends_shake(&ends, &on_server);
		if (result != (fits ? 0 : -EPROTO))
			fail_msg("%s: %d %s", names[i].why, result,
				 tls_problem(ends.client));
	}
}

/* ---- verification ---------------------------------------------------------------------------- */

static const struct {
	const char *why;
	const char *name;
	bool verify;
	const struct cert_wish
		wish; /* the server's; issuer is the authority, unless is_foreign */
	bool is_foreign;
	const char *problem; /* NULL: it is good */
} checks[] = {
	{"as it should be",
	 "mx.example.org",
	 true,
	 {.subject = "x", .names = "DNS:mx.example.org"},
	 false,
	 NULL},
	{"an address",
	 "192.0.2.1",
	 true,
	 {.subject = "x", .names = "IP:192.0.2.1"},
	 false,
	 NULL},
	{"another address",
	 "192.0.2.2",
	 true,
	 {.subject = "x", .names = "IP:192.0.2.1"},
	 false,
	 "IP address mismatch"},
	{"another name",
	 "mx.example.org",
	 true,
	 {.subject = "x", .names = "DNS:mx.example.net"},
	 false,
	 "hostname mismatch"},
	{"the subject alone",
	 "mx.example.org",
	 true,
	 {.subject = "mx.example.org"},
	 false,
	 NULL},
	{"expired",
	 "mx.example.org",
	 true,
	 {.subject = "x",
	  .names = "DNS:mx.example.org",
	  .from_s = -7200,
	  .until_s = -3600},
	 false,
	 "certificate has expired"},
	{"not yet valid",
	 "mx.example.org",
	 true,
	 {.subject = "x", .names = "DNS:mx.example.org", .from_s = 3600, .until_s = 7200},
	 false,
	 "certificate is not yet valid"},
	{"of another authority",
	 "mx.example.org",
	 true,
	 {.subject = "x", .names = "DNS:mx.example.org"},
	 true,
	 "self-signed certificate"},
	{"of another authority, and nobody asks",
	 "mx.example.org",
	 false,
	 {.subject = "x", .names = "DNS:mx.example.net"},
	 true,
	 NULL},
};

static void a_backend_is_verified(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct cert_wish wish = checks[i].wish;
		AUTO(tls_client_free)
		struct tls_client *client = client_of(checks[i].name, checks[i].verify);
		AUTO(tls_server_free) struct tls_server *server = NULL;
		AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};
		AUTO(cert_free) struct cert_made made = {0};
		struct tls_pair pair;
		int on_server;
		int result;

		wish.issuer = checks[i].is_foreign ? NULL : &ca;
		cert_make(&wish, &made);
		pair = cert_pair(&made);
		server = server_of(&pair, 1, TLS_VERSION_1_2);
		ends_open(&ends, server, client);
		result = ends_shake(&ends, &on_server);
		if (result != (checks[i].problem ? -EPROTO : 0))
			fail_msg("%s: %d", checks[i].why, result);
		if (checks[i].problem &&
		    !strstr(tls_problem(ends.client), checks[i].problem))
			fail_msg("%s: %s", checks[i].why, tls_problem(ends.client));
	}
}

/* ---- tickets --------------------------------------------------------------------------------- */

static void ticket_keys(uint32_t count, uint8_t newest)
{
	tickets.count = count;
	for (uint32_t i = 0; i < count; i++)
		memset(tickets.keys[i].bytes, newest - (int)i, TLS_TICKET_KEY_BYTES);
}

/* A handshake and a word, so that the tickets of TLS 1.3 arrive. Returns whether a session was taken up. */
static bool session_once(struct tls_server *server, struct tls_client *client)
{
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};
	bool is_resumed;
	char text[8];

	ends_open(&ends, server, client);
	both_are_up(&ends);
	assert_int_equal(tls_write(ends.server, "220", 3), 3);
	assert_int_equal(tls_read(ends.client, text, sizeof(text)), 3);
	is_resumed = tls_is_resumed(ends.client);
	assert_int_equal(is_resumed, tls_is_resumed(ends.server));
	tls_goodbye(ends.client);
	return is_resumed;
}

static void a_ticket_opens_another_gate_as_long_as_its_key_lives(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	AUTO(tls_server_free)
	struct tls_server *one = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_server_free)
	struct tls_server *two = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_client_free)
	struct tls_client *client = client_of("mx.example.org", true);

	(void)state;
	ticket_keys(0, 0);
	assert_false(session_once(one, client));
	assert_false(session_once(one, client)); /* no key, no ticket */
	ticket_keys(1, 10);
	assert_false(session_once(one, client));
	assert_true(session_once(two, client));
	ticket_keys(3, 12);			/* 12, 11, 10 */
	assert_true(session_once(one, client)); /* and gets a new ticket, of key 12 */
	ticket_keys(3, 14);
	assert_true(session_once(two, client));
	ticket_keys(3, 18);
	assert_false(session_once(one, client));
}

static void a_ticket_of_one_service_opens_no_other(void **state)
{
	const struct tls_pair pair = cert_pair(&mx);
	const struct tls_server_conf conf = {.pairs = &pair,
					     .count = 1,
					     .id = "imap",
					     .tickets = &tickets,
					     .ticket_life_s = 3600};
	AUTO(tls_server_free)
	struct tls_server *smtp = server_of(&pair, 1, TLS_VERSION_1_2);
	AUTO(tls_server_free) struct tls_server *imap = NULL;
	AUTO(tls_client_free)
	struct tls_client *client = client_of("mx.example.org", true);
	char problem[TLS_PROBLEM_MAX];

	(void)state;
	ticket_keys(1, 10);
	assert_int_equal(tls_server_new(&conf, &imap, problem), 0);
	assert_false(session_once(smtp, client));
	assert_false(session_once(imap, client));
	assert_true(session_once(imap, client));
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void plain_text_is_no_handshake(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	AUTO(tls_server_free)
	struct tls_server *server = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_client_free) struct tls_client *client = client_of(NULL, false);
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};

	(void)state;
	ends_open(&ends, server, client);
	assert_int_equal(write(ends.fds[1], "EHLO client.example.com\r\n", 25), 25);
	assert_int_equal(tls_handshake(ends.server), -EPROTO);
	assert_true(tls_problem(ends.server)[0] != '\0');
}

static void who_leaves_in_the_handshake_has_gone(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	AUTO(tls_server_free)
	struct tls_server *server = server_of(pairs, 1, TLS_VERSION_1_2);
	AUTO(tls_client_free) struct tls_client *client = client_of(NULL, false);
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};

	(void)state;
	ends_open(&ends, server, client);
	assert_int_equal(tls_handshake(ends.server), -EAGAIN);
	close_fd(&ends.fds[1]);
	assert_int_equal(tls_handshake(ends.server), -ECONNRESET);
}

static void connections_outlive_what_they_were_made_from(void **state)
{
	const struct tls_pair pairs[] = {cert_pair(&mx)};
	struct tls_server *server = server_of(pairs, 1, TLS_VERSION_1_2);
	struct tls_client *client = client_of("mx.example.org", true);
	AUTO(ends_done) struct ends ends = {{-1, -1}, NULL, NULL};

	(void)state;
	ends_open(&ends, server, client);
	tls_server_free(&server);
	tls_client_free(&client);
	both_are_up(&ends); /* the callbacks still find what they need */
	assert_int_equal(tls_write(ends.client, "x", 1), 1);
}

static void a_pair_that_is_none_makes_no_server(void **state)
{
	const struct tls_pair pairs[] = {
		{cert_pem(mx.cert_pem), cert_pem(other.key_pem)},
		{cert_pem("nothing"), cert_pem(mx.key_pem)},
		{cert_pem(mx.cert_pem), cert_pem("nothing")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct tls_server_conf conf = {.pairs = &pairs[i],
						     .count = 1,
						     .id = "x",
						     .tickets = &tickets,
						     .ticket_life_s = 1};
		struct tls_server *server = NULL;
		char problem[TLS_PROBLEM_MAX] = "";

		assert_int_equal(tls_server_new(&conf, &server, problem), -EINVAL);
		assert_null(server);
		assert_true(problem[0] != '\0');
	}
}

static void a_client_without_authorities_is_none(void **state)
{
	const struct tls_client_conf conf = {
		.verify = true, .ca = cert_pem("no certificate"), .name = "mx"};
	struct tls_client *client = NULL;
	char problem[TLS_PROBLEM_MAX] = "";

	(void)state;
	assert_int_equal(tls_client_new(&conf, &client, problem), -EINVAL);
	assert_null(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_writes_the_other_reads),
		cmocka_unit_test(an_end_without_a_goodbye_is_a_cut),
		cmocka_unit_test(a_full_socket_makes_the_writer_wait),
		cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
		cmocka_unit_test(a_backend_is_verified),
		cmocka_unit_test(a_ticket_opens_another_gate_as_long_as_its_key_lives),
		cmocka_unit_test(a_ticket_of_one_service_opens_no_other),
		cmocka_unit_test(plain_text_is_no_handshake),
		cmocka_unit_test(who_leaves_in_the_handshake_has_gone),
		cmocka_unit_test(connections_outlive_what_they_were_made_from),
		cmocka_unit_test(a_pair_that_is_none_makes_no_server),
		cmocka_unit_test(a_client_without_authorities_is_none),
	};

	return cmocka_run_group_tests_name("sys/tls", tests, set_up, tear_down);
}
