/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/num.h"
#include "policy/conf.h"
#include "policy/strikes.h"

static struct conf_endpoint endpoint_of(const char *text)
{
	struct conf_endpoint endpoint = {.port = 0};

	if (endpoint_parse(text, &endpoint.addr, &endpoint.port) != 0)
		fail_msg("'%s' is no endpoint", text);
	return endpoint;
}

/* Two policies; an SMTP service in front of a backend, a gated port. */
static void fine(struct conf *conf)
{
	conf_init(conf);
	conf->gates = 2;
	(void)text_copy(conf->hostname, sizeof(conf->hostname), "mx.example.org");
	(void)text_copy(conf->policies[0].name, CONF_NAME_MAX, "global");
	(void)text_copy(conf->policies[1].name, CONF_NAME_MAX, "webadmin");
	conf->policies[1].id = 5;
	conf->policy_count = 2;

	(void)text_copy(conf->services[0].name, CONF_NAME_MAX, "mx");
	conf->services[0].listen[0] = endpoint_of("0.0.0.0:25");
	conf->services[0].listen[1] = endpoint_of("[::]:25");
	conf->services[0].listen_count = 2;
	conf->services[0].backend[0] = endpoint_of("127.0.0.1:2525");
	conf->services[0].backend_count = 1;

	(void)text_copy(conf->services[1].name, CONF_NAME_MAX, "admin");
	conf->services[1].type = SERVICE_TCP;
	conf->services[1].policy = 1;
	conf->services[1].ports[0] = 8443;
	conf->services[1].port_count = 1;
	conf->service_count = 2;
}

static void the_defaults_are_those_of_the_manual(void **state)
{
	static struct conf conf;

	(void)state;
	memset(&conf, 0xff, sizeof(conf));
	conf_init(&conf);
	assert_int_equal(conf.abi, CONF_ABI);
	assert_int_equal(conf.policy_count + conf.service_count + conf.interface_count,
			 0);
	assert_int_equal(conf.limits.sessions_max, 10000);
	assert_int_equal(conf.limits.sessions_per_client_max, 50);
	assert_int_equal(conf.limits.line_max_bytes, 2048);
	assert_int_equal(conf.limits.bans_max, 1048576);
	assert_int_equal(conf.limits.command_timeout_s, 300);
	assert_int_equal(conf.limits.data_timeout_s, 180);
	assert_int_equal(conf.limits.data_end_timeout_s, 600);
	assert_int_equal(conf.log_level, LOG_LEVEL_INFO);
	assert_string_equal(conf.state_dir, "/var/lib/postern");
	assert_string_equal(conf.pin_dir, "/sys/fs/bpf/postern");
	assert_string_equal(conf.run_dir, "/run/postern");
	/* Also of a policy that is not there yet. */
	assert_true(conf.policies[CONF_POLICIES_MAX - 1].enabled);
	assert_int_equal(conf.policies[1].strikes.max, 5);
	assert_int_equal(conf.policies[1].strikes.window_s, 600);
	assert_int_equal(conf.policies[1].strikes.ban_time_s, 3600);
	assert_int_equal(conf.policies[1].strikes.ban_time_max_s, 604800);
	assert_int_equal(conf.policies[1].strikes.ban_memory_s, 604800);
	assert_int_equal(conf.policies[1].strikes.success_credit_s, 0);
	assert_false(conf.policies[1].strikes.repeat_credentials_ignore);
	assert_int_equal(conf.policies[1].mode[CHECK_STRIKES], MODE_ENFORCE);
	assert_int_equal(conf.policies[1].mode[CHECK_HELO], MODE_ENFORCE);
	assert_int_equal(conf.policies[1].mode[CHECK_PTR], MODE_OBSERVE);
	assert_int_equal(conf.policies[1].mode[CHECK_GREYLIST], MODE_ENFORCE);
	assert_int_equal(conf.policies[1].greylist.delay_s, 120);
	assert_int_equal(conf.policies[1].greylist.window_s, 2 * 86400);
	assert_int_equal(conf.policies[1].greylist.lifetime_s, 36 * 86400);
	assert_int_equal(conf.policies[1].greylist.auto_pass, 5);
	assert_int_equal(conf.policies[1].greylist.spf_bypass, GREY_BYPASS_CONFIRMED);
	assert_int_equal(conf.limits.triplets_max, 1000000);
	assert_int_equal(conf.limits.greylist_timeout_s, 5);
	assert_int_equal(conf.policies[1].mode[CHECK_SPF], MODE_ENFORCE);
	assert_int_equal(conf.policies[1].spf_softfail, SPF_SOFTFAIL_ACCEPT);
	assert_false(conf.policies[1].spf_permerror_reject);
	assert_true(conf.policies[1].spf_temperror_defer);
	assert_false(conf.policies[1].add_headers);
	assert_int_equal(conf.services[1].bare_newline, BARE_NEWLINE_NORMALIZE);
}

