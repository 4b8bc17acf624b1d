/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_lines - see config_lines.h.
 */
#include "proc/config_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define READ_BYTES 262144u

struct line_source {
	lines_fn on_line;
	void *context;
	bool has_stopped; /* the caller wants no more */
};

static void line_tell(struct line_source *source, const char *line, size_t len)
{
	source->has_stopped = source->on_line(source->context, line, len) != 0;
}

/* Hands over the whole lines of the buffer; returns how many bytes they took. */
static size_t buffer_tell(struct line_source *source, const char *text, size_t len)
{
	size_t at = 0;

	while (!source->has_stopped) {
		const char *end = memchr(text + at, '\n', len - at);

		if (!end)
			break;
		line_tell(source, text + at, (size_t)(end - text) - at);
		at = (size_t)(end - text) + 1;
	}
	return at;
}

static int file_read(struct line_source *source, int fd, char *buffer)
{
	size_t len = 0;

	while (!source->has_stopped) {
		ssize_t got = read(fd, buffer + len, READ_BYTES - len);
		size_t taken;

		if (got < 0)
			return -errno;
		if (got == 0) {
			if (len > 0)
				line_tell(source, buffer, len);
			return 0;
		}
		len += (size_t)got;
		taken = buffer_tell(source, buffer, len);
		/* No newline in a whole buffer: one line, too long, and the last one read. */
		if (taken == 0 && len == READ_BYTES) {
			line_tell(source, buffer, len);
			return 0;
		}
		memmove(buffer, buffer + taken, len - taken);
		len -= taken;
	}
	return 0;
}

static int file_open(const char *path, int *out_fd)
{
	AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*out_fd = TAKE_FD(fd);
	return 0;
}

void lines_read(struct config_report *report, const char *path,
		struct config_place named_at, lines_fn on_line, void *context)
{
	struct line_source source = {.on_line = on_line, .context = context};
	AUTO(free_mem) char *buffer = malloc(READ_BYTES);
	AUTO(close_fd) int fd = -1;
	int err = buffer ? file_open(path, &fd) : -ENOMEM;

	if (!err)
		err = file_read(&source, fd, buffer);
	if (err == -ENOENT)
		report_error(report, named_at,
			     "'%s': there is no such file: make it, or do not name it",
			     path);
	else if (err)
		report_error(report, named_at, "'%s' cannot be read: %s", path,
			     strerror(-err));
}
