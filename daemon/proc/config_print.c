/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_print - see config_print.h.
 */
#include "proc/config_print.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "proc/config_fill.h"

void config_print_report(FILE *out, const struct config_report *report)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < report->kept; i++)
			if (report->notes[i].is_error == (pass == 0))
				(void)fprintf(out, "%s: %s\n",
					      pass == 0 ? "error" : "warning",
					      report->notes[i].text);
	if (report->errors + report->warnings > report->kept)
		(void)fprintf(out, "and %zu more\n",
			      report->errors + report->warnings - report->kept);
}

static uint64_t number_load(const void *member, size_t size)
{
	uint64_t number = 0;

	if (size == sizeof(uint8_t)) {
		number = *(const uint8_t *)member;
	} else if (size == sizeof(uint32_t)) {
		uint32_t middle;

		memcpy(&middle, member, sizeof(middle));
		number = middle;
	} else {
		memcpy(&number, member, sizeof(number));
	}
	return number;
}

static void print_field(FILE *out, const char *indent, const struct config_field *field,
			const void *object)
{
	const void *member = (const char *)object + field->offset;
	char time[DURATION_TEXT_MAX];

	switch (field->kind) {
	case CONFIG_TEXT:
		(void)fprintf(out, "%s%s = \"%s\"\n", indent, field->name,
			      (const char *)member);
		break;
	case CONFIG_YES:
		(void)fprintf(out, "%s%s = %s\n", indent, field->name,
			      *(const bool *)member ? "yes" : "no");
		break;
	case CONFIG_NUMBER:
		(void)fprintf(out, "%s%s = %" PRIu64 "\n", indent, field->name,
			      number_load(member, field->size));
		break;
	case CONFIG_DURATION:
		(void)fprintf(out, "%s%s = %s\n", indent, field->name,
			      num_format_duration(
				      (int64_t)number_load(member, field->size), time));
		break;
	case CONFIG_CHOICE:
		(void)fprintf(out, "%s%s = %s\n", indent, field->name,
			      field->choices[*(const uint8_t *)member]);
		break;
	case CONFIG_OWN:
	case CONFIG_LIST:
		break; /* printed by the functions below, which know their shape */
	}
}

static void print_fields(FILE *out, const char *indent, enum config_shape shape,
			 const void *object)
{
	for (size_t i = 0; i < config_shape_table[shape].count; i++)
		print_field(out, indent, &config_shape_table[shape].rows[i], object);
}

static void print_endpoints(FILE *out, const char *name,
			    const struct conf_endpoint *endpoints, uint8_t count)
{
	char addr[ADDR_TEXT_MAX];

	(void)fprintf(out, "%s = {", name);
	for (uint8_t i = 0; i < count; i++) {
		const bool is_v6 = endpoints[i].addr.family == ADDR_V6;

		(void)fprintf(out, "%s \"%s%s%s:%u\"", i ? "," : "", is_v6 ? "[" : "",
			      addr_format(&endpoints[i].addr, addr), is_v6 ? "]" : "",
			      endpoints[i].port);
	}
	(void)fprintf(out, " }\n");
}

static void print_prefixes(FILE *out, const char *name, const struct prefix *prefixes,
			   uint8_t count)
{
	char text[PREFIX_TEXT_MAX];

	(void)fprintf(out, "%s = {", name);
	for (uint8_t i = 0; i < count; i++)
		(void)fprintf(out, "%s \"%s\"", i ? "," : "",
			      prefix_format(&prefixes[i], text));
	(void)fprintf(out, " }\n");
}

static void print_root(FILE *out, const struct conf *conf)
{
	print_fields(out, "", SHAPE_ROOT, conf);
	(void)fprintf(out, "interfaces = {");
	for (uint8_t i = 0; i < conf->interface_count; i++)
		(void)fprintf(out, "%s \"%s\"", i ? "," : "", conf->interfaces[i]);
	(void)fprintf(out, " }\n");
	print_prefixes(out, "never-ban", conf->never_ban, conf->never_ban_count);
	print_prefixes(out, "trusted-proxies", conf->trusted_proxies,
		       conf->trusted_proxy_count);
	if (conf->dns_count > 0)
		print_endpoints(out, "dns", conf->dns, conf->dns_count);
}

static void print_rbl(FILE *out, const struct conf_rbl *rbl)
{
	char text[RBL_PATTERN_TEXT_MAX];

	(void)fprintf(out, "\nrbl %s {\n\tzone = \"%s\"\n", rbl->name, rbl->zone);
	print_fields(out, "\t", SHAPE_RBL, rbl);
	if (rbl->reply_count > 0) {
		(void)fprintf(out, "\treplies = {");
		for (uint8_t i = 0; i < rbl->reply_count; i++)
			(void)fprintf(out, "%s \"%s\"", i ? "," : "",
				      rbl_pattern_format(&rbl->replies[i], text));
		(void)fprintf(out, " }\n");
	}
	(void)fprintf(out, "}\n");
}

static void print_policy_rbls(FILE *out, const struct conf *conf,
			      const struct conf_policy *policy)
{
	bool is_first = true;

	if (!policy->rbls)
		return;
	(void)fprintf(out, "\trbls = {");
	for (uint8_t i = 0; i < conf->rbl_count; i++)
		if (policy->rbls & UINT32_C(1) << i) {
			(void)fprintf(out, "%s \"%s\"", is_first ? "" : ",",
				      conf->rbls[i].name);
			is_first = false;
		}
	(void)fprintf(out, " }\n");
}

