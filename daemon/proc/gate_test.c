/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_test - see gate_test.h.
 */
#include "proc/gate_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "policy/flags.h"
#include "proc/gate_accept.h"
#include "proc/gate_report.h"
#include "proc/gate_smtp.h"
#include "proc/gate_smtp_checks.h"
#include "proc/gate_test_host.h"
#include "proc/gate_verdict.h"
#include "proc/session.h"
#include "wire/base64.h"
#include "wire/line.h"

#define TEST_SPARE_S	     30 /* a test may last so much longer than its checks */
#define TEST_PORT	     25 /* of the client: nobody sees it */
#define TEST_PASSWORD	     "postern test"
#define REPLY_LINE_SHOWN_MAX 400u

/* ---- steps ------------------------------------------------------------------------------------- */

static void step_send(struct gate_test *test, const struct msg_test_step *step)
{
	struct msg msg = {.type = MSG_TEST_STEP, .test_step = *step};

	msg.test_step.seq = test->request.seq;
	(void)channel_send(test->gate->ledger, &msg,
			   -1); /* who asked is told at the deadline */
}

void test_step(struct gate_test *test, const char *step, const char *result,
	       const char *text)
{
	struct msg_test_step out = {.outcome = TEST_RUNS};

	(void)text_copy(out.step, sizeof(out.step), step);
	(void)text_copy(out.result, sizeof(out.result), result);
	(void)text_copy(out.text, sizeof(out.text), text);
	step_send(test, &out);
}

