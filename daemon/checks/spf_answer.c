/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf_answer - see the header.
 */
#include "checks/spf_answer.h"

#include <string.h>

#include "wire/spf_macro.h"
#include "wire/spf_record.h"

#define VERSION_SEEN 7u /* bytes that tell whether a TXT record is one of SPF */

/* The walk over an answer that may have no records. */
static void walk_begin(struct dnsmsg_walk *walk, const struct dns_answer *answer)
{
	static const struct dnsmsg nothing;

	dnsmsg_walk_init(walk,
			 answer->status == DNS_ANSWER ? &answer->message : &nothing);
}

bool spf_has_client(const struct dns_answer *answer, const struct addr *client,
		    uint8_t len)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;

	walk_begin(&walk, answer);
	while (dnsmsg_walk_next(&walk, &record)) {
		struct prefix near = prefix_make(&record.addr, len);

		if (prefix_contains(&near, client))
			return true;
	}
	return false;
}

void spf_names_take(struct spf_names *names, const struct dns_answer *answer)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;

	names->count = 0;
	names->next = 0;
	names->valid = 0;
	walk_begin(&walk, answer);
	for (uint32_t i = 0; i < SPF_NAMES_MAX && dnsmsg_walk_next(&walk, &record); i++)
		if (record.name.is_plain &&
		    spf_name_is_valid(record.name.text, record.name.len))
			memcpy(names->name[names->count++], record.name.text,
			       record.name.len + 1);
}

const char *spf_names_best(const struct spf_names *names, const char *domain)
{
	const char *below = NULL, *any = NULL;

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->name[i];

		if (!(names->valid & 1u << i))
			continue;
		if (spf_name_is_within(name, domain)) {
			if (strlen(name) == strlen(domain))
				return name;
			if (!below)
				below = name;
		}
		if (!any)
			any = name;
	}
	if (below)
		return below;
	return any ? any : "unknown";
}

size_t spf_join(const struct dnsmsg_record *record, char *out_text, size_t cap_bytes)
{
	size_t len = 0;

	for (size_t at = 0; at < record->len;) {
		const size_t part = record->data[at++];
		size_t fits = len < cap_bytes ? cap_bytes - len : 0;

		if (fits > part)
			fits = part;
		if (fits > 0)
			memcpy(out_text + len, record->data + at, fits);
		len += part;
		at += part;
	}
	return len;
}

static bool is_spf(const struct dnsmsg_record *record)
{
	char begin[VERSION_SEEN];
	size_t len = spf_join(record, begin, sizeof(begin));

	return spf_is_record(begin, len < sizeof(begin) ? len : sizeof(begin));
}

unsigned int spf_select_records(const struct dns_answer *answer,
				struct dnsmsg_record *out_record)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;
	unsigned int count = 0;

	walk_begin(&walk, answer);
	while (dnsmsg_walk_next(&walk, &record)) {
		if (!is_spf(&record))
			continue;
		*out_record = record;
		count++;
	}
	return count;
}

bool spf_only_record(const struct dns_answer *answer, struct dnsmsg_record *out_record)
{
	struct dnsmsg_walk walk;

	walk_begin(&walk, answer);
	return walk.message->count == 1 && dnsmsg_walk_next(&walk, out_record);
}