static void print_undotted(FILE *out, const struct conf_policy *policy)
{
	if (policy->helo_undotted_count == 0)
		return;
	(void)fprintf(out, "\thelo-undotted = {");
	for (uint8_t i = 0; i < policy->helo_undotted_count; i++)
		(void)fprintf(out, "%s \"%s\"", i ? "," : "", policy->helo_undotted[i]);
	(void)fprintf(out, " }\n");
}

static void print_policy(FILE *out, const struct config *config, uint8_t index)
{
	const struct conf_policy *policy = &config->conf.policies[index];
	char time[DURATION_TEXT_MAX];
	bool is_first = true;

	(void)fprintf(out, "\npolicy %s {\t# %u entries\n", policy->name,
		      config->entries[index]);
	print_fields(out, "\t", SHAPE_POLICY, policy);
	print_undotted(out, policy);
	print_policy_rbls(out, &config->conf, policy);
	for (int i = 0; i < DETECT_COUNT; i++) {
		const struct conf_detector *detector = &policy->detectors[i];

		if (detector->max == 0)
			(void)fprintf(out, "\tdos-%s = off\n", detector_name(i));
		else
			(void)fprintf(out, "\tdos-%s = %u/%s\n", detector_name(i),
				      detector->max,
				      num_format_duration(detector->window_s, time));
	}
	(void)fprintf(out, "\tlists = {");
	for (uint8_t i = 0; i < config->conf.list_count; i++)
		if (config->lists[index] & (1u << i)) {
			(void)fprintf(out, "%s \"%s\"", is_first ? "" : ",",
				      config->conf.lists[i]);
			is_first = false;
		}
	is_first = true;
	(void)fprintf(out, " }\n\toff-types = {");
	for (int type = 0; type < SERVICE_TYPE_COUNT; type++)
		if (policy->types_off & (1u << type)) {
			(void)fprintf(out, "%s %s", is_first ? "" : ",",
				      service_type_name((enum service_type)type));
			is_first = false;
		}
	(void)fprintf(out, " }\n}\n");
}

static void print_service_tls(FILE *out, const struct conf *conf,
			      const struct conf_service *service)
{
	(void)fprintf(out, "\tcertificates = {");
	for (uint8_t i = 0; i < service->certificate_count; i++)
		(void)fprintf(out, "%s \"%s\"", i ? "," : "",
			      conf->certificates[service->certificates[i]].name);
	(void)fprintf(out, " }\n\tbackend-ca = \"%s\"\n", service->backend_ca);
}

static void print_certificate(FILE *out, const struct config *config, uint8_t index)
{
	const struct conf_certificate *certificate = &config->conf.certificates[index];
	const struct tls_cert_facts *facts = &config->certificates->facts[index];
	char day[32] = "";
	time_t end = (time_t)facts->not_after_s;
	struct tm tm;

	if (gmtime_r(&end, &tm))
		(void)strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm);
	(void)fprintf(out, "\ncertificate %s {\t# %s, until %s:", certificate->name,
		      facts->key, day);
	for (uint32_t i = 0; i < facts->name_count && i < TLS_NAMES_MAX; i++)
		(void)fprintf(out, " %s", facts->names[i]);
	(void)fprintf(out, "\n\tchain = \"%s\"\n\tkey = \"%s\"\n}\n", certificate->chain,
		      certificate->key);
}

static void print_service(FILE *out, const struct conf *conf,
			  const struct conf_service *service)
{
	(void)fprintf(out, "\nservice %s {%s\n", service->name,
		      conf_service_is_on(conf, service)
			      ? ""
			      : "\t# off: its ports are let through unchecked");
	(void)fprintf(out, "\ttype = %s\n\tpolicy = %s\n",
		      service_type_name((enum service_type)service->type),
		      conf->policies[service->policy].name);
	if (service->type == SERVICE_TCP || service->intercept) {
		(void)fprintf(out, "\tports = {");
		for (uint8_t i = 0; i < service->port_count; i++)
			(void)fprintf(out, "%s %u", i ? "," : "", service->ports[i]);
		(void)fprintf(out, " }\n");
	} else {
		print_endpoints(out, "\tlisten", service->listen, service->listen_count);
	}
	if (service->backend_count > 0)
		print_endpoints(out, "\tbackend", service->backend,
				service->backend_count);
	if (service->type != SERVICE_TCP) {
		print_fields(out, "\t", SHAPE_SERVICE, service);
		print_service_tls(out, conf, service);
	}
	(void)fprintf(out, "}\n");
}

void config_print(FILE *out, const struct config *config)
{
	const struct conf *conf = &config->conf;

	print_root(out, conf);
	for (uint8_t i = 0; i < conf->rbl_count; i++)
		print_rbl(out, &conf->rbls[i]);
	for (uint8_t i = 0; i < conf->policy_count; i++)
		print_policy(out, config, i);
	for (uint8_t i = 0; i < conf->certificate_count; i++)
		print_certificate(out, config, i);
	for (uint8_t i = 0; i < conf->service_count; i++)
		print_service(out, conf, &conf->services[i]);
	(void)fprintf(out, "\nlimits {\n");
	print_fields(out, "\t", SHAPE_LIMITS, &conf->limits);
	(void)fprintf(out, "}\n");
}
