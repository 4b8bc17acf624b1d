/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp - opens program and maps: what is pinned and fits goes on, what does not is made
 * anew and filled from the old.
 */
#include "sys/xdp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "postern.skel.h"
#include "sys/xdp_private.h"

static char problem[XDP_PROBLEM_MAX];

const char *xdp_problem(void)
{
	return problem;
}

void xdp_problem_set(const char *format, ...)
{
	va_list args;

	problem[0] = '\0';
	if (!format)
		return;
	va_start(args, format);
	(void)vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
}

/* libbpf's warnings, the newest last; of a long one the end, where the verifier says why. */
__attribute__((format(printf, 2, 0))) static int
problem_print(enum libbpf_print_level level, const char *format, va_list args)
{
	const size_t room = sizeof(problem) - 1;
	char *text = NULL;
	size_t len, have;

	if (level != LIBBPF_WARN || vasprintf(&text, format, args) < 0)
		return 0;
	len = strlen(text);
	have = strlen(problem);
	if (len >= room) {
		memcpy(problem, text + (len - room), room + 1);
	} else {
		size_t keep = have + len > room ? room - len : have;

		memmove(problem, problem + (have - keep), keep);
		memcpy(problem + keep, text, len + 1);
	}
	free(text);
	return 0;
}

void xdp_problem_collect(void)
{
	xdp_problem_set(NULL);
	libbpf_set_print(problem_print);
}

int xdp_program_fd(const struct xdp *xdp)
{
	return xdp->program_fd;
}

const struct btf *xdp_program_btf(const struct xdp *xdp)
{
	return bpf_object__btf(xdp->program->obj);
}

/* ---- taking over ---- */

/* Maps that are pinned now: owned descriptors, -1 where there is none. */
struct pinned {
	int fds[XDP_MAP_COUNT];
	bool is_fit[XDP_MAP_COUNT]; /* used as it is */
};

static void pinned_done(struct pinned *pinned)
{
	for (size_t i = 0; i < XDP_MAP_COUNT; i++)
		close_fd(&pinned->fds[i]);
}

static int map_info(int fd, struct bpf_map_info *out_info)
{
	__u32 len = sizeof(*out_info);

	memset(out_info, 0, sizeof(*out_info));
	return bpf_obj_get_info_by_fd(fd, out_info, &len);
}

