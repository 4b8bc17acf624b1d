/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config - see config.h. The order of reading: text, settings, policies, services, limits, the checks
 * that span settings, list files.
 */
#include "proc/config.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/buf.h"
#include "proc/config_fill.h"
#include "proc/config_names.h"

#define IMAP_SESSIONS_PER_CLIENT 40

/* The name of a section becomes the name of a pin, a column and a log value. */
static bool title_is_valid(const char *title)
{
	size_t len = strlen(title);

	if (len == 0 || len >= CONF_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)title[i]) && title[i] != '-' &&
		    title[i] != '_')
			return false;
	return true;
}

static struct config_place section_place(const struct config_fill *fill,
					 const struct config_section *section)
{
	return (struct config_place){fill->source->path, section->line, 0};
}

static void check_title(struct config_fill *fill, const struct config_section *section)
{
	if (!title_is_valid(section->title))
		report_error(&fill->config->report, section_place(fill, section),
			     "'%s' is no name: 1 to %u letters, digits, - and _",
			     section->title, CONF_NAME_MAX - 1);
}

static void load_policies(struct config_fill *fill, const struct config_tree *tree)
{
	const struct config_fields *shape = &config_shape_table[SHAPE_POLICY];
	struct conf *conf = &fill->config->conf;
	struct config_section section;

	for (unsigned int i = 0; tree_section(tree, shape->section, i, &section); i++) {
		struct conf_policy *policy = &conf->policies[conf->policy_count];

		if (i == CONF_POLICIES_MAX) {
			report_error(&fill->config->report, section_place(fill, &section),
				     "policy %s is one too many: at most %u",
				     section.title, CONF_POLICIES_MAX);
			return;
		}
		check_title(fill, &section);
		conf_policy_init(policy);
		(void)text_copy(policy->name, sizeof(policy->name), section.title);
		fill->policy_lines[conf->policy_count] = section.line;
		fill_object(fill, &section, shape, policy);
		conf->policy_count++;
	}
	if (conf->policy_count == 0)
		report_error(
			&fill->config->report,
			(struct config_place){fill->source->path, 0, 0},
			"there is no policy: add a section such as policy global { lists = { "
			"\"global.list\" } }");
}

/* Where the gates take what is led to them: on loopback, at a port that follows from the guarded one. */
static void listen_for_intercepted(struct conf_service *service)
{
	static const struct addr loopback[] = {
		{.family = ADDR_V4, .bytes = {127, 0, 0, 1}},
		{.family = ADDR_V6, .bytes = {[15] = 1}},
	};

	for (uint8_t i = 0; i < service->port_count; i++)
		for (size_t j = 0; j < sizeof(loopback) / sizeof(loopback[0]); j++)
			service->listen[service->listen_count++] = (struct conf_endpoint){
				loopback[j],
				(uint16_t)(service->ports[i] + CONF_INTERCEPT_BASE)};
}

/* It stays where it is, and needs to be told nothing. */
static void complete_intercepted(struct config_fill *fill, struct conf_service *service,
				 struct config_place at)
{
	struct config_report *report = &fill->config->report;

	if (service->listen_count > 0)
		report_error(
			report, at,
			"service %s: listen does not go with intercept = yes: the mail host itself "
			"listens; say ports if they are not the usual ones",
			service->name);
	if (fill->config->conf.interface_count == 0)
		report_error(
			report, at,
			"service %s: intercept needs interfaces: those that clients come in by",
			service->name);
	if (service->port_count > CONF_LISTEN_MAX / 2)
		report_error(report, at, "service %s: intercept takes at most %u ports",
			     service->name, CONF_LISTEN_MAX / 2);
	if (service->port_count == 0)
		service->ports[service->port_count++] = service_type_port(service->type);
	for (uint8_t i = 0; i < service->port_count; i++)
		if (service->ports[i] > UINT16_MAX - CONF_INTERCEPT_BASE)
			report_error(report, at,
				     "service %s: port %u is too high for intercept: at "
				     "most %u",
				     service->name, service->ports[i],
				     UINT16_MAX - CONF_INTERCEPT_BASE);
	if (service->listen_count == 0 && service->port_count <= CONF_LISTEN_MAX / 2)
		listen_for_intercepted(service);
}

