/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/prefix_set.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/siphash.h"

#define SET_MAGIC	 0x31544553u /* "SET1" */
#define SET_VERSION	 1u
#define SET_CAPACITY_MAX 0x40000000u /* slot numbers stay below 2^31 */
#define SET_ALIGN_BYTES	 4096u
/* With a keyed hash no chain comes near it; it bounds a reader in damaged memory. */
#define SET_PROBE_MAX 4096u

/* The writer seems stopped at work: what is seen counts; what is not is looked for again. */
#define LATE_LOOKS 3u

#define KEY_FREE 0u
#define KEY_MOVING \
	UINT32_MAX /* no item's: a slot being overwritten does not end a chain */

/* Linear probing at 3/4 full: about 2.5 slots for a hit, 8.5 for a miss; two a line. */
#define SET_SLOTS_FOR(capacity) ((uint64_t)(capacity)*4 / 3 + 1)

struct set_slot {
	uint64_t hi, lo; /* address as it stands in memory */
	uint64_t ends_ns;
	uint32_t key; /* group, family, length; or KEY_FREE, KEY_MOVING */
	uint32_t hash;
};

static_assert(sizeof(struct set_slot) == 32, "two slots a cache line");

/*
 * All fields that change are read and written with atomic operations: a reader runs in
 * another process. The geometry (magic to value_bytes) stays as prefix_set_init() left it.
 */
struct prefix_set {
	uint32_t magic; /* written last */
	uint32_t version;
	uint32_t capacity; /* items, <= SET_CAPACITY_MAX */
	uint32_t slot_count;
	uint8_t hash_key[SIPHASH_KEY_BYTES];
	uint32_t value_bytes;	/* of each item */
	uint32_t count;		/* items */
	uint32_t lens4[32 + 1]; /* items of this length, all groups */
	uint32_t lens6[128 + 1];
	uint8_t pad[16];
	uint64_t sequence; /* odd while the writer works; alone in its cache line */
	uint64_t pad_line[7];
	struct set_slot slots[];
};

static_assert(offsetof(struct prefix_set, sequence) % 64 == 0 &&
		      sizeof(struct prefix_set) % 64 == 0,
	      "cache lines, in memory from mmap()");

struct set_key {
	uint64_t hi, lo;
	uint32_t key;
	uint32_t hash;
};

/* ---- geometry ---- */

static size_t set_bytes(uint64_t slot_count, size_t value_bytes)
{
	const size_t bytes = sizeof(struct prefix_set) +
			     slot_count * (sizeof(struct set_slot) + value_bytes);

	return (bytes + SET_ALIGN_BYTES - 1) / SET_ALIGN_BYTES * SET_ALIGN_BYTES;
}

static bool value_size_is_fine(size_t value_bytes)
{
	return value_bytes % sizeof(uint64_t) == 0 && value_bytes <= PREFIX_SET_VALUE_MAX;
}

size_t prefix_set_valued_size(size_t capacity, size_t value_bytes)
{
	assert(capacity > 0 && capacity <= SET_CAPACITY_MAX);
	assert(value_size_is_fine(value_bytes));
	return set_bytes(SET_SLOTS_FOR(capacity), value_bytes);
}

size_t prefix_set_size(size_t capacity)
{
	return prefix_set_valued_size(capacity, 0);
}

struct prefix_set *prefix_set_init(void *memory, size_t capacity)
{
	return prefix_set_valued_init(memory, capacity, 0);
}

