/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_fields - every setting of postern.conf, one row each.
 *
 * A new setting is a row here, a member in policy/conf.h, its default in conf_init(), and an
 * entry in postern.conf(5), which a test asks for.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/num.h"
#include "policy/limits.h"
#include "policy/strikes.h"
#include "proc/config_fill.h"
#include "proc/config_names.h"

#define DNS_PORT	   53
#define RBL_WEIGHT_LARGEST 1000
#define MINUTE_S	   60u
#define HOUR_S		   3600u
#define DAY_S		   86400u
#define YEAR_S		   (365u * DAY_S)
#define FOREVER_S	   ((uint64_t)DURATION_FOREVER_S)

static const char *const mode_names[] = {"off", "observe", "enforce", NULL};
static const char *const xdp_names[] = {"auto", "native", "generic", "off", NULL};
static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};
static const char *const client_address_names[] = {"none", "proxy", "xclient",
						   "transparent", NULL};
static const char *const fail_mode_names[] = {"closed", "open", NULL};
static const char *const bare_newline_names[] = {"normalize", "reject", NULL};
static const char *const tls_names[] = {"none", "starttls", "implicit", "passthrough",
					NULL};
static const char *const tls_min_names[] = {"1.2", "1.3", NULL};
static const char *const backend_tls_names[] = {"none", "starttls", "implicit", NULL};
static const char *const dns_failure_names[] = {"accept", "defer", NULL};
static const char *const softfail_names[] = {"accept", "reject", "greylist", NULL};
static const char *const grey_bypass_names[] = {"no", "confirmed", "yes", NULL};
static const char *const permerror_names[] = {"accept", "reject", NULL};
static const char *const temperror_names[] = {"accept", "defer", NULL};
static const char *const literals_names[] = {"refuse", "allow", NULL};
static const char *const rbl_type_names[] = {"block", "allow", NULL};
static const char *const rbl_at_names[] = {"rcpt", "connect", NULL};
static const char *const repeat_names[] = {"count", "ignore", NULL};
/* In the order of enum check_mode: who permits it checks nothing. */
static const char *const spoofing_names[] = {"yes", "observe", "no", NULL};

/* ---- values of their own kind -------------------------------------------------------------- */

static void problem(struct config_fill *fill, const struct config_setting *setting,
		    const char *what)
{
	report_error(&fill->config->report, setting_place(fill, setting), "'%s' %s",
		     setting->text, what);
}

static bool has_room(struct config_fill *fill, const struct config_setting *setting,
		     size_t count, size_t max)
{
	if (count < max)
		return true;
	report_error(&fill->config->report, setting_place(fill, setting),
		     "'%s' is one too many: at most %zu", setting->text, max);
	return false;
}

static void store_interface(struct config_fill *fill, void *object,
			    const struct config_setting *setting)
{
	struct conf *conf = object;

	if (!has_room(fill, setting, conf->interface_count, CONF_INTERFACES_MAX))
		return;
	if (setting->text[0] == '\0' || strlen(setting->text) >= IF_NAMESIZE ||
	    strchr(setting->text, '/')) {
		problem(fill, setting, "is no name of an interface: see ip link");
		return;
	}
	for (uint8_t i = 0; i < conf->interface_count; i++)
		if (strcmp(conf->interfaces[i], setting->text) == 0) {
			problem(fill, setting, "is named twice: keep one");
			return;
		}
	fill->interface_places[conf->interface_count] = setting_place(fill, setting);
	(void)text_copy(conf->interfaces[conf->interface_count++],
			sizeof(conf->interfaces[0]), setting->text);
}

static bool read_prefix(struct config_fill *fill, const struct config_setting *setting,
			struct prefix *out_prefix)
{
	char right[PREFIX_TEXT_MAX];
	int err = prefix_parse(setting->text, out_prefix);

	if (err == -EDOM)
		report_error(&fill->config->report, setting_place(fill, setting),
			     "'%s' has bits set behind its length: write %s",
			     setting->text, prefix_format(out_prefix, right));
	else if (err == -ERANGE)
		problem(fill, setting,
			"has too long a prefix: 0..32 for IPv4, 0..128 for IPv6");
	else if (err)
		problem(fill, setting,
			"is no address or prefix: write 192.0.2.1, 192.0.2.0/24 or "
			"2001:db8::/32");
	return !err;
}

