/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay_pipes - see relay_pipes.h.
 */
#include "proc/relay_pipes.h"

/* One descriptor in so many, where there are few: sessions need them more. */
#define FDS_PER_PIPE 16u

void relay_pipes_init(struct relay_pipes *pipes, uint32_t gates, uint32_t fds_max)
{
	const uint32_t share = gates < RELAY_PIPES_MAX ? RELAY_PIPES_MAX / gates : 1;

	*pipes = (struct relay_pipes){
		.max = share < fds_max / FDS_PER_PIPE ? share : fds_max / FDS_PER_PIPE};
}

void relay_pipes_done(struct relay_pipes *pipes)
{
	while (pipes->kept_count > 0)
		splice_close(&pipes->kept[--pipes->kept_count]);
	pipes->max = 0;
}

bool relay_pipes_take(struct relay_pipes *pipes, struct splice_pipe *out_pipe)
{
	if (pipes->kept_count > 0) {
		*out_pipe = pipes->kept[--pipes->kept_count];
		return true;
	}
	if (pipes->open_count >= pipes->max || splice_open(RELAY_PIPE_BYTES, out_pipe))
		return false;
	pipes->open_count++;
	return true;
}

void relay_pipes_give(struct relay_pipes *pipes, struct splice_pipe *pipe, bool is_empty)
{
	if (pipe->read_fd < 0)
		return;
	if (is_empty && pipes->kept_count < RELAY_PIPES_KEPT) {
		pipes->kept[pipes->kept_count++] = *pipe;
		*pipe = SPLICE_PIPE_NONE;
		return;
	}
	splice_close(pipe);
	pipes->open_count--;
}
