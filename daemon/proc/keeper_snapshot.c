/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_snapshot - from a loaded configuration to the snapshot that every process maps.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "proc/keeper_state.h"
#include "sys/netinfo.h"

#define OWN_ADDRS_MAX 1024u
#define GATEWAYS_MAX  16u
#define DNS_PORT      53u

/* What is covered already takes no room. A set that is full is said by its caller, once. */
static bool protect(struct protected_set *set, const struct prefix *prefix,
		    const char *why)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (prefix_covers(&set->items[i].prefix, prefix))
			return true;
	return protected_add(set, prefix, why) == 0;
}

/* A link-local address takes its /64 with it, which an IPv6 ban hits anyway: a host may have hundreds. */
static bool protect_addr(struct protected_set *set, const struct addr *addr,
			 const char *why)
{
	const bool is_link_local = addr->family == ADDR_V6 && addr->bytes[0] == 0xfe &&
				   (addr->bytes[1] & 0xc0) == 0x80;
	const uint8_t bits =
		is_link_local ? CLIENT_V6_LEN : addr_bits((enum addr_family)addr->family);
	const struct prefix prefix = prefix_make(addr, bits);

	return protect(set, &prefix, why);
}

static bool addr_is_any(const struct addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

static bool protect_configured(const struct conf *conf, struct protected_set *set)
{
	static const char *const loopback[] = {"127.0.0.0/8", "::1"};
	bool fits = true;

	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
		struct prefix prefix;

		if (prefix_parse(loopback[i], &prefix) == 0)
			fits = protect(set, &prefix, "loopback") && fits;
	}
	for (uint8_t i = 0; i < conf->never_ban_count; i++)
		fits = protect(set, &conf->never_ban[i], "never-ban") && fits;
	for (uint8_t i = 0; i < conf->trusted_proxy_count; i++)
		fits = protect(set, &conf->trusted_proxies[i], "trusted proxy") && fits;
	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		for (uint8_t j = 0; j < service->backend_count; j++)
			fits = protect_addr(set, &service->backend[j].addr, "backend") &&
			       fits;
		for (uint8_t j = 0; j < service->listen_count; j++)
			if (!addr_is_any(&service->listen[j].addr))
				fits = protect_addr(set, &service->listen[j].addr,
						    "own address") &&
				       fits;
	}
	return fits;
}

void protected_collect(const struct conf *conf, struct protected_set *out_set)
{
	struct addr addrs[OWN_ADDRS_MAX];
	size_t count = 0;
	bool fits;
	int err;

	memset(out_set, 0, sizeof(*out_set));
	fits = protect_configured(conf, out_set);
	err = netinfo_gateways(addrs, GATEWAYS_MAX, &count);
	for (size_t i = 0; !err && i < count; i++)
		fits = protect_addr(out_set, &addrs[i], "default gateway") && fits;
	if (!err)
		err = netinfo_addresses(addrs, OWN_ADDRS_MAX, &count);
	for (size_t i = 0; !err && i < count; i++)
		fits = protect_addr(out_set, &addrs[i], "own address") && fits;
	fits = fits && count < OWN_ADDRS_MAX;
	if (err)
		log_warn(
			"event=warning what=protected reason=\"own addresses or gateways are not known: "
			"%s\"",
			strerror(-err));
	if (!fits)
		log_warn(
			"event=warning what=protected reason=\"more than %u protected prefixes: some own "
			"addresses could be banned\"",
			LIMITS_PROTECTED_MAX);
}

/* The checker sees no file, so it is told. */
static void add_name_servers(struct conf *conf)
{
	struct addr servers[CONF_DNS_MAX];
	size_t count = 0;

	if (conf->dns_count > 0 || netinfo_name_servers(servers, CONF_DNS_MAX, &count))
		return;
	for (size_t i = 0; i < count; i++)
		conf->dns[conf->dns_count++] =
			(struct conf_endpoint){servers[i], DNS_PORT};
}

int snapshot_of_protected(const struct snapshot *old, int *out_fd,
			  struct snapshot *out_snapshot)
{
	AUTO(free_mem) struct protected_set *set = malloc(sizeof(*set));
	AUTO(close_fd) int fd = -1;
	int err;

	if (!set)
		return -ENOMEM;
	protected_collect(old->conf, set);
	if (memcmp(set, old->protected_set, sizeof(*set)) == 0)
		return -EALREADY;
	err = snapshot_protect(old, set, &fd);
	if (!err)
		err = snapshot_open(fd, out_snapshot);
	if (!err)
		*out_fd = TAKE_FD(fd);
	return err;
}

int snapshot_of_config(struct config *config, uint64_t generation, int *out_fd,
		       struct snapshot *out_snapshot)
{
	AUTO(free_mem) struct protected_set *set = malloc(sizeof(*set));
	const struct snapshot_parts parts = {
		.conf = &config->conf,
		.protected_set = set,
		.builders = config->builders,
		.domains = config->domains,
		.routes = config->routes,
	};
	AUTO(close_fd) int fd = -1;
	int err;

	if (!set)
		return -ENOMEM;
	add_name_servers(&config->conf);
	protected_collect(&config->conf, set);
	config->conf.generation = generation;
	err = snapshot_make(&parts, &fd);
	if (!err)
		err = snapshot_open(fd, out_snapshot);
	if (!err)
		*out_fd = TAKE_FD(fd);
	return err;
}
