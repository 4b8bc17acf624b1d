/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_mail_list - any bytes as lines of the files of local domains and of routes.
 *
 * Invariants: what was read can be written and read again as the same; a problem has a column inside
 * the line (or just behind it) and a text that is fit for a terminal.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/mail_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void check_problem(const struct mail_list_problem *problem, size_t line_len)
{
	const size_t text_len = strnlen(problem->text, sizeof(problem->text));

	check(problem->column >= 1 && problem->column <= line_len + 1,
	      "a column of the line");
	check(text_len > 0 && text_len < sizeof(problem->text), "a text");
	for (size_t i = 0; i < text_len; i++)
		check(problem->text[i] >= ' ' && problem->text[i] <= '~', "printable");
}

static void check_span(struct span span, size_t len)
{
	check(span.at <= len && span.len <= len - span.at, "inside the line");
}

static void check_domain(const char *line, size_t len, const struct mail_list_domain *d)
{
	char memory[MAIL_LIST_LINE_MAX_BYTES + 8];
	struct buf text = BUF_OVER(memory);
	struct mail_list_problem problem;
	struct mail_list_domain again;

	check_span(d->domain.text, len);
	check(d->domain.text.len > 0 && d->domain.text.len <= SMTP_DOMAIN_MAX_BYTES,
	      "a domain");
	buf_puts(&text, d->is_subdomains ? "." : "");
	buf_add(&text, line + d->domain.text.at, d->domain.text.len);
	check(mail_list_parse_domain(text.text, text.len, &again, &problem) == 1,
	      "reads back");
	check(again.is_subdomains == d->is_subdomains &&
		      again.domain.text.len == d->domain.text.len &&
		      again.domain.kind == d->domain.kind,
	      "the same domain");
}

static void put_address(struct buf *text, const char *line,
			const struct mail_list_address *address)
{
	buf_add(text, line + address->local.at, address->local.len);
	buf_puts(text, "@");
	buf_add(text, line + address->domain.text.at, address->domain.text.len);
}

static void check_route(const char *line, size_t len, const struct mail_list_route *route)
{
	char memory[MAIL_LIST_LINE_MAX_BYTES + 8];
	struct buf text = BUF_OVER(memory);
	struct mail_list_problem problem;
	struct mail_list_route again;

	check_span(route->from.local, len);
	check_span(route->from.domain.text, len);
	check_span(route->to.local, len);
	check_span(route->to.domain.text, len);
	check(route->from.local.len == 0 || route->to.local.len > 0,
	      "an address leads to an address");
	put_address(&text, line, &route->from);
	buf_puts(&text, "->");
	put_address(&text, line, &route->to);
	check(!text.overflow, "no longer than the line was");
	check(mail_list_parse_route(text.text, text.len, &again, &problem) == 1,
	      "reads back");
	check(again.from.local.len == route->from.local.len &&
		      again.from.is_quoted == route->from.is_quoted &&
		      again.to.local.len == route->to.local.len &&
		      again.to.domain.text.len == route->to.domain.text.len,
	      "the same route");
}

static void check_line(const char *line, size_t len)
{
	struct mail_list_problem problem = {.column = 0};
	struct mail_list_domain domain;
	struct mail_list_route route;
	int result = mail_list_parse_domain(line, len, &domain, &problem);

	if (result == 1)
		check_domain(line, len, &domain);
	else if (result == -EINVAL)
		check_problem(&problem, len);
	else
		check(result == 0, "0, 1 or -EINVAL");

	result = mail_list_parse_route(line, len, &route, &problem);
	if (result == 1)
		check_route(line, len, &route);
	else if (result == -EINVAL)
		check_problem(&problem, len);
	else
		check(result == 0, "0, 1 or -EINVAL");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	size_t left = size;

	while (left > 0) {
		const char *newline = memchr(line, '\n', left);
		const size_t len = newline ? (size_t)(newline - line) : left;
		/* Exactly as large as the line, so that ASan sees a step beyond it. */
		char *exact = malloc(len ? len : 1);

		if (!exact)
			return 0;
		memcpy(exact, line, len);
		check_line(exact, len);
		free(exact);
		line += newline ? len + 1 : len;
		left -= newline ? len + 1 : len;
	}
	return 0;
}
