/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/why - postern why: what would happen to an address at each service, in plain words.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/addr_list.h"
#include "cli/client.h"
#include "cli/greylist.h"
#include "cli/output.h"
#include "cli/text.h"

#define PERMIT	  "permit"
#define UNGUARDED "unguarded"

static const struct {
	const char *name, *sentence;
} verdicts[] = {
	{PERMIT, "may connect"},
	{"banned", "dropped: banned"},
	{"blacklisted", "dropped: the list says BL"},
	{"not-permitted", "dropped: its entry does not permit access (no PA)"},
	{"no-entry", "dropped: no entry of the list contains it"},
	{UNGUARDED,
	 "may connect: the service is switched off in this policy, so nothing is checked"},
};

static const char *verdict_sentence(const char *name)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (strcmp(name, verdicts[i].name) == 0)
			return verdicts[i].sentence;
	return name;
}

/* A label, then a text from the daemon. */
static void say(struct cli *cli, const char *label, const char *text)
{
	(void)fputs(label, cli->out);
	print_plain(cli, text);
}

static void why_entry(struct cli *cli, const json_t *entry)
{
	const json_t *flag;
	size_t i;

	if (!json_is_object(entry))
		return;
	say(cli, "    entry ", member_text(entry, "prefix"));
	if (member_has(entry, "file")) {
		say(cli, ", ", member_text(entry, "file"));
		(void)fprintf(cli->out, " line %" PRId64,
			      member_number(entry, "line", 0));
	}
	(void)fputc('\n', cli->out);
	json_array_foreach(json_object_get(entry, "flags"), i, flag)(void)
		fprintf(cli->out, "      %-4s %s\n", member_text(flag, "flag"),
			member_text(flag, "meaning"));
}

static const json_t *why_ban_find(const json_t *why, const char *policy, const char *addr)
{
	const json_t *ban;
	size_t i;

	json_array_foreach(json_object_get(why, "bans"), i,
			   ban) if (strcmp(member_text(ban, "policy"), policy) == 0 &&
				    strcmp(member_text(ban, "addr"), addr) ==
					    0) return ban;
	return NULL;
}

static void why_strike(struct cli *cli, const char *indent, const json_t *strike)
{
	char text[TEXT_TIME_MAX];

	(void)fprintf(cli->out, "%s%-10s", indent,
		      text_relative(member_number(strike, "time", cli->now_s), cli->now_s,
				    text));
	say(cli, " ", member_text(strike, "kind"));
	say(cli, " ", member_text(strike, "user"));
	say(cli, " at ", member_text(strike, "service"));
	if (member_text(strike, "reply")[0])
		say(cli, ": ", member_text(strike, "reply"));
	(void)fputc('\n', cli->out);
}

static void why_ban(struct cli *cli, const json_t *ban)
{
	char text[TEXT_TIME_MAX], clock[TEXT_TIME_MAX];
	int64_t now_s = cli->now_s;
	const json_t *strike;
	size_t i;

	if (!ban)
		return;
	say(cli, "    ban of ", member_text(ban, "addr"));
	if (member_has(ban, "ends"))
		(void)fprintf(cli->out, ", ends %s (%s)\n",
			      text_relative(member_number(ban, "ends", 0), now_s, text),
			      text_clock(member_number(ban, "ends", 0), clock));
	else
		(void)fputs(", for ever\n", cli->out);
	(void)fprintf(cli->out, "      began %s (%s), by ",
		      text_relative(member_number(ban, "began", now_s), now_s, text),
		      text_clock(member_number(ban, "began", now_s), clock));
	print_plain(cli, member_text(ban, "source"));
	if (member_text(ban, "why")[0])
		say(cli, ": ", member_text(ban, "why"));
	(void)fputc('\n', cli->out);
	(void)fprintf(cli->out, "      packets dropped since: %" PRId64,
		      member_number(ban, "packets", 0));
	if (member_has(ban, "last_seen"))
		(void)fprintf(
			cli->out, ", the last %s",
			text_relative(member_number(ban, "last_seen", 0), now_s, text));
	(void)fputc('\n', cli->out);
	json_array_foreach(json_object_get(ban, "evidence"), i, strike)
		why_strike(cli, "      ", strike);
}

