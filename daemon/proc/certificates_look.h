/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/certificates_look - a process that looks at certificates, says what it saw, and ends.
 */
#ifndef PROC_CERTIFICATES_LOOK_H
#define PROC_CERTIFICATES_LOOK_H

#include <stdint.h>

#include "policy/conf.h"
#include "proc/tls_bundle.h"
#include "sys/tls_cert.h"

#define LOOK_SECONDS_MAX 20u /* then it is killed */

struct look_result {
	uint32_t is_done;
	struct tls_cert_facts facts[CONF_CERTIFICATES_MAX];
	uint32_t authorities
		[CONF_SERVICES_MAX]; /* certificates in each; 0: none, or broken */
};

/**
 * certificates_look - look at all parts that are there.
 * @builder: borrowed
 * @out_result: untouched on failure
 *
 * Return: 0; -EIO, the process died over them; -errno.
 */
int certificates_look(const struct tls_bundle_builder *builder,
		      struct look_result *out_result) MUST_CHECK;

#endif
