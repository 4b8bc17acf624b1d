/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_verdict - see gate_verdict.h.
 */
#include "proc/gate_verdict.h"

#include "base/clock.h"
#include "policy/flags.h"

/* What holds where a policy or a service type is switched off: everything, and nothing is checked. */
#define FLAGS_WHEN_OFF (FLAG_PA | FLAG_AS | FLAG_AR)

struct verdict gate_verdict(const struct gate *gate, int service, const struct addr *addr)
{
	const struct conf *conf = gate->conf;
	const uint8_t policy = conf->services[service].policy;

	if (!conf_service_is_on(conf, &conf->services[service]))
		return (struct verdict){
			.kind = VERDICT_PERMIT,
			.entry.value = FLAGS_WHEN_OFF,
		};
	return verdict_decide(gate->snapshot.tables[policy], gate->shared[SHARED_BANS],
			      conf->policies[policy].id, addr, clock_boot_ns());
}