static bool entry_has_flag(const json_t *entry, const char *name)
{
	const json_t *flag;
	size_t i;

	json_array_foreach(json_object_get(entry, "flags"), i,
			   flag) if (strcmp(member_text(flag, "flag"), name) ==
				     0) return true;
	return false;
}

/* Does the entry ask for the check? One that this program does not know yet is shown. */
static bool check_applies(const json_t *service, const char *check)
{
	const json_t *entry = json_object_get(service, "entry");
	static const struct {
		const char *check, *flag;
	} flags[] = {{"strikes", "LL"}, {"helo", "HE"}, {"helo-impersonation", "HE"},
		     {"ptr", "PTR"},	{"rbl", "RBL"}, {"spf", "SPF"},
		     {"greylist", "GL"}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(check, flags[i].check) == 0)
			return entry_has_flag(entry, flags[i].flag);
	/* Of mail that is handed in, whoever does it. */
	if (strcmp(check, "relay") == 0 || strcmp(check, "spoof") == 0)
		return member_has(service, "relay");
	return true;
}

static bool service_is_kernel_only(const json_t *service)
{
	return strcmp(member_text(service, "type"), "tcp") == 0;
}

static void why_checks(struct cli *cli, const json_t *service)
{
	const char *gap = "    checks: ";
	const json_t *check;
	size_t i;

	if (service_is_kernel_only(service))
		return;
	json_array_foreach(json_object_get(service, "checks"), i, check)
	{
		if (strcmp(member_text(check, "mode"), "off") == 0 ||
		    !check_applies(service, member_text(check, "check")))
			continue;
		(void)fprintf(cli->out, "%s%s (%s)", gap, member_text(check, "check"),
			      member_text(check, "mode"));
		gap = ", ";
	}
	if (gap[0] == ',')
		(void)fputc('\n', cli->out);
}

/* Whoever hands in mail from there is authenticated before he says a word, and by what. */
static void why_auth(struct cli *cli, const json_t *service)
{
	const char *by = member_text(service, "auth_by");
	char text[TEXT_TIME_MAX];

	if (strcmp(by, "aa") == 0)
		(void)fputs("    counts as authenticated: its entry says so (AA)\n",
			    cli->out);
	if (strcmp(by, "am") != 0)
		return;
	(void)fputs("    counts as authenticated (AM): ", cli->out);
	if (member_has(service, "auth_until"))
		(void)fprintf(
			cli->out, "by its last login, for %s\n",
			text_duration(member_number(service, "auth_until", cli->now_s) -
					      cli->now_s,
				      text));
	else
		(void)fputs("a session that is logged in is open\n", cli->out);
}

static void why_relay(struct cli *cli, const json_t *service)
{
	if (!member_has(service, "relay"))
		return;
	say(cli, "    ", member_text(service, "relay"));
	if (member_has(service, "routing"))
		say(cli, "; the routing table ", member_text(service, "routing"));
	(void)fputc('\n', cli->out);
}

/* Is there the same to say of both? Then they are told together. */
static bool service_is_alike(const json_t *a, const json_t *b)
{
	return member_has(a, "relay") == member_has(b, "relay") &&
	       strcmp(member_text(a, "auth_by"), member_text(b, "auth_by")) == 0 &&
	       strcmp(member_text(a, "policy"), member_text(b, "policy")) == 0 &&
	       strcmp(member_text(a, "verdict"), member_text(b, "verdict")) == 0 &&
	       service_is_kernel_only(a) == service_is_kernel_only(b);
}

static void why_name(struct cli *cli, const json_t *service, const char *gap)
{
	const json_t *port;
	size_t i;

	say(cli, gap, member_text(service, "service"));
	json_array_foreach(json_object_get(service, "ports"), i, port)(void)
		fprintf(cli->out, "%s%" JSON_INTEGER_FORMAT, i ? "," : " port ",
			json_integer_value(port));
}

