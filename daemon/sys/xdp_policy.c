/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_policy - address lists, the names of the policies, services and counters.
 *
 * A list is a pair of tries that is filled while nobody looks and then put into policies4 and
 * policies6; it is not changed afterwards.
 */
#include "sys/xdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/xdp_private.h"

static const enum xdp_map outer_maps[XDP_LIST_COUNT] = {XDP_MAP_POLICIES4,
							XDP_MAP_POLICIES6};
static const char *const list_pin_ends[XDP_LIST_COUNT] = {"-4", "-6"};
static const uint32_t list_key_sizes[XDP_LIST_COUNT] = {sizeof(struct list4_key),
							sizeof(struct list6_key)};

static const char *list_pin(const char *name, enum xdp_list list,
			    char out_pin[XDP_PIN_NAME_BYTES])
{
	return xdp_pin_name("policy-", name, list_pin_ends[list], out_pin);
}

/* ---- names ---- */

int xdp_policy_names(struct xdp *xdp, char (*out_names)[XDP_NAME_MAX])
{
	struct policy_name names[ABI_POLICY_MAX];

	for (__u32 i = 0; i < ABI_POLICY_MAX; i++) {
		int err = bpf_map_lookup_elem(xdp->map_fds[XDP_MAP_POLICY_NAMES], &i,
					      &names[i]);

		if (err)
			return err;
		names[i].name[sizeof(names[i].name) - 1] = '\0';
	}
	for (size_t i = 0; i < ABI_POLICY_MAX; i++)
		memcpy(out_names[i], names[i].name, sizeof(names[i].name));
	return 0;
}

static int list_remove(struct xdp *xdp, __u32 policy, enum xdp_list list)
{
	int err = bpf_map_delete_elem(xdp->map_fds[outer_maps[list]], &policy);

	close_fd(&xdp->list_fds[policy][list]);
	return err == -ENOENT ? 0 : err;
}

int xdp_policy_name_set(struct xdp *xdp, uint16_t policy, const char *name)
{
	struct policy_name old = {0}, new = {0};
	char pin[XDP_PIN_NAME_BYTES];
	__u32 id = policy;
	int err;

	xdp_problem_set(NULL);
	if (id >= ABI_POLICY_MAX || strlen(name) >= sizeof(new.name) || strchr(name, '/'))
		return -EINVAL;
	memcpy(new.name, name, strlen(name));
	err = bpf_map_lookup_elem(xdp->map_fds[XDP_MAP_POLICY_NAMES], &id, &old);
	if (!err)
		err = bpf_map_update_elem(xdp->map_fds[XDP_MAP_POLICY_NAMES], &id, &new,
					  BPF_ANY);
	if (err)
		return err;
	old.name[sizeof(old.name) - 1] = '\0';
	for (enum xdp_list list = XDP_LIST4; list < XDP_LIST_COUNT && !err; list++) {
		if (old.name[0] && strcmp(old.name, new.name) != 0)
			err = xdp_pin_remove(xdp->pin_dir, list_pin(old.name, list, pin));
		if (!err && !new.name[0])
			err = list_remove(xdp, id, list);
	}
	return err;
}

/* ---- lists ---- */

static bool list_fits(int fd, enum xdp_list list)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       info.type == BPF_MAP_TYPE_LPM_TRIE &&
	       info.key_size == list_key_sizes[list] &&
	       info.value_size == sizeof(struct list_value) &&
	       info.map_flags == BPF_F_NO_PREALLOC;
}

static int list_take_over(struct xdp *xdp, __u32 policy, enum xdp_list list,
			  const char *name, bool is_new)
{
	char pin[XDP_PIN_NAME_BYTES];
	AUTO(close_fd) int fd = xdp_pin_open(xdp->pin_dir, list_pin(name, list, pin));

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!list_fits(fd, list))
		return 0; /* of another layout: loaded anew before we attach */
	if (is_new) {
		int err = bpf_map_update_elem(xdp->map_fds[outer_maps[list]], &policy,
					      &fd, BPF_ANY);

		if (err)
			return err;
	}
	close_fd(&xdp->list_fds[policy][list]);
	xdp->list_fds[policy][list] = TAKE_FD(fd);
	return 0;
}

