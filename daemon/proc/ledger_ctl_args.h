/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_args - reading the arguments of a request, and values that many rows share.
 */
#ifndef PROC_LEDGER_CTL_ARGS_H
#define PROC_LEDGER_CTL_ARGS_H

#include <jansson.h>

#include "proc/ledger_ctl_client.h"

/*
 * Each reads one member. Absent or null: 0, *out untouched. Of another type: -EINVAL, and the client
 * has been told (CTL_USAGE).
 */
int args_text(struct ctl_client *client, const json_t *args, const char *name,
	      const char **out_text) MUST_CHECK;
int args_bool(struct ctl_client *client, const json_t *args, const char *name,
	      bool *out_value) MUST_CHECK;
int args_number(struct ctl_client *client, const json_t *args, const char *name,
		int64_t *out_number) MUST_CHECK;
int args_addr(struct ctl_client *client, const json_t *args, const char *name,
	      struct addr *out_addr) MUST_CHECK;

/* The array `addrs` of texts, at most CTL_ADDRS_MAX. */
int args_addrs(struct ctl_client *client, const json_t *args,
	       const json_t **out_addrs) MUST_CHECK;

/* Either some `addrs`, or `all`: then *out_addrs is NULL. @what: what is to be done to them */
int args_addrs_or_all(struct ctl_client *client, const json_t *args, const char *what,
		      const json_t **out_addrs) MUST_CHECK;

/* policy by name; the client has been told if there is none. */
int args_policy(struct ctl_client *client, const char *name, int *out_index) MUST_CHECK;

/* The key of `policy` in the store, which may still know one that is configured no more. */
int args_stored_policy(struct ctl_client *client, const json_t *args,
		       uint32_t *out_key) MUST_CHECK;

/* A time; null for DB_FOREVER_S. */
json_t *args_json_time(int64_t at_s);

/* "strikes", "command", "kernel". */
const char *args_source_name(uint8_t source);

/**
 * args_prefix - what an admin means by an address.
 * @text: an address or a prefix; an IPv6 address alone is its /64, as everywhere
 * @out_prefix: written also on -EDOM (bits behind the length cleared)
 * @out_problem: a sentence, on failure
 *
 * Return: 0; 1, an IPv6 address became its /64; -EINVAL, -ERANGE, -EDOM.
 */
int args_prefix(const char *text, struct prefix *out_prefix,
		char out_problem[160]) MUST_CHECK;

#endif
