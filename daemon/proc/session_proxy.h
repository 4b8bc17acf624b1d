/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_proxy - connections of trusted proxies, which tell who the client is (PROXY protocol, versions 1
 * and 2).
 *
 * The header comes ahead of everything, also of the handshake of implicit TLS. From then on the session is the
 * client's: policy, bans, limits, strikes, and what the backend is told. The kernel sees the proxy alone.
 */
#ifndef PROC_SESSION_PROXY_H
#define PROC_SESSION_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

struct conf;
struct session;

/* Has a connection of this address to this service (index) to begin with a header? */
bool session_needs_proxy(const struct conf *conf, int service, const struct addr *addr);

/* Wait for the header, for proxy-header-timeout; then greet, or begin TLS. Calls session_run(). */
void session_begin_proxy(struct session *session);

/* For session.c. Return: false, the session has been run to its end or into its greeting. */
bool session_proxy_step(struct session *session);

/* The deadline has passed. */
void session_proxy_timeout(struct session *session);

/**
 * session_local - where the client went to: what the header says, or our end of the connection.
 *
 * Return: 0, of the same family as session->addr if a header has told; -errno, outputs untouched.
 */
int session_local(const struct session *session, struct addr *out_addr,
		  uint16_t *out_port) MUST_CHECK;

#endif