/* What a proxied service needs and what it gets when it says nothing. */
static void complete_proxied(struct config_fill *fill, struct conf_service *service,
			     struct config_place at)
{
	struct config_report *report = &fill->config->report;

	if (service->intercept) {
		complete_intercepted(fill, service, at);
		return;
	}
	if (service->port_count > 0)
		report_error(
			report, at,
			"service %s: ports is for type = tcp and for intercept = yes; a %s service has listen",
			service->name, service_type_name(service->type));
	if (service->listen_count == 0) {
		uint16_t port = service_type_port(service->type);

		service->listen[0] = (struct conf_endpoint){{.family = ADDR_V4}, port};
		service->listen[1] = (struct conf_endpoint){{.family = ADDR_V6}, port};
		service->listen_count = 2;
	}
	if (service->backend_count == 0)
		report_error(
			report, at,
			"service %s: backend is missing: the mail host behind, such as backend "
			"= { \"192.0.2.10:%u\" }",
			service->name, service_type_port(service->type));
	service->port_count = 0;
	for (uint8_t i = 0; i < service->listen_count; i++) {
		bool is_known = false;

		for (uint8_t j = 0; j < service->port_count; j++)
			is_known =
				is_known || service->ports[j] == service->listen[i].port;
		if (!is_known)
			service->ports[service->port_count++] = service->listen[i].port;
	}
}

static void complete_tcp(struct config_fill *fill, const struct conf_service *service,
			 struct config_place at)
{
	struct config_report *report = &fill->config->report;

	if (service->port_count == 0)
		report_error(
			report, at,
			"service %s: ports is missing: what to guard, such as ports = { 443 }",
			service->name);
	if (service->intercept)
		report_error(
			report, at,
			"service %s: intercept is not for type = tcp, which is not proxied",
			service->name);
	if (service->listen_count > 0 || service->backend_count > 0)
		report_error(
			report, at,
			"service %s: a tcp service is gated in the kernel and not proxied: it "
			"has ports, but no listen and no backend",
			service->name);
}

static void load_service(struct config_fill *fill, const struct config_section *section)
{
	struct conf *conf = &fill->config->conf;
	struct conf_service *service = &conf->services[conf->service_count];
	struct config_place at = section_place(fill, section);
	size_t errors = fill->config->report.errors;

	conf_service_init(service);
	(void)text_copy(service->name, sizeof(service->name), section->title);
	fill->service_lines[conf->service_count] = section->line;
	check_title(fill, section);
	fill_object(fill, section, &config_shape_table[SHAPE_SERVICE], service);
	fill_tls_defaults(section, service);
	if (!section_setting(section, "sessions-per-client-max", 0))
		service->sessions_per_client_max = 0; /* see load_defaults() */
	if (!section_setting(section, "type", 0))
		report_error(
			&fill->config->report, at,
			"service %s: type is missing: smtp, submission, submissions, pop3, pop3s, "
			"imap, imaps or tcp",
			section->title);
	if (!section_setting(section, "policy", 0))
		report_error(
			&fill->config->report, at,
			"service %s: policy is missing: the name of one of the policies",
			section->title);
	conf->service_count++;
	if (fill->config->report.errors != errors)
		return; /* what is missing may only look so */
	if (service->intercept && !section_setting(section, "client-address", 0))
		service->client_address = CLIENT_ADDRESS_TRANSPARENT;
	if (service->type == SERVICE_TCP)
		complete_tcp(fill, service, at);
	else
		complete_proxied(fill, service, at);
}

static void load_services(struct config_fill *fill, const struct config_tree *tree)
{
	struct config_section section;

	for (unsigned int i = 0; tree_section(tree, "service", i, &section); i++) {
		if (i == CONF_SERVICES_MAX) {
			report_error(&fill->config->report, section_place(fill, &section),
				     "service %s is one too many: at most %u",
				     section.title, CONF_SERVICES_MAX);
			return;
		}
		load_service(fill, &section);
	}
}