static void names_go_there_and_back(void **state)
{
	static const char *const types[] = {"smtp",  "submission", "submissions", "pop3",
					    "pop3s", "imap",	   "imaps",	  "tcp"};
	static const uint16_t ports[] = {25, 587, 465, 110, 995, 143, 993, 0};

	(void)state;
	for (int i = 0; i < SERVICE_TYPE_COUNT; i++) {
		assert_string_equal(service_type_name((enum service_type)i), types[i]);
		assert_int_equal(service_type_from_name(types[i]), i);
		assert_int_equal(service_type_port((enum service_type)i), ports[i]);
	}
	assert_int_equal(service_type_from_name("SMTP"), -1);
	assert_int_equal(service_type_from_name(""), -1);
	assert_string_equal(check_mode_name(MODE_OFF), "off");
	assert_string_equal(check_mode_name(MODE_OBSERVE), "observe");
	assert_string_equal(check_mode_name(MODE_ENFORCE), "enforce");
	assert_string_equal(conf_check_name(CHECK_STRIKES), "strikes");
	assert_string_equal(conf_check_name(CHECK_HELO), "helo");
	assert_string_equal(conf_check_name(CHECK_PTR), "ptr");
	assert_string_equal(conf_check_name(CHECK_GREYLIST), "greylist");
	assert_string_equal(conf_check_name(CHECK_SPF), "spf");
}

static void what_is_there_is_found(void **state)
{
	static struct conf conf;

	(void)state;
	fine(&conf);
	assert_int_equal(conf_policy_find(&conf, "webadmin"), 1);
	assert_int_equal(conf_policy_find(&conf, "web"), -1);
	assert_int_equal(conf_service_find(&conf, "mx"), 0);
	assert_int_equal(conf_service_find(&conf, ""), -1);
	assert_ptr_equal(conf_policy_by_id(&conf, 5), &conf.policies[1]);
	assert_null(conf_policy_by_id(&conf, 6));
}

static void a_service_is_on_unless_something_is_off(void **state)
{
	static struct conf conf;

	(void)state;
	fine(&conf);
	assert_true(conf_service_is_on(&conf, &conf.services[0]));
	conf.policies[0].types_off = 1u << SERVICE_SUBMISSION;
	assert_true(conf_service_is_on(&conf, &conf.services[0]));
	conf.policies[0].types_off = 1u << SERVICE_SMTP;
	assert_false(conf_service_is_on(&conf, &conf.services[0]));
	conf.policies[0].types_off = 0;
	conf.policies[0].enabled = false;
	assert_false(conf_service_is_on(&conf, &conf.services[0]));
	assert_true(conf_service_is_on(&conf, &conf.services[1]));
}

static void guarded_ports_are_named_once(void **state)
{
	static struct conf conf;
	uint16_t ports[CONF_PORTS_MAX];

	(void)state;
	fine(&conf);
	assert_int_equal(conf_service_ports(&conf.services[0], ports), 1);
	assert_int_equal(ports[0], 25);
	conf.services[0].ports[0] = 25; /* as proc/config fills it in */
	conf.services[0].ports[1] = 26;
	conf.services[0].port_count = 2;
	assert_int_equal(conf_service_ports(&conf.services[0], ports), 2);
	assert_int_equal(ports[1], 26);
	assert_int_equal(conf_service_ports(&conf.services[1], ports), 1);
	assert_int_equal(ports[0], 8443);
}

/* ---- problems: one mistake each ---- */

static void no_gate(struct conf *conf)
{
	conf->gates = 0;
}

static void one_gate_too_many(struct conf *conf)
{
	conf->gates = CONF_GATES_MAX + 1;
}