/* The service number at, and those behind it that are like it; nothing if one before it is. */
static void why_service(struct cli *cli, const json_t *why, size_t at)
{
	const json_t *services = json_object_get(why, "services");
	const json_t *service = json_array_get(services, at);
	const char *policy = member_text(service, "policy");
	const char *gap = "  ";

	for (size_t i = 0; i < at; i++)
		if (service_is_alike(json_array_get(services, i), service))
			return;
	for (size_t i = at; i < json_array_size(services); i++) {
		if (!service_is_alike(json_array_get(services, i), service))
			continue;
		why_name(cli, json_array_get(services, i), gap);
		gap = ", ";
	}
	say(cli, ", policy ", policy);
	say(cli, ": ", verdict_sentence(member_text(service, "verdict")));
	(void)fputc('\n', cli->out);
	if (member_has(service, "ban_addr"))
		why_ban(cli, why_ban_find(why, policy, member_text(service, "ban_addr")));
	why_entry(cli, json_object_get(service, "entry"));
	why_auth(cli, service);
	why_relay(cli, service);
	if (strcmp(member_text(service, "verdict"), PERMIT) == 0)
		why_checks(cli, service);
}

static void why_strikes(struct cli *cli, const json_t *why)
{
	const json_t *strikes = json_object_get(why, "strikes");
	char text[TEXT_TIME_MAX];
	const json_t *strike;
	size_t i;

	(void)fprintf(cli->out, "\nstrikes: %zu", json_array_size(strikes));
	if (member_has(why, "strikes_max"))
		(void)fprintf(
			cli->out, "; %" PRId64 " within %s ban",
			member_number(why, "strikes_max", 0),
			text_duration(member_number(why, "strikes_window_s", 0), text));
	(void)fputc('\n', cli->out);
	json_array_foreach(strikes, i, strike)
	{
		why_strike(cli, "  ", strike);
	}
}

static void why_login(struct cli *cli, const json_t *login)
{
	char text[TEXT_TIME_MAX];
	int64_t open;

	if (!json_is_object(login))
		return;
	open = member_number(login, "open", 0);
	(void)fprintf(cli->out, "\nlast login: %s",
		      text_relative(member_number(login, "time", cli->now_s), cli->now_s,
				    text));
	say(cli, ", ", member_text(login, "user"));
	say(cli, " at ", member_text(login, "service"));
	if (open > 0)
		(void)fprintf(cli->out, "; %" PRId64 " session%s open", open,
			      open == 1 ? "" : "s");
	if (json_is_true(json_object_get(login, "many_users")))
		(void)fputs("; others logged in from there, too", cli->out);
	(void)fputc('\n', cli->out);
}

static void why_history(struct cli *cli, const json_t *history)
{
	char text[TEXT_TIME_MAX];
	const json_t *ban;
	size_t i;

	if (json_array_size(history) > 0)
		(void)fputs("\nearlier bans:\n", cli->out);
	json_array_foreach(history, i, ban)
	{
		(void)fprintf(cli->out, "  began %s",
			      text_relative(member_number(ban, "began", cli->now_s),
					    cli->now_s, text));
		if (member_has(ban, "ended"))
			(void)fprintf(cli->out, ", ended %s",
				      text_relative(member_number(ban, "ended", 0),
						    cli->now_s, text));
		say(cli, ", ", member_text(ban, "addr"));
		say(cli, ", policy ", member_text(ban, "policy"));
		say(cli, ", by ", member_text(ban, "source"));
		if (member_text(ban, "why")[0])
			say(cli, ": ", member_text(ban, "why"));
		(void)fputc('\n', cli->out);
	}
}

/* What checks found of late, also where they only observe. */
static void why_findings(struct cli *cli, const json_t *findings)
{
	static const struct {
		const char *result, *sentence;
	} rows[] = {{"hit", "has something against it"},
		    {"would-refuse", "would have refused it (observe)"},
		    {"unknown", "could not find out"}};
	char text[TEXT_TIME_MAX];
	const json_t *finding;
	size_t i;

	if (json_array_size(findings) > 0)
		(void)fputs("\nfound by checks:\n", cli->out);
	json_array_foreach(findings, i, finding)
	{
		const char *sentence = member_text(finding, "result");

		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
			if (strcmp(sentence, rows[j].result) == 0)
				sentence = rows[j].sentence;
		(void)fprintf(cli->out, "  %-10s",
			      text_relative(member_number(finding, "time", cli->now_s),
					    cli->now_s, text));
		say(cli, " ", member_text(finding, "check"));
		say(cli, " ", sentence);
		say(cli, " at ", member_text(finding, "service"));
		if (member_text(finding, "why")[0])
			say(cli, ": ", member_text(finding, "why"));
		(void)fputc('\n', cli->out);
	}
}

