/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_mail_list - any bytes as lines of the files of local domains and of routes.
 *
 * Invariants: what was read can be written and read again as the same; a problem has a column inside
 * the line (or just behind it) and a text that is fit for a terminal.
 *
 * link: target.c
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "target.h"
#include "wire/mail_list.h"

static void check_domain(const char *line, size_t len, const struct mail_list_domain *d)
{
	char memory[MAIL_LIST_LINE_MAX_BYTES + 8];
	struct buf text = BUF_OVER(memory);
	struct line_problem problem;
	struct mail_list_domain again;

	target_check_span(d->domain.text, len);
	target_check(d->domain.text.len > 0 &&
			     d->domain.text.len <= SMTP_DOMAIN_MAX_BYTES,
		     "a domain");
	buf_puts(&text, d->is_subdomains ? "." : "");
	buf_add(&text, line + d->domain.text.at, d->domain.text.len);
	target_check(mail_list_parse_domain(text.text, text.len, &again, &problem) == 1,
		     "reads back");
	target_check(again.is_subdomains == d->is_subdomains &&
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
	struct line_problem problem;
	struct mail_list_route again;

	target_check_span(route->from.local, len);
	target_check_span(route->from.domain.text, len);
	target_check_span(route->to.local, len);
	target_check_span(route->to.domain.text, len);
	target_check(route->from.local.len == 0 || route->to.local.len > 0,
		     "an address leads to an address");
	put_address(&text, line, &route->from);
	buf_puts(&text, "->");
	put_address(&text, line, &route->to);
	target_check(!text.overflow, "no longer than the line was");
	target_check(mail_list_parse_route(text.text, text.len, &again, &problem) == 1,
		     "reads back");
	target_check(again.from.local.len == route->from.local.len &&
			     again.from.is_quoted == route->from.is_quoted &&
			     again.to.local.len == route->to.local.len &&
			     again.to.domain.text.len == route->to.domain.text.len,
		     "the same route");
}

static void check_line(const char *line, size_t len)
{
	struct line_problem problem = {.column = 0};
	struct mail_list_domain domain;
	struct mail_list_route route;
	int result = mail_list_parse_domain(line, len, &domain, &problem);

	if (result == 1)
		check_domain(line, len, &domain);
	else if (result == -EINVAL)
		target_check_problem(&problem, len);
	else
		target_check(result == 0, "0, 1 or -EINVAL");

	result = mail_list_parse_route(line, len, &route, &problem);
	if (result == 1)
		check_route(line, len, &route);
	else if (result == -EINVAL)
		target_check_problem(&problem, len);
	else
		target_check(result == 0, "0, 1 or -EINVAL");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target_each_line(data, size, check_line);
	return 0;
}
