/* SPDX-License-Identifier: GPL-2.0-only */
/* The checks that span settings stand in policy/conf_validate.c. */
#include "policy/conf.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

#define LOG_LEVEL_DEFAULT \
	2u /* LOG_LEVEL_INFO of base/log.h, which is not for this floor */
#define MINUTE_S INT64_C(60)
#define HOUR_S	 (60 * MINUTE_S)
#define DAY_S	 (24 * HOUR_S)

#define SESSIONS_PER_CLIENT 50

static const struct conf_strikes strikes_defaults = {
	.max = 5,
	.window_s = 10 * MINUTE_S,
	.ban_time_s = HOUR_S,
	.ban_time_max_s = 7 * DAY_S,
	.ban_memory_s = 7 * DAY_S,
};

static const struct conf_greylist greylist_defaults = {
	.delay_s = 2 * MINUTE_S,
	.window_s = 2 * DAY_S,
	.lifetime_s = 36 * DAY_S,
	.auto_pass = 5,
	.spf_bypass = GREY_BYPASS_CONFIRMED,
};

static const struct conf_limits limits_defaults = {
	.sessions_max = 10000,
	.sessions_per_client_max = SESSIONS_PER_CLIENT,
	.line_max_bytes = 2048, /* 512 of RFC 5321 and room for what extensions add */
	.errors_max = 20,
	.commands_max = 100,
	.bans_max = 1048576,
	.strikes_clients_max = 100000,
	.dos_clients_max = 16384,
	.dns_cache_entries = 65536,
	.am_clients_max = 100000,
	.triplets_max = 1000000,
	.routes_max = 100000,
	.greeting_timeout_s = 2 * MINUTE_S,
	.command_timeout_s = 5 * MINUTE_S,
	.data_timeout_s = 3 * MINUTE_S,
	.data_end_timeout_s = 10 * MINUTE_S,
	.backend_connect_timeout_s = 10,
	.backend_reply_timeout_s = 5 * MINUTE_S,
	.session_time_max_s = 2 * HOUR_S,
	.login_timeout_s = 3 * MINUTE_S,
	.pop3_idle_timeout_s = 10 * MINUTE_S,
	.imap_idle_timeout_s = 35 * MINUTE_S,
	.handover_grace_s = 86400,
	.shutdown_grace_s = 30,
	.check_timeout_s = 10,
	.proxy_header_timeout_s = 5,
	.dns_ttl_max_s = HOUR_S,
	.tls_handshakes_max = 500,
	.tls_handshakes_per_client_max = 300,
	.tls_handshake_timeout_s = 30,
	.tls_ticket_rotation_s = 8 * HOUR_S,
	.greylist_timeout_s = 5,
};

void conf_policy_init(struct conf_policy *policy)
{
	*policy = (struct conf_policy){
		.enabled = true,
		.mode =
			{
				[CHECK_STRIKES] = MODE_ENFORCE,
				[CHECK_HELO] = MODE_ENFORCE,
				[CHECK_PTR] = MODE_OBSERVE,
				[CHECK_RBL] = MODE_ENFORCE,
				[CHECK_EARLY] = MODE_OBSERVE,
				[CHECK_PIPELINING] = MODE_OBSERVE,
				[CHECK_IMPERSONATION] = MODE_OBSERVE,
				[CHECK_SPF] = MODE_ENFORCE,
				[CHECK_GREYLIST] = MODE_ENFORCE,
				[CHECK_RELAY] = MODE_ENFORCE,
				[CHECK_SPOOF] = MODE_ENFORCE,
				[CHECK_DOS] = MODE_ENFORCE,
			},
		.spf_temperror_defer = true,
		.rbl_threshold = 1,
		.strikes = strikes_defaults,
		.detectors =
			{
				[DETECT_CONNECTS] = {1000, MINUTE_S},
				[DETECT_CROWDED] = {200, MINUTE_S},
				[DETECT_SLOW] = {30, 10 * MINUTE_S},
				[DETECT_FLOODS] = {10, 10 * MINUTE_S},
				[DETECT_JUNK] = {20, 10 * MINUTE_S},
				[DETECT_TLS] = {100, 10 * MINUTE_S},
				[DETECT_SYNS] = {5, MINUTE_S},
			},
		/* A relay sends several messages in one session, and has some tens of sessions open: to begin
		 * 20 in each second it would have to end as many. The burst is for a queue that is let go. */
		.syn_rate = 20,
		.syn_burst = 2 * SESSIONS_PER_CLIENT,
		.am_window_s = 5 * MINUTE_S,
		.greylist = greylist_defaults,
	};
}