struct prefix_set *prefix_set_valued_init(void *memory, size_t capacity,
					  size_t value_bytes)
{
	struct prefix_set *set = memory;
	uint64_t fallback[2];

	assert(capacity > 0 && capacity <= SET_CAPACITY_MAX);
	assert(value_size_is_fine(value_bytes));
	set->version = SET_VERSION;
	set->capacity = (uint32_t)capacity;
	set->slot_count = (uint32_t)SET_SLOTS_FOR(capacity);
	set->value_bytes = (uint32_t)value_bytes;
	if (getrandom(set->hash_key, sizeof(set->hash_key), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(set->hash_key)) {
		/* Early in a boot. Still, no stranger knows it to the nanosecond. */
		fallback[0] = clock_boot_ns();
		fallback[1] = clock_mono_ns() ^ (uintptr_t)memory;
		memcpy(set->hash_key, fallback, sizeof(set->hash_key));
	}
	__atomic_store_n(&set->magic, SET_MAGIC, __ATOMIC_RELEASE);
	return set;
}

const struct prefix_set *prefix_set_attach(const void *memory, size_t size_bytes)
{
	const struct prefix_set *set = memory;

	if ((uintptr_t)memory % sizeof(uint64_t) != 0 || size_bytes < sizeof(*set) ||
	    __atomic_load_n(&set->magic, __ATOMIC_ACQUIRE) != SET_MAGIC ||
	    set->version != SET_VERSION)
		return NULL;
	if (set->capacity == 0 || set->capacity > SET_CAPACITY_MAX ||
	    set->slot_count != SET_SLOTS_FOR(set->capacity) ||
	    !value_size_is_fine(set->value_bytes) ||
	    set_bytes(set->slot_count, set->value_bytes) > size_bytes)
		return NULL;
	return set;
}

size_t prefix_set_value_bytes(const struct prefix_set *set)
{
	return set->value_bytes;
}

/* ---- keys ---- */

static struct set_key key_make(const struct prefix_set *set, uint16_t group,
			       const struct prefix *prefix)
{
	struct set_key key;
	uint64_t words[3];

	memcpy(&key.hi, prefix->addr.bytes, 8);
	memcpy(&key.lo, prefix->addr.bytes + 8, 8);
	key.key =
		(uint32_t)group << 16 | (uint32_t)prefix->addr.family << 8 | prefix->len;
	words[0] = key.hi;
	words[1] = key.lo;
	words[2] = key.key;
	key.hash = (uint32_t)siphash24(set->hash_key, words, sizeof(words));
	return key;
}

static uint32_t slot_home(const struct prefix_set *set, uint32_t hash)
{
	return (uint32_t)((uint64_t)hash * set->slot_count >> 32);
}

static uint32_t slot_next(const struct prefix_set *set, uint32_t at)
{
	return at + 1 < set->slot_count ? at + 1 : 0;
}

/* How many steps from slot a on to slot b. */
static uint32_t slot_distance(const struct prefix_set *set, uint32_t a, uint32_t b)
{
	return b >= a ? b - a : b + set->slot_count - a;
}

static uint32_t load32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t load64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static struct set_slot slot_read(const struct set_slot *slot)
{
	return (struct set_slot){
		.key = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE),
		.hash = load32(&slot->hash),
		.hi = load64(&slot->hi),
		.lo = load64(&slot->lo),
		.ends_ns = load64(&slot->ends_ns),
	};
}

/*
 * The key comes last, and a used slot never looks free meanwhile: wherever the writer is
 * stopped, every item but the one it works on can be found.
 */
static void slot_write(struct set_slot *slot, const struct set_slot *content)
{
	if (slot->key != KEY_FREE)
		__atomic_store_n(&slot->key, KEY_MOVING, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&slot->hi, content->hi, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->lo, content->lo, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->ends_ns, content->ends_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->hash, content->hash, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->key, content->key, __ATOMIC_RELEASE);
}

/* ---- values: behind the slots, in the same order ---- */

static uint64_t *value_of(const struct prefix_set *set, uint32_t at)
{
	char *values = (char *)(set->slots + set->slot_count);

	return (uint64_t *)(void *)(values + (size_t)at * set->value_bytes);
}

static void value_write(const struct prefix_set *set, uint32_t at, const void *value)
{
	uint64_t *words = value_of(set, at);

	for (size_t i = 0; i < set->value_bytes / sizeof(*words); i++) {
		uint64_t word;

		memcpy(&word, (const char *)value + i * sizeof(word), sizeof(word));
		__atomic_store_n(&words[i], word, __ATOMIC_RELAXED);
	}
}

static void value_read(const struct prefix_set *set, uint32_t at, void *out_value)
{
	const uint64_t *words = value_of(set, at);

	for (size_t i = 0; i < set->value_bytes / sizeof(*words); i++) {
		const uint64_t word = load64(&words[i]);

		memcpy((char *)out_value + i * sizeof(word), &word, sizeof(word));
	}
}

/* Finds the slot of a key: true; or false, with the slot where it would go, if free. */
static bool slot_find(const struct prefix_set *set, const struct set_key *key,
		      uint32_t *out_at, struct set_slot *out_slot)
{
	const uint32_t steps =
		set->slot_count < SET_PROBE_MAX ? set->slot_count : SET_PROBE_MAX;
	uint32_t at = slot_home(set, key->hash);

	for (uint32_t step = 0; step < steps; step++) {
		*out_slot = slot_read(&set->slots[at]);
		*out_at = at;
		if (out_slot->key == KEY_FREE)
			return false;
		if (out_slot->hash == key->hash && out_slot->key == key->key &&
		    out_slot->hi == key->hi && out_slot->lo == key->lo)
			return true;
		at = slot_next(set, at);
	}
	return false;
}

