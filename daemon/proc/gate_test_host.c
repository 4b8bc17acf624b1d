/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_test_host - see gate_test_host.h.
 */
#include "proc/gate_test_host.h"

#include <string.h>

#include "base/buf.h"
#include "wire/smtp.h"

#define LINE_SHOWN_MAX 400u

static const char offers[] = "250-a mail host that accepts everything\r\n"
			     "250-PIPELINING\r\n"
			     "250-SIZE\r\n"
			     "250-8BITMIME\r\n"
			     "250-SMTPUTF8\r\n"
			     "250-DSN\r\n"
			     "250-AUTH PLAIN LOGIN\r\n"
			     "250 ENHANCEDSTATUSCODES\r\n";

static const struct {
	enum smtp_verb verb;
	const char *reply;
	const char *step; /* what is passed on is worth a step; NULL: it is not */
} rows[] = {
	{SMTP_EHLO, offers, NULL},
	{SMTP_HELO, "250 a mail host that accepts everything\r\n", NULL},
	{SMTP_AUTH, "235 2.7.0 authenticated\r\n", NULL},
	{SMTP_MAIL, "250 2.1.0 the mail host would be asked now\r\n", "asked"},
	{SMTP_RCPT, "250 2.1.5 the mail host would be asked now\r\n", "asked"},
	{SMTP_DATA, "354 the message would follow\r\n", NULL},
	{SMTP_RSET, "250 2.0.0 ok\r\n", NULL},
	{SMTP_NOOP, "250 2.0.0 ok\r\n", NULL},
	{SMTP_QUIT, "221 2.0.0 goodbye\r\n", NULL},
};

static void host_tell(struct gate_test *test, const char *step, const char *line,
		      size_t len)
{
	char memory[MSG_TEST_TEXT_MAX];
	struct buf text = BUF_OVER(memory);

	buf_add_escaped(&text, line, len, LINE_SHOWN_MAX);
	test_step(test, step, "passed", memory);
}

static void host_line(struct gate_test *test, const char *line, size_t len)
{
	static const char unknown[] = "502 5.5.1 not in a test\r\n";
	struct smtp_command command;

	smtp_parse_command(line, len, &command);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].verb != command.verb)
			continue;
		if (rows[i].step)
			host_tell(test, rows[i].step, line, len);
		test->has_data = command.verb == SMTP_DATA;
		test_end_say(&test->host, rows[i].reply, strlen(rows[i].reply));
		return;
	}
	test_end_say(&test->host, unknown, sizeof(unknown) - 1);
}

void test_host_read(struct gate_test *test)
{
	struct test_end *host = &test->host;
	const char *newline;

	if (host->fd < 0)
		return;
	if (!test_end_read(host)) {
		test_end_close(host);
		return;
	}
	while ((newline = memchr(host->in, '\n', host->in_len))) {
		const size_t len = (size_t)(newline - host->in) + 1;
		const size_t text_len = len > 1 ? len - 2 : 0; /* without CRLF */

		if (test->has_data)
			host_tell(test, "header", host->in, text_len);
		else
			host_line(test, host->in, text_len);
		test_end_drop(host, len);
	}
}

static void host_on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	test_host_read(context);
}

int test_host_open(struct gate_test *test, int *out_fd)
{
	static const char banner[] = "220 a mail host that accepts everything\r\n";
	int err;

	test_end_close(&test->host);
	err = test_end_open(test, &test->host, host_on_readable, out_fd);
	if (!err)
		test_end_say(&test->host, banner, sizeof(banner) - 1);
	return err;
}
