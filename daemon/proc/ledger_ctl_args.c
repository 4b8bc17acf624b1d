/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_args - see ledger_ctl_args.h.
 */
#include "proc/ledger_ctl_args.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "proc/ledger_store.h"
#include "sys/db.h"

/* 1, a member that says something; 0, absent or null. */
static int args_has(const json_t *args, const char *name, const json_t **out)
{
	*out = json_object_get(args, name);
	return *out && !json_is_null(*out);
}

static int args_wrong(struct ctl_client *client, const char *name, const char *wanted)
{
	ctl_done(client, CTL_USAGE, "'%s' must be %s", name, wanted);
	return -EINVAL;
}

int args_text(struct ctl_client *client, const json_t *args, const char *name,
	      const char **out_text)
{
	const json_t *value;

	if (!args_has(args, name, &value))
		return 0;
	if (!json_is_string(value))
		return args_wrong(client, name, "a text");
	*out_text = json_string_value(value);
	return 0;
}

int args_bool(struct ctl_client *client, const json_t *args, const char *name,
	      bool *out_value)
{
	const json_t *value;

	if (!args_has(args, name, &value))
		return 0;
	if (!json_is_boolean(value))
		return args_wrong(client, name, "true or false");
	*out_value = json_is_true(value);
	return 0;
}

int args_number(struct ctl_client *client, const json_t *args, const char *name,
		int64_t *out_number)
{
	const json_t *value;

	if (!args_has(args, name, &value))
		return 0;
	if (!json_is_integer(value))
		return args_wrong(client, name, "a whole number");
	*out_number = json_integer_value(value);
	return 0;
}

int args_addr(struct ctl_client *client, const json_t *args, const char *name,
	      struct addr *out_addr)
{
	const char *text = NULL;
	int err = args_text(client, args, name, &text);

	if (err || !text)
		return err;
	if (addr_parse(text, out_addr))
		return args_wrong(client, name, "an IPv4 or IPv6 address");
	return 0;
}

int args_addrs(struct ctl_client *client, const json_t *args, const json_t **out_addrs)
{
	const json_t *addrs;
	const json_t *addr;
	size_t i;

	if (!args_has(args, "addrs", &addrs))
		return 0;
	if (!json_is_array(addrs) || json_array_size(addrs) > CTL_ADDRS_MAX) {
		ctl_done(client, CTL_USAGE,
			 "'addrs' must be a list of at most %u addresses", CTL_ADDRS_MAX);
		return -EINVAL;
	}
	json_array_foreach(addrs, i, addr)
	{
		if (!json_is_string(addr))
			return args_wrong(client, "addrs", "a list of texts");
	}
	*out_addrs = addrs;
	return 0;
}

int args_addrs_or_all(struct ctl_client *client, const json_t *args, const char *what,
		      const json_t **out_addrs)
{
	const json_t *addrs = NULL;
	bool is_all = false;

	if (args_addrs(client, args, &addrs) || args_bool(client, args, "all", &is_all))
		return -EINVAL;
	if (is_all == (addrs && json_array_size(addrs) > 0)) {
		ctl_done(client, CTL_USAGE, "either 'addrs' or 'all' must say what to %s",
			 what);
		return -EINVAL;
	}
	*out_addrs = is_all ? NULL : addrs;
	return 0;
}

static int args_no_policy(struct ctl_client *client, const char *name)
{
	char quoted[4 * CONF_NAME_MAX];
	struct buf buf = BUF_OVER(quoted);

	buf_add_escaped(&buf, name, strlen(name), CONF_NAME_MAX);
	ctl_done(client, CTL_USAGE, "there is no policy '%s'", quoted);
	return -EINVAL;
}

int args_policy(struct ctl_client *client, const char *name, int *out_index)
{
	int index = conf_policy_find(ledger_conf(ctl_ledger(client)), name);

	if (index < 0)
		return args_no_policy(client, name);
	*out_index = index;
	return 0;
}

int args_stored_policy(struct ctl_client *client, const json_t *args, uint32_t *out_key)
{
	const struct db *db = store_db(ctl_ledger(client));
	const char *name = NULL;
	int err = args_text(client, args, "policy", &name);

	if (err || !name)
		return err;
	for (uint32_t key = 1; key <= db_policy_count(db); key++) {
		if (strcmp(db_policy_name(db, key), name) == 0) {
			*out_key = key;
			return 0;
		}
	}
	return args_no_policy(client, name);
}

json_t *args_json_time(int64_t at_s)
{
	return at_s == DB_FOREVER_S ? json_null() : json_integer(at_s);
}

const char *args_source_name(uint8_t source)
{
	switch (source) {
	case DB_SOURCE_STRIKES:
		return "strikes";
	case DB_SOURCE_COMMAND:
		return "command";
	default:
		return "kernel";
	}
}

int args_prefix(const char *text, struct prefix *out_prefix, char out_problem[160])
{
	char addr[PREFIX_TEXT_MAX];
	struct buf buf;
	int err = prefix_parse(text, out_prefix);

	buf_init(&buf, out_problem, 160);
	if (err == -EDOM)
		buf_printf(&buf,
			   "bits are set behind the prefix length; did you mean %s?",
			   prefix_format(out_prefix, addr));
	else if (err == -ERANGE)
		buf_puts(&buf, "prefix length is 0..32 for IPv4, 0..128 for IPv6");
	else if (err)
		buf_puts(&buf, "not an IPv4 or IPv6 address or prefix");
	if (err)
		return err;
	if (out_prefix->addr.family == ADDR_V6 && !strchr(text, '/')) {
		*out_prefix = prefix_make(&out_prefix->addr, CLIENT_V6_LEN);
		return 1;
	}
	return 0;
}
