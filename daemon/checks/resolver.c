/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/resolver - see the header.
 */
#include "checks/resolver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "checks/breaker.h"
#include "checks/dns_cache.h"

#define NS_IN_S UINT64_C(1000000000)
#define CHAINS	4096u

static_assert((CHAINS & (CHAINS - 1)) == 0, "a mask");

TAILQ_HEAD(wait_list, resolver_wait);

/* One that is under way, and all who wait for it. */
struct resolver_question {
	struct resolver *resolver;
	struct resolver_question *next; /* in its chain, or of the free ones */
	struct wait_list waits;
	uint32_t chain;
	uint16_t type;
	bool is_counted; /* for the breaker, as one that nobody answers */
	char name[DNSMSG_NAME_MAX];
};

struct resolver {
	struct dns *dns;
	struct dns_cache *cache;
	struct resolver_limits limits;
	struct breaker breaker;
	resolver_silent_fn on_silent;
	void *silent_context;
	uint64_t now_ns;
	struct resolver_counts counts;
	uint8_t seed[SIPHASH_KEY_BYTES];
	struct resolver_question *chains[CHAINS];
	struct resolver_question *free_first;
	size_t fresh; /* from here on none was ever used, and no page of them is there */
	struct resolver_question questions[RESOLVER_OPEN_MAX];
};

struct resolver *resolver_new(struct dns *dns, const struct resolver_limits *limits,
			      const uint8_t seed[SIPHASH_KEY_BYTES])
{
	AUTO(resolver_free) struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return NULL;
	resolver->dns = dns;
	resolver->limits = *limits;
	memcpy(resolver->seed, seed, sizeof(resolver->seed));
	resolver->cache = dns_cache_new(limits->cache_entries, seed);
	if (!resolver->cache)
		return NULL;
	return TAKE_PTR(resolver);
}

void resolver_free(struct resolver **resolver)
{
	if (!*resolver)
		return;
	dns_cache_free(&(*resolver)->cache);
	free_mem(resolver);
}

void resolver_set_limits(struct resolver *resolver, const struct resolver_limits *limits)
{
	resolver->limits = *limits;
	dns_cache_resize(resolver->cache, limits->cache_entries);
}

void resolver_on_silent(struct resolver *resolver, resolver_silent_fn on_silent,
			void *context)
{
	resolver->on_silent = on_silent;
	resolver->silent_context = context;
}

void resolver_turn(struct resolver *resolver, uint64_t now_ns)
{
	resolver->now_ns = now_ns;
}

uint64_t resolver_now_ns(const struct resolver *resolver)
{
	return resolver->now_ns;
}

void resolver_count(const struct resolver *resolver, struct resolver_counts *out_counts)
{
	*out_counts = resolver->counts;
	out_counts->cache_entries = dns_cache_count(resolver->cache);
	out_counts->cache_bytes = dns_cache_bytes(resolver->cache);
	out_counts->is_silent = !breaker_allows(&resolver->breaker, resolver->now_ns);
}

/* ---- names ------------------------------------------------------------------------------------- */

/* As the cache and the chains know it: lower case, no final dot. false: longer than a name can be. */
static bool name_canonical(const char *name, char out_name[DNSMSG_NAME_MAX])
{
	size_t len = strlen(name);

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len >= DNSMSG_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		out_name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20
								      : name[i]);
	out_name[len] = '\0';
	return true;
}