void conf_service_init(struct conf_service *service)
{
	*service = (struct conf_service){
		.type = SERVICE_SMTP,
		.client_address = CLIENT_ADDRESS_NONE,
		.bare_newline = BARE_NEWLINE_NORMALIZE,
		.sessions_per_client_max = SESSIONS_PER_CLIENT,
		.backend_verify = true,
		.backend_ca = "/etc/ssl/certs/ca-certificates.crt",
	};
}

void conf_rbl_init(struct conf_rbl *rbl)
{
	*rbl = (struct conf_rbl){.weight = 1, .ipv6 = true, .timeout_s = 3};
}

void conf_init(struct conf *conf)
{
	memset(conf, 0,
	       sizeof(*conf)); /* padding, too: it is shared with other processes */
	conf->abi = CONF_ABI;
	conf->xdp = XDP_WISH_AUTO;
	conf->log_level = LOG_LEVEL_DEFAULT;
	conf->limits = limits_defaults;
	(void)text_copy(conf->state_dir, sizeof(conf->state_dir), "/var/lib/postern");
	(void)text_copy(conf->run_dir, sizeof(conf->run_dir), "/run/postern");
	(void)text_copy(conf->pin_dir, sizeof(conf->pin_dir), "/sys/fs/bpf/postern");
	for (size_t i = 0; i < CONF_POLICIES_MAX; i++)
		conf_policy_init(&conf->policies[i]);
	for (size_t i = 0; i < CONF_SERVICES_MAX; i++)
		conf_service_init(&conf->services[i]);
	for (size_t i = 0; i < CONF_RBLS_MAX; i++)
		conf_rbl_init(&conf->rbls[i]);
}

static const struct {
	const char *name;
	uint16_t port;
	uint8_t tls; /* enum tls_mode */
	bool has_login;
} types[] = {
	[SERVICE_SMTP] = {"smtp", 25, TLS_MODE_NONE, false},
	[SERVICE_SUBMISSION] = {"submission", 587, TLS_MODE_NONE, true},
	[SERVICE_SUBMISSIONS] = {"submissions", 465, TLS_MODE_IMPLICIT, true},
	[SERVICE_POP3] = {"pop3", 110, TLS_MODE_NONE, true},
	[SERVICE_POP3S] = {"pop3s", 995, TLS_MODE_IMPLICIT, true},
	[SERVICE_IMAP] = {"imap", 143, TLS_MODE_NONE, true},
	[SERVICE_IMAPS] = {"imaps", 993, TLS_MODE_IMPLICIT, true},
	[SERVICE_TCP] = {"tcp", 0, TLS_MODE_NONE, false},
};

static_assert(sizeof(types) / sizeof(types[0]) == SERVICE_TYPE_COUNT,
	      "one row for each type");

const char *service_type_name(enum service_type type)
{
	assert((unsigned int)type < SERVICE_TYPE_COUNT);
	return types[type].name;
}

bool service_type_is_smtp(enum service_type type)
{
	return type == SERVICE_SMTP || type == SERVICE_SUBMISSION ||
	       type == SERVICE_SUBMISSIONS;
}

bool service_type_is_mailbox(enum service_type type)
{
	return type == SERVICE_POP3 || type == SERVICE_POP3S || type == SERVICE_IMAP ||
	       type == SERVICE_IMAPS;
}

