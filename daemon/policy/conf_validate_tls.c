/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/conf_validate_tls - the checks of a service's TLS that span settings.
 */
#include <errno.h>

#include "policy/conf.h"
#include "policy/conf_validate.h"

static int service_backend_tls_check(const struct conf_service *service,
				     char *out_problem)
{
	if (service->backend_tls == BACKEND_TLS_NONE)
		return 0;
	if (service->tls == TLS_MODE_PASSTHROUGH)
		return problem_set(
			out_problem,
			"service '%s': tls = passthrough relays the client's own TLS: take "
			"backend-tls out",
			service->name);
	if (service->backend_verify && service->backend_verify_name[0] == '\0')
		return problem_set(
			out_problem,
			"service '%s': backend-verify-name is missing: the name that stands in "
			"the backend's certificate; or backend-verify = no",
			service->name);
	if (service->backend_verify && service->backend_ca[0] == '\0')
		return problem_set(out_problem, "service '%s': backend-ca is empty",
				   service->name);
	return 0;
}

/* What only the passwords of clients hang on. */
static int service_auth_tls_check(const struct conf_service *service, char *out_problem)
{
	if (!service->require_tls_for_auth || conf_service_has_tls(service))
		return 0;
	if (service->tls == TLS_MODE_PASSTHROUGH)
		return problem_set(
			out_problem,
			"service '%s': require-tls-for-auth: with tls = passthrough postern "
			"sees no login: take it out",
			service->name);
	return problem_set(
		out_problem,
		"service '%s': require-tls-for-auth = yes with tls = none lets nobody log in: "
		"set tls = starttls and certificates, or require-tls-for-auth = no",
		service->name);
}

int conf_validate_tls(const struct conf *conf, const struct conf_service *service,
		      char *out_problem)
{
	if (service->tls >= TLS_MODE_COUNT || service->tls_min >= TLS_LEAST_COUNT ||
	    service->backend_tls >= BACKEND_TLS_COUNT ||
	    service->certificate_count > CONF_SERVICE_CERTS_MAX)
		return problem_set(
			out_problem,
			"service '%s': an unknown mode of TLS, or more than %u certificates",
			service->name, CONF_SERVICE_CERTS_MAX);
	for (size_t i = 0; i < service->certificate_count; i++)
		if (service->certificates[i] >= conf->certificate_count)
			return problem_set(out_problem,
					   "service '%s': there is no such certificate",
					   service->name);
	if (conf_service_has_tls(service) && service->certificate_count == 0)
		return problem_set(
			out_problem,
			"service '%s': certificates is missing: the names of certificate "
			"sections, or tls = none",
			service->name);
	if (service->tls == TLS_MODE_PASSTHROUGH &&
	    service->client_address == CLIENT_ADDRESS_XCLIENT)
		return problem_set(
			out_problem,
			"service '%s': client-address = xclient cannot be said inside the TLS of "
			"others: with tls = passthrough it is none, proxy or transparent",
			service->name);
	if (service_auth_tls_check(service, out_problem) != 0)
		return -EINVAL;
	return service_backend_tls_check(service, out_problem);
}