int xdp_policy_take_over(struct xdp *xdp, bool is_new4, bool is_new6)
{
	char names[XDP_POLICY_MAX][XDP_NAME_MAX];
	int err;

	err = xdp_policy_names(xdp, names);
	for (__u32 i = 0; i < XDP_POLICY_MAX && !err; i++) {
		if (!names[i][0])
			continue;
		err = list_take_over(xdp, i, XDP_LIST4, names[i], is_new4);
		if (!err)
			err = list_take_over(xdp, i, XDP_LIST6, names[i], is_new6);
	}
	return err;
}

/* Rows of one family: they stand together, IPv4 first. */
struct span_of_rows {
	size_t begin;
	size_t end;
};

static struct span_of_rows list_rows(const struct prefix_table *table, enum xdp_list list)
{
	size_t low = 0, high = table ? prefix_table_count(table) : 0;
	const size_t count = high;
	struct prefix_row row;

	while (low < high) { /* the first row that is not IPv4 */
		size_t middle = low + (high - low) / 2;

		prefix_table_row(table, middle, &row);
		if (row.prefix.addr.family == ADDR_V4)
			low = middle + 1;
		else
			high = middle;
	}
	return list == XDP_LIST4 ? (struct span_of_rows){0, low}
				 : (struct span_of_rows){low, count};
}

static void list_key_write(const struct prefix *prefix, enum xdp_list list,
			   uint8_t *out_key)
{
	const __u32 prefixlen = prefix->len;

	memcpy(out_key, &prefixlen, sizeof(prefixlen));
	memcpy(out_key + sizeof(prefixlen), prefix->addr.bytes,
	       list_key_sizes[list] - sizeof(prefixlen));
}

static int list_fill(int fd, const struct prefix_table *table, enum xdp_list list)
{
	const struct span_of_rows rows = list_rows(table, list);
	AUTO(free_mem) struct list_value *values = calloc(XDP_FILL_MAX, sizeof(*values));
	AUTO(free_mem) uint8_t *keys = calloc(XDP_FILL_MAX, list_key_sizes[list]);

	if (!values || !keys)
		return -ENOMEM;
	for (size_t at = rows.begin; at < rows.end;) {
		__u32 count = 0;
		int err;

		for (; count < XDP_FILL_MAX && at < rows.end; count++, at++) {
			struct prefix_row row;

			prefix_table_row(table, at, &row);
			list_key_write(&row.prefix, list,
				       keys + (size_t)count * list_key_sizes[list]);
			values[count] = (struct list_value){row.value, row.prefix.len};
		}
		err = bpf_map_update_batch(fd, keys, values, &count, NULL);
		if (err)
			return err;
	}
	return 0;
}

/* A filled trie. The descriptor, owned by the caller; -errno. */
static int list_make(struct xdp *xdp, const struct prefix_table *table,
		     enum xdp_list list)
{
	static const char *const names[XDP_LIST_COUNT] = {"list4", "list6"};
	static const char *const keys[XDP_LIST_COUNT] = {"list4_key", "list6_key"};
	const struct span_of_rows rows = list_rows(table, list);
	const struct btf *btf = xdp_program_btf(xdp);
	struct bpf_map_create_opts opts = {.sz = sizeof(opts),
					   .map_flags = BPF_F_NO_PREALLOC};
	int key_type = btf__find_by_name_kind(btf, keys[list], BTF_KIND_STRUCT);
	int value_type = btf__find_by_name_kind(btf, "list_value", BTF_KIND_STRUCT);
	AUTO(close_fd) int fd = -1;
	int err;

	if (key_type < 0 || value_type < 0 || rows.end - rows.begin > ABI_LIST_MAX)
		return -EINVAL;
	opts.btf_fd = (__u32)btf__fd(btf);
	opts.btf_key_type_id = (__u32)key_type;
	opts.btf_value_type_id = (__u32)value_type;
	fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, names[list], list_key_sizes[list],
			    sizeof(struct list_value),
			    rows.end > rows.begin ? (__u32)(rows.end - rows.begin) : 1,
			    &opts);
	if (fd < 0) {
		xdp_problem_set("cannot make a trie of %zu prefixes",
				rows.end - rows.begin);
		return fd;
	}
	err = list_fill(fd, table, list);
	return err ? err : TAKE_FD(fd);
}

