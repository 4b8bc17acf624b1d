/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/conf_validate - the checks that span settings; each function finds one problem.
 *
 * A problem is one sentence for the admin: the setting, its value, what would be right.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "policy/conf.h"
#include "policy/conf_validate.h"
#include "policy/strikes.h"

#define WEEK_S INT64_C(604800)

int problem_set(char *out_problem, const char *format, ...)
{
	struct buf text;
	va_list args;

	buf_init(&text, out_problem, CONF_PROBLEM_MAX);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	if (text.overflow)
		buf_puts(&text,
			 "a setting whose values are too long to be shown is wrong");
	return -EINVAL;
}

/* ---- names and paths ---- */

/* Names become names of pinned kernel objects, and columns in tables. */
static bool name_is_fine(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_-";
	const size_t len = strnlen(name, CONF_NAME_MAX);

	return len > 0 && len < CONF_NAME_MAX && strspn(name, allowed) == len;
}

int conf_validate_name(const char *kind, const char *name, char *out_problem)
{
	char shown[CONF_NAME_MAX * 4];
	struct buf text = BUF_OVER(shown);

	if (name_is_fine(name))
		return 0;
	buf_add_escaped(&text, name, strnlen(name, CONF_NAME_MAX), CONF_NAME_MAX - 1);
	return problem_set(out_problem,
			   "%s '%s': a name has 1 to %u letters, digits, - and _", kind,
			   shown, CONF_NAME_MAX - 1);
}

static int names_check(const struct conf *conf, char *out_problem)
{
	for (int i = 0; i < conf->policy_count; i++) {
		if (conf_validate_name("policy", conf->policies[i].name, out_problem) !=
		    0)
			return -EINVAL;
		if (conf_policy_find(conf, conf->policies[i].name) != i)
			return problem_set(out_problem, "policy '%s' is there twice",
					   conf->policies[i].name);
	}
	for (int i = 0; i < conf->service_count; i++) {
		if (conf_validate_name("service", conf->services[i].name, out_problem) !=
		    0)
			return -EINVAL;
		if (conf_service_find(conf, conf->services[i].name) != i)
			return problem_set(out_problem, "service '%s' is there twice",
					   conf->services[i].name);
	}
	for (int i = 0; i < conf->certificate_count; i++) {
		const char *name = conf->certificates[i].name;

		if (conf_validate_name("certificate", name, out_problem) != 0)
			return -EINVAL;
		if (conf_certificate_find(conf, name) != i)
			return problem_set(out_problem, "certificate '%s' is there twice",
					   name);
	}
	return 0;
}

/* It stands in the banner and in replies (RFC 5321 section 4.2): no space, no CR LF. */
static int hostname_check(const struct conf *conf, char *out_problem)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-.";
	const char *name = conf->hostname;

	if (name[0] == '\0')
		return problem_set(out_problem,
				   "hostname: none is set, and this host has none");
	if (name[strspn(name, allowed)] != '\0' || name[0] == '.' || name[0] == '-')
		return problem_set(
			out_problem,
			"hostname: it is no domain name; write mx.example.org");
	return 0;
}

static int paths_check(const struct conf *conf, char *out_problem)
{
	const struct {
		const char *setting, *path;
	} rows[] = {
		{"state-dir", conf->state_dir},
		{"run-dir", conf->run_dir},
		{"pin-dir", conf->pin_dir},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].path[0] != '/')
			return problem_set(out_problem,
					   "%s: '%.100s' does not begin with /",
					   rows[i].setting, rows[i].path);
	}
	return 0;
}

/* ---- numbers ---- */

