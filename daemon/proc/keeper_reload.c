/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_reload - a new configuration, wholly or not at all.
 *
 * What can fail comes first and can be undone: files, snapshot, listeners, interfaces, lists. From then on the
 * new one is in force. Connections are untouched, but for those whose listeners are gone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "policy/verdict.h"
#include "proc/keeper_state.h"
#include "sys/notify.h"

void reload_keep_warnings(struct keeper *keeper, const struct config_report *report)
{
	keeper->warning_count = 0;
	for (size_t i = 0; i < report->kept; i++) {
		if (report->notes[i].is_error)
			continue;
		log_warn("event=config reason=\"%s\"", report->notes[i].text);
		if (keeper->warning_count < KEEPER_WARNINGS_MAX)
			(void)text_copy(keeper->warnings[keeper->warning_count++],
					CONFIG_NOTE_MAX_BYTES, report->notes[i].text);
	}
}

static void errors_tell(const struct config_report *report, struct buf *out)
{
	for (size_t i = 0; i < report->kept; i++)
		if (report->notes[i].is_error)
			buf_printf(out, "%s%s", out->len ? "\n" : "",
				   report->notes[i].text);
	buf_printf(out, "\nnothing has changed: %zu error%s", report->errors,
		   report->errors == 1 ? "" : "s");
}

/* ---- settings that only a restart can change ----------------------------------------------------- */

static void keep_path(char *fresh, const char *old, const char *name, struct buf *out)
{
	if (strcmp(fresh, old) == 0)
		return;
	buf_printf(out, "\n%s stays '%s': it takes a restart to change it", name, old);
	(void)text_copy(fresh, CONF_PATH_MAX, old);
}

static void keep_number(uint32_t *fresh, uint32_t old, const char *name, struct buf *out)
{
	if (*fresh == old)
		return;
	buf_printf(out, "\n%s stays %u: it takes a restart to change it", name, old);
	*fresh = old;
}

static void keep_kernel(const struct keeper *keeper, struct conf *fresh, struct buf *out)
{
	const struct conf *old = keeper_conf(keeper);

	if (fresh->xdp != old->xdp) {
		buf_puts(out, "\nxdp stays as it is: it takes a restart to change it");
		fresh->xdp = old->xdp;
	}
	/* The rights to load a program have been given up, and to stop guarding takes more than a typo. */
	if (old->xdp != XDP_WISH_OFF &&
	    (fresh->interface_count > 0) != (old->interface_count > 0)) {
		buf_puts(
			out,
			"\ninterfaces stays as it is: from none to some, or from some to none, it "
			"takes a restart");
		memcpy(fresh->interfaces, old->interfaces, sizeof(fresh->interfaces));
		fresh->interface_count = old->interface_count;
	}
}

static void keep_fixed(const struct keeper *keeper, struct conf *fresh, struct buf *out)
{
	const struct conf *old = keeper_conf(keeper);
	uint32_t gates = fresh->gates;

	keep_path(fresh->state_dir, old->state_dir, "state-dir", out);
	keep_path(fresh->run_dir, old->run_dir, "run-dir", out);
	keep_path(fresh->pin_dir, old->pin_dir, "pin-dir", out);
	keep_number(&gates, old->gates, "gates", out);
	fresh->gates = (uint8_t)gates;
	keep_number(&fresh->limits.bans_max, old->limits.bans_max, "bans-max", out);
	keep_number(&fresh->limits.sessions_max, old->limits.sessions_max, "sessions-max",
		    out);
	keep_number(&fresh->limits.strikes_clients_max, old->limits.strikes_clients_max,
		    "strikes-clients-max", out);
	keep_number(&fresh->limits.am_clients_max, old->limits.am_clients_max,
		    "am-clients-max", out);
	keep_kernel(keeper, fresh, out);
}

/* ---- the guard against locking oneself out (promise 4) ------------------------------------------- */

static bool is_let_in(const struct snapshot *snapshot, uint16_t port,
		      const struct addr *addr)
{
	uint8_t policy;

	if (!conf_guards_port(snapshot->conf, port, &policy))
		return true;
	return verdict_decide(snapshot->tables[policy], NULL,
			      snapshot->conf->policies[policy].id, addr, 0)
		       .kind == VERDICT_PERMIT;
}