static int lists_swap(struct xdp *xdp, __u32 policy, const int fds[XDP_LIST_COUNT])
{
	const int old4 = xdp->list_fds[policy][XDP_LIST4];
	int err;

	err = bpf_map_update_elem(xdp->map_fds[XDP_MAP_POLICIES4], &policy,
				  &fds[XDP_LIST4], BPF_ANY);
	if (err)
		return err;
	err = bpf_map_update_elem(xdp->map_fds[XDP_MAP_POLICIES6], &policy,
				  &fds[XDP_LIST6], BPF_ANY);
	if (err && old4 >= 0)
		(void)bpf_map_update_elem(xdp->map_fds[XDP_MAP_POLICIES4], &policy, &old4,
					  BPF_ANY);
	return err;
}

static void close_lists(int (*fds)[XDP_LIST_COUNT])
{
	close_fd(&(*fds)[XDP_LIST4]);
	close_fd(&(*fds)[XDP_LIST6]);
}

int xdp_policy_load(struct xdp *xdp, uint16_t policy, const char *name,
		    const struct prefix_table *table)
{
	AUTO(close_lists) int fds[XDP_LIST_COUNT] = {-1, -1};
	char pin[XDP_PIN_NAME_BYTES];
	int err = 0;

	xdp_problem_set(NULL);
	if (policy >= ABI_POLICY_MAX || strlen(name) >= XDP_NAME_MAX || strchr(name, '/'))
		return -EINVAL;
	for (enum xdp_list list = XDP_LIST4; list < XDP_LIST_COUNT; list++) {
		fds[list] = list_make(xdp, table, list);
		if (fds[list] < 0)
			return fds[list];
	}
	err = lists_swap(xdp, policy, fds);
	if (err)
		return err;
	for (enum xdp_list list = XDP_LIST4; list < XDP_LIST_COUNT; list++) {
		close_fd(&xdp->list_fds[policy][list]);
		xdp->list_fds[policy][list] = TAKE_FD(fds[list]);
		if (!err)
			err = xdp_pin_replace(xdp->pin_dir, list_pin(name, list, pin),
					      xdp->list_fds[policy][list]);
	}
	return err;
}

/* Entries of a trie; -errno. */
static int64_t list_count(int fd, enum xdp_list list)
{
	AUTO(free_mem) struct list_value *values = calloc(XDP_FILL_MAX, sizeof(*values));
	AUTO(free_mem) uint8_t *keys = calloc(XDP_FILL_MAX, list_key_sizes[list]);
	uint8_t place[sizeof(struct list6_key)];
	int64_t total = 0;
	int err = 0;

	if (!values || !keys)
		return -ENOMEM;
	for (bool is_first = true; !err; is_first = false) {
		__u32 count = XDP_FILL_MAX;

		err = bpf_map_lookup_batch(fd, is_first ? NULL : place, place, keys,
					   values, &count, NULL);
		if (err && err != -ENOENT)
			return err;
		total += count;
	}
	return total;
}

static int list_compare(int fd, const struct prefix_table *table, enum xdp_list list,
			size_t *differences)
{
	const struct span_of_rows rows = list_rows(table, list);
	size_t same = 0;
	int64_t total;

	for (size_t i = rows.begin; i < rows.end; i++) {
		uint8_t key[sizeof(struct list6_key)];
		struct list_value value = {0};
		struct prefix_row row;
		int err;

		prefix_table_row(table, i, &row);
		list_key_write(&row.prefix, list, key);
		err = bpf_map_lookup_elem(fd, key, &value);
		if (err && err != -ENOENT)
			return err;
		if (!err && value.length == row.prefix.len) {
			same++;
			if (value.flags == row.value)
				continue;
		}
		*differences += 1;
	}
	total = list_count(fd, list);
	if (total < 0)
		return (int)total;
	*differences += (size_t)total - same;
	return 0;
}

