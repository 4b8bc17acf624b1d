/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_relay - relay control at MAIL and RCPT: policy/relay on the paths of a client.
 */
#ifndef PROC_GATE_SMTP_RELAY_H
#define PROC_GATE_SMTP_RELAY_H

#include <stdbool.h>

#include "policy/relay.h"
#include "proc/mail_name.h"
#include "wire/smtp.h"

struct session;

/* A path, in the form in which policy/relay compares. */
struct relay_path {
	struct mail_name local, domain;
	bool has_domain; /* its name is empty: nobody's */
};

/* 0; -ENOMEM: it cannot be said whose it is. */
int relay_read_path(const char *arg, const struct smtp_path *path,
		    struct relay_path *out_path) MUST_CHECK;

/**
 * relay_refuse_sender - may the client use this sender?
 * @arg, @path: of MAIL, as parsed
 *
 * Return: NULL; or the reply that refuses it.
 */
const char *relay_refuse_sender(struct session *session, const char *arg,
				const struct smtp_path *path);

/* May it send to this recipient (RCPT)? */
const char *relay_refuse_recipient(struct session *session, const char *arg,
				   const struct smtp_path *path);

#endif
