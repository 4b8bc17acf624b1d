/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_tls - certificate sections, the TLS of services, and the files that both name.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proc/certificates.h"
#include "proc/config_fill.h"

bool fill_path(const struct config_fill *fill, const char *name, char out[CONF_PATH_MAX])
{
	struct buf path;
	const char *slash = strrchr(fill->source->path, '/');

	buf_init(&path, out, CONF_PATH_MAX);
	if (name[0] != '/' && slash)
		buf_add(&path, fill->source->path,
			(size_t)(slash - fill->source->path) + 1);
	buf_puts(&path, name);
	return !path.overflow;
}

static bool store_path(struct config_fill *fill, const struct config_setting *setting,
		       char out[CONF_PATH_MAX])
{
	if (setting->text[0] != '\0' && fill_path(fill, setting->text, out))
		return true;
	report_error(&fill->config->report, setting_place(fill, setting),
		     "'%s' is no path of a file, or too long a one", setting->text);
	return false;
}

static size_t certificate_index(const struct config_fill *fill, const void *object)
{
	return (size_t)((const struct conf_certificate *)object -
			fill->config->conf.certificates);
}

void store_chain(struct config_fill *fill, void *object,
		 const struct config_setting *setting)
{
	struct conf_certificate *certificate = object;

	if (store_path(fill, setting, certificate->chain))
		fill->chain_places[certificate_index(fill, object)] =
			setting_place(fill, setting);
}

void store_key(struct config_fill *fill, void *object,
	       const struct config_setting *setting)
{
	struct conf_certificate *certificate = object;

	if (store_path(fill, setting, certificate->key))
		fill->key_places[certificate_index(fill, object)] =
			setting_place(fill, setting);
}

void store_certificate(struct config_fill *fill, void *object,
		       const struct config_setting *setting)
{
	struct conf_service *service = object;
	struct config_place at = setting_place(fill, setting);
	int index = conf_certificate_find(&fill->config->conf, setting->text);

	if (index < 0) {
		report_error(&fill->config->report, at,
			     "'%s' is no certificate of this file: add a section "
			     "certificate of that name",
			     setting->text);
		return;
	}
	for (uint8_t i = 0; i < service->certificate_count; i++)
		if (service->certificates[i] == index) {
			report_error(&fill->config->report, at,
				     "'%s' is named twice: keep one", setting->text);
			return;
		}
	if (service->certificate_count == CONF_SERVICE_CERTS_MAX)
		report_error(&fill->config->report, at,
			     "'%s' is one too many: at most %u", setting->text,
			     CONF_SERVICE_CERTS_MAX);
	else
		service->certificates[service->certificate_count++] = (uint8_t)index;
}

void store_backend_ca(struct config_fill *fill, void *object,
		      const struct config_setting *setting)
{
	struct conf_service *service = object;

	if (store_path(fill, setting, service->backend_ca))
		fill->ca_places[service - fill->config->conf.services] =
			setting_place(fill, setting);
}

/*
 * A mail host that is left as it is takes logins inside TLS only, and on the port of implicit TLS it takes nothing
 * else. What it shows there needs no trust: the way to it is the one that its clients' packets took all along.
 */
static void fill_intercepted_tls(const struct config_section *section,
				 struct conf_service *service)
{
	if (!section_setting(section, "backend-tls", 0) &&
	    service_type_has_login((enum service_type)service->type) &&
	    conf_service_has_tls(service))
		service->backend_tls = service->tls == TLS_MODE_IMPLICIT
					       ? BACKEND_TLS_IMPLICIT
					       : BACKEND_TLS_STARTTLS;
	if (!section_setting(section, "backend-verify", 0) &&
	    !section_setting(section, "backend-verify-name", 0))
		service->backend_verify = false;
}

void fill_tls_defaults(const struct config_section *section, struct conf_service *service)
{
	if (!section_setting(section, "tls", 0))
		service->tls =
			(uint8_t)service_type_tls((enum service_type)service->type);
	if (!section_setting(section, "require-tls-for-auth", 0))
		service->require_tls_for_auth = conf_service_has_tls(service);
	if (service->intercept)
		fill_intercepted_tls(section, service);
}

/* ---- the files ------------------------------------------------------------------------------- */

static void note_certificate(void *context, const struct certificate_note *note)
{
	struct config_fill *fill = context;
	const struct config_place *places =
		note->file == CERTIFICATE_CHAIN ? fill->chain_places
		: note->file == CERTIFICATE_KEY ? fill->key_places
						: fill->ca_places;
	struct config_place at = places[note->index];

	at.file = fill->source->path;
	if (note->is_error)
		report_error(&fill->config->report, at, "%s", note->text);
	else
		report_warning(&fill->config->report, at, "%s", note->text);
}

static void warn_unused(struct config_fill *fill)
{
	const struct conf *conf = &fill->config->conf;

	for (uint8_t i = 0; i < conf->certificate_count; i++) {
		bool is_used = false;

		for (uint8_t j = 0; j < conf->service_count; j++)
			for (uint8_t k = 0; k < conf->services[j].certificate_count; k++)
				is_used =
					is_used || conf->services[j].certificates[k] == i;
		if (!is_used)
			report_warning(
				&fill->config->report, fill->chain_places[i],
				"certificate %s: no service has it in certificates",
				conf->certificates[i].name);
	}
}

/* Passwords that cross the net in the clear. */
static void warn_plain(struct config_fill *fill)
{
	const struct conf *conf = &fill->config->conf;

	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		if (service->tls == TLS_MODE_NONE &&
		    service_type_has_login((enum service_type)service->type))
			report_warning(
				&fill->config->report,
				(struct config_place){fill->source->path,
						      fill->service_lines[i], 0},
				"service %s: tls = none: passwords cross the net in the clear; "
				"set tls = %s and certificates",
				service->name,
				service_type_tls((enum service_type)service->type) ==
						TLS_MODE_IMPLICIT
					? "implicit"
					: "starttls");
	}
}

void fill_certificates(struct config_fill *fill)
{
	struct config *config = fill->config;
	int err = certificates_read(&config->conf, clock_wall_s(), note_certificate, fill,
				    &config->certificates);

	if (err && err != -EINVAL)
		report_error(&config->report,
			     (struct config_place){fill->source->path, 0, 0},
			     "the certificates cannot be read: %s", strerror(-err));
	warn_unused(fill);
	warn_plain(fill);
}