static bool map_fits(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info;

	return map_info(fd, &info) == 0 && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

static bool abi_is_ours(int fd)
{
	struct abi_value abi = {0};
	__u32 zero = 0;

	return fd >= 0 && bpf_map_lookup_elem(fd, &zero, &abi) == 0 &&
	       abi.version == ABI_VERSION;
}

static int pinned_open(struct xdp *xdp, struct pinned *pinned)
{
	for (size_t i = 0; i < XDP_MAP_COUNT; i++) {
		int fd = xdp_pin_open(xdp->pin_dir, xdp_map_names[i]);

		if (fd < 0 && fd != -ENOENT) {
			xdp_problem_set("cannot open the pin %s/%s", xdp->pin_dir,
					xdp_map_names[i]);
			return fd;
		}
		pinned->fds[i] = fd < 0 ? -1 : fd;
	}
	return 0;
}

static int pinned_reuse(struct xdp *xdp, struct pinned *pinned)
{
	bool is_ours = abi_is_ours(pinned->fds[XDP_MAP_ABI]);

	for (size_t i = 0; i < XDP_MAP_COUNT && is_ours; i++) {
		struct bpf_map *map =
			bpf_object__find_map_by_name(xdp->program->obj, xdp_map_names[i]);
		int err;

		if (pinned->fds[i] < 0 || !map_fits(map, pinned->fds[i]))
			continue;
		/* Until we attach, the old program fills it in from its own bans. */
		if (i == XDP_MAP_BAN_CACHE && !pinned->is_fit[XDP_MAP_BANS])
			continue;
		err = bpf_map__reuse_fd(map, pinned->fds[i]);
		if (err)
			return err;
		pinned->is_fit[i] = true;
	}
	return 0;
}

static int program_load(struct xdp *xdp)
{
	int err;

	err = postern_bpf__load(xdp->program);
	if (err)
		return err;
	xdp->program_fd = bpf_program__fd(xdp->program->progs.postern);
	for (size_t i = 0; i < XDP_MAP_COUNT; i++)
		xdp->map_fds[i] = bpf_object__find_map_fd_by_name(xdp->program->obj,
								  xdp_map_names[i]);
	return 0;
}

/* ---- carrying over ---- */

/* Every element of a small map, if both have the same key and value. */
static int map_copy(int from_fd, int to_fd, const struct bpf_map_info *from)
{
	int cpus = libbpf_num_possible_cpus();
	AUTO(free_mem) uint8_t *value = NULL;
	uint8_t key[64], previous_key[64];
	uint8_t *previous = NULL;
	int err;

	if (cpus < 0)
		return cpus;
	if (from->key_size > sizeof(key))
		return 0;
	value = calloc((size_t)cpus, (from->value_size + 7u) & ~7u);
	if (!value)
		return -ENOMEM;
	while (bpf_map_get_next_key(from_fd, previous, key) == 0) {
		err = bpf_map_lookup_elem(from_fd, key, value);
		if (!err)
			err = bpf_map_update_elem(to_fd, key, value, BPF_ANY);
		if (err && err != -ENOENT)
			return err;
		previous = memcpy(previous_key, key, from->key_size);
	}
	return 0;
}

static int map_carry_over(enum xdp_map map, int from_fd, int to_fd)
{
	struct bpf_map_info from, to;
	int err;

	err = map_info(from_fd, &from);
	if (!err)
		err = map_info(to_fd, &to);
	if (err)
		return err;
	if (from.type != to.type || from.key_size != to.key_size ||
	    from.value_size != to.value_size)
		return 0; /* of another layout: the store brings them back before we attach */

	err = map == XDP_MAP_BANS ? xdp_ban_carry_over(from_fd, to_fd)
				  : map_copy(from_fd, to_fd, &from);
	if (err == -E2BIG || err == -ENOSPC) {
		xdp_problem_set("more %s in force than the new limit of %u",
				xdp_map_names[map], to.max_entries);
		return -ENOSPC;
	}
	return err;
}

/* The cache fills by itself. Buckets of SYNs begin anew, and whose they are is told before we attach: walking a map that a flood changes all the
 * time might not end. */
static bool map_is_carried(enum xdp_map map)
{
	return map != XDP_MAP_ABI && map != XDP_MAP_BAN_CACHE &&
	       map != XDP_MAP_BAN_CACHE_TURNS && map != XDP_MAP_POLICIES4 &&
	       map != XDP_MAP_POLICIES6 && map < XDP_MAP_SYN_LIMITS;
}

static int pinned_carry_over(struct xdp *xdp, const struct pinned *pinned)
{
	for (size_t i = 0; i < XDP_MAP_COUNT; i++) {
		int err;

		if (pinned->is_fit[i] || pinned->fds[i] < 0 ||
		    !map_is_carried((enum xdp_map)i))
			continue;
		err = map_carry_over((enum xdp_map)i, pinned->fds[i], xdp->map_fds[i]);
		if (err)
			return err;
	}
	return xdp_policy_take_over(xdp, !pinned->is_fit[XDP_MAP_POLICIES4],
				    !pinned->is_fit[XDP_MAP_POLICIES6]);
}

/* From here on the new maps are the ones that are found. The version goes last: cut off half
 * way, the next start carries over once more. */
static int pinned_replace(struct xdp *xdp, const struct pinned *pinned)
{
	struct abi_value abi = {.version = ABI_VERSION};
	__u32 zero = 0;
	int err;

	for (size_t i = XDP_MAP_COUNT; i-- > 0;) {
		if (i == XDP_MAP_ABI) {
			err = bpf_map_update_elem(xdp->map_fds[i], &zero, &abi, BPF_ANY);
			if (err)
				return err;
		}
		if (pinned->is_fit[i])
			continue;
		err = xdp_pin_replace(xdp->pin_dir, xdp_map_names[i], xdp->map_fds[i]);
		if (err) {
			xdp_problem_set("cannot pin %s in %s", xdp_map_names[i],
					xdp->pin_dir);
			return err;
		}
	}
	return 0;
}

/* ---- opening and closing ---- */

static struct xdp *xdp_new(void)
{
	struct xdp *xdp = calloc(1, sizeof(*xdp));

	if (!xdp)
		return NULL;
	xdp->walk.map = XDP_MAP_COUNT;
	for (size_t i = 0; i < XDP_POLICY_MAX; i++) {
		xdp->list_fds[i][XDP_LIST4] = -1;
		xdp->list_fds[i][XDP_LIST6] = -1;
	}
	return xdp;
}

static int xdp_fill(struct xdp *xdp, uint32_t bans_max)
{
	const uint32_t buckets = xdp_cache_buckets(bans_max);
	AUTO(pinned_done) struct pinned pinned = {0};
	int err;

	for (size_t i = 0; i < XDP_MAP_COUNT; i++)
		pinned.fds[i] = -1;
	xdp->program = postern_bpf__open();
	if (!xdp->program)
		return -errno;
	xdp->program->rodata->ban_cache_mask = buckets - 1;
	err = bpf_map__set_max_entries(xdp->program->maps.bans, bans_max);
	if (!err)
		err = bpf_map__set_max_entries(xdp->program->maps.ban_cache, buckets);
	if (!err)
		err = pinned_open(xdp, &pinned);
	if (!err)
		err = pinned_reuse(xdp, &pinned);
	if (!err)
		err = program_load(xdp);
	if (!err)
		err = pinned_carry_over(xdp, &pinned);
	if (!err)
		err = xdp_cache_open(xdp, buckets);
	if (!err)
		err = xdp_syn_open(xdp);
	if (!err)
		err = pinned_replace(xdp, &pinned);
	return err;
}

int xdp_open(const char *pin_dir, uint32_t bans_max, struct xdp **out_xdp)
{
	AUTO(xdp_close) struct xdp *xdp = NULL;
	int err;

	xdp_problem_collect();
	err = xdp_pin_dir_make(pin_dir);
	if (err)
		return err;
	xdp = xdp_new();
	if (!xdp)
		return -ENOMEM;
	if (snprintf(xdp->pin_dir, sizeof(xdp->pin_dir), "%s", pin_dir) >=
	    (int)sizeof(xdp->pin_dir))
		return -ENAMETOOLONG;
	err = xdp_fill(xdp, bans_max);
	if (err)
		return err;
	*out_xdp = TAKE_PTR(xdp);
	return 0;
}

void xdp_forget(struct xdp *xdp)
{
	if (!xdp)
		return;
	xdp_cache_close(xdp);
	xdp_syn_close(xdp);
}

void xdp_close(struct xdp **xdp)
{
	struct xdp *x = *xdp;

	if (!x)
		return;
	for (size_t i = 0; i < XDP_POLICY_MAX; i++) {
		close_fd(&x->list_fds[i][XDP_LIST4]);
		close_fd(&x->list_fds[i][XDP_LIST6]);
	}
	xdp_walk_done(&x->walk);
	xdp_forget(x);
	postern_bpf__destroy(x->program);
	free(x);
	*xdp = NULL;
}