static int counts_check(const struct conf *conf, char *out_problem)
{
	const struct {
		const char *setting;
		uint64_t value, min, max;
	} rows[] = {
		{"gates", conf->gates, 1, CONF_GATES_MAX},
		{"number of policies", conf->policy_count, 0, CONF_POLICIES_MAX},
		{"number of services", conf->service_count, 0, CONF_SERVICES_MAX},
		{"sessions-max", conf->limits.sessions_max, 1, 1000000},
		{"sessions-per-client-max", conf->limits.sessions_per_client_max, 1,
		 1000000},
		{"line-max", conf->limits.line_max_bytes, CONF_LINE_SMALLEST,
		 CONF_LINE_LARGEST},
		{"errors-max", conf->limits.errors_max, 1, 1000000},
		{"commands-max", conf->limits.commands_max, 1, 1000000},
		{"bans-max", conf->limits.bans_max, 1024, 16777216},
		{"strikes-clients-max", conf->limits.strikes_clients_max, 1, 10000000},
		{"dos-clients-max", conf->limits.dos_clients_max, 1, 1048576},
		{"dns-cache-entries", conf->limits.dns_cache_entries, 1024, 1048576},
		{"number of certificates", conf->certificate_count, 0,
		 CONF_CERTIFICATES_MAX},
		{"tls-handshakes-max", conf->limits.tls_handshakes_max, 1, 1000000},
		{"tls-handshakes-per-client-max",
		 conf->limits.tls_handshakes_per_client_max, 1, 1000000},
		{"am-clients-max", conf->limits.am_clients_max, 1, 10000000},
		{"triplets-max", conf->limits.triplets_max, 1, 16777216},
		{"routes-max", conf->limits.routes_max, 1, 1000000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
			return problem_set(
				out_problem,
				"%s: %" PRIu64 " is outside %" PRIu64 "..%" PRIu64,
				rows[i].setting, rows[i].value, rows[i].min, rows[i].max);
	}
	if (conf->limits.sessions_per_client_max > conf->limits.sessions_max)
		return problem_set(
			out_problem,
			"sessions-per-client-max: %u is more than sessions-max, %u",
			conf->limits.sessions_per_client_max, conf->limits.sessions_max);
	return 0;
}

static int durations_check(const struct conf_limits *limits, char *out_problem)
{
	const struct {
		const char *setting;
		int64_t value_s, min_s;
	} rows[] = {
		{"greeting-timeout", limits->greeting_timeout_s, 1},
		{"command-timeout", limits->command_timeout_s, 1},
		{"data-timeout", limits->data_timeout_s, 1},
		{"data-end-timeout", limits->data_end_timeout_s, 1},
		{"backend-connect-timeout", limits->backend_connect_timeout_s, 1},
		{"backend-reply-timeout", limits->backend_reply_timeout_s, 1},
		{"session-time-max", limits->session_time_max_s, 1},
		{"login-timeout", limits->login_timeout_s, 1},
		{"pop3-idle-timeout", limits->pop3_idle_timeout_s, 1},
		{"imap-idle-timeout", limits->imap_idle_timeout_s, 1},
		{"handover-grace", limits->handover_grace_s, 0},
		{"shutdown-grace", limits->shutdown_grace_s, 0},
		{"check-timeout", limits->check_timeout_s, 1},
		{"proxy-header-timeout", limits->proxy_header_timeout_s, 1},
		{"dns-ttl-min", limits->dns_ttl_min_s, 0},
		{"dns-ttl-max", limits->dns_ttl_max_s, limits->dns_ttl_min_s},
		{"tls-handshake-timeout", limits->tls_handshake_timeout_s, 1},
		{"tls-ticket-rotation", limits->tls_ticket_rotation_s, 60},
		{"greylist-timeout", limits->greylist_timeout_s, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char value[DURATION_TEXT_MAX];

		if (rows[i].value_s >= rows[i].min_s && rows[i].value_s <= WEEK_S)
			continue;
		return problem_set(out_problem, "%s: %s is outside %" PRId64 "s..7d",
				   rows[i].setting,
				   num_format_duration(rows[i].value_s, value),
				   rows[i].min_s);
	}
	return 0;
}

/* ---- policies ---- */

static int strikes_check(const struct conf_policy *policy, char *out_problem)
{
	const struct conf_strikes *strikes = &policy->strikes;
	char a[DURATION_TEXT_MAX], b[DURATION_TEXT_MAX];

	if (strikes->max < 1 || strikes->max > STRIKES_KEPT_MAX)
		return problem_set(out_problem,
				   "policy '%s': max-strikes: %u is outside 1..%u",
				   policy->name, strikes->max, STRIKES_KEPT_MAX);
	if (strikes->window_s < 1)
		return problem_set(out_problem,
				   "policy '%s': strike-window: it has to be 1s or more",
				   policy->name);
	if (strikes->ban_time_s < 1)
		return problem_set(out_problem,
				   "policy '%s': ban-time: it has to be 1s or more",
				   policy->name);
	if (strikes->ban_time_max_s < strikes->ban_time_s)
		return problem_set(
			out_problem,
			"policy '%s': ban-time-max: %s is less than ban-time, %s",
			policy->name, num_format_duration(strikes->ban_time_max_s, a),
			num_format_duration(strikes->ban_time_s, b));
	if (strikes->ban_memory_s < 0 || strikes->success_credit_s < 0)
		return problem_set(
			out_problem,
			"policy '%s': ban-memory and success-credit: 0s (off) or more",
			policy->name);
	return 0;
}

static int greylist_check(const struct conf_policy *policy, char *out_problem)
{
	const struct conf_greylist *greylist = &policy->greylist;
	char a[DURATION_TEXT_MAX], b[DURATION_TEXT_MAX];

	if (greylist->delay_s < 1 || greylist->delay_s > CONF_GREY_DELAY_MAX_S)
		return problem_set(
			out_problem, "policy '%s': greylist-delay: %s is outside 1s..%s",
			policy->name, num_format_duration(greylist->delay_s, a),
			num_format_duration(CONF_GREY_DELAY_MAX_S, b));
	if (greylist->window_s <= greylist->delay_s)
		return problem_set(
			out_problem,
			"policy '%s': greylist-window: %s is not more than greylist-delay, %s",
			policy->name, num_format_duration(greylist->window_s, a),
			num_format_duration(greylist->delay_s, b));
	if (greylist->lifetime_s < 1)
		return problem_set(
			out_problem,
			"policy '%s': greylist-lifetime: it has to be 1s or more",
			policy->name);
	return 0;
}

static int policies_check(const struct conf *conf, char *out_problem)
{
	for (size_t i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];

		if (strikes_check(policy, out_problem) != 0 ||
		    greylist_check(policy, out_problem) != 0 ||
		    conf_validate_policy_rbls(conf, policy, out_problem) != 0)
			return -EINVAL;
		if (policy->syn_rate > CONF_SYN_MAX || policy->syn_burst < 1 ||
		    policy->syn_burst > CONF_SYN_MAX)
			return problem_set(
				out_problem,
				"policy '%s': dos-syn-rate is 0 (no limit) to %u, dos-syn-burst 1 to %u",
				policy->name, CONF_SYN_MAX, CONF_SYN_MAX);
		if (policy->am_window_s < 0 || policy->am_window_s > WEEK_S)
			return problem_set(
				out_problem,
				"policy '%s': am-window: 0s (while a session is open) to 7d",
				policy->name);
		if (policy->greet_delay_s < 0 || policy->greet_delay_s > 60 ||
		    policy->helo_undotted_count > CONF_UNDOTTED_MAX)
			return problem_set(
				out_problem,
				"policy '%s': greet-delay is 0s to 60s, helo-undotted has at most %u names",
				policy->name, CONF_UNDOTTED_MAX);
		if (policy->dns_failure > DNS_FAILURE_DEFER)
			return problem_set(out_problem,
					   "policy '%s': dns-failure is accept or defer",
					   policy->name);
		for (int check = 0; check < CHECK_COUNT; check++) {
			if (policy->mode[check] > MODE_ENFORCE)
				return problem_set(
					out_problem,
					"policy '%s': %s: the mode is off, observe or enforce",
					policy->name, conf_check_name(check));
		}
	}
	return 0;
}

/* ---- services ---- */

static int service_tcp_check(const struct conf_service *service, char *out_problem)
{
	if (service->listen_count > 0 || service->backend_count > 0)
		return problem_set(
			out_problem,
			"service '%s': tcp is gated in the kernel alone: it takes ports, no %s",
			service->name, service->listen_count > 0 ? "listen" : "backend");
	if (service->port_count == 0)
		return problem_set(out_problem, "service '%s': tcp needs ports",
				   service->name);
	return 0;
}

static int service_proxied_check(const struct conf_service *service, char *out_problem)
{
	const char *type = service_type_name(service->type);

	if (service->listen_count == 0)
		return problem_set(out_problem,
				   "service '%s': %s needs listen, as in 0.0.0.0:%u",
				   service->name, type, service_type_port(service->type));
	if (service->backend_count == 0 && !service->intercept)
		return problem_set(
			out_problem,
			"service '%s': %s needs a backend, as in 127.0.0.1:2525",
			service->name, type);
	return 0;
}

/* Printable, in one word: it becomes a user name at the backend. */
static int aa_login_check(const struct conf_service *service, char *out_problem)
{
	if (service->aa_login[0] == '\0')
		return 0;
	if (service->client_address != CLIENT_ADDRESS_XCLIENT ||
	    !service_type_is_smtp((enum service_type)service->type))
		return problem_set(
			out_problem,
			"service '%s': aa-login: only SMTP with client-address = xclient can tell it",
			service->name);
	for (const char *c = service->aa_login; *c; c++)
		if (*c <= ' ' || *c > '~')
			return problem_set(
				out_problem,
				"service '%s': aa-login: it has a character that no user name "
				"should have",
				service->name);
	return 0;
}

static int accept_proxy_check(const struct conf *conf, const struct conf_service *service,
			      char *out_problem)
{
	if (!service->accept_proxy)
		return 0;
	if (service->type == SERVICE_TCP || service->intercept)
		return problem_set(
			out_problem,
			"service '%s': accept-proxy: only a service with listen of its own sees what "
			"a proxy says",
			service->name);
	if (conf->trusted_proxy_count == 0)
		return problem_set(
			out_problem,
			"service '%s': accept-proxy: name the proxies in trusted-proxies",
			service->name);
	return 0;
}

static int service_check(const struct conf *conf, const struct conf_service *service,
			 char *out_problem)
{
	if (service->type >= SERVICE_TYPE_COUNT ||
	    service->listen_count > CONF_LISTEN_MAX ||
	    service->backend_count > CONF_BACKENDS_MAX ||
	    service->port_count > CONF_LISTEN_MAX)
		return problem_set(out_problem,
				   "service '%s': unknown type, or more than %u values",
				   service->name, CONF_LISTEN_MAX);
	if (service->policy >= conf->policy_count)
		return problem_set(out_problem, "service '%s': there is no such policy",
				   service->name);
	if (service->client_address > CLIENT_ADDRESS_TRANSPARENT)
		return problem_set(
			out_problem,
			"service '%s': client-address is none, proxy, xclient or transparent",
			service->name);
	if (service->fail_mode > FAIL_OPEN)
		return problem_set(out_problem,
				   "service '%s': fail-mode is closed or open",
				   service->name);
	if (service->bare_newline > BARE_NEWLINE_REJECT)
		return problem_set(out_problem,
				   "service '%s': bare-newline is normalize or reject",
				   service->name);
	if (conf_validate_tls(conf, service, out_problem) != 0 ||
	    accept_proxy_check(conf, service, out_problem) != 0 ||
	    aa_login_check(service, out_problem) != 0)
		return -EINVAL;
	if (service->sessions_per_client_max < 1)
		return problem_set(out_problem,
				   "service '%s': sessions-per-client-max: 1 or more",
				   service->name);
	if (service->type == SERVICE_TCP)
		return service_tcp_check(service, out_problem);
	return service_proxied_check(service, out_problem);
}

size_t conf_service_ports(const struct conf_service *service,
			  uint16_t out_ports[CONF_PORTS_MAX])
{
	uint16_t all[CONF_PORTS_MAX];
	size_t all_count = 0, count = 0;

	for (size_t i = 0; i < service->port_count && i < CONF_LISTEN_MAX; i++)
		all[all_count++] = service->ports[i];
	/* Where the gates take what was intercepted, no client comes. */
	for (size_t i = 0;
	     !service->intercept && i < service->listen_count && i < CONF_LISTEN_MAX; i++)
		all[all_count++] = service->listen[i].port;

	for (size_t i = 0; i < all_count; i++) {
		size_t j = 0;

		while (j < count && out_ports[j] != all[i])
			j++;
		if (j == count)
			out_ports[count++] = all[i];
	}
	return count;
}

/* The kernel knows one policy for a port, whatever the address; one that is off, too. */
static int ports_check(const struct conf *conf, const struct conf_service *a,
		       const struct conf_service *b, char *out_problem)
{
	uint16_t ports_a[CONF_PORTS_MAX], ports_b[CONF_PORTS_MAX];
	const size_t count_a = conf_service_ports(a, ports_a);
	const size_t count_b = conf_service_ports(b, ports_b);

	if (a->policy == b->policy)
		return 0;
	for (size_t i = 0; i < count_a * count_b; i++) {
		const uint16_t port = ports_a[i / count_b];

		if (port == ports_b[i % count_b])
			return problem_set(
				out_problem,
				"port %u: '%s' guards it by policy '%s', '%s' by policy '%s'; "
				"a port has one policy",
				port, a->name, conf->policies[a->policy].name, b->name,
				conf->policies[b->policy].name);
	}
	return 0;
}

static bool endpoint_equal(const struct conf_endpoint *a, const struct conf_endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

/* Does a connection to this endpoint arrive at that listener? */
static bool endpoint_leads_to(const struct conf_endpoint *to,
			      const struct conf_endpoint *listener)
{
	const struct prefix any = {.addr = {.family = listener->addr.family}};
	const bool is_any = addr_equal(&listener->addr, &any.addr);

	if (endpoint_equal(to, listener))
		return true;
	return is_any && to->port == listener->port && prefix_contains(&any, &to->addr) &&
	       (addr_is_loopback(&to->addr) || addr_equal(&to->addr, &any.addr));
}

static void endpoint_format(struct buf *text, const struct conf_endpoint *endpoint)
{
	char addr[ADDR_TEXT_MAX];

	addr_format(&endpoint->addr, addr);
	buf_printf(text, endpoint->addr.family == ADDR_V6 ? "[%s]:%u" : "%s:%u", addr,
		   endpoint->port);
}

static int listen_check(const struct conf_service *a, const struct conf_service *b,
			char *out_problem)
{
	char shown[ADDR_TEXT_MAX + 8];
	struct buf text = BUF_OVER(shown);

	for (size_t i = 0; i < a->listen_count; i++) {
		for (size_t j = a == b ? i + 1 : 0; j < b->listen_count; j++) {
			if (!endpoint_equal(&a->listen[i], &b->listen[j]))
				continue;
			endpoint_format(&text, &a->listen[i]);
			return problem_set(
				out_problem,
				"service '%s': listen: '%s' is taken already by '%s'",
				b->name, shown, a->name);
		}
	}
	return 0;
}

/* postern as its own backend would connect to itself without end. */
static int loop_check(const struct conf_service *service,
		      const struct conf_service *listening, char *out_problem)
{
	char shown[ADDR_TEXT_MAX + 8];
	struct buf text = BUF_OVER(shown);

	for (size_t i = 0; i < service->backend_count; i++) {
		for (size_t j = 0; j < listening->listen_count; j++) {
			if (!endpoint_leads_to(&service->backend[i],
					       &listening->listen[j]))
				continue;
			endpoint_format(&text, &service->backend[i]);
			return problem_set(
				out_problem,
				"service '%s': backend: at '%s' postern itself listens ('%s')",
				service->name, shown, listening->name);
		}
	}
	return 0;
}

static int services_check(const struct conf *conf, char *out_problem)
{
	if (conf->service_count == 0)
		return problem_set(out_problem, "there is no service: nothing to guard");
	for (size_t i = 0; i < conf->service_count; i++) {
		if (service_check(conf, &conf->services[i], out_problem) != 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < conf->service_count; i++) {
		for (size_t j = 0; j < conf->service_count; j++) {
			const struct conf_service *a = &conf->services[i];
			const struct conf_service *b = &conf->services[j];

			if (loop_check(a, b, out_problem) != 0)
				return -EINVAL;
			if (i <= j && listen_check(a, b, out_problem) != 0)
				return -EINVAL;
			if (i < j && ports_check(conf, a, b, out_problem) != 0)
				return -EINVAL;
		}
	}
	return 0;
}

static int kernel_check(const struct conf *conf, char *out_problem)
{
	if (conf->xdp > XDP_WISH_OFF)
		return problem_set(out_problem,
				   "xdp: it is auto, native, generic or off");
	return 0;
}

int conf_validate(const struct conf *conf, char out_problem[CONF_PROBLEM_MAX])
{
	static int (*const checks[])(const struct conf *conf, char *out_problem) = {
		counts_check,	    names_check,    hostname_check, paths_check,
		conf_validate_rbls, policies_check, services_check, kernel_check,
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i](conf, out_problem) != 0)
			return -EINVAL;
	}
	return durations_check(&conf->limits, out_problem);
}