static uint32_t name_chain(const struct resolver *resolver, const char *name)
{
	return (uint32_t)siphash24(resolver->seed, name, strlen(name)) & (CHAINS - 1);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void breaker_count(struct resolver *resolver, struct resolver_question *question)
{
	if (question->is_counted)
		return;
	question->is_counted = true;
	if (breaker_timed_out(&resolver->breaker, resolver->now_ns) &&
	    resolver->on_silent)
		resolver->on_silent(resolver->silent_context);
}

static const char *why_of(enum dns_status status)
{
	if (status == DNS_TIMED_OUT)
		return "no resolver answered";
	return status == DNS_FAILED ? "the resolver failed" : NULL;
}

/* What a message means: its status may turn out to be another. */
static void answer_read(struct dns_answer *answer, const uint8_t *bytes, size_t len)
{
	bool is_read = bytes && dnsmsg_read(bytes, len, &answer->message) == 0;

	/* The library has asked again by TCP: what is cut there is missing, and says neither yes nor no. */
	if (bytes && dnsmsg_is_truncated(bytes, len))
		answer->status = DNS_FAILED;
	answer->ttl_s = is_read ? answer->message.ttl_s : 0;
	if (answer->status == DNS_ANSWER && !is_read)
		answer->status = DNS_FAILED;
	else if (answer->status == DNS_ANSWER && answer->message.count == 0)
		answer->status = DNS_NO_RECORD;
	answer->why = why_of(answer->status);
	if (answer->status != DNS_ANSWER)
		answer->message = (struct dnsmsg){0};
	if (answer->why)
		answer->ttl_s = 0;
}

static void answer_keep(struct resolver *resolver,
			const struct resolver_question *question,
			const struct dns_answer *answer)
{
	const struct resolver_limits *limits = &resolver->limits;
	struct dns_kept kept = {
		.type = question->type,
		.status = (uint8_t)answer->status,
		.ttl_s = answer->ttl_s,
		.len = answer->message.len,
		.bytes = answer->message.bytes,
	};
	uint32_t keep_s = answer->ttl_s;

	if (answer->ttl_s == 0)
		return;
	if (keep_s < limits->ttl_min_s)
		keep_s = limits->ttl_min_s;
	if (keep_s > limits->ttl_max_s)
		keep_s = limits->ttl_max_s;
	if (keep_s == 0)
		return;
	kept.expires_ns = resolver->now_ns + keep_s * NS_IN_S;
	dns_cache_put(resolver->cache, question->name, &kept);
}

static void question_unlink(struct resolver_question *question)
{
	struct resolver_question **link = &question->resolver->chains[question->chain];

	while (*link != question)
		link = &(*link)->next;
	*link = question->next;
}

static void wait_reply(struct resolver_wait *wait, const struct dns_answer *answer)
{
	wait->question = NULL;
	wait->reply(wait->context, answer);
}

/* A dns_reply_fn. */
static void resolver_on_reply(void *context, enum dns_status status, const uint8_t *bytes,
			      size_t len)
{
	struct resolver_question *question = context;
	struct resolver *resolver = question->resolver;
	struct dns_answer answer = {.status = status};
	struct resolver_wait *wait;

	if (status == DNS_TIMED_OUT)
		breaker_count(resolver, question);
	else
		breaker_replied(&resolver->breaker, resolver->now_ns);
	answer_read(&answer, bytes, len);
	resolver->counts.failed += answer.why != NULL;
	answer_keep(resolver, question, &answer);
	question_unlink(question); /* who asks from now on does not join it any more */
	while ((wait = TAILQ_FIRST(&question->waits))) {
		TAILQ_REMOVE(&question->waits, wait, next);
		wait_reply(wait, &answer);
	}
	question->next = resolver->free_first;
	resolver->free_first = question;
}

/* ---- questions --------------------------------------------------------------------------------- */

static void wait_refuse(struct resolver *resolver, struct resolver_wait *wait,
			enum dns_status status, const char *why)
{
	const struct dns_answer answer = {.status = status, .why = why};

	resolver->counts.failed += why != NULL;
	wait_reply(wait, &answer);
}

/* true: it was known, and has been said. */
static bool wait_from_cache(struct resolver *resolver, struct resolver_wait *wait,
			    const char *name, uint16_t type)
{
	const struct dns_kept *kept =
		dns_cache_get(resolver->cache, name, type, resolver->now_ns);
	struct dns_answer answer;

	if (!kept)
		return false;
	resolver->counts.cached++;
	answer = (struct dns_answer){.status = (enum dns_status)kept->status,
				     .ttl_s = kept->ttl_s};
	if (answer.status == DNS_ANSWER &&
	    dnsmsg_read(kept->bytes, kept->len, &answer.message)) {
		answer.status = DNS_FAILED;
		answer.why = why_of(DNS_FAILED);
	}
	wait_reply(wait, &answer);
	dns_cache_release(resolver->cache, kept);
	return true;
}

static struct resolver_question *question_find(const struct resolver *resolver,
					       const char *name, uint16_t type)
{
	struct resolver_question *question = resolver->chains[name_chain(resolver, name)];

	while (question && (question->type != type || strcmp(question->name, name) != 0))
		question = question->next;
	return question;
}

static struct resolver_question *question_new(struct resolver *resolver, const char *name,
					      uint16_t type)
{
	struct resolver_question *question = resolver->free_first;

	if (question)
		resolver->free_first = question->next;
	else
		question = &resolver->questions[resolver->fresh++];
	*question = (struct resolver_question){
		.resolver = resolver,
		.chain = name_chain(resolver, name),
		.type = type,
	};
	question->next = resolver->chains[question->chain];
	TAILQ_INIT(&question->waits);
	(void)text_copy(question->name, sizeof(question->name), name);
	resolver->chains[question->chain] = question;
	return question;
}

void resolver_ask(struct resolver *resolver, struct resolver_wait *wait, const char *name,
		  uint16_t type)
{
	struct resolver_question *question;
	char canonical[DNSMSG_NAME_MAX];

	assert(!wait->question);
	if (!name_canonical(name, canonical)) {
		wait_refuse(resolver, wait, DNS_NO_NAME, NULL);
		return;
	}
	if (!wait->want_fresh && wait_from_cache(resolver, wait, canonical, type))
		return;
	question = question_find(resolver, canonical, type);
	if (question) {
		resolver->counts.shared++;
		wait->question = question;
		TAILQ_INSERT_TAIL(&question->waits, wait, next);
	} else if (!breaker_allows(&resolver->breaker, resolver->now_ns)) {
		wait_refuse(resolver, wait, DNS_FAILED,
			    "not asked: the resolvers have not answered for a while");
	} else if (!resolver->free_first && resolver->fresh == RESOLVER_OPEN_MAX) {
		wait_refuse(resolver, wait, DNS_FAILED,
			    "not asked: too many questions at a time");
	} else {
		question = question_new(resolver, canonical, type);
		resolver->counts.asked++;
		wait->question = question;
		TAILQ_INSERT_TAIL(&question->waits, wait, next);
		dns_ask(resolver->dns, question->name, type, resolver_on_reply, question);
	}
}

void resolver_cancel(struct resolver_wait *wait)
{
	if (!wait->question)
		return;
	TAILQ_REMOVE(&wait->question->waits, wait, next);
	wait->question = NULL;
}

void resolver_give_up(struct resolver *resolver, struct resolver_wait *wait)
{
	if (!wait->question)
		return;
	breaker_count(resolver, wait->question);
	resolver_cancel(wait);
}