/* Is the trie that we hold the one that the program looks into? 0; -ENOENT: there is none; -ESTALE: another one. */
static int list_is_in_force(struct xdp *xdp, __u32 policy, enum xdp_list list)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	__u32 id = 0;
	int err;

	if (xdp->list_fds[policy][list] < 0)
		return -ENOENT;
	err = bpf_obj_get_info_by_fd(xdp->list_fds[policy][list], &info, &len);
	if (!err)
		err = bpf_map_lookup_elem(xdp->map_fds[outer_maps[list]], &policy, &id);
	if (err)
		return err;
	return id == info.id ? 0 : -ESTALE;
}

int xdp_policy_compare(struct xdp *xdp, uint16_t policy, const struct prefix_table *table,
		       size_t *out_differences)
{
	size_t differences = 0;

	if (policy >= ABI_POLICY_MAX)
		return -EINVAL;
	for (enum xdp_list list = XDP_LIST4; list < XDP_LIST_COUNT; list++) {
		int err = list_is_in_force(xdp, policy, list);

		if (!err)
			err = list_compare(xdp->list_fds[policy][list], table, list,
					   &differences);
		if (err)
			return err;
	}
	*out_differences = differences;
	return differences != 0;
}

/* ---- services and counters ---- */

int xdp_service_set(struct xdp *xdp, uint16_t port, uint16_t policy,
		    bool v6_longer_than_64)
{
	const struct service_key key = {.port = port};
	const struct service_value value = {.policy = policy,
					    .v6_longer_than_64 = v6_longer_than_64};

	xdp_problem_set(NULL);
	if (policy >= ABI_POLICY_MAX)
		return -EINVAL;
	return bpf_map_update_elem(xdp->map_fds[XDP_MAP_SERVICES], &key, &value, BPF_ANY);
}

int xdp_service_remove(struct xdp *xdp, uint16_t port)
{
	const struct service_key key = {.port = port};

	return bpf_map_delete_elem(xdp->map_fds[XDP_MAP_SERVICES], &key);
}

int xdp_service_list(struct xdp *xdp, uint16_t *out_ports, uint16_t *out_policies,
		     size_t max, size_t *out_count)
{
	const int fd = xdp->map_fds[XDP_MAP_SERVICES];
	struct service_key key, previous;
	struct service_value value;
	size_t count = 0;
	int err;

	xdp_problem_set(NULL);
	err = bpf_map_get_next_key(fd, NULL, &key);
	while (!err && count < max) {
		err = bpf_map_lookup_elem(fd, &key, &value);
		if (err)
			return err;
		out_ports[count] = key.port;
		out_policies[count] = (uint16_t)value.policy;
		count++;
		previous = key;
		err = bpf_map_get_next_key(fd, &previous, &key);
	}
	if (err && err != -ENOENT)
		return err;
	*out_count = count;
	return 0;
}

int xdp_counters(struct xdp *xdp, uint16_t policy, struct xdp_counters *out_counters)
{
	int cpus = libbpf_num_possible_cpus();
	AUTO(free_mem) struct policy_counters *by_cpu = NULL;
	struct xdp_counters sum = {0};
	__u32 id = policy;
	int err;

	if (cpus < 0)
		return cpus;
	by_cpu = calloc((size_t)cpus, sizeof(*by_cpu));
	if (!by_cpu)
		return -ENOMEM;
	err = bpf_map_lookup_elem(xdp->map_fds[XDP_MAP_COUNTERS], &id, by_cpu);
	if (err)
		return err;
	for (int i = 0; i < cpus; i++) {
		sum.passed += by_cpu[i].passed;
		sum.dropped_ban += by_cpu[i].dropped_ban;
		sum.dropped_ban_prefix += by_cpu[i].dropped_ban_prefix;
		sum.dropped_blacklisted += by_cpu[i].dropped_blacklisted;
		sum.dropped_not_permitted += by_cpu[i].dropped_not_permitted;
		sum.dropped_no_entry += by_cpu[i].dropped_no_entry;
		sum.dropped_runt += by_cpu[i].dropped_runt;
		sum.dropped_syn_rate += by_cpu[i].dropped_syn_rate;
		sum.would_drop_syn_rate += by_cpu[i].would_drop_syn_rate;
	}
	*out_counters = sum;
	return 0;
}