static void store_never_ban(struct config_fill *fill, void *object,
			    const struct config_setting *setting)
{
	struct conf *conf = object;
	struct prefix prefix;

	if (has_room(fill, setting, conf->never_ban_count, CONF_NEVER_BAN_MAX) &&
	    read_prefix(fill, setting, &prefix))
		conf->never_ban[conf->never_ban_count++] = prefix;
}

static void store_trusted_proxy(struct config_fill *fill, void *object,
				const struct config_setting *setting)
{
	struct conf *conf = object;
	struct prefix prefix;

	if (!has_room(fill, setting, conf->trusted_proxy_count, CONF_PROXIES_MAX) ||
	    !read_prefix(fill, setting, &prefix))
		return;
	if (ban_is_wide(&prefix))
		problem(fill, setting,
			"holds strangers, who could then say that they are anybody: name "
			"your load balancers");
	else
		conf->trusted_proxies[conf->trusted_proxy_count++] = prefix;
}

static void store_dns(struct config_fill *fill, void *object,
		      const struct config_setting *setting)
{
	struct conf *conf = object;
	struct conf_endpoint server = {.port = DNS_PORT};

	if (!has_room(fill, setting, conf->dns_count, CONF_DNS_MAX))
		return;
	if (addr_parse(setting->text, &server.addr) &&
	    endpoint_parse(setting->text, &server.addr, &server.port))
		problem(fill, setting,
			"is no name server: write its address, or 192.0.2.53:5353 or "
			"[2001:db8::53]:5353");
	else
		conf->dns[conf->dns_count++] = server;
}

static void store_list(struct config_fill *fill, void *object,
		       const struct config_setting *setting)
{
	struct conf *conf = &fill->config->conf;
	size_t policy = (size_t)((struct conf_policy *)object - conf->policies);
	char path[CONF_PATH_MAX];
	uint8_t i;

	if (setting->text[0] == '\0' || !fill_path(fill, setting->text, path)) {
		problem(fill, setting, "is no path of a list file, or too long a one");
		return;
	}
	for (i = 0; i < conf->list_count; i++)
		if (strcmp(conf->lists[i], path) == 0)
			break;
	if (i == conf->list_count) {
		if (!has_room(fill, setting, conf->list_count, CONF_LISTS_MAX))
			return;
		fill->list_places[conf->list_count] = setting_place(fill, setting);
		(void)text_copy(conf->lists[conf->list_count++], CONF_PATH_MAX, path);
	}
	if (fill->config->lists[policy] & (1u << i))
		problem(fill, setting, "is named twice in this policy: keep one");
	fill->config->lists[policy] |= 1u << i;
}

/* -1, and it is in the report. */
static int read_type(struct config_fill *fill, const struct config_setting *setting)
{
	int type = service_type_from_name(setting->text);

	if (type < 0)
		problem(fill, setting,
			"is no type of service: smtp, submission, submissions, pop3, pop3s, imap, "
			"imaps or tcp");
	return type;
}

static void store_off_type(struct config_fill *fill, void *object,
			   const struct config_setting *setting)
{
	struct conf_policy *policy = object;
	int type = read_type(fill, setting);

	if (type >= 0)
		policy->types_off |= 1u << type;
}

static void store_type(struct config_fill *fill, void *object,
		       const struct config_setting *setting)
{
	struct conf_service *service = object;
	int type = read_type(fill, setting);

	if (type >= 0)
		service->type = (uint8_t)type;
}

static void store_policy(struct config_fill *fill, void *object,
			 const struct config_setting *setting)
{
	struct conf_service *service = object;
	int index = conf_policy_find(&fill->config->conf, setting->text);

	if (index < 0)
		problem(fill, setting,
			"is no policy of this file: add a section policy of that name");
	else
		service->policy = (uint8_t)index;
}

