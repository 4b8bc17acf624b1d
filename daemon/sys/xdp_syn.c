/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_syn - how many connections a source may begin: the limits, whom they spare, and the reports of who is over.
 */
#include "sys/xdp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "sys/xdp_private.h"

#define FAMILY_BITS 32u /* in front of the address in the key of an exempt prefix */

static_assert(2 * XDP_SYN_EXEMPT_MAX <= ABI_SYN_EXEMPT_MAX, "room for old and new");
static_assert(XDP_SYN_RATE_MAX == ABI_SYN_RATE_MAX &&
		      XDP_SYN_BURST_MAX == ABI_SYN_BURST_MAX,
	      "the same limits");
static_assert((int)XDP_SYN_OFF == ABI_SYN_OFF &&
		      (int)XDP_SYN_OBSERVE == ABI_SYN_OBSERVE &&
		      (int)XDP_SYN_ENFORCE == ABI_SYN_ENFORCE,
	      "the same modes");

/* ---- limits ---- */

int xdp_syn_limit_set(struct xdp *xdp, uint16_t policy, const struct xdp_syn_limit *limit)
{
	const struct syn_limit value = {
		.mode = limit->mode,
		.rate = limit->rate,
		.burst = limit->burst,
	};
	const bool is_off = limit->mode == XDP_SYN_OFF;
	__u32 id = policy;

	xdp_problem_set(NULL);
	if (id >= ABI_POLICY_MAX || limit->mode > XDP_SYN_ENFORCE ||
	    limit->rate > XDP_SYN_RATE_MAX || limit->burst > XDP_SYN_BURST_MAX ||
	    (!is_off && (limit->rate == 0 || limit->burst == 0)))
		return -EINVAL;
	return bpf_map_update_elem(xdp->map_fds[XDP_MAP_SYN_LIMITS], &id, &value,
				   BPF_ANY);
}

int xdp_syn_limit_get(struct xdp *xdp, uint16_t policy, struct xdp_syn_limit *out_limit)
{
	struct syn_limit value = {0};
	__u32 id = policy;
	int err;

	err = bpf_map_lookup_elem(xdp->map_fds[XDP_MAP_SYN_LIMITS], &id, &value);
	if (err)
		return err;
	*out_limit = (struct xdp_syn_limit){
		.mode = (enum xdp_syn_mode)value.mode,
		.rate = value.rate,
		.burst = value.burst,
	};
	return 0;
}

/* ---- who is exempt ---- */

static struct syn_exempt_key exempt_key(const struct prefix *prefix)
{
	const bool is_v4 = prefix->addr.family == ADDR_V4;
	struct syn_exempt_key key = {.prefixlen = FAMILY_BITS + prefix->len};

	key.family[3] = is_v4 ? ABI_FAMILY_V4 : ABI_FAMILY_V6;
	memcpy(key.addr, prefix->addr.bytes, is_v4 ? 4 : 16);
	return key;
}

static bool exempt_is_wanted(const struct syn_exempt_key *key,
			     const struct prefix *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct syn_exempt_key wanted = exempt_key(&prefixes[i]);

		if (memcmp(key, &wanted, sizeof(wanted)) == 0)
			return true;
	}
	return false;
}

int xdp_syn_exempt(struct xdp *xdp, const struct prefix *prefixes, size_t count)
{
	const int fd = xdp->map_fds[XDP_MAP_SYN_EXEMPT];
	struct syn_exempt_key there[ABI_SYN_EXEMPT_MAX];
	size_t there_count = 0;
	int err = 0;

	xdp_problem_set(NULL);
	if (count > XDP_SYN_EXEMPT_MAX)
		return -E2BIG;
	while (there_count < ABI_SYN_EXEMPT_MAX &&
	       bpf_map_get_next_key(fd, there_count ? &there[there_count - 1] : NULL,
				    &there[there_count]) == 0)
		there_count++;
	for (size_t i = 0; i < count && !err; i++) {
		const struct syn_exempt_key key = exempt_key(&prefixes[i]);
		const struct syn_exempt value = {.length = prefixes[i].len};

		err = bpf_map_update_elem(fd, &key, &value, BPF_ANY);
	}
	for (size_t i = 0; i < there_count && !err; i++)
		if (!exempt_is_wanted(&there[i], prefixes, count))
			err = bpf_map_delete_elem(fd, &there[i]);
	return err;
}

/* ---- sources and reports ---- */

static void source_read(const struct ban_key *key, struct xdp_syn_report *out_report)
{
	const bool is_v4 = key->family == ABI_FAMILY_V4;

	*out_report = (struct xdp_syn_report){
		.source.addr.family = is_v4 ? ADDR_V4 : ADDR_V6,
		.source.len = is_v4 ? 32 : ABI_V6_CLIENT_LEN,
		.policy = key->policy,
	};
	memcpy(out_report->source.addr.bytes, key->addr, is_v4 ? 4 : 8);
}

int xdp_syn_source(struct xdp *xdp, const struct prefix *source, uint16_t policy,
		   struct xdp_syn_report *out_report)
{
	const bool is_v4 = source->addr.family == ADDR_V4;
	struct ban_key key = {
		.family = is_v4 ? ABI_FAMILY_V4 : ABI_FAMILY_V6,
		.policy = policy,
	};
	struct syn_source value = {0};
	int err;

	memcpy(key.addr, source->addr.bytes, is_v4 ? 4 : 8);
	err = bpf_map_lookup_elem(xdp->map_fds[XDP_MAP_SYN_SOURCES], &key, &value);
	if (err)
		return err;
	source_read(&key, out_report);
	out_report->passed = value.passed;
	out_report->over = value.over;
	return 0;
}

static int report_take(void *context, void *data, size_t size)
{
	struct xdp *xdp = context;
	struct xdp_syn_read *read = &xdp->syn_read;
	const struct syn_report *report = data;
	struct xdp_syn_report *out;

	if (size < sizeof(*report))
		return 0;
	out = &read->reports[read->count++];
	source_read(&report->source, out);
	out->port = report->port;
	out->passed = report->passed;
	out->over = report->over;
	return read->count == read->max ? -ENOBUFS : 0; /* it is taken, and no more */
}

int xdp_syn_open(struct xdp *xdp)
{
	xdp->syn_ring = ring_buffer__new(xdp->map_fds[XDP_MAP_SYN_REPORTS], report_take,
					 xdp, NULL);
	return xdp->syn_ring ? 0 : -errno;
}

void xdp_syn_close(struct xdp *xdp)
{
	ring_buffer__free(xdp->syn_ring);
	xdp->syn_ring = NULL;
}

int xdp_syn_reports_fd(const struct xdp *xdp)
{
	return ring_buffer__epoll_fd(xdp->syn_ring);
}

size_t xdp_syn_reports_read(struct xdp *xdp, struct xdp_syn_report *out_reports,
			    size_t max)
{
	if (max == 0)
		return 0;
	xdp->syn_read = (struct xdp_syn_read){.reports = out_reports, .max = max};
	(void)ring_buffer__consume(xdp->syn_ring); /* -ENOBUFS: ours */
	return xdp->syn_read.count;
}
