/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_setup - what the keeper needs on the file system, made while it still has all of root's rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/keeper.h"
#include "proc/keeper_state.h"
#include "wire/ctl.h"

#define ADMIN_GROUP	"postern"
#define LEDGER_USER	"postern-ledger"
#define LOCK_NAME	"posternd.lock"
#define BPFFS		"/sys/fs/bpf"
#define CONTROL_BACKLOG 64
#define FDS_PER_SESSION 4u /* two sockets and a pipe */
#define FDS_SPARE	4096u

int setup_check_accounts(void)
{
	static const char *const users[] = {"postern-gate", "postern-checker",
					    LEDGER_USER};

	if (geteuid() != 0) {
		log_error(
			"event=error what=start reason=\"posternd has to be started by root: it gives "
			"that up itself where it can\"");
		return -EPERM;
	}
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (!getpwnam(users[i])) {
			log_error(
				"event=error what=start reason=\"there is no account %s: run "
				"scripts/make-users, or make install\"",
				users[i]);
			return -ENOENT;
		}
	if (!getgrnam(ADMIN_GROUP)) {
		log_error("event=error what=start reason=\"there is no group %s: run "
			  "scripts/make-users, or make install\"",
			  ADMIN_GROUP);
		return -ENOENT;
	}
	return 0;
}

static int path_join(char *out_path, size_t cap_bytes, const char *dir, const char *name)
{
	struct buf path;

	buf_init(&path, out_path, cap_bytes);
	buf_printf(&path, "%s/%s", dir, name);
	return path.overflow ? -ENAMETOOLONG : 0;
}

/*
 * Only the last part is made: a mistyped path shall not grow a tree. What is as it should be is left alone, since the
 * program that takes over after an upgrade may change neither mode nor owner of what is another's.
 */
static int make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	if (mkdir(path, mode) && errno != EEXIST)
		return -errno;
	if (stat(path, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if ((st.st_mode & 07777) != mode && chmod(path, mode))
		return -errno;
	if ((st.st_uid != uid || st.st_gid != gid) && chown(path, uid, gid))
		return -errno;
	return 0;
}

static int make_owned(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	int err = make_directory(path, mode, uid, gid);

	if (err)
		log_error("event=error what=directory path=%s reason=\"%s\"", path,
			  strerror(-err));
	return err;
}

bool keeper_is_running(const char *run_dir)
{
	AUTO(close_fd) int fd = -1;
	char path[CONF_PATH_MAX + 16];

	if (path_join(path, sizeof(path), run_dir, LOCK_NAME))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
}

/* The lock is held for as long as the process lives; its content is for the message alone. */
static int take_lock(struct keeper *keeper, const struct conf *conf)
{
	AUTO(close_fd) int fd = -1;
	char path[CONF_PATH_MAX + 16];
	char pid[32] = "";
	ssize_t len;

	if (keeper->handover.lock_fd >= 0) {
		keeper->lock_fd = TAKE_FD(keeper->handover.lock_fd);
		return 0;
	}
	if (path_join(path, sizeof(path), conf->run_dir, LOCK_NAME))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		int err = -errno;

		log_error("event=error what=lock path=%s reason=\"%s\"", path,
			  strerror(-err));
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int err = -errno;

		len = read(fd, pid, sizeof(pid) - 1);
		pid[len > 0 ? strspn(pid, "0123456789") : 0] = '\0';
		log_error(
			"event=error what=lock path=%s reason=\"posternd runs already, as process %s; "
			"a second one needs another run-dir\"",
			path, pid[0] ? pid : "unknown");
		return err;
	}
	len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)len, 0) != len)
		log_warn("event=warning what=lock path=%s reason=\"%s\"", path,
			 strerror(errno));
	keeper->lock_fd = TAKE_FD(fd);
	return 0;
}