static bool read_endpoint(struct config_fill *fill, const struct config_setting *setting,
			  struct conf_endpoint *out_endpoint)
{
	struct conf_endpoint endpoint = {0};

	if (endpoint_parse(setting->text, &endpoint.addr, &endpoint.port) ||
	    endpoint.port == 0) {
		problem(fill, setting,
			"is no address with a port: write 192.0.2.1:25 or [2001:db8::1]:25");
		return false;
	}
	*out_endpoint = endpoint;
	return true;
}

static void store_listen(struct config_fill *fill, void *object,
			 const struct config_setting *setting)
{
	struct conf_service *service = object;

	if (has_room(fill, setting, service->listen_count, CONF_LISTEN_MAX) &&
	    read_endpoint(fill, setting, &service->listen[service->listen_count]))
		service->listen_count++;
}

static void store_backend(struct config_fill *fill, void *object,
			  const struct config_setting *setting)
{
	struct conf_service *service = object;

	if (has_room(fill, setting, service->backend_count, CONF_BACKENDS_MAX) &&
	    read_endpoint(fill, setting, &service->backend[service->backend_count]))
		service->backend_count++;
}

static void store_port(struct config_fill *fill, void *object,
		       const struct config_setting *setting)
{
	struct conf_service *service = object;
	uint64_t port;

	if (!has_room(fill, setting, service->port_count, CONF_LISTEN_MAX))
		return;
	if (num_parse_u64(setting->text, UINT16_MAX, &port) || port == 0)
		problem(fill, setting, "is no port: 1 to 65535");
	else
		service->ports[service->port_count++] = (uint16_t)port;
}

/* "200/1m": so many within so long; "off". */
static void store_detector(struct config_fill *fill, void *object,
			   const struct config_setting *setting, enum detector detector)
{
	struct conf_policy *policy = object;
	struct conf_detector read = {.window_s = 1};
	const char *slash = strchr(setting->text, '/');
	char number[16];
	uint64_t max = 0;
	struct buf text = BUF_OVER(number);

	if (strcmp(setting->text, "off") == 0) {
		policy->detectors[detector] = read;
		return;
	}
	if (slash)
		buf_add(&text, setting->text, (size_t)(slash - setting->text));
	if (!slash || text.overflow || num_parse_u64(number, 1000000, &max) || max == 0 ||
	    num_parse_duration(slash + 1, &read.window_s) || read.window_s < 1 ||
	    read.window_s > (int64_t)DETECT_WINDOW_MAX_S) {
		problem(fill, setting,
			"is no number within a time: write 200/1m (1 to 1000000, within 1s to 1d), or off");
		return;
	}
	read.max = (uint32_t)max;
	policy->detectors[detector] = read;
}

#define DETECTOR(function, detector)                                 \
	static void function(struct config_fill *fill, void *object, \
			     const struct config_setting *setting)   \
	{                                                            \
		store_detector(fill, object, setting, detector);     \
	}
DETECTOR(store_connects, DETECT_CONNECTS)
DETECTOR(store_crowded, DETECT_CROWDED)
DETECTOR(store_slow, DETECT_SLOW)
DETECTOR(store_floods, DETECT_FLOODS)
DETECTOR(store_junk, DETECT_JUNK)
DETECTOR(store_tls, DETECT_TLS)
DETECTOR(store_syns, DETECT_SYNS)

/* ---- the tables -------------------------------------------------------------------------------- */

#define MEMBER(type, member) offsetof(type, member), sizeof(((type *)NULL)->member)
#define TEXT(name, type, member)                                          \
	{                                                                 \
		name, CONFIG_TEXT, MEMBER(type, member), 0, 0, NULL, NULL \
	}
#define YES(name, type, member)                                          \
	{                                                                \
		name, CONFIG_YES, MEMBER(type, member), 0, 0, NULL, NULL \
	}
#define NUMBER(name, type, member, min, max)                                    \
	{                                                                       \
		name, CONFIG_NUMBER, MEMBER(type, member), min, max, NULL, NULL \
	}