/* The first service that lets the address in now and would not any more; NULL: none. */
static const struct conf_service *locked_out(const struct snapshot *old,
					     const struct snapshot *fresh,
					     const struct addr *addr)
{
	for (uint8_t i = 0; i < fresh->conf->service_count; i++) {
		const struct conf_service *service = &fresh->conf->services[i];

		for (uint8_t j = 0; j < service->port_count; j++)
			if (is_let_in(old, service->ports[j], addr) &&
			    !is_let_in(fresh, service->ports[j], addr))
				return service;
	}
	return NULL;
}

static int check_caller(const struct snapshot *old, const struct snapshot *fresh,
			const struct addr *caller, struct buf *out)
{
	const struct conf_service *service;
	char text[ADDR_TEXT_MAX];

	if (caller->family == ADDR_NONE)
		return 0;
	service = locked_out(old, fresh, caller);
	if (!service)
		return 0;
	buf_printf(
		out,
		"%s, from where you are connected, would be locked out of service %s: nothing has "
		"changed; permit the address in policy %s, or use --force",
		addr_format(caller, text), service->name,
		fresh->conf->policies[service->policy].name);
	return -EPERM;
}

/* ---- all or nothing -------------------------------------------------------------------------------- */

struct change {
	struct keeper *keeper;
	uint32_t confirm_s;    /* 0: it stays */
	struct config *config; /* NULL: what was in force before comes back */
	struct certificates **certificates; /* of the snapshot */
	struct snapshot snapshot;
	int snapshot_fd;
	size_t opened; /* listeners */
	char problem[KEEPER_PROBLEM_MAX];
};

static void change_done(struct change *change)
{
	snapshot_close(&change->snapshot);
	close_fd(&change->snapshot_fd);
}

/* What the old one said is loaded again: kernel_apply() compares with what is in force. */
static void change_undo(struct change *change)
{
	struct keeper *keeper = change->keeper;
	struct snapshot old = keeper->snapshot;
	char problem[KEEPER_PROBLEM_MAX];

	listeners_undo(keeper, change->opened);
	keeper->snapshot = change->snapshot;
	if (kernel_apply(keeper, &old, problem) ||
	    intercept_apply(keeper, old.conf, problem))
		log_error("event=error what=reload reason=\"undoing it failed: %s\"",
			  problem);
	keeper->snapshot = old;
	kernel_detach_others(keeper, old.conf);
	if (fence_apply(keeper, &old, problem))
		log_error("event=error what=reload reason=\"undoing it failed: %s\"",
			  problem);
}

static int change_try(struct change *change)
{
	struct keeper *keeper = change->keeper;
	int err = listeners_open(keeper, change->snapshot.conf, &change->opened,
				 change->problem);

	if (err)
		return err;
	err = kernel_attach(keeper, change->snapshot.conf, change->problem);
	if (!err)
		err = intercept_apply(keeper, change->snapshot.conf, change->problem);
	if (!err)
		err = kernel_apply(keeper, &change->snapshot, change->problem);
	if (!err)
		err = fence_apply(keeper, &change->snapshot, change->problem);
	if (err)
		change_undo(change);
	return err;
}

static void change_commit(struct change *change)
{
	struct keeper *keeper = change->keeper;

	if (change->confirm_s > 0)
		pending_begin(keeper, change->confirm_s);
	else
		pending_drop(keeper);
	snapshot_close(&keeper->snapshot);
	close_fd(&keeper->snapshot_fd);
	keeper->snapshot = change->snapshot;
	keeper->snapshot_fd = TAKE_FD(change->snapshot_fd);
	change->snapshot = (struct snapshot){0};
	log_open("keeper", (enum log_level)keeper_conf(keeper)->log_level);
	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].channel)
			child_send_conf(&keeper->children[i]);
	tls_replace(keeper, change->certificates);
	listeners_announce(keeper, change->opened);
	listeners_close_others(keeper, keeper_conf(keeper));
	kernel_detach_others(keeper, keeper_conf(keeper));
}

static int change_make(struct change *change)
{
	struct keeper *keeper = change->keeper;
	struct config *config = change->config;
	int err = kernel_assign_ids(keeper, &config->conf);

	change->certificates = &config->certificates;
	if (!err)
		err = snapshot_of_config(config, keeper->generation + 1,
					 &change->snapshot_fd, &change->snapshot);
	if (!err)
		keeper->generation++;
	if (err)
		(void)snprintf(change->problem, sizeof(change->problem), "%s",
			       strerror(-err));
	return err;
}