/* false: not an item, as a reader may see in memory that is being written */
static bool item_make(const struct set_slot *slot, struct prefix_set_item *out_item)
{
	struct prefix_set_item item = {
		.group = (uint16_t)(slot->key >> 16),
		.ends_ns = slot->ends_ns,
	};

	item.prefix.addr.family = (uint8_t)(slot->key >> 8);
	item.prefix.len = (uint8_t)slot->key;
	memcpy(item.prefix.addr.bytes, &slot->hi, 8);
	memcpy(item.prefix.addr.bytes + 8, &slot->lo, 8);
	if (item.group >= PREFIX_SET_GROUPS_MAX ||
	    addr_bits(item.prefix.addr.family) == 0 ||
	    item.prefix.len > addr_bits(item.prefix.addr.family))
		return false;
	*out_item = item;
	return true;
}

/* ---- the writer ---- */

static void write_begin(struct prefix_set *set)
{
	/* Odd already: the writer before this one died at work. */
	const uint64_t odd = load64(&set->sequence) | 1;

	__atomic_store_n(&set->sequence, odd, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void write_end(struct prefix_set *set)
{
	__atomic_store_n(&set->sequence, load64(&set->sequence) + 1, __ATOMIC_RELEASE);
}

static void counts_add(struct prefix_set *set, const struct prefix *prefix, int change)
{
	uint32_t *len_count = prefix->addr.family == ADDR_V4 ? &set->lens4[prefix->len]
							     : &set->lens6[prefix->len];

	__atomic_store_n(len_count, *len_count + (uint32_t)change, __ATOMIC_RELAXED);
	__atomic_store_n(&set->count, set->count + (uint32_t)change, __ATOMIC_RELAXED);
}

static void prefix_check(uint16_t group, const struct prefix *prefix)
{
	assert(group < PREFIX_SET_GROUPS_MAX);
	assert(prefix->addr.family == ADDR_V4 || prefix->addr.family == ADDR_V6);
	assert(prefix->len <= addr_bits(prefix->addr.family));
}

int prefix_set_put(struct prefix_set *set, const struct prefix_set_item *item)
{
	static const char zeros[PREFIX_SET_VALUE_MAX];

	return prefix_set_put_value(set, item, zeros);
}

int prefix_set_put_value(struct prefix_set *set, const struct prefix_set_item *item,
			 const void *value)
{
	struct set_slot slot;
	struct set_key key;
	uint32_t at;
	bool found;

	prefix_check(item->group, &item->prefix);
	key = key_make(set, item->group, &item->prefix);
	found = slot_find(set, &key, &at, &slot);
	if (!found && (set->count >= set->capacity || slot.key != KEY_FREE))
		return -ENOSPC;

	write_begin(set);
	if (found) {
		__atomic_store_n(&set->slots[at].ends_ns, item->ends_ns,
				 __ATOMIC_RELAXED);
	} else {
		slot = (struct set_slot){key.hi, key.lo, item->ends_ns, key.key,
					 key.hash};
		slot_write(&set->slots[at], &slot);
		counts_add(set, &item->prefix, 1);
	}
	value_write(set, at, value);
	write_end(set);
	return found ? 1 : 0;
}

/*
 * Free a slot. Items behind it that were pushed on by it move up, so that a probe may
 * always stop at the first free slot and no tombstones pile up.
 */
static void slot_remove(struct prefix_set *set, uint32_t hole)
{
	static const struct set_slot empty;
	uint32_t at = hole;

	for (uint32_t step = 1; step < set->slot_count; step++) {
		struct set_slot slot;

		at = slot_next(set, at);
		slot = slot_read(&set->slots[at]);
		if (slot.key == KEY_FREE)
			break;
		if (slot_distance(set, slot_home(set, slot.hash), at) <
		    slot_distance(set, hole, at))
			continue;
		slot_write(&set->slots[hole], &slot);
		value_write(set, hole, value_of(set, at));
		hole = at;
	}
	slot_write(&set->slots[hole], &empty);
}

bool prefix_set_remove(struct prefix_set *set, uint16_t group,
		       const struct prefix *prefix)
{
	struct set_slot slot;
	struct set_key key;
	uint32_t at;

	prefix_check(group, prefix);
	key = key_make(set, group, prefix);
	if (!slot_find(set, &key, &at, &slot))
		return false;

	write_begin(set);
	slot_remove(set, at);
	counts_add(set, prefix, -1);
	write_end(set);
	return true;
}

bool prefix_set_get(const struct prefix_set *set, uint16_t group,
		    const struct prefix *prefix, struct prefix_set_item *out_item)
{
	char ignored[PREFIX_SET_VALUE_MAX];

	return prefix_set_get_value(set, group, prefix, out_item, ignored);
}

bool prefix_set_get_value(const struct prefix_set *set, uint16_t group,
			  const struct prefix *prefix, struct prefix_set_item *out_item,
			  void *out_value)
{
	struct set_slot slot;
	struct set_key key;
	uint32_t at;

	prefix_check(group, prefix);
	key = key_make(set, group, prefix);
	if (!slot_find(set, &key, &at, &slot) || !item_make(&slot, out_item))
		return false;
	value_read(set, at, out_value);
	return true;
}

/* ---- the readers ---- */

static void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* One look, whatever the writer does meanwhile. */
static bool set_look(const struct prefix_set *set,
		     const struct prefix_set_question *question,
		     struct prefix_set_item *out_item, void *out_value)
{
	const struct addr *addr = &question->addr;
	const uint32_t *lens = addr->family == ADDR_V4 ? set->lens4 : set->lens6;

	for (int len = addr_bits(addr->family); len >= 0; len--) {
		struct prefix prefix;
		struct set_slot slot;
		struct set_key key;
		uint32_t at;

		if (load32(&lens[len]) == 0)
			continue;
		prefix = prefix_make(addr, (uint8_t)len);
		key = key_make(set, question->group, &prefix);
		if (!slot_find(set, &key, &at, &slot) || slot.ends_ns <= question->now_ns)
			continue;
		value_read(set, at, out_value);
		return item_make(&slot, out_item);
	}
	return false;
}

bool prefix_set_find(const struct prefix_set *set, uint16_t group,
		     const struct addr *addr, uint64_t now_ns,
		     struct prefix_set_item *out_item)
{
	const struct prefix_set_question question = {*addr, group, now_ns};
	char ignored[PREFIX_SET_VALUE_MAX];

	return prefix_set_find_value(set, &question, out_item, ignored);
}

bool prefix_set_find_value(const struct prefix_set *set,
			   const struct prefix_set_question *question,
			   struct prefix_set_item *out_item, void *out_value)
{
	char value[PREFIX_SET_VALUE_MAX];
	struct prefix_set_item item;
	bool found = false, is_whole = false;

	if (question->addr.family != ADDR_V4 && question->addr.family != ADDR_V6)
		return false;
	for (uint32_t try = 0; try < PREFIX_SET_READ_TRIES; try++) {
		const uint64_t before = __atomic_load_n(&set->sequence, __ATOMIC_ACQUIRE);
		const bool is_late = try >= PREFIX_SET_READ_TRIES - LATE_LOOKS;

		if (before & 1 && !is_late) {
			spin_pause();
			continue;
		}
		found = set_look(set, question, &item, value);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		is_whole = !(before & 1) && load64(&set->sequence) == before;
		if (is_late ? found : is_whole)
			break;
	}
	if (!found)
		return false;
	*out_item = item;
	if (is_whole)
		memcpy(out_value, value, set->value_bytes);
	else
		memset(out_value, 0, set->value_bytes);
	return true;
}

size_t prefix_set_count(const struct prefix_set *set)
{
	return load32(&set->count);
}

size_t prefix_set_walk(const struct prefix_set *set, size_t cursor,
		       struct prefix_set_item *out_items, size_t max, size_t *out_count)
{
	const size_t end = cursor + PREFIX_SET_WALK_SLOTS < set->slot_count
				   ? cursor + PREFIX_SET_WALK_SLOTS
				   : set->slot_count;
	size_t count = 0;
	size_t at = cursor;

	assert(max > 0);
	for (; at < end && count < max; at++) {
		const struct set_slot slot = slot_read(&set->slots[at]);

		if (slot.key != KEY_FREE && item_make(&slot, &out_items[count]))
			count++;
	}
	*out_count = count;
	return at < set->slot_count ? at : 0;
}
