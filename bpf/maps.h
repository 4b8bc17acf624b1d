/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/maps - the maps of the program. Layout and limits: bpf/abi.h.
 *
 * All of them are pinned and carry type information, so that `bpftool map dump
 * pinned` prints field names. sys/xdp takes them over by name.
 */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/* Which layout the other pins have. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_value);
} abi SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_SERVICE_MAX);
	__type(key, struct service_key);
	__type(value, struct service_value);
} services SEC(".maps");

/* Preallocated: faster to look up and to fill, and never out of memory half way. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_BANS_DEFAULT);
	__type(key, struct ban_key);
	__type(value, struct ban_value);
} bans SEC(".maps");

/* As many buckets as bans, rounded up to a power of two: sys/xdp sets it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_BANS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ban_cache_bucket);
} ban_cache SEC(".maps");

/* When each CPU has all its turns again: boot-time clock. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ban_cache_turns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, ABI_BAN_PREFIX_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ban_prefix4_key);
	__type(value, struct ban_prefix_value);
} ban_prefixes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, ABI_BAN_PREFIX_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ban_prefix6_key);
	__type(value, struct ban_prefix_value);
} ban_prefixes6 SEC(".maps");

/* The address list of one policy: sys/xdp makes one as large as the list. */
struct list4 {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct list4_key);
	__type(value, struct list_value);
};

struct list6 {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct list6_key);
	__type(value, struct list_value);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, ABI_POLICY_MAX);
	__type(key, __u32);
	__array(values, struct list4);
} policies4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, ABI_POLICY_MAX);
	__type(key, __u32);
	__array(values, struct list6);
} policies6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ABI_POLICY_MAX);
	__type(key, __u32);
	__type(value, struct policy_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_POLICY_MAX);
	__type(key, __u32);
	__type(value, struct policy_name);
} policy_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_POLICY_MAX);
	__type(key, __u32);
	__type(value, struct syn_limit);
} syn_limits SEC(".maps");

/* Preallocated, and never full: a flood of forged sources can only make it forget. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ABI_SYN_SOURCES_MAX);
	__type(key, struct ban_key);
	__type(value, struct syn_source);
} syn_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_SYN_SEEN_MAX);
	__type(key, __u32);
	__type(value, struct syn_seen);
} syn_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, ABI_SYN_EXEMPT_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct syn_exempt_key);
	__type(value, struct syn_exempt);
} syn_exempt SEC(".maps");

/* To the daemon. When it is full a report is lost, and nothing else. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, ABI_SYN_RING_BYTES);
} syn_reports SEC(".maps");

#endif
