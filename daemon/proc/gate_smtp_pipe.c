/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_pipe - see gate_smtp_pipe.h.
 */
#include "proc/gate_smtp_pipe.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct smtp_pipeline) <= GATE_SMALL_BYTES,
	      "a pipeline fits into a block");

struct smtp_pipeline *pipe_open(struct session *s)
{
	struct smtp_pipeline *pipeline = s->smtp.pipeline;

	if (pipeline)
		return pipeline;
	pipeline = pool_take(&s->gate->small);
	if (!pipeline) {
		session_end(s, "memory");
		return NULL;
	}
	pipeline->head = 0;
	pipeline->count = 0;
	pipeline->text_len = 0;
	pipeline->text_last = 0;
	pipeline->routes_len = 0;
	s->smtp.pipeline = pipeline;
	return pipeline;
}

void pipe_close(struct session *s)
{
	pool_give(&s->gate->small, &s->smtp.pipeline);
}

size_t pipe_count(const struct session *s)
{
	return s->smtp.pipeline ? s->smtp.pipeline->count : 0;
}

bool pipe_has_room(const struct session *s)
{
	return pipe_count(s) < PIPELINE_MAX;
}

struct smtp_expect *pipe_push(struct session *s, enum smtp_verb verb)
{
	struct smtp_pipeline *pipeline = pipe_open(s);
	struct smtp_expect *entry;

	if (!pipeline)
		return NULL;
	assert(pipeline->count < PIPELINE_MAX);
	entry = &pipeline->expected[(pipeline->head + pipeline->count++) % PIPELINE_MAX];
	memset(entry, 0, sizeof(*entry));
	entry->verb = (uint8_t)verb;
	return entry;
}

struct smtp_expect *pipe_head(const struct session *s)
{
	struct smtp_pipeline *pipeline = s->smtp.pipeline;

	return pipeline && pipeline->count ? &pipeline->expected[pipeline->head] : NULL;
}

const struct smtp_expect *pipe_last(const struct session *s)
{
	const struct smtp_pipeline *pipeline = s->smtp.pipeline;

	assert(pipeline && pipeline->count);
	return &pipeline->expected[(pipeline->head + pipeline->count - 1u) %
				   PIPELINE_MAX];
}

void pipe_pop(struct session *s)
{
	struct smtp_pipeline *pipeline = s->smtp.pipeline;

	assert(pipeline && pipeline->count);
	pipeline->head = (uint16_t)((pipeline->head + 1) % PIPELINE_MAX);
	pipeline->count--;
	if (pipeline->count == 0)
		pipe_close(s);
}