#define DURATION(name, type, member, min, max)                                    \
	{                                                                         \
		name, CONFIG_DURATION, MEMBER(type, member), min, max, NULL, NULL \
	}
#define CHOICE(name, type, member, names)                                    \
	{                                                                    \
		name, CONFIG_CHOICE, MEMBER(type, member), 0, 0, names, NULL \
	}
#define OWN(name, store)                                  \
	{                                                 \
		name, CONFIG_OWN, 0, 0, 0, 0, NULL, store \
	}
#define LIST(name, store)                                  \
	{                                                  \
		name, CONFIG_LIST, 0, 0, 0, 0, NULL, store \
	}

static const struct config_field root_fields[] = {
	LIST("interfaces", store_interface),
	CHOICE("xdp", struct conf, xdp, xdp_names),
	TEXT("hostname", struct conf, hostname),
	NUMBER("gates", struct conf, gates, 1, CONF_GATES_MAX),
	TEXT("state-dir", struct conf, state_dir),
	TEXT("run-dir", struct conf, run_dir),
	TEXT("pin-dir", struct conf, pin_dir),
	CHOICE("log-level", struct conf, log_level, level_names),
	LIST("never-ban", store_never_ban),
	LIST("trusted-proxies", store_trusted_proxy),
	LIST("dns", store_dns),
	LIST("local-domains", names_store_domain),
	OWN("local-domains-file", names_store_domains_file),
	LIST("routes", names_store_route),
	OWN("routes-file", names_store_routes_file),
	YES("i-want-an-open-relay", struct conf, want_open_relay),
};

static const struct config_field policy_fields[] = {
	YES("enabled", struct conf_policy, enabled),
	LIST("lists", store_list),
	LIST("off-types", store_off_type),
	CHOICE("strikes", struct conf_policy, mode[CHECK_STRIKES], mode_names),
	CHOICE("helo", struct conf_policy, mode[CHECK_HELO], mode_names),
	CHOICE("helo-literals", struct conf_policy, helo_literals_allow, literals_names),
	LIST("helo-undotted", store_undotted),
	CHOICE("helo-impersonation", struct conf_policy, mode[CHECK_IMPERSONATION],
	       mode_names),
	CHOICE("early-talkers", struct conf_policy, mode[CHECK_EARLY], mode_names),
	DURATION("greet-delay", struct conf_policy, greet_delay_s, 0, MINUTE_S),
	CHOICE("pipelining", struct conf_policy, mode[CHECK_PIPELINING], mode_names),
	CHOICE("ptr", struct conf_policy, mode[CHECK_PTR], mode_names),
	CHOICE("dns-failure", struct conf_policy, dns_failure, dns_failure_names),
	YES("ptr-forward-confirmed", struct conf_policy, ptr_forward_confirmed),
	CHOICE("rbl", struct conf_policy, mode[CHECK_RBL], mode_names),
	LIST("rbls", store_rbl),
	NUMBER("rbl-threshold", struct conf_policy, rbl_threshold, 1,
	       RBL_WEIGHT_LARGEST *CONF_POLICY_RBLS_MAX),
	CHOICE("rbl-at", struct conf_policy, rbl_at, rbl_at_names),
	CHOICE("spf", struct conf_policy, mode[CHECK_SPF], mode_names),
	CHOICE("spf-softfail", struct conf_policy, spf_softfail, softfail_names),
	CHOICE("spf-permerror", struct conf_policy, spf_permerror_reject,
	       permerror_names),
	CHOICE("spf-temperror", struct conf_policy, spf_temperror_defer, temperror_names),
	YES("add-headers", struct conf_policy, add_headers),
	CHOICE("greylist", struct conf_policy, mode[CHECK_GREYLIST], mode_names),
	DURATION("greylist-delay", struct conf_policy, greylist.delay_s, 1,
		 CONF_GREY_DELAY_MAX_S),
	DURATION("greylist-window", struct conf_policy, greylist.window_s, 1, 30 * DAY_S),
	DURATION("greylist-lifetime", struct conf_policy, greylist.lifetime_s, 1, YEAR_S),
	NUMBER("greylist-auto-pass", struct conf_policy, greylist.auto_pass, 0, 1000),
	CHOICE("greylist-spf-bypass", struct conf_policy, greylist.spf_bypass,
	       grey_bypass_names),
	CHOICE("relay", struct conf_policy, mode[CHECK_RELAY], mode_names),
	CHOICE("permit-spoofing", struct conf_policy, mode[CHECK_SPOOF], spoofing_names),
	CHOICE("dos", struct conf_policy, mode[CHECK_DOS], mode_names),
	OWN("dos-connects", store_connects),
	OWN("dos-crowded", store_crowded),
	OWN("dos-slow", store_slow),
	OWN("dos-floods", store_floods),
	OWN("dos-junk", store_junk),
	OWN("dos-tls", store_tls),
	OWN("dos-syns", store_syns),
	NUMBER("dos-syn-rate", struct conf_policy, syn_rate, 0, CONF_SYN_MAX),
	NUMBER("dos-syn-burst", struct conf_policy, syn_burst, 1, CONF_SYN_MAX),
	NUMBER("max-strikes", struct conf_policy, strikes.max, 1, STRIKES_KEPT_MAX),
	DURATION("strike-window", struct conf_policy, strikes.window_s, 1, YEAR_S),
	DURATION("ban-time", struct conf_policy, strikes.ban_time_s, 1, FOREVER_S),
	DURATION("ban-time-max", struct conf_policy, strikes.ban_time_max_s, 1,
		 FOREVER_S),
	DURATION("ban-memory", struct conf_policy, strikes.ban_memory_s, 0, YEAR_S),
	CHOICE("repeat-credentials", struct conf_policy,
	       strikes.repeat_credentials_ignore, repeat_names),
	DURATION("success-credit", struct conf_policy, strikes.success_credit_s, 0,
		 YEAR_S),
	DURATION("am-window", struct conf_policy, am_window_s, 0, DAY_S),
};