void test_step_check(struct gate_test *test, enum conf_check check, const char *result,
		     const char *evidence)
{
	struct msg_test_step out = {.outcome = TEST_RUNS};

	/* A recipient that waits for the ledger is looked at again. */
	if (test->noted & 1u << check)
		return;
	(void)text_copy(out.step, sizeof(out.step), conf_check_name(check));
	(void)text_copy(out.result, sizeof(out.result), result);
	(void)text_copy(out.mode, sizeof(out.mode),
			check_mode_name(report_mode(test->session, check)));
	(void)text_copy(out.text, sizeof(out.text), evidence);
	test->noted |= 1u << check;
	step_send(test, &out);
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void test_free(struct gate_test *test)
{
	struct session *s = test->session;

	test_end_close(&test->client);
	test_end_close(&test->host);
	if (test->deadline)
		event_free(test->deadline);
	test->deadline = NULL;
	test->session = NULL;
	test->request.seq = 0;
	if (s) {
		s->test = NULL;
		session_kill(s, "test", NULL);
	}
}

/* What no step has told about: why not. */
static void tell_the_rest(struct gate_test *test)
{
	for (unsigned int i = 0; test->session && i < CHECK_COUNT; i++) {
		const enum conf_check check = (enum conf_check)i;
		const char *why = checks_skipped(test->session, check);

		if (check != CHECK_STRIKES && !(test->noted & 1u << i))
			test_step_check(test, check, why ? "skipped" : "not-reached",
					why ? why : "");
	}
}

static void test_end(struct gate_test *test, enum test_outcome outcome, const char *text)
{
	struct msg_test_step last = {.last = 1, .outcome = outcome};

	tell_the_rest(test);
	(void)text_copy(last.text, sizeof(last.text), text);
	step_send(test, &last);
	test_free(test);
}

void gate_test_end_all(struct gate *gate)
{
	for (size_t i = 0; gate->tests && i < GATE_TESTS_MAX; i++)
		if (gate->tests[i].request.seq)
			test_end(&gate->tests[i], TEST_FAILED, "the gate ends");
	free_mem(&gate->tests);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	test_end(context, TEST_FAILED, "no reply in time");
}

/* ---- the client's side ------------------------------------------------------------------------- */

static void put_path(struct buf *line, const char *keyword, const char *path)
{
	const bool has_brackets = path[0] == '<';

	buf_printf(line, "%s:%s%s%s", keyword, has_brackets ? "" : "<", path,
		   has_brackets ? "" : ">");
}

static void put_login(struct buf *line, const char *user)
{
	char secret[sizeof(((struct msg_test *)NULL)->user) + sizeof(TEST_PASSWORD) + 2];
	char encoded[sizeof(secret) * 2];
	struct buf text = BUF_OVER(secret);

	buf_add(&text, "\0", 1);
	buf_puts(&text, user);
	buf_add(&text, "\0", 1);
	buf_puts(&text, TEST_PASSWORD);
	base64_encode(secret, text.len, encoded);
	buf_printf(line, "AUTH PLAIN %s", encoded);
}

static void say_next(struct gate_test *test)
{
	const struct msg_test *request = &test->request;
	char memory[2 * MSG_TEST_NAME_MAX];
	struct buf line = BUF_OVER(memory);

	test->stage++;
	if (test->stage == TEST_AUTH && !request->user[0])
		test->stage++;
	switch (test->stage) {
	case TEST_EHLO:
		buf_printf(&line, "EHLO %s", request->helo);
		break;
	case TEST_AUTH:
		put_login(&line, request->user);
		break;
	case TEST_MAIL:
		put_path(&line, "MAIL FROM", request->from);
		break;
	case TEST_RCPT:
		put_path(&line, "RCPT TO", request->to);
		break;
	case TEST_DATA:
		buf_puts(&line, "DATA");
		break;
	case TEST_BANNER:
	case TEST_STAGE_COUNT:
		break;
	}
	buf_puts(&line, "\r\n");
	test_end_say(&test->client, line.text, line.len);
}

static void tell_authentication(struct gate_test *test)
{
	const struct session *s = test->session;

	if (s && s->auth_by != AUTH_BY_NONE)
		test_step(test, "authenticated", auth_by_name((enum auth_by)s->auth_by),
			  s->user);
}

/* A whole reply has come. Return: false, the test is over. */
static bool on_reply(struct gate_test *test, unsigned int code)
{
	static const struct {
		const char *step;
		unsigned int class; /* of the reply with which it goes on */
	} rows[TEST_STAGE_COUNT] = {
		[TEST_BANNER] = {"greeting", 2}, [TEST_EHLO] = {"ehlo", 2},
		[TEST_AUTH] = {"auth", 2},	 [TEST_MAIL] = {"mail", 2},
		[TEST_RCPT] = {"rcpt", 2},	 [TEST_DATA] = {"data", 3},
	};
	char text[8];
	struct buf number = BUF_OVER(text);

	buf_printf(&number, "%u", code);
	if (test->stage == TEST_DATA)
		test_host_read(test); /* the header that goes in front of the message */
	test_step(test, rows[test->stage].step, text, test->reply);
	if (code / 100 != rows[test->stage].class || test->stage == TEST_DATA) {
		test_end(test,
			 code / 100 == rows[test->stage].class ? TEST_PASSES
							       : TEST_REFUSED,
			 test->reply);
		return false;
	}
	if (test->stage == TEST_EHLO || test->stage == TEST_AUTH)
		tell_authentication(test);
	test->reply[0] = '\0';
	say_next(test);
	return true;
}

static void keep_line(struct gate_test *test, const char *line, size_t len)
{
	struct buf reply = {.text = test->reply,
			    .len = strlen(test->reply),
			    .cap_bytes = sizeof(test->reply)};

	len = line_without_end(line, len);
	if (reply.len > 0)
		buf_puts(&reply, "; ");
	buf_add_escaped(&reply, line, len, REPLY_LINE_SHOWN_MAX);
}

static void client_on_readable(evutil_socket_t fd, short what, void *context)
{
	struct gate_test *test = context;
	struct test_end *client = &test->client;
	bool is_open;

	(void)fd;
	(void)what;
	is_open = test_end_read(client);
	for (;;) {
		struct smtp_reply_line line;
		enum smtp_reply_result result = SMTP_REPLY_MORE;

		if (client->in_len > 0)
			result = smtp_reply_next(&test->replies, client->in,
						 client->in_len, &line);
		if (result != SMTP_REPLY_LINE && result != SMTP_REPLY_END)
			break;
		keep_line(test, client->in, line.consumed);
		test_end_drop(client, line.consumed);
		if (result == SMTP_REPLY_END && !on_reply(test, line.code))
			return;
	}
	if (!is_open)
		test_end(test, TEST_REFUSED, "the connection is closed without a word");
}

/* ---- the beginning ------------------------------------------------------------------------------ */

static void tell_entry(struct gate_test *test, const struct verdict *verdict)
{
	const struct conf *conf = test->gate->conf;
	char memory[MSG_TEST_TEXT_MAX], prefix[PREFIX_TEXT_MAX], flags[FLAGS_TEXT_MAX];
	struct buf text = BUF_OVER(memory);

	if (!conf_service_is_on(conf, &conf->services[test->request.service])) {
		test_step(
			test, "entry", "off",
			"the service is switched off in its policy: nothing is checked");
		return;
	}
	if (verdict->has_entry)
		buf_printf(&text, "%s, %s line %u: %s",
			   prefix_format(&verdict->entry.prefix, prefix),
			   verdict->entry.origin < conf->list_count
				   ? conf->lists[verdict->entry.origin]
				   : "-",
			   verdict->entry.line,
			   flags_format(verdict->entry.value, flags));
	test_step(test, "entry",
		  verdict->kind == VERDICT_BANNED ? "overruled"
						  : verdict_name(verdict->kind),
		  memory);
}

static void tell_ban(struct gate_test *test, const struct verdict *verdict)
{
	const uint64_t now_ns = clock_boot_ns();
	const uint64_t ends_ns = verdict->ban.ends_ns;
	char memory[MSG_TEST_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
	struct buf text = BUF_OVER(memory);

	if (verdict->kind != VERDICT_BANNED)
		return;
	buf_printf(&text, "%s", prefix_format(&verdict->ban.prefix, prefix));
	if (ends_ns == CLOCK_FOREVER_NS)
		buf_puts(&text, ", for ever");
	else
		buf_printf(
			&text, ", for %llu more seconds",
			(unsigned long long)((ends_ns > now_ns ? ends_ns - now_ns : 0) /
					     NS_PER_S));
	test_step(test, "ban", "banned", memory);
}

int test_connect(struct session *s, int *out_fd)
{
	return test_host_open(s->test, out_fd);
}

/* The session, with what is different about it. NULL: there is no room for it. */
static struct session *begin_session(struct gate_test *test, uint16_t flags, int fd)
{
	const struct session_start start = {
		.fd = fd,
		.addr = test->request.addr,
		.port = TEST_PORT,
		.flags = flags,
		.service = test->request.service,
		.protocol = &smtp_protocol,
	};
	struct session *s = accept_session(test->gate, &start);

	if (!s)
		return NULL;
	s->test = test;
	s->is_test = true;
	s->client_address = CLIENT_ADDRESS_NONE;
	s->backend_tls = BACKEND_TLS_NONE;
	test->session = s;
	return s;
}

static void begin(struct gate_test *test)
{
	const struct verdict verdict =
		gate_verdict(test->gate, test->request.service, &test->request.addr);
	struct timeval deadline = {.tv_sec = test->gate->conf->limits.check_timeout_s +
					     TEST_SPARE_S};
	int fd = -1;

	tell_entry(test, &verdict);
	tell_ban(test, &verdict);
	if (verdict.kind != VERDICT_PERMIT) {
		test_end(test, TEST_REFUSED, "dropped in the kernel, without an answer");
		return;
	}
	test->deadline = evtimer_new(test->gate->base, on_deadline, test);
	if (!test->deadline || evtimer_add(test->deadline, &deadline) ||
	    test_end_open(test, &test->client, client_on_readable, &fd)) {
		test_end(test, TEST_FAILED, "out of memory");
		return;
	}
	if (!begin_session(test, verdict.entry.value, fd)) {
		close_fd(&fd);
		test_end(test, TEST_FAILED, "the gate has no room for one more session");
		return;
	}
	if (test->request.tls && test->session->tls_mode == TLS_MODE_NONE)
		test_step(test, "tls", "none", "the service has no TLS");
	smtp_protocol.greet(test->session);
}

void gate_test_begin(struct gate *gate, const struct msg_test *request)
{
	struct gate_test none = {
		.gate = gate, .request = *request, .client.fd = -1, .host.fd = -1};

	if (!gate->tests)
		gate->tests = calloc(GATE_TESTS_MAX, sizeof(*gate->tests));
	for (size_t i = 0; gate->tests && i < GATE_TESTS_MAX; i++) {
		struct gate_test *test = &gate->tests[i];

		if (test->request.seq)
			continue;
		memset(test, 0, sizeof(*test));
		test->gate = gate;
		test->request = *request;
		test->client.fd = test->host.fd = -1;
		smtp_reply_init(&test->replies);
		if (!gate->conf || request->service >= gate->conf->service_count)
			test_end(test, TEST_FAILED, "the service has gone");
		else
			begin(test);
		return;
	}
	test_end(&none, TEST_FAILED, "too many tests at a time");
}
