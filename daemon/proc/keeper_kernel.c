/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_kernel - brings the kernel's lists, services and interfaces to what a snapshot says.
 *
 * By differences: an unchanged list is not loaded again, and a port that stays guarded is guarded all the
 * time. Without XDP nothing is done.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/keeper_state.h"

#define PORTS_MAX (CONF_SERVICES_MAX * CONF_LISTEN_MAX)

static_assert(CONF_POLICY_IDS == XDP_POLICY_MAX, "ids of policies");
static_assert(CONF_NAME_MAX == XDP_NAME_MAX, "names of policies");

static int problem_set(char problem[KEEPER_PROBLEM_MAX], int err, const char *what,
		       const char *name)
{
	struct buf text;

	buf_init(&text, problem, KEEPER_PROBLEM_MAX);
	buf_printf(&text, "%s %s: %s", what, name, strerror(-err));
	if (xdp_problem()[0])
		buf_printf(&text, " (%.256s)", xdp_problem());
	return err;
}

/* ---- policy ids ------------------------------------------------------------------------------ */

/* The names that go with the ids now: in the kernel, or without it in the configuration in force. */
static int names_read(struct keeper *keeper, char names[XDP_POLICY_MAX][XDP_NAME_MAX])
{
	const struct conf *conf = keeper_conf(keeper);

	if (keeper->xdp)
		return xdp_policy_names(keeper->xdp, names);
	memset(names, 0, XDP_POLICY_MAX * sizeof(names[0]));
	for (uint8_t i = 0; conf && i < conf->policy_count; i++)
		(void)text_copy(names[conf->policies[i].id], XDP_NAME_MAX,
				conf->policies[i].name);
	return 0;
}

/* A free slot; if there is none, that of a policy which is configured no more. */
static uint16_t slot_choose(char names[XDP_POLICY_MAX][XDP_NAME_MAX],
			    const struct conf *conf)
{
	for (uint16_t id = 0; id < XDP_POLICY_MAX; id++)
		if (names[id][0] == '\0')
			return id;
	for (uint16_t id = 0; id < XDP_POLICY_MAX; id++)
		if (conf_policy_find(conf, names[id]) < 0)
			return id;
	return XDP_POLICY_MAX; /* cannot be: fewer policies than slots */
}

int kernel_assign_ids(struct keeper *keeper, struct conf *conf)
{
	char names[XDP_POLICY_MAX][XDP_NAME_MAX];
	int err = names_read(keeper, names);

	for (uint8_t i = 0; !err && i < conf->policy_count; i++) {
		struct conf_policy *policy = &conf->policies[i];
		uint16_t id;

		for (id = 0; id < XDP_POLICY_MAX; id++)
			if (strcmp(names[id], policy->name) == 0)
				break;
		if (id == XDP_POLICY_MAX)
			id = slot_choose(names, conf);
		if (id == XDP_POLICY_MAX)
			return -ENOSPC;
		policy->id = id;
		(void)text_copy(names[id], XDP_NAME_MAX, policy->name);
	}
	return err;
}

/* ---- lists ------------------------------------------------------------------------------------- */

/* The same rows, wherever in the files they stand? */
static bool tables_equal(const struct prefix_table *a, const struct prefix_table *b)
{
	size_t count = prefix_table_count(a);

	if (prefix_table_count(b) != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct prefix_row row_a;
		struct prefix_row row_b;

		prefix_table_row(a, i, &row_a);
		prefix_table_row(b, i, &row_b);
		if (row_a.value != row_b.value ||
		    !prefix_equal(&row_a.prefix, &row_b.prefix))
			return false;
	}
	return true;
}

/* The list of this policy as it is in the kernel, if we put it there; NULL: unknown. */
static const struct prefix_table *loaded_table(const struct keeper *keeper,
					       const struct conf_policy *policy)
{
	const struct conf *conf = keeper_conf(keeper);
	int index = conf ? conf_policy_find(conf, policy->name) : -1;

	if (index < 0 || conf->policies[index].id != policy->id)
		return NULL;
	return keeper->snapshot.tables[index];
}

