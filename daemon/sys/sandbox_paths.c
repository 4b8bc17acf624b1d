/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox_paths - see sandbox_paths.h.
 */
#include "sys/sandbox_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"

/* From later versions than the headers of every release. */
#define ACCESS_REFER	(1ull << 13) /* version 2: to move a file to another directory */
#define ACCESS_TRUNCATE (1ull << 14) /* version 3 */

#define ACCESS_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)
#define ACCESS_CHANGE                                                                   \
	(ACCESS_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                   \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                   \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                 \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | ACCESS_REFER)

static uint64_t accesses_of(long version)
{
	uint64_t all = ACCESS_CHANGE | LANDLOCK_ACCESS_FS_EXECUTE;

	if (version < 2)
		all &= ~ACCESS_REFER;
	if (version < 3)
		all &= ~ACCESS_TRUNCATE;
	return all;
}

static int rule_add(int ruleset_fd, const char *path, uint64_t accesses)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = accesses};
	AUTO(close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= ACCESS_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH,
		       &rule, 0)
		       ? -errno
		       : 0;
}

/* The kernel starts a program by way of its loader, which is executed, too. The first object is the program. */
static int take_loader(struct dl_phdr_info *object, size_t size, void *context)
{
	const ElfW(Phdr) *table = NULL, *interpreter = NULL;
	const char **loader = context;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *entry = &object->dlpi_phdr[i];

		if (entry->p_type == PT_PHDR)
			table = entry;
		if (entry->p_type == PT_INTERP)
			interpreter = entry;
	}
	/* The table itself lies in memory as far from it as in the file. */
	if (table && interpreter)
		*loader = (const char *)object->dlpi_phdr +
			  (ptrdiff_t)(interpreter->p_vaddr - table->p_vaddr);
	return 1;
}

static int rules_for_program(int ruleset_fd, const char *program)
{
	const char *loader = NULL;
	char directory[PATH_MAX];
	char *slash;
	int err;

	if (!text_copy(directory, sizeof(directory), program))
		return -ENAMETOOLONG;
	slash = strrchr(directory, '/');
	if (!slash)
		return -EINVAL;
	slash[slash == directory] = '\0';
	err = rule_add(ruleset_fd, directory, LANDLOCK_ACCESS_FS_EXECUTE);
	(void)dl_iterate_phdr(take_loader, &loader);
	if (!err && loader)
		err = rule_add(ruleset_fd, loader, LANDLOCK_ACCESS_FS_EXECUTE);
	return err;
}

int sandbox_paths_enter(const struct sandbox_paths *paths)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
				     LANDLOCK_CREATE_RULESET_VERSION);
	const struct landlock_ruleset_attr handled = {.handled_access_fs =
							      accesses_of(version)};
	AUTO(close_fd) int fd = -1;
	int err;

	if (version < 1)
		return -EOPNOTSUPP;
	fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (fd < 0)
		return -errno;
	err = rules_for_program(fd, paths->program);
	for (size_t i = 0; i < SANDBOX_PATHS_MAX && paths->writable[i] && !err; i++)
		err = rule_add(fd, paths->writable[i],
			       ACCESS_CHANGE & handled.handled_access_fs);
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	return err;
}