static void load_certificates(struct config_fill *fill, const struct config_tree *tree)
{
	const struct config_fields *shape = &config_shape_table[SHAPE_CERTIFICATE];
	struct config_report *report = &fill->config->report;
	struct conf *conf = &fill->config->conf;
	struct config_section section;

	for (unsigned int i = 0; tree_section(tree, shape->section, i, &section); i++) {
		struct conf_certificate *certificate =
			&conf->certificates[conf->certificate_count];

		if (i == CONF_CERTIFICATES_MAX) {
			report_error(report, section_place(fill, &section),
				     "certificate %s is one too many: at most %u",
				     section.title, CONF_CERTIFICATES_MAX);
			return;
		}
		check_title(fill, &section);
		(void)text_copy(certificate->name, sizeof(certificate->name),
				section.title);
		fill_object(fill, &section, shape, certificate);
		if (!section_setting(&section, "chain", 0) ||
		    !section_setting(&section, "key", 0))
			report_error(
				report, section_place(fill, &section),
				"certificate %s: it needs chain and key, the names of "
				"two PEM files",
				section.title);
		conf->certificate_count++;
	}
}

/* A mail program holds a connection for each folder that it watches; elsewhere the limit of all is enough. */
static uint32_t default_sessions(const struct conf *conf, uint8_t type)
{
	return type == SERVICE_IMAP || type == SERVICE_IMAPS
		       ? IMAP_SESSIONS_PER_CLIENT
		       : conf->limits.sessions_per_client_max;
}

static void load_defaults(struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->gates == 0)
		conf->gates = (uint8_t)(cores < 1		 ? 1
					: cores > CONF_GATES_MAX ? CONF_GATES_MAX
								 : cores);
	if (conf->hostname[0] == '\0' &&
	    (gethostname(conf->hostname, sizeof(conf->hostname)) ||
	     conf->hostname[sizeof(conf->hostname) - 1] != '\0'))
		(void)text_copy(conf->hostname, sizeof(conf->hostname), "localhost");
	for (uint8_t i = 0; i < conf->service_count; i++) {
		struct conf_service *service = &conf->services[i];

		if (service->sessions_per_client_max == 0)
			service->sessions_per_client_max =
				default_sessions(conf, service->type);
	}
}

static bool speaks_smtp(const struct conf_service *service)
{
	return service->type == SERVICE_SMTP || service->type == SERVICE_SUBMISSION ||
	       service->type == SERVICE_SUBMISSIONS;
}

static const struct conf_policy *policy_of(const struct config *config,
					   const struct conf_service *service)
{
	return &config->conf.policies[service->policy];
}

/* A mail host on this machine trusts 127.0.0.1 as it comes, and with none that is every client. */
static void warn_relay(struct config *config, struct config_place at,
		       const struct conf_service *service)
{
	struct config_report *report = &config->report;

	if (!speaks_smtp(service) || service->client_address != CLIENT_ADDRESS_NONE)
		return;
	if (text_builder_count(config->domains) > 0 &&
	    policy_of(config, service)->mode[CHECK_RELAY] == MODE_ENFORCE)
		return; /* nothing comes to the backend that it should not relay */
	for (size_t i = 0; i < service->backend_count; i++) {
		if (!addr_is_loopback(&service->backend[i].addr))
			continue;
		report_warning(
			report, at,
			"service %s: client-address = none, and the backend is on this host: it takes "
			"every client for this host, and relays for all if it trusts it (Postfix: "
			"mynetworks); better proxy or xclient",
			service->name);
		return;
	}
}

/* Once, for the first service that may want it. relay = off says that it is meant so. */
static void warn_no_domains(struct config *config, struct config_place at)
{
	for (size_t i = 0; i < config->conf.service_count; i++) {
		const struct conf_service *service = &config->conf.services[i];
		const struct conf_policy *policy = policy_of(config, service);

		if (!speaks_smtp(service) ||
		    !conf_service_is_on(&config->conf, service) ||
		    policy->mode[CHECK_RELAY] == MODE_OFF)
			continue;
		report_warning(
			&config->report, at,
			"local-domains is empty: who may relay is left to the mail host; name the "
			"domains it takes mail for, or say relay = off in policy %s",
			policy->name);
		return;
	}
}

