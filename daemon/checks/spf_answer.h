/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf_answer - what SPF wants to know of one answer of the DNS.
 *
 * Pure. Part of checks/spf_eval.
 *
 * Standard: RFC 7208 sections 3.3, 4.5, 4.6.4, 5.5.
 */
#ifndef CHECKS_SPF_ANSWER_H
#define CHECKS_SPF_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/resolver.h"

#define SPF_NAMES_MAX 10u /* of MX and PTR records that are looked at; section 4.6.4 */

struct spf_names {
	uint8_t count, next;
	uint16_t valid; /* bits: names that lead back to the client */
	char name[SPF_NAMES_MAX][DNSMSG_NAME_MAX];
};

/* Is the client among the addresses of an answer, or in a network of this length around one of them? */
bool spf_has_client(const struct dns_answer *answer, const struct addr *client,
		    uint8_t len);

/* The first names of an answer. Those are left out that cannot be asked for: they have no address. */
void spf_names_take(struct spf_names *names, const struct dns_answer *answer);

/* The name that %{p} stands for (section 7.3): the domain itself, one below it, any; or "unknown". */
const char *spf_names_best(const struct spf_names *names, const char *domain);

/**
 * spf_join - the strings of a TXT record, joined without a space.
 * @out_text: receives at most @cap_bytes, no NUL
 *
 * Return: how long they are together, which may be more than was written.
 */
size_t spf_join(const struct dnsmsg_record *record, char *out_text, size_t cap_bytes);

/**
 * spf_select_records - which TXT records are those of SPF?
 * @out_record: the last of them; untouched if there is none
 *
 * Return: how many.
 */
unsigned int spf_select_records(const struct dns_answer *answer,
				struct dnsmsg_record *out_record);

/* The record of an answer that has one, and no second one. */
bool spf_only_record(const struct dns_answer *answer, struct dnsmsg_record *out_record);

#endif