int service_type_from_name(const char *name)
{
	for (int i = 0; i < SERVICE_TYPE_COUNT; i++) {
		if (strcmp(types[i].name, name) == 0)
			return i;
	}
	return -1;
}

uint16_t service_type_port(enum service_type type)
{
	assert((unsigned int)type < SERVICE_TYPE_COUNT);
	return types[type].port;
}

enum tls_mode service_type_tls(enum service_type type)
{
	assert((unsigned int)type < SERVICE_TYPE_COUNT);
	return types[type].tls;
}

bool service_type_has_login(enum service_type type)
{
	assert((unsigned int)type < SERVICE_TYPE_COUNT);
	return types[type].has_login;
}

bool conf_service_has_tls(const struct conf_service *service)
{
	return service->tls == TLS_MODE_STARTTLS || service->tls == TLS_MODE_IMPLICIT;
}

const char *check_mode_name(enum check_mode mode)
{
	static const char *const names[] = {
		[MODE_OFF] = "off",
		[MODE_OBSERVE] = "observe",
		[MODE_ENFORCE] = "enforce",
	};

	assert((unsigned int)mode < sizeof(names) / sizeof(names[0]));
	return names[mode];
}

const char *conf_check_name(enum conf_check check)
{
	static const char *const names[] = {
		[CHECK_STRIKES] = "strikes",
		[CHECK_HELO] = "helo",
		[CHECK_PTR] = "ptr",
		[CHECK_RBL] = "rbl",
		[CHECK_EARLY] = "early-talkers",
		[CHECK_PIPELINING] = "pipelining",
		[CHECK_IMPERSONATION] = "helo-impersonation",
		[CHECK_SPF] = "spf",
		[CHECK_GREYLIST] = "greylist",
		[CHECK_RELAY] = "relay",
		[CHECK_SPOOF] = "spoof",
		[CHECK_DOS] = "dos",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == CHECK_COUNT, "a name for each");
	assert((unsigned int)check < CHECK_COUNT);
	return names[check];
}

int conf_policy_find(const struct conf *conf, const char *name)
{
	for (int i = 0; i < conf->policy_count; i++) {
		if (strcmp(conf->policies[i].name, name) == 0)
			return i;
	}
	return -1;
}

int conf_service_find(const struct conf *conf, const char *name)
{
	for (int i = 0; i < conf->service_count; i++) {
		if (strcmp(conf->services[i].name, name) == 0)
			return i;
	}
	return -1;
}

int conf_certificate_find(const struct conf *conf, const char *name)
{
	for (int i = 0; i < conf->certificate_count; i++) {
		if (strcmp(conf->certificates[i].name, name) == 0)
			return i;
	}
	return -1;
}

int conf_rbl_find(const struct conf *conf, const char *name)
{
	for (int i = 0; i < conf->rbl_count; i++) {
		if (strcmp(conf->rbls[i].name, name) == 0)
			return i;
	}
	return -1;
}

const struct conf_policy *conf_policy_by_id(const struct conf *conf, uint16_t id)
{
	for (size_t i = 0; i < conf->policy_count; i++) {
		if (conf->policies[i].id == id)
			return &conf->policies[i];
	}
	return NULL;
}

bool conf_wants_intercept(const struct conf *conf)
{
	for (size_t i = 0; i < conf->service_count; i++) {
		if (conf->services[i].intercept ||
		    conf->services[i].client_address == CLIENT_ADDRESS_TRANSPARENT)
			return true;
	}
	return false;
}

bool conf_trusts_proxy(const struct conf *conf, const struct addr *addr)
{
	for (size_t i = 0; i < conf->trusted_proxy_count; i++)
		if (prefix_contains(&conf->trusted_proxies[i], addr))
			return true;
	return false;
}

bool conf_service_is_on(const struct conf *conf, const struct conf_service *service)
{
	const struct conf_policy *policy = &conf->policies[service->policy];

	return policy->enabled && !(policy->types_off & (UINT32_C(1) << service->type));
}