static void no_service(struct conf *conf)
{
	conf->service_count = 0;
}

static void no_hostname(struct conf *conf)
{
	conf->hostname[0] = '\0';
}

static void hostname_with_space(struct conf *conf)
{
	(void)text_copy(conf->hostname, sizeof(conf->hostname),
			"mx.example.org ESMTP\r\n");
}

static void relative_path(struct conf *conf)
{
	(void)text_copy(conf->state_dir, sizeof(conf->state_dir), "var/lib");
}

static void policy_without_name(struct conf *conf)
{
	conf->policies[0].name[0] = '\0';
}

static void policy_with_slash(struct conf *conf)
{
	(void)text_copy(conf->policies[0].name, CONF_NAME_MAX, "../x");
}

static void policy_twice(struct conf *conf)
{
	(void)text_copy(conf->policies[1].name, CONF_NAME_MAX, "global");
}

static void service_twice(struct conf *conf)
{
	(void)text_copy(conf->services[1].name, CONF_NAME_MAX, "mx");
}

static void service_with_dot(struct conf *conf)
{
	(void)text_copy(conf->services[0].name, CONF_NAME_MAX, "mx.1");
}

static void unknown_policy(struct conf *conf)
{
	conf->services[1].policy = 2;
}

static void strikes_none(struct conf *conf)
{
	conf->policies[1].strikes.max = 0;
}

static void strikes_too_many(struct conf *conf)
{
	conf->policies[1].strikes.max = STRIKES_KEPT_MAX + 1;
}

static void window_none(struct conf *conf)
{
	conf->policies[0].strikes.window_s = 0;
}

static void ban_time_none(struct conf *conf)
{
	conf->policies[0].strikes.ban_time_s = 0;
}

static void ban_time_max_less(struct conf *conf)
{
	conf->policies[0].strikes.ban_time_max_s = 3599;
}

static void ban_forever_max_less(struct conf *conf)
{
	conf->policies[0].strikes.ban_time_s = DURATION_FOREVER_S;
}

static void credit_negative(struct conf *conf)
{
	conf->policies[0].strikes.success_credit_s = -1;
}

static void grey_delay_none(struct conf *conf)
{
	conf->policies[0].greylist.delay_s = 0;
}

static void grey_delay_too_long(struct conf *conf)
{
	conf->policies[0].greylist.delay_s = 86401;
}

static void grey_window_as_delay(struct conf *conf)
{
	conf->policies[0].greylist.window_s = 120;
}

static void grey_lifetime_none(struct conf *conf)
{
	conf->policies[1].greylist.lifetime_s = 0;
}

static void mode_unknown(struct conf *conf)
{
	conf->policies[0].mode[CHECK_PTR] = MODE_ENFORCE + 1;
}

static void tcp_with_listen(struct conf *conf)
{
	conf->services[1].listen_count = 1;
}

static void tcp_with_backend(struct conf *conf)
{
	conf->services[1].backend_count = 1;
}

static void tcp_without_ports(struct conf *conf)
{
	conf->services[1].port_count = 0;
}

static void smtp_without_listen(struct conf *conf)
{
	conf->services[0].listen_count = 0;
}

static void smtp_without_backend(struct conf *conf)
{
	conf->services[0].backend_count = 0;
}

static void type_unknown(struct conf *conf)
{
	conf->services[0].type = SERVICE_TYPE_COUNT;
}

static void listen_same(struct conf *conf)
{
	conf->services[0].listen[1] = endpoint_of("0.0.0.0:25");
}

static void listen_taken(struct conf *conf)
{
	conf->services[2] = conf->services[0];
	(void)text_copy(conf->services[2].name, CONF_NAME_MAX, "mx2");
	conf->services[2].listen[0] = endpoint_of("192.0.2.1:25");
	conf->service_count = 3;
}

static void port_of_two_policies(struct conf *conf)
{
	conf->services[1].ports[1] = 25;
	conf->services[1].port_count = 2;
}

static void loop_exact(struct conf *conf)
{
	conf->services[0].listen[0] = endpoint_of("192.0.2.1:25");
	conf->services[0].backend[0] = endpoint_of("192.0.2.1:25");
}

static void loop_through_any(struct conf *conf)
{
	conf->services[0].backend[0] = endpoint_of("127.0.0.1:25");
}

