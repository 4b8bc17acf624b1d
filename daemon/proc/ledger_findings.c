/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_findings - see ledger_findings.h.
 */
#include "proc/ledger_findings.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ttlmap.h"
#include "proc/ledger_events.h"

/* Key of what is kept, compared byte by byte. */
struct finding_key {
	struct addr addr;
	uint8_t check;
};
static_assert(sizeof(struct finding_key) == sizeof(struct addr) + 1, "no padding");

struct finding {
	int64_t time_s;
	struct msg_finding msg;
};

struct finding_counts {
	uint64_t hit, would, unknown;
};

struct findings {
	struct ttlmap *latest; /* struct finding_key -> struct finding */
	struct finding_counts counts[CONF_POLICY_IDS][CHECK_COUNT];
};

struct findings *findings_new(void)
{
	AUTO(findings_free) struct findings *findings = calloc(1, sizeof(*findings));
	uint8_t seed[16];

	if (!findings || getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return NULL;
	findings->latest = ttlmap_new(FINDINGS_MAX, sizeof(struct finding_key),
				      sizeof(struct finding), seed);
	return findings->latest ? TAKE_PTR(findings) : NULL;
}

void findings_free(struct findings **findings)
{
	if (*findings)
		ttlmap_free(&(*findings)->latest);
	free_mem(findings);
}

const char *finding_result_name(const struct msg_finding *finding)
{
	if (finding->result == CHECK_UNKNOWN)
		return "unknown";
	return finding->mode == MODE_OBSERVE ? "would-refuse" : "hit";
}

/* What the kernel counts it counts of a client; the checks ask about an address. */
static struct finding_key key_of(const struct addr *addr, unsigned int check)
{
	struct finding_key key;

	memset(&key, 0, sizeof(key));
	key.addr = check == CHECK_DOS ? prefix_of_client(addr).addr : *addr;
	key.check = (uint8_t)check;
	return key;
}

void findings_take(struct ledger *ledger, const struct msg_finding *msg)
{
	const struct conf *conf = ledger_conf(ledger);
	const struct finding_key key = key_of(&msg->addr, msg->check);
	struct finding_counts *counts;
	struct finding *finding;
	uint16_t policy_id;

	if (msg->service >= conf->service_count)
		return; /* of a configuration that is gone */
	policy_id = conf->policies[conf->services[msg->service].policy].id;
	counts = &ledger->findings->counts[policy_id][msg->check];
	if (msg->result == CHECK_UNKNOWN)
		counts->unknown++;
	else if (msg->mode == MODE_OBSERVE)
		counts->would++;
	else
		counts->hit++;
	finding = ttlmap_put(ledger->findings->latest, &key, ledger->now.boot_ns,
			     ledger->now.boot_ns + FINDINGS_KEEP_S * NS_PER_S, NULL);
	*finding = (struct finding){.time_s = ledger->now.wall_s, .msg = *msg};
	events_finding(ledger, msg, finding_result_name(msg));
}

void findings_take_syns(struct ledger *ledger, const struct msg_syns *syns)
{
	const struct conf *conf = ledger_conf(ledger);

	for (uint32_t i = 0; i < syns->count; i++) {
		const struct msg_syn *syn = &syns->syns[i];
		const struct conf_policy *policy;
		struct msg_finding finding = {
			.addr = syn->client.addr,
			.service = syn->service,
			.check = CHECK_DOS,
			.result = CHECK_HIT,
		};
		struct buf text = BUF_OVER(finding.evidence);

		if (syn->service >= conf->service_count)
			continue;
		policy = &conf->policies[conf->services[syn->service].policy];
		if (policy->mode[CHECK_DOS] == MODE_OFF)
			continue;
		finding.mode = policy->mode[CHECK_DOS];
		buf_printf(&text,
			   "more than %u connections begun a second: %" PRIu64
			   " SYN %s, %" PRIu64 " let through",
			   policy->syn_rate, syn->over,
			   finding.mode == MODE_OBSERVE ? "over it" : "dropped",
			   syn->passed);
		findings_take(ledger, &finding);
	}
}

static void count_add(json_t *object, const char *check, const char *kind, uint64_t count)
{
	char memory[32];
	struct buf key = BUF_OVER(memory);

	buf_printf(&key, "%s_%s", check, kind);
	(void)json_object_set_new(object, key.text, json_integer((json_int_t)count));
}

json_t *findings_counts(const struct ledger *ledger, uint32_t policy_id)
{
	json_t *object = json_object();

	for (unsigned int i = 0; policy_id < CONF_POLICY_IDS && i < CHECK_COUNT; i++) {
		const struct finding_counts *counts =
			&ledger->findings->counts[policy_id][i];
		const char *check = conf_check_name((enum conf_check)i);

		if (counts->hit + counts->would + counts->unknown == 0)
			continue;
		count_add(object, check, "hit", counts->hit);
		count_add(object, check, "would", counts->would);
		count_add(object, check, "unknown", counts->unknown);
	}
	return object;
}

json_t *findings_of(struct ledger *ledger, const struct addr *addr)
{
	const struct conf *conf = ledger_conf(ledger);
	json_t *rows = json_array();

	for (unsigned int i = 0; i < CHECK_COUNT; i++) {
		const struct finding_key key = key_of(addr, i);
		const struct finding *finding =
			ttlmap_get(ledger->findings->latest, &key, ledger->now.boot_ns);
		const struct conf_service *service;

		if (!finding || finding->msg.service >= conf->service_count)
			continue;
		service = &conf->services[finding->msg.service];
		(void)json_array_append_new(
			rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "check",
					conf_check_name((enum conf_check)i), "service",
					service->name, "policy",
					conf->policies[service->policy].name, "result",
					finding_result_name(&finding->msg), "why",
					finding->msg.evidence, "time",
					(json_int_t)finding->time_s));
	}
	return rows;
}