/* What is not guarded although it should be: said, as a reload is the time to look. */
static void tell_unguarded(const struct keeper *keeper, struct buf *out)
{
	const struct conf *conf = keeper_conf(keeper);

	for (uint8_t i = 0; keeper->xdp && i < conf->interface_count; i++) {
		const char *name = conf->interfaces[i];
		const enum xdp_link_state state = xdp_link_state(conf->pin_dir, name);

		if (state == XDP_LINK_NONE)
			buf_printf(
				out,
				"\ninterface %s is not guarded: postern was taken off; it takes "
				"a restart to guard it again",
				name);
		else if (state == XDP_LINK_LOST)
			buf_printf(
				out,
				"\ninterface %s is not there: it is guarded when it comes back",
				name);
	}
}

static int reload_with(struct keeper *keeper, struct config *config,
		       const struct reload_wish *wish, struct buf *out)
{
	static const struct addr nobody;
	AUTO(change_done)
	struct change change = {
		.keeper = keeper,
		.confirm_s = wish->confirm_s,
		.config = config,
		.snapshot_fd = -1,
	};
	char fixed[2048];
	struct buf kept = BUF_OVER(fixed);
	int err;

	keep_fixed(keeper, &config->conf, &kept);
	err = change_make(&change);
	if (!err) {
		err = check_caller(&keeper->snapshot, &change.snapshot,
				   wish->force ? &nobody : &wish->caller, out);
		if (err)
			return err;
		err = change_try(&change);
	}
	if (err) {
		buf_printf(out, "%s\nnothing has changed", change.problem);
		return err;
	}
	change_commit(&change);
	buf_printf(out, "generation %" PRIu64 " is in force",
		   keeper_conf(keeper)->generation);
	buf_puts(out, fixed);
	if (wish->confirm_s > 0)
		buf_printf(
			out,
			"\nit is taken back in %us: say 'postern confirm' before, if all is well",
			wish->confirm_s);
	tell_unguarded(keeper, out);
	return 0;
}

int reload_check(struct keeper *keeper, struct config *config,
		 const struct reload_wish *wish, struct buf *out)
{
	AUTO(change_done)
	struct change change = {.keeper = keeper, .config = config, .snapshot_fd = -1};
	int err = wish->force ? 0 : change_make(&change);

	if (err)
		buf_printf(out, "%s\nnothing has changed", change.problem);
	else if (!wish->force)
		err = check_caller(&keeper->snapshot, &change.snapshot, &wish->caller,
				   out);
	return err;
}

int reload_back(struct keeper *keeper, struct keeper_pending *pending)
{
	AUTO(certificates_free)
	struct certificates *certificates = TAKE_PTR(pending->certificates);
	AUTO(change_done)
	struct change change = {
		.keeper = keeper,
		.snapshot = pending->snapshot,
		.snapshot_fd = pending->snapshot_fd,
		.certificates = &certificates,
	};
	int err;

	pending->snapshot = (struct snapshot){0};
	pending->snapshot_fd = -1;
	err = change_try(&change);
	if (err) {
		log_error("event=error what=reload reason=\"%s\"", change.problem);
		return err;
	}
	change_commit(&change);
	return 0;
}

int reload(struct keeper *keeper, const struct reload_wish *wish,
	   char out_text[RELOAD_TEXT_MAX])
{
	AUTO(config_free) struct config *config = NULL;
	struct buf out;
	int err;

	buf_init(&out, out_text, RELOAD_TEXT_MAX);
	notify_reloading();
	err = config_load(keeper->config_path, &config);
	if (!err)
		err = reload_with(keeper, config, wish, &out);
	else if (config)
		errors_tell(&config->report, &out);
	else
		buf_puts(&out, "out of memory; nothing has changed");
	if (!err)
		reload_keep_warnings(keeper, &config->report);
	for (size_t i = 0; !err && i < config->report.kept; i++)
		buf_printf(&out, "\nwarning: %s", config->report.notes[i].text);
	notify_ready(err ? "reload refused, the old configuration is in force"
			 : "reloaded");
	return err;
}