/* Behind a proxy the kernel is out of it, and somebody has to know. */
static void warn_proxies(struct config_report *report, struct config_place at,
			 const struct conf *conf)
{
	bool is_used = false;

	for (size_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		if (!service->accept_proxy)
			continue;
		is_used = true;
		report_warning(
			report, at,
			"service %s: accept-proxy: of what a trusted proxy brings the kernel sees the "
			"proxy's address, not the client's: there list and bans hold in the gates alone",
			service->name);
	}
	if (conf->trusted_proxy_count > 0 && !is_used)
		report_warning(
			report, at,
			"trusted-proxies: no service has accept-proxy = yes: no PROXY header is read");
}

/* It may come later, or this be another host: but most likely the name is wrong, and the start would fail. */
static void warn_interfaces(const struct config_fill *fill)
{
	const struct conf *conf = &fill->config->conf;

	for (uint8_t i = 0; i < conf->interface_count; i++)
		if (if_nametoindex(conf->interfaces[i]) == 0)
			report_warning(
				&fill->config->report, fill->interface_places[i],
				"interfaces: '%s' is not there, and posternd does not start without "
				"it: see ip link",
				conf->interfaces[i]);
}

static void warn_doubtful(struct config_fill *fill)
{
	const struct conf *conf = &fill->config->conf;
	struct config_report *report = &fill->config->report;
	struct config_place whole = {fill->source->path, 0, 0};

	if (conf->interface_count == 0)
		report_warning(
			report, whole,
			"interfaces is empty: nothing is dropped in the kernel; set it to the "
			"interfaces that clients come in by (see ip link)");
	warn_interfaces(fill);
	for (size_t i = 0; i < conf->service_count; i++)
		warn_relay(fill->config, whole, &conf->services[i]);
	if (text_builder_count(fill->config->domains) == 0)
		warn_no_domains(fill->config, whole);
	warn_proxies(report, whole, conf);
}

static void load_all(struct config_fill *fill, const struct config_tree *tree)
{
	struct conf *conf = &fill->config->conf;
	struct config_report *report = &fill->config->report;
	char problem[CONF_PROBLEM_MAX];
	struct config_section section;

	if (tree_section(tree, NULL, 0, &section))
		fill_object(fill, &section, &config_shape_table[SHAPE_ROOT], conf);
	load_rbls(fill, tree); /* policies name them */
	load_policies(fill, tree);
	load_certificates(fill, tree);
	load_services(fill, tree);
	if (tree_section(tree, "limits", 0, &section))
		fill_object(fill, &section, &config_shape_table[SHAPE_LIMITS],
			    &conf->limits);
	load_defaults(conf);
	if (report->errors == 0 && conf_validate(conf, problem))
		report_error(report, problem_place(fill, tree, problem), "%s", problem);
	names_read_files(fill); /* what AA means depends on local-domains */
	fill_lists(fill);
	if (report->errors == 0)
		fill_certificates(fill);
	if (report->errors == 0)
		warn_doubtful(fill);
}

int config_load(const char *path, struct config **out_config)
{
	AUTO(config_free) struct config *config = calloc(1, sizeof(*config));
	AUTO(source_free) struct config_source source = {0};
	AUTO(tree_free) struct config_tree *tree = NULL;
	bool is_bad;

	if (!config)
		return -ENOMEM;
	config->domains = text_builder_new();
	config->routes = text_builder_new();
	if (!config->domains || !config->routes)
		return -ENOMEM;
	conf_init(&config->conf);
	config->conf.gates = 0; /* not set: as many as processors */
	if (source_read(path, &config->report, &source) == 0)
		tree = tree_parse(&source, config_shape_table, SHAPE_COUNT,
				  &config->report);
	if (tree) {
		struct config_fill fill = {.config = config, .source = &source};

		load_all(&fill, tree);
	}
	is_bad = config->report.errors > 0;
	*out_config = TAKE_PTR(config);
	return is_bad ? -EINVAL : 0;
}

void config_free(struct config **config)
{
	if (!*config)
		return;
	for (size_t i = 0; i < CONF_POLICIES_MAX; i++)
		prefix_builder_free(&(*config)->builders[i]);
	certificates_free(&(*config)->certificates);
	text_builder_free(&(*config)->domains);
	text_builder_free(&(*config)->routes);
	free(*config);
	*config = NULL;
}