static void loop_through_any6(struct conf *conf)
{
	conf->services[0].backend[0] = endpoint_of("[::1]:25");
}

static void line_too_short(struct conf *conf)
{
	conf->limits.line_max_bytes = 511;
}

static void line_too_long(struct conf *conf)
{
	conf->limits.line_max_bytes = 12289;
}

static void sessions_none(struct conf *conf)
{
	conf->limits.sessions_max = 0;
}

static void per_client_more_than_all(struct conf *conf)
{
	conf->limits.sessions_max = 49;
}

static void timeout_none(struct conf *conf)
{
	conf->limits.data_timeout_s = 0;
}

static void timeout_without_end(struct conf *conf)
{
	conf->limits.session_time_max_s = DURATION_FOREVER_S;
}

static const struct {
	void (*spoil)(struct conf *conf);
	const char *want;
} problems[] = {
	{no_gate, "gates: 0 is outside 1..64"},
	{one_gate_too_many, "gates: 65 is outside 1..64"},
	{no_service, "there is no service: nothing to guard"},
	{no_hostname, "hostname: none is set, and this host has none"},
	{hostname_with_space, "hostname: it is no domain name; write mx.example.org"},
	{relative_path, "state-dir: 'var/lib' does not begin with /"},
	{policy_without_name, "policy '': a name has 1 to 31 letters, digits, - and _"},
	{policy_with_slash, "policy '../x': a name has 1 to 31 letters, digits, - and _"},
	{policy_twice, "policy 'global' is there twice"},
	{service_twice, "service 'mx' is there twice"},
	{service_with_dot, "service 'mx.1': a name has 1 to 31 letters, digits, - and _"},
	{unknown_policy, "service 'admin': there is no such policy"},
	{strikes_none, "policy 'webadmin': max-strikes: 0 is outside 1..32"},
	{strikes_too_many, "policy 'webadmin': max-strikes: 33 is outside 1..32"},
	{window_none, "policy 'global': strike-window: it has to be 1s or more"},
	{ban_time_none, "policy 'global': ban-time: it has to be 1s or more"},
	{ban_time_max_less,
	 "policy 'global': ban-time-max: 59m59s is less than ban-time, 1h"},
	{ban_forever_max_less,
	 "policy 'global': ban-time-max: 7d is less than ban-time, forever"},
	{credit_negative,
	 "policy 'global': ban-memory and success-credit: 0s (off) or more"},
	{grey_delay_none, "policy 'global': greylist-delay: 0s is outside 1s..1d"},
	{grey_delay_too_long, "policy 'global': greylist-delay: 1d1s is outside 1s..1d"},
	{grey_window_as_delay,
	 "policy 'global': greylist-window: 2m is not more than greylist-delay, 2m"},
	{grey_lifetime_none,
	 "policy 'webadmin': greylist-lifetime: it has to be 1s or more"},
	{mode_unknown, "policy 'global': ptr: the mode is off, observe or enforce"},
	{tcp_with_listen,
	 "service 'admin': tcp is gated in the kernel alone: it takes ports, no listen"},
	{tcp_with_backend,
	 "service 'admin': tcp is gated in the kernel alone: it takes ports, no backend"},
	{tcp_without_ports, "service 'admin': tcp needs ports"},
	{smtp_without_listen, "service 'mx': smtp needs listen, as in 0.0.0.0:25"},
	{smtp_without_backend,
	 "service 'mx': smtp needs a backend, as in 127.0.0.1:2525"},
	{type_unknown, "service 'mx': unknown type, or more than 8 values"},
	{listen_same, "service 'mx': listen: '0.0.0.0:25' is taken already by 'mx'"},
	{listen_taken, "service 'mx2': listen: '[::]:25' is taken already by 'mx'"},
	{port_of_two_policies,
	 "port 25: 'mx' guards it by policy 'global', 'admin' by policy 'webadmin'; "
	 "a port has one policy"},
	{loop_exact,
	 "service 'mx': backend: at '192.0.2.1:25' postern itself listens ('mx')"},
	{loop_through_any,
	 "service 'mx': backend: at '127.0.0.1:25' postern itself listens ('mx')"},
	{loop_through_any6,
	 "service 'mx': backend: at '[::1]:25' postern itself listens ('mx')"},
	{line_too_short, "line-max: 511 is outside 512..12288"},
	{line_too_long, "line-max: 12289 is outside 512..12288"},
	{sessions_none, "sessions-max: 0 is outside 1..1000000"},
	{per_client_more_than_all,
	 "sessions-per-client-max: 50 is more than sessions-max, 49"},
	{timeout_none, "data-timeout: 0s is outside 1s..7d"},
	{timeout_without_end, "session-time-max: forever is outside 1s..7d"},
};