static int lists_apply(struct keeper *keeper, const struct snapshot *wanted,
		       char problem[KEEPER_PROBLEM_MAX])
{
	for (uint8_t i = 0; i < wanted->conf->policy_count; i++) {
		const struct conf_policy *policy = &wanted->conf->policies[i];
		const struct prefix_table *old = loaded_table(keeper, policy);
		int err;

		if (old && tables_equal(old, wanted->tables[i]))
			continue;
		err = xdp_policy_name_set(keeper->xdp, policy->id, policy->name);
		if (!err)
			err = xdp_policy_load(keeper->xdp, policy->id, policy->name,
					      wanted->tables[i]);
		if (err)
			return problem_set(problem, err, "loading the list of policy",
					   policy->name);
	}
	return 0;
}

/* ---- limits of SYNs ---------------------------------------------------------------------------- */

struct xdp_syn_limit kernel_syn_limit(const struct conf_policy *policy)
{
	static const enum xdp_syn_mode modes[] = {
		[MODE_OFF] = XDP_SYN_OFF,
		[MODE_OBSERVE] = XDP_SYN_OBSERVE,
		[MODE_ENFORCE] = XDP_SYN_ENFORCE,
	};

	return (struct xdp_syn_limit){
		.mode = policy->syn_rate ? modes[policy->mode[CHECK_DOS]] : XDP_SYN_OFF,
		.rate = policy->syn_rate,
		.burst = policy->syn_burst,
	};
}

int kernel_exempt(struct keeper *keeper, const struct protected_set *set)
{
	struct prefix prefixes[LIMITS_PROTECTED_MAX];

	static_assert(LIMITS_PROTECTED_MAX <= XDP_SYN_EXEMPT_MAX, "room for all");
	if (!keeper->xdp)
		return 0;
	for (uint32_t i = 0; i < set->count; i++)
		prefixes[i] = set->items[i].prefix;
	return xdp_syn_exempt(keeper->xdp, prefixes, set->count);
}

static int limits_apply(struct keeper *keeper, const struct snapshot *wanted,
			char problem[KEEPER_PROBLEM_MAX])
{
	const struct conf *conf = wanted->conf;
	int err = kernel_exempt(keeper, wanted->protected_set);

	if (err)
		return problem_set(problem, err, "sparing protected addresses",
				   "the limit of SYNs");
	for (uint8_t i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		const struct xdp_syn_limit limit = kernel_syn_limit(policy);

		err = xdp_syn_limit_set(keeper->xdp, policy->id, &limit);

		if (err)
			return problem_set(problem, err, "setting dos-syn-rate of policy",
					   policy->name);
	}
	return 0;
}

/* ---- services ---------------------------------------------------------------------------------- */

bool conf_guards_port(const struct conf *conf, uint16_t port, uint8_t *out_policy)
{
	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		if (!conf_service_is_on(conf, service))
			continue;
		for (uint8_t j = 0; j < service->port_count; j++)
			if (service->ports[j] == port) {
				*out_policy = service->policy;
				return true;
			}
	}
	return false;
}

/* Are there IPv6 entries longer than a client's /64? Then the kernel has to look there, too. */
static bool table_is_fine(const struct prefix_table *table)
{
	for (size_t i = prefix_table_count(table); i > 0; i--) {
		struct prefix_row row;

		prefix_table_row(table, i - 1, &row);
		if (row.prefix.addr.family != ADDR_V6)
			return false; /* IPv4 stands first, so no more IPv6 comes */
		if (row.prefix.len > CLIENT_V6_LEN)
			return true;
	}
	return false;
}

static int services_set(struct keeper *keeper, const struct snapshot *wanted,
			char problem[KEEPER_PROBLEM_MAX])
{
	for (uint8_t i = 0; i < wanted->conf->service_count; i++) {
		const struct conf_service *service = &wanted->conf->services[i];
		bool is_fine = table_is_fine(wanted->tables[service->policy]);

		if (!conf_service_is_on(wanted->conf, service))
			continue;
		for (uint8_t j = 0; j < service->port_count; j++) {
			int err = xdp_service_set(
				keeper->xdp, service->ports[j],
				wanted->conf->policies[service->policy].id, is_fine);

			if (err)
				return problem_set(problem, err,
						   "guarding the ports of service",
						   service->name);
		}
	}
	return 0;
}