static const struct config_field service_fields[] = {
	OWN("type", store_type),
	OWN("policy", store_policy),
	LIST("listen", store_listen),
	LIST("backend", store_backend),
	LIST("ports", store_port),
	CHOICE("client-address", struct conf_service, client_address,
	       client_address_names),
	YES("intercept", struct conf_service, intercept),
	CHOICE("fail-mode", struct conf_service, fail_mode, fail_mode_names),
	YES("apop", struct conf_service, apop),
	CHOICE("bare-newline", struct conf_service, bare_newline, bare_newline_names),
	YES("accept-proxy", struct conf_service, accept_proxy),
	TEXT("aa-login", struct conf_service, aa_login),
	NUMBER("sessions-per-client-max", struct conf_service, sessions_per_client_max, 1,
	       1000000),
	CHOICE("tls", struct conf_service, tls, tls_names),
	LIST("certificates", store_certificate),
	CHOICE("tls-min", struct conf_service, tls_min, tls_min_names),
	YES("require-tls-for-auth", struct conf_service, require_tls_for_auth),
	CHOICE("backend-tls", struct conf_service, backend_tls, backend_tls_names),
	YES("backend-verify", struct conf_service, backend_verify),
	OWN("backend-ca", store_backend_ca),
	TEXT("backend-verify-name", struct conf_service, backend_verify_name),
};

static const struct config_field rbl_fields[] = {
	OWN("zone", store_zone),
	NUMBER("weight", struct conf_rbl, weight, 1, RBL_WEIGHT_LARGEST),
	CHOICE("type", struct conf_rbl, type, rbl_type_names),
	LIST("replies", store_rbl_reply),
	DURATION("timeout", struct conf_rbl, timeout_s, 1, MINUTE_S),
	YES("ipv6", struct conf_rbl, ipv6),
};

static const struct config_field certificate_fields[] = {
	OWN("chain", store_chain),
	OWN("key", store_key),
};

#define LIMIT(name, member, min, max) NUMBER(name, struct conf_limits, member, min, max)
#define LIMIT_TIME(name, member, min, max) \
	DURATION(name, struct conf_limits, member, min, max)