static void each_problem_is_said_in_one_sentence(void **state)
{
	static struct conf conf;
	char problem[CONF_PROBLEM_MAX];

	(void)state;
	fine(&conf);
	problem[0] = '\0';
	if (conf_validate(&conf, problem) != 0)
		fail_msg("fine: %s", problem);
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		fine(&conf);
		problems[i].spoil(&conf);
		problem[0] = '\0';
		if (conf_validate(&conf, problem) != -EINVAL)
			fail_msg("taken, but: %s", problems[i].want);
		assert_string_equal(problem, problems[i].want);
	}
}

/* ---- and what looks like a problem but is none ---- */

static void same_port_same_policy(struct conf *conf)
{
	conf->services[2] = conf->services[0];
	(void)text_copy(conf->services[2].name, CONF_NAME_MAX, "mx2");
	conf->services[2].listen[0] = endpoint_of("192.0.2.1:25");
	conf->services[2].listen_count = 1;
	conf->service_count = 3;
}

static void backend_elsewhere_on_the_same_port(struct conf *conf)
{
	conf->services[0].backend[0] = endpoint_of("192.0.2.25:25");
}

static void backend_of_the_other_family(struct conf *conf)
{
	conf->services[0].listen_count = 1; /* 0.0.0.0:25 */
	conf->services[0].backend[0] = endpoint_of("[::1]:25");
}

static void shared_backend(struct conf *conf)
{
	conf->services[0].backend[1] = conf->services[0].backend[0];
	conf->services[0].backend_count = 2;
}

static void strikes_at_both_ends(struct conf *conf)
{
	conf->policies[0].strikes.max = 1;
	conf->policies[1].strikes.max = STRIKES_KEPT_MAX;
}

static void grey_at_both_ends(struct conf *conf)
{
	conf->policies[0].greylist.delay_s = 1;
	conf->policies[0].greylist.window_s = 2;
	conf->policies[0].greylist.lifetime_s = 1;
	conf->policies[0].greylist.auto_pass = 0;
	conf->policies[1].greylist.delay_s = 86400;
}

static void bans_that_never_end(struct conf *conf)
{
	conf->policies[0].strikes.ban_time_s = DURATION_FOREVER_S;
	conf->policies[0].strikes.ban_time_max_s = DURATION_FOREVER_S;
}

static void no_interface_but_xdp(struct conf *conf)
{
	conf->interface_count = 0; /* proc/config warns */
}

static void shutdown_at_once(struct conf *conf)
{
	conf->limits.shutdown_grace_s = 0;
}

static void line_at_both_ends(struct conf *conf)
{
	conf->limits.line_max_bytes = CONF_LINE_LARGEST;
}

static void (*const allowed[])(struct conf *conf) = {
	same_port_same_policy,
	backend_elsewhere_on_the_same_port,
	backend_of_the_other_family,
	shared_backend,
	strikes_at_both_ends,
	bans_that_never_end,
	grey_at_both_ends,
	no_interface_but_xdp,
	shutdown_at_once,
	line_at_both_ends,
};

static void what_is_allowed_passes(void **state)
{
	static struct conf conf;

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		char problem[CONF_PROBLEM_MAX] = "";

		fine(&conf);
		allowed[i](&conf);
		if (conf_validate(&conf, problem) != 0)
			fail_msg("row %zu: %s", i, problem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_the_manual),
		cmocka_unit_test(names_go_there_and_back),
		cmocka_unit_test(what_is_there_is_found),
		cmocka_unit_test(a_service_is_on_unless_something_is_off),
		cmocka_unit_test(guarded_ports_are_named_once),
		cmocka_unit_test(each_problem_is_said_in_one_sentence),
		cmocka_unit_test(what_is_allowed_passes),
	};

	return cmocka_run_group_tests_name("policy/conf", tests, NULL, NULL);
}