static int services_remove_others(struct keeper *keeper, const struct conf *conf,
				  char problem[KEEPER_PROBLEM_MAX])
{
	uint16_t ports[PORTS_MAX];
	uint16_t policies[PORTS_MAX];
	size_t count;
	int err = xdp_service_list(keeper->xdp, ports, policies, PORTS_MAX, &count);

	if (err)
		return problem_set(problem, err, "reading the guarded", "ports");
	for (size_t i = 0; i < count; i++) {
		uint8_t policy;

		if (!conf_guards_port(conf, ports[i], &policy))
			(void)xdp_service_remove(keeper->xdp, ports[i]);
	}
	return 0;
}

int kernel_apply(struct keeper *keeper, const struct snapshot *wanted,
		 char problem[KEEPER_PROBLEM_MAX])
{
	int err;

	if (!keeper->xdp)
		return 0;
	err = lists_apply(keeper, wanted, problem);
	if (!err)
		err = limits_apply(keeper, wanted, problem);
	if (!err)
		err = services_set(keeper, wanted, problem);
	if (!err)
		err = services_remove_others(keeper, wanted->conf, problem);
	return err;
}

/* ---- interfaces -------------------------------------------------------------------------------- */

static enum xdp_mode mode_wanted(const struct conf *conf)
{
	switch ((enum xdp_wish)conf->xdp) {
	case XDP_WISH_NATIVE:
		return XDP_NATIVE;
	case XDP_WISH_GENERIC:
		return XDP_GENERIC;
	case XDP_WISH_AUTO:
	case XDP_WISH_OFF:
		break;
	}
	return XDP_AUTO;
}

/* The interface in the table of those that were attached; interface_count: it is not there. */
static uint8_t interface_find(const struct keeper *keeper, const char *name)
{
	uint8_t i = 0;

	while (i < keeper->interface_count &&
	       strcmp(keeper->interfaces[i].name, name) != 0)
		i++;
	return i;
}

enum xdp_mode kernel_mode(const struct keeper *keeper, const char *interface)
{
	uint8_t i = interface_find(keeper, interface);

	if (i == keeper->interface_count ||
	    xdp_link_state(keeper_conf(keeper)->pin_dir, interface) != XDP_LINK_ON)
		return XDP_OFF;
	return keeper->interfaces[i].got;
}

/* Once, and not at each try. */
static void tell_fenced(const struct keeper_interface *interface, int err)
{
	if (err == -EBUSY)
		log_warn(
			"event=attach interface=%s mode=nftables reason=\"an XDP program of "
			"somebody else is attached to it: nftables drops instead, which costs "
			"more; take that program off to have XDP\"",
			interface->name);
	else
		log_warn(
			"event=attach interface=%s mode=nftables reason=\"XDP cannot be attached "
			"(%s%s%.256s): nftables drops instead, which costs more\"",
			interface->name, strerror(-err), xdp_problem()[0] ? ": " : "",
			xdp_problem());
}

static void tell_attached(const struct conf *conf,
			  const struct keeper_interface *interface)
{
	if (interface->got == XDP_NATIVE)
		log_info("event=attach interface=%s mode=native", interface->name);
	else if (conf->xdp == XDP_WISH_GENERIC)
		log_info("event=attach interface=%s mode=generic", interface->name);
	else
		log_warn(
			"event=attach interface=%s mode=generic reason=\"its driver has no native "
			"XDP: a dropped packet costs some three times as much\"",
			interface->name);
}

/* An interface that is there and cannot have XDP is for the second fence: no failure here. */
static int attach_one(struct keeper *keeper, const struct conf *conf, const char *name,
		      char problem[KEEPER_PROBLEM_MAX])
{
	const uint8_t at = interface_find(keeper, name);
	struct keeper_interface *interface = &keeper->interfaces[at];
	const bool was_fenced = at < keeper->interface_count && interface->is_fenced;
	const bool is_new = xdp_link_state(conf->pin_dir, name) != XDP_LINK_ON;
	enum xdp_mode got = XDP_OFF;
	int err = xdp_attach(keeper->xdp, name, mode_wanted(conf), &got);

	if (err == -ENODEV || err == -ENOMEM)
		return problem_set(problem, err, "attaching to interface", name);
	(void)text_copy(interface->name, sizeof(interface->name), name);
	interface->got = got;
	interface->is_new = is_new && !err;
	interface->is_fenced = err != 0;
	if (at == keeper->interface_count)
		keeper->interface_count++;
	if (!err)
		tell_attached(conf, interface);
	else if (!was_fenced)
		tell_fenced(interface, err);
	return 0;
}