static void why_page(struct cli *cli, const json_t *why)
{
	print_plain(cli, member_text(why, "addr"));
	if (member_text(why, "client")[0] &&
	    strcmp(member_text(why, "client"), member_text(why, "addr")) != 0)
		say(cli, ", counted as ", member_text(why, "client"));
	if (member_has(why, "protected"))
		say(cli, ", never banned: ", member_text(why, "protected"));
	(void)fputc('\n', cli->out);
	for (size_t i = 0; i < json_array_size(json_object_get(why, "services")); i++)
		why_service(cli, why, i);
	why_findings(cli, json_object_get(why, "findings"));
	why_strikes(cli, why);
	greylist_print_why(cli, json_object_get(why, "greylist"));
	why_login(cli, json_object_get(why, "login"));
	why_history(cli, json_object_get(why, "history"));
	if (json_array_size(json_object_get(why, "sessions")) > 0)
		(void)fprintf(cli->out, "\nopen sessions: %zu\n",
			      json_array_size(json_object_get(why, "sessions")));
}

/* "PA LL" from [{flag, meaning}]. */
static json_t *flags_text(const json_t *flags)
{
	char memory[128];
	struct buf buf = BUF_OVER(memory);
	const json_t *flag;
	size_t i;

	json_array_foreach(flags, i, flag)
		buf_printf(&buf, "%s%s", i ? " " : "", member_text(flag, "flag"));
	return json_string(buf.len ? buf.text : "-");
}

static void why_tsv(struct cli *cli, const json_t *why)
{
	static const struct column columns[] = {
		{"service", "", COLUMN_TEXT},  {"ports", "", COLUMN_LIST},
		{"policy", "", COLUMN_TEXT},   {"verdict", "", COLUMN_TEXT},
		{"prefix", "", COLUMN_TEXT},   {"flags", "", COLUMN_TEXT},
		{"file", "", COLUMN_TEXT},     {"line", "", COLUMN_NUMBER},
		{"ban_addr", "", COLUMN_TEXT}, {"ends", "", COLUMN_ENDS},
		{"why", "", COLUMN_TEXT},      {"auth_by", "", COLUMN_TEXT},
	};
	AUTO(json_free) json_t *rows = json_array();
	json_t *service;
	size_t i;

	json_array_foreach(json_object_get(why, "services"), i, service)
	{
		AUTO(json_free) json_t *row = json_copy(service);
		json_t *entry = json_object_get(service, "entry");
		const json_t *ban = why_ban_find(why, member_text(service, "policy"),
						 member_text(service, "ban_addr"));

		if (json_is_object(entry)) {
			(void)json_object_update_missing(row, entry);
			(void)json_object_set_new(
				row, "flags",
				flags_text(json_object_get(entry, "flags")));
		}
		if (ban)
			(void)json_object_update_missing(row, (json_t *)ban);
		(void)json_array_append(rows, row);
	}
	output_array(cli, columns, sizeof(columns) / sizeof(columns[0]), rows);
}

int command_why(struct cli *cli, int argc, char **argv)
{
	struct client_request request = {.command = CTL_WHY};
	AUTO(json_free) json_t *done = NULL;
	char text[ADDR_TEXT_MAX];
	const json_t *why;
	struct addr addr;
	int status;

	if (argc < 1)
		return cli_usage(cli, "which address? postern why ADDR");
	if (argc > 1)
		return cli_usage(cli, "'%s': one address at a time", argv[1]);
	if (addr_parse(argv[0], &addr) != 0)
		return cli_usage(cli, "'%s': no address; write 192.0.2.1 or 2001:db8::1",
				 argv[0]);
	request.args = json_pack("{s:s}", "addr", addr_format(&addr, text));
	status = client_ask(cli, &request, &done);
	why = json_object_get(done, "why");
	if (!json_is_object(why))
		return status == CTL_OK ? client_explain(cli, -EPROTO) : status;
	if (cli->format == CLI_JSON)
		output_json(cli, why);
	else if (cli->format == CLI_TSV)
		why_tsv(cli, why);
	else
		why_page(cli, why);
	return status;
}