static const struct config_field limits_fields[] = {
	LIMIT("sessions-max", sessions_max, 1, 1000000),
	LIMIT("sessions-per-client-max", sessions_per_client_max, 1, 1000000),
	LIMIT("line-max", line_max_bytes, CONF_LINE_SMALLEST, CONF_LINE_LARGEST),
	LIMIT("errors-max", errors_max, 1, 1000000),
	LIMIT("commands-max", commands_max, 1, 1000000),
	LIMIT("bans-max", bans_max, 1024, 16777216),
	LIMIT("dos-clients-max", dos_clients_max, 1024, 1048576),
	LIMIT("strikes-clients-max", strikes_clients_max, 1024, 4194304),
	LIMIT("am-clients-max", am_clients_max, 1024, 4194304),
	LIMIT("triplets-max", triplets_max, 1024, 16777216),
	LIMIT("routes-max", routes_max, 1, TEXT_TABLE_ROWS_MAX),
	LIMIT_TIME("greeting-timeout", greeting_timeout_s, 1, HOUR_S),
	LIMIT_TIME("command-timeout", command_timeout_s, 1, HOUR_S),
	LIMIT_TIME("data-timeout", data_timeout_s, 1, HOUR_S),
	LIMIT_TIME("data-end-timeout", data_end_timeout_s, MINUTE_S, 2 * HOUR_S),
	LIMIT_TIME("backend-connect-timeout", backend_connect_timeout_s, 1,
		   10 * MINUTE_S),
	LIMIT_TIME("backend-reply-timeout", backend_reply_timeout_s, 1, HOUR_S),
	LIMIT_TIME("session-time-max", session_time_max_s, MINUTE_S, 7 * DAY_S),
	LIMIT_TIME("login-timeout", login_timeout_s, 1, HOUR_S),
	LIMIT_TIME("pop3-idle-timeout", pop3_idle_timeout_s, 10 * MINUTE_S, DAY_S),
	LIMIT_TIME("imap-idle-timeout", imap_idle_timeout_s, 30 * MINUTE_S, 7 * DAY_S),
	LIMIT_TIME("handover-grace", handover_grace_s, 0, 7 * DAY_S),
	LIMIT_TIME("shutdown-grace", shutdown_grace_s, 0, HOUR_S),
	LIMIT_TIME("check-timeout", check_timeout_s, 1, MINUTE_S),
	LIMIT_TIME("proxy-header-timeout", proxy_header_timeout_s, 1, MINUTE_S),
	LIMIT("dns-cache-entries", dns_cache_entries, 1024, 1048576),
	LIMIT_TIME("dns-ttl-min", dns_ttl_min_s, 0, HOUR_S),
	LIMIT_TIME("dns-ttl-max", dns_ttl_max_s, 0, 7 * DAY_S),
	LIMIT("tls-handshakes-max", tls_handshakes_max, 1, 1000000),
	LIMIT("tls-handshakes-per-client-max", tls_handshakes_per_client_max, 1, 1000000),
	LIMIT_TIME("tls-handshake-timeout", tls_handshake_timeout_s, 1, 10 * MINUTE_S),
	LIMIT_TIME("tls-ticket-rotation", tls_ticket_rotation_s, MINUTE_S, 3 * DAY_S),
	LIMIT_TIME("greylist-timeout", greylist_timeout_s, 1, MINUTE_S),
};

#define ROWS(table) table, sizeof(table) / sizeof((table)[0])

const struct config_fields config_shape_table[SHAPE_COUNT] = {
	[SHAPE_ROOT] = {NULL, ROWS(root_fields)},
	[SHAPE_POLICY] = {"policy", ROWS(policy_fields)},
	[SHAPE_RBL] = {"rbl", ROWS(rbl_fields)},
	[SHAPE_SERVICE] = {"service", ROWS(service_fields)},
	[SHAPE_CERTIFICATE] = {"certificate", ROWS(certificate_fields)},
	[SHAPE_LIMITS] = {"limits", ROWS(limits_fields)},
};

const struct config_fields *config_shapes(size_t *out_count)
{
	*out_count = SHAPE_COUNT;
	return config_shape_table;
}
