/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/conf_validate - what the parts of conf_validate() share.
 */
#ifndef POLICY_CONF_VALIDATE_H
#define POLICY_CONF_VALIDATE_H

struct conf;
struct conf_policy;
struct conf_service;

/* One sentence for the admin. Always -EINVAL. */
int problem_set(char *out_problem, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Is a name of a section as it has to be? kind: "policy". 0; -EINVAL, out_problem written. */
int conf_validate_name(const char *kind, const char *name, char *out_problem);

/* The DNS lists; what one policy says of them. 0; -EINVAL, out_problem written. */
int conf_validate_rbls(const struct conf *conf, char *out_problem);
int conf_validate_policy_rbls(const struct conf *conf, const struct conf_policy *policy,
			      char *out_problem);

/* One service's TLS. 0; -EINVAL, out_problem written. */
int conf_validate_tls(const struct conf *conf, const struct conf_service *service,
		      char *out_problem);

#endif