int setup_directories(struct keeper *keeper, const struct conf *conf)
{
	const struct passwd *ledger;
	int err;

	err = make_owned(conf->run_dir, 0755, 0, 0);
	if (!err)
		err = take_lock(keeper, conf);
	if (err)
		return err;
	err = path_join(keeper->empty_dir, sizeof(keeper->empty_dir), conf->run_dir,
			"empty");
	if (!err)
		err = make_owned(keeper->empty_dir, 0755, 0, 0);
	ledger = getpwnam(LEDGER_USER);
	if (!err && !ledger)
		err = -ENOENT;
	if (!err)
		err = make_owned(conf->state_dir, 0700, ledger->pw_uid, ledger->pw_gid);
	return err;
}

static int control_bind(const char *path, gid_t group, int *out_fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	AUTO(close_fd) int fd = -1;
	mode_t mask;
	int err;

	if (!text_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Left by one that was killed: the lock says that nobody serves it. */
	(void)unlink(path);
	/* Made as the group's: to give it to them afterwards would take CAP_CHOWN. */
	if (setegid(group))
		return -errno;
	mask = umask(0177);
	err = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
	(void)umask(mask);
	if (setegid(0))
		err = -errno;
	if (err)
		return err;
	if (chmod(path, 0660) || listen(fd, CONTROL_BACKLOG))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int setup_control(struct keeper *keeper, const struct conf *conf)
{
	const struct group *group = getgrnam(ADMIN_GROUP);
	char path[CONF_PATH_MAX + 16];
	int err = group ? 0 : -ENOENT;

	if (keeper->handover.control_fd >= 0) {
		keeper->control_fd = TAKE_FD(keeper->handover.control_fd);
		return 0;
	}
	if (!err)
		err = path_join(path, sizeof(path), conf->run_dir, CTL_SOCKET_NAME);
	if (!err)
		err = control_bind(path, group->gr_gid, &keeper->control_fd);
	if (err)
		log_error("event=error what=control path=%s/%s reason=\"%s\"",
			  conf->run_dir, CTL_SOCKET_NAME, strerror(-err));
	return err;
}

/* The file system on which a path is, or will be, made. */
static int parent_statfs(const char *path, struct statfs *out_fs)
{
	char parent[CONF_PATH_MAX];
	char *slash;

	if (statfs(path, out_fs) == 0)
		return 0;
	if (!text_copy(parent, sizeof(parent), path))
		return -ENAMETOOLONG;
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return -EINVAL;
	*slash = '\0';
	return statfs(parent, out_fs) ? -errno : 0;
}

int setup_bpffs(const char *pin_dir)
{
	struct statfs fs;
	int err = parent_statfs(pin_dir, &fs);

	if (!err && fs.f_type == BPF_FS_MAGIC)
		return 0;
	/* As inside `ip netns exec`, which mounts /sys anew. */
	if (!err && strncmp(pin_dir, BPFFS "/", sizeof(BPFFS)) == 0) {
		if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0700"))
			err = -errno;
		else
			log_warn(
				"event=mount path=" BPFFS
				" reason=\"no bpffs was there: mounted one; what was pinned in "
				"another one is out of reach\"");
		if (!err)
			return 0;
	}
	log_error(
		"event=error what=pin-dir path=%s reason=\"%s: its parent has to be on a bpffs "
		"(mount -t bpf bpf " BPFFS ")\"",
		pin_dir, err ? strerror(-err) : "not on a bpffs");
	return err ? err : -EMEDIUMTYPE;
}

void setup_limits(const struct conf *conf)
{
	rlim_t wanted = (rlim_t)conf->limits.sessions_max * FDS_PER_SESSION + FDS_SPARE;
	struct rlimit limit;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (limit.rlim_cur >= wanted)
		return;
	most = limit.rlim_max;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return;
	log_warn("event=warning what=descriptors wanted=%" PRIu64 " limit=%" PRIu64
		 " reason=\"%s: fewer sessions than sessions-max at a time\"",
		 (uint64_t)wanted, (uint64_t)most, strerror(errno));
	limit.rlim_cur = limit.rlim_max = most;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
