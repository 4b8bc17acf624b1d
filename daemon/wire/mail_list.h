/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/mail_list - one line of the file of local domains, one line of the routing table.
 *
 *     domain-line = [ [ "." ] domain ] [ comment ] [ CR ]
 *     route-line  = [ address "->" address / "@" domain "->" ( "@" domain / address ) ]
 *                   [ comment ] [ CR ]
 *     comment     = "#" anything
 *
 * Domains and addresses are those of RFC 5321 4.1.2, UTF-8 in them as in RFC 6531. Blanks may stand
 * between all parts. A value of postern.conf has the same grammar. Grammar only, and pure: proc/config
 * reads the files, policy/relay and policy/routing say what it means.
 */
#ifndef WIRE_MAIL_LIST_H
#define WIRE_MAIL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/line_problem.h"
#include "wire/smtp.h"

#define MAIL_LIST_LINE_MAX_BYTES 1024u

struct mail_list_domain {
	struct smtp_domain domain; /* without the dot in front */
	bool is_subdomains;	   /* ".example.org": what lies below it, not itself */
};

/* One end of a route; spans count from the start of the line. */
struct mail_list_address {
	struct span local; /* with its quotes; empty: a whole domain */
	bool is_quoted;
	struct smtp_domain domain;
};

struct mail_list_route {
	struct mail_list_address from, to;
};

/**
 * mail_list_parse_domain - read one line of a file of domains.
 * @line: without its newline; not NUL-terminated
 * @len: bytes
 * @out_domain: untouched unless 1 is returned
 * @out_problem: written on -EINVAL
 *
 * Return: 1, a domain; 0, empty or comment; -EINVAL.
 */
int mail_list_parse_domain(const char *line, size_t len,
			   struct mail_list_domain *out_domain,
			   struct line_problem *out_problem) MUST_CHECK;

/* The same for one line of the routing table. */
int mail_list_parse_route(const char *line, size_t len, struct mail_list_route *out_route,
			  struct line_problem *out_problem) MUST_CHECK;

#endif