int kernel_attach(struct keeper *keeper, const struct conf *conf,
		  char problem[KEEPER_PROBLEM_MAX])
{
	int err = 0;

	if (!keeper->xdp)
		return 0;
	for (uint8_t i = 0; i < conf->interface_count && !err; i++) {
		const uint8_t at = interface_find(keeper, conf->interfaces[i]);

		if (at < keeper->interface_count && !keeper->interfaces[at].is_fenced)
			continue;
		/* Those to go still stand in the table: there may be no room until they have gone. */
		if (at == CONF_INTERFACES_MAX) {
			(void)snprintf(
				problem, KEEPER_PROBLEM_MAX,
				"interface %s: too many at once: first take the others out",
				conf->interfaces[i]);
			return -ENOSPC;
		}
		err = attach_one(keeper, conf, conf->interfaces[i], problem);
	}
	return err;
}

void kernel_attach_undo(struct keeper *keeper)
{
	for (uint8_t i = 0; i < keeper->interface_count; i++) {
		int err = 0;

		if (keeper->interfaces[i].is_new)
			err = xdp_detach_interface(keeper->xdp,
						   keeper->interfaces[i].name);
		if (err)
			log_error("event=error what=detach reason=\"interface %s: %s\"",
				  keeper->interfaces[i].name, strerror(-err));
	}
}

void kernel_attach_lost(struct keeper *keeper)
{
	const struct conf *conf = keeper_conf(keeper);

	for (uint8_t i = 0; keeper->xdp && i < conf->interface_count; i++) {
		const char *name = conf->interfaces[i];
		const uint8_t at = interface_find(keeper, name);
		char problem[KEEPER_PROBLEM_MAX];
		int err;

		/* NONE: by posternd --detach, which means it; or it has the second fence. */
		if (at == keeper->interface_count || keeper->fence.is_detached ||
		    (!keeper->interfaces[at].is_fenced &&
		     xdp_link_state(conf->pin_dir, name) != XDP_LINK_LOST))
			continue;
		err = attach_one(keeper, conf, name, problem);
		if (err == -ENODEV && keeper->interfaces[at].got != XDP_OFF)
			log_warn(
				"event=interface-gone interface=%s reason=\"guarded again when it "
				"comes back\"",
				name);
		else if (err && err != -ENODEV)
			log_error("event=error what=attach reason=\"%s\"", problem);
		if (err)
			keeper->interfaces[at].got = XDP_OFF;
	}
}

static bool conf_has_interface(const struct conf *conf, const char *name)
{
	for (uint8_t i = 0; i < conf->interface_count; i++)
		if (strcmp(conf->interfaces[i], name) == 0)
			return true;
	return false;
}

void kernel_detach_others(struct keeper *keeper, const struct conf *conf)
{
	char names[2 * CONF_INTERFACES_MAX][16];
	uint8_t kept = 0;
	size_t count;

	if (!keeper->xdp)
		return;
	/* By the pins: one of an earlier run may be there that this one never attached. */
	count = xdp_interfaces(conf->pin_dir, names, 2 * CONF_INTERFACES_MAX);
	for (size_t i = 0; i < count; i++) {
		int err;

		if (conf_has_interface(conf, names[i]))
			continue;
		err = xdp_detach_interface(keeper->xdp, names[i]);
		log_info("event=detach interface=%s error=%d", names[i], -err);
	}
	for (uint8_t i = 0; i < keeper->interface_count; i++)
		if (conf_has_interface(conf, keeper->interfaces[i].name))
			keeper->interfaces[kept++] = keeper->interfaces[i];
	keeper->interface_count = kept;
}
