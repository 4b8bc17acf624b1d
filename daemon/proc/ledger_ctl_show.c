/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_show - see ledger_ctl_show.h.
 */
#include "proc/ledger_ctl_show.h"

#include <stdio.h>

#include "policy/flags.h"
#include "policy/relay.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_store.h"

json_t *show_entry(const struct ledger *ledger, const struct prefix_row *row)
{
	const struct conf *conf = ledger_conf(ledger);
	char addr[PREFIX_TEXT_MAX];
	json_t *flags = json_array();

	for (unsigned int i = 0; i < FLAG_COUNT; i++) {
		uint16_t bit = (uint16_t)(1u << i);

		if (row->value & bit)
			(void)json_array_append_new(
				flags, json_pack("{s:s, s:s}", "flag", flag_name(bit),
						 "meaning", flag_meaning(bit)));
	}
	return json_pack("{s:s, s:o, s:s, s:i}", "prefix",
			 prefix_format(&row->prefix, addr), "flags", flags, "file",
			 row->origin < conf->list_count ? conf->lists[row->origin] : "-",
			 "line", (int)row->line);
}

json_t *show_checks(const struct ledger *ledger, const struct conf_policy *policy)
{
	const bool has_domains = relay_is_on(ledger->snapshot.domains);
	json_t *checks = json_array();

	for (unsigned int i = 0; i < CHECK_COUNT; i++) {
		const bool needs_domains = i == CHECK_RELAY || i == CHECK_SPOOF;
		const enum check_mode mode = needs_domains && !has_domains
						     ? MODE_OFF
						     : (enum check_mode)policy->mode[i];

		(void)json_array_append_new(checks,
					    json_pack("{s:s, s:s}", "check",
						      conf_check_name((enum conf_check)i),
						      "mode", check_mode_name(mode)));
	}
	return checks;
}

json_t *show_session(const struct ledger *ledger, const struct msg_session *session)
{
	const struct conf *conf = ledger_conf(ledger);
	char addr[ADDR_TEXT_MAX];
	char id[20];

	(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)session->id);
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:I}", "id",
			 id, "addr", addr_format(&session->addr, addr), "port",
			 (int)session->port, "service",
			 session->service < conf->service_count
				 ? conf->services[session->service].name
				 : "-",
			 "user", session->user, "state", session->state, "authenticated",
			 (int)(session->auth_by != AUTH_BY_NONE), "auth_by",
			 auth_by_name((enum auth_by)session->auth_by), "started",
			 (json_int_t)session->started_wall_s, "bytes_in",
			 (json_int_t)session->bytes_in, "bytes_out",
			 (json_int_t)session->bytes_out);
}

json_t *show_strike(const struct ledger *ledger, const struct db_strike *strike)
{
	const char *policy = db_policy_name(store_db(ledger), strike->policy);

	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "time",
			 (json_int_t)strike->at_s, "kind",
			 strike->kind < STRIKE_KIND_COUNT
				 ? strike_kind_name((enum strike_kind)strike->kind)
				 : "-",
			 "user", strike->user, "service", strike->service, "policy",
			 policy ? policy : "-", "reply", strike->reply);
}
