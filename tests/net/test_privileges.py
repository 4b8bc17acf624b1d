# SPDX-License-Identifier: GPL-2.0-only
"""What each process holds, and what it may do: tried from inside the processes that run.

inject (inject.c) makes the system calls of the tables below inside the keeper, a gate, the checker and the ledger of
a posternd that intercepts. A call that a child's filter does not know kills it; the keeper starts it anew.
"""
import ctypes
import errno
import os
import platform
import pwd
import re
import signal
import socket
import subprocess

import pytest
from intercept_lab import InterceptLab
from netns import GATE4, GOOD4
from postern_lab import BUILD, wait_for

_libc = ctypes.CDLL(None, use_errno=True)
INJECT = BUILD / "tests/lab/inject"
CHILDREN = ("gate", "checker", "ledger")
KEPT = {"dac_read_search": 2, "kill": 5, "setgid": 6, "setuid": 7, "net_bind_service": 10, "net_admin": 12,
        "sys_chroot": 18, "perfmon": 38, "bpf": 39}
DEATHS_MAX = 4  # of one child, before its next start is put off for long

# Numbers of Linux on x86_64.
AT_FDCWD, O_RDONLY, O_WRONLY, O_CREAT = -100, 0, 1, 0o100
UNIX, INET, INET6, NETLINK, PACKET, ALG, VSOCK = 1, 2, 10, 16, 17, 38, 40
STREAM, DGRAM, RAW = 1, 2, 3
TCP_NODELAY, SO_MARK, SO_BINDTODEVICE, IP_TRANSPARENT = 1, 36, 25, 19
READ, WRITE, EXEC, PRIVATE_ANONYMOUS = 1, 2, 4, 0x22
NEWUSER, NEWNS, SIGCHLD = 0x10000000, 0x20000, 17
PIDFD_GETFD, LANDLOCK_CREATE_RULESET, FCHMODAT2 = 438, 444, 452

KILLED = f"killed {int(signal.SIGSYS)}"
ABSENT = f"errno {errno.ENOENT}"
DENIED = f"errno {errno.EPERM}"
DONE = r"ok \d+"


def sanitized():
    return b"__asan_init" in (BUILD / "posternd").read_bytes()


def has_landlock():
    return _libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) >= 1


class PrivilegesLab(InterceptLab):
    def __init__(self, tag, **settings):
        super().__init__(tag, "same host", **settings)
        self.deaths = {}

    def pid(self, role):
        """One that lives, and has not died often."""
        if role == "keeper":
            return self.daemon.pid
        if self.deaths.get(role, 0) >= DEATHS_MAX:
            assert self.stop() == 0
            self.start()
            self.deaths = {}
        return wait_for(f"a {role}", lambda: self.pids(role))[0]

    def inject(self, role, call, *args, pid=None):
        pid = pid or self.pid(role)
        words = [str(INJECT), str(pid), str(call), *(str(a) for a in args)]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if done.stdout.startswith("killed"):
            self.deaths[role] = self.deaths.get(role, 0) + 1
            wait_for(f"another {role}", lambda: pid not in self.pids(role) and self.pids(role))
        return done.stdout.strip()


@pytest.fixture(scope="module")
def lab():
    with PrivilegesLab("privs") as running:
        yield running


# ---- what they hold ----------------------------------------------------------------------------------------


def status(pid):
    with open(f"/proc/{pid}/status") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def descriptors(pid):
    return {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}


def sockets(pid):
    """Copies of the sockets of a process, with their numbers there."""
    target = os.pidfd_open(pid)
    for number, what in descriptors(pid).items():
        if what.startswith("socket:"):
            copy = _libc.syscall(PIDFD_GETFD, target, number, 0)
            assert copy >= 0, os.strerror(ctypes.get_errno())
            with socket.socket(fileno=copy) as sock:
                yield number, sock
    os.close(target)


def is_free_and_transparent(sock):
    return (sock.family == socket.AF_INET and sock.getsockopt(socket.SOL_IP, IP_TRANSPARENT) == 1
            and sock.getsockname() == ("0.0.0.0", 0))


def check_keeper(lab):
    now, kept = status(lab.daemon.pid), sum(1 << n for n in KEPT.values())
    for name, wanted in (("CapPrm", kept), ("CapEff", kept), ("CapBnd", kept), ("CapInh", 0), ("CapAmb", 0)):
        assert int(now[name], 16) == wanted, name
    assert now["NoNewPrivs"] == "1"
    if not sanitized():
        assert (now["Seccomp"], now["Seccomp_filters"]) == ("2", "1")


FDS = {  # beside the log
    "gate": r"socket:|anon_inode:\[eventpoll\]|pipe:|/memfd:postern-",
    "checker": r"socket:|anon_inode:\[eventpoll\]|pipe:|/memfd:postern-",
    "ledger": r"socket:|anon_inode:\[eventpoll\]|pipe:|/memfd:postern-|{dir}/state/(bans|grey)\.db",
}


def check_child(lab, role, pid):
    now, account = status(pid), pwd.getpwnam(f"postern-{role}")
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(now[name], 16) == 0, name
    assert now["NoNewPrivs"] == "1"
    if not sanitized():
        assert (now["Seccomp"], now["Seccomp_filters"]) == ("2", "2")
    assert set(now["Uid"].split()) == {str(account.pw_uid)} and set(now["Gid"].split()) == {str(account.pw_gid)}
    assert now["Groups"].split() == []
    root = str(lab.dir / ("state" if role == "ledger" else "run/empty"))
    assert os.readlink(f"/proc/{pid}/root") == root == os.readlink(f"/proc/{pid}/cwd")
    assert role == "ledger" or os.listdir(root) == []
    known = re.compile(FDS[role].replace("{dir}", re.escape(str(lab.dir))))
    strange = {n: what for n, what in descriptors(pid).items() if n > 2 and not known.match(what)}
    assert not strange
    assert {sock.family for _, sock in sockets(pid)} <= {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}
    with open(f"/proc/{pid}/maps") as maps:
        assert not [m for m in maps if "wx" in m.split()[1]]


def check_all(lab):
    check_keeper(lab)
    for role in CHILDREN:
        for pid in wait_for(role, lambda: lab.pids(role)):
            check_child(lab, role, pid)


def test_each_process_holds_what_its_work_takes(lab):
    lab.deliver(GOOD4)
    check_all(lab)


def test_and_no_more_after_upgrades(lab):
    for _ in range(2):
        before = set(lab.pids("gate"))
        lab.cli("upgrade")
        wait_for("the new gates", lambda: len(lab.pids("gate")) == 2 and not before & set(lab.pids("gate")))
        check_all(lab)
    lab.deliver(GOOD4)


# ---- what they may do ------------------------------------------------------------------------------------------

filtered = pytest.mark.skipif(sanitized() or platform.machine() != "x86_64",
                              reason="a sanitizer build has no filters, and inject knows x86_64 only")

# What every child must not do: why, call, arguments. {keeper}, {self} and {sibling} are process ids.
FOR_NO_CHILD = [
    ("a raw socket", "socket", INET, RAW, 1),
    ("a raw socket, IPv6", "socket", INET6, RAW, 58),
    ("a socket that sees frames", "socket", PACKET, RAW, 0x0300),
    ("a socket to the kernel's tables", "socket", NETLINK, RAW, 0),
    ("a local socket: the system's bus, another's control socket", "socket", UNIX, STREAM, 0),
    ("the kernel's ciphers", "socket", ALG, 5, 0),
    ("a socket to the hypervisor", "socket", VSOCK, STREAM, 0),
    ("a stream that is not TCP", "socket", INET, STREAM, 262),
    ("BPF", "bpf", 0, "%64", 64),
    ("a look into another process", "ptrace", 16, "{keeper}", 0, 0),
    ("another's memory, read", "process_vm_readv", "{sibling}", "%16", 1, "%16", 1, 0),
    ("another's memory, written", "process_vm_writev", "{sibling}", "%16", 1, "%16", 1, 0),
    ("another's descriptors", "pidfd_open", "{keeper}", 0),
    ("a signal to the keeper", "kill", "{keeper}", 0),
    ("a signal to one thread of the keeper", "tgkill", "{keeper}", "{keeper}", 0),
    ("a signal by way of a descriptor (F_SETOWN)", "fcntl", 0, 8, "{keeper}"),
    ("another program", "execve", "@/bin/sh", 0, 0),
    ("another program, by descriptor", "execveat", AT_FDCWD, "@/bin/sh", 0, 0, 0),
    ("a process", "fork"),
    ("a process, with clone", "clone", SIGCHLD, 0, 0, 0, 0),
    ("a process, with clone3", "clone3", "%88", 88),
    ("a mount", "mount", "@none", "@/", "@tmpfs", 0, 0),
    ("a namespace", "unshare", NEWUSER),
    ("another's namespace", "setns", 0, 0),
    ("root's account", "setuid", 0),
    ("root's group", "setresgid", 0, 0, 0),
    ("capabilities", "capset", "%16", "%24"),
    ("another root", "chroot", "@/"),
    ("a module", "init_module", "%16", 16, "@"),
    ("the processor's counters", "perf_event_open", "%128", 0, -1, -1, 0),
    ("the kernel's keys", "keyctl", 0, -3, 0),
    ("page faults", "userfaultfd", 1),
    ("calls that no filter sees", "io_uring_setup", 1, "%128"),
    ("code in new memory", "mmap", 0, 4096, READ | WRITE | EXEC, PRIVATE_ANONYMOUS, -1, 0),
    ("code in old memory", "mprotect", 0x10000, 4096, READ | EXEC),
    ("another filter", "seccomp", 0, 0, 0),
    ("to be traced, dumped, renamed", "prctl", 4, 1, 0, 0, 0),
    ("a device's own orders", "ioctl", 2, 0x5412, "@x"),
    ("to listen", "listen", 0, 1),
    ("to send in a mark", "setsockopt", 0, 1, SO_MARK, "%4", 4),
    ("to leave by one interface", "setsockopt", 0, 1, SO_BINDTODEVICE, "@lo", 3),
    ("to take an address that is not ours", "setsockopt", 0, 0, IP_TRANSPARENT, "%4", 4),
    ("a file, the old way", "creat", "@new", 0o600),
    ("a directory", "mkdir", "@new", 0o700),
    ("a device", "mknod", "@new", 0o20600, 0x0103),
    ("a call of the x32 interface, getpid", 0x40000000 + 39),
]

# What one of them must not, or must, do: call, arguments, and what comes of it in gate, checker and ledger.
FOR_SOME = [
    ("a file of the host", ("open", "@/etc/shadow", O_RDONLY), ABSENT, ABSENT, ABSENT),
    ("a file of the host that all may read", ("openat", AT_FDCWD, "@/etc/passwd", O_RDONLY), ABSENT, ABSENT, ABSENT),
    ("the way up", ("openat", AT_FDCWD, "@../../../etc/passwd", O_RDONLY), ABSENT, ABSENT, ABSENT),
    ("its root", ("open", "@/", O_RDONLY), ABSENT, ABSENT, DONE),
    ("a new file", ("openat", AT_FDCWD, "@/new", O_WRONLY | O_CREAT, 0o600), ABSENT, ABSENT, DONE),
    ("and its end", ("unlink", "@/new"), KILLED, KILLED, DONE),
    ("TCP to a backend, or a name server", ("socket", INET, STREAM, 0), DONE, DONE, KILLED),
    ("the same over IPv6", ("socket", INET6, STREAM, 0), DONE, DONE, KILLED),
    ("UDP to a name server", ("socket", INET, DGRAM, 0), KILLED, DONE, KILLED),
    ("the same over IPv6", ("socket", INET6, DGRAM, 0), KILLED, DONE, KILLED),
    ("to take connections", ("accept4", 1000, 0, 0, 0), f"errno {errno.EBADF}", KILLED, f"errno {errno.EBADF}"),
    ("to connect", ("connect", 1000, "%16", 16), f"errno {errno.EBADF}", f"errno {errno.EBADF}", KILLED),
    ("to choose its own address", ("bind", 1000, "%16", 16), f"errno {errno.EBADF}", KILLED, KILLED),
    ("memory without code", ("mmap", 0, 4096, READ | WRITE, PRIVATE_ANONYMOUS, -1, 0), DONE, DONE, DONE),
    ("who am I", ("getpid",), DONE, DONE, DONE),
    ("a signal to itself, as abort() sends", ("tgkill", "{self}", "{self}", 0), "ok 0", "ok 0", "ok 0"),
]

# The keeper is refused, and goes on.
FOR_THE_KEEPER = [
    ("a raw socket", ("socket", INET, RAW, 1), DENIED),
    ("a socket that sees frames", ("socket", PACKET, RAW, 0x0300), DENIED),
    ("the kernel's ciphers", ("socket", ALG, 5, 0), DENIED),
    ("a socket to the hypervisor", ("socket", VSOCK, STREAM, 0), DENIED),
    ("a look into a child", ("ptrace", 16, "{sibling}", 0, 0), DENIED),
    ("a child's memory", ("process_vm_readv", "{sibling}", "%16", 1, "%16", 1, 0), DENIED),
    ("a mount", ("mount", "@none", "@/", "@no-such-type", 0, 0), DENIED),
    ("a namespace", ("unshare", NEWNS), DENIED),
    ("a process in a namespace", ("clone", NEWUSER | SIGCHLD, 0, 0, 0, 0), DENIED),
    ("a process, with clone3", ("clone3", "%88", 88), f"errno {errno.ENOSYS}"),
    ("another's namespace", ("setns", 0, 0), DENIED),
    ("a module", ("init_module", "%16", 16, "@"), DENIED),
    ("the processor's counters", ("perf_event_open", "%128", 0, -1, -1, 0), DENIED),
    ("the kernel's keys", ("keyctl", 0, -3, 0), DENIED),
    ("page faults", ("userfaultfd", 1), DENIED),
    ("calls that no filter sees", ("io_uring_setup", 1, "%128"), DENIED),
    ("code in new memory", ("mmap", 0, 4096, READ | WRITE | EXEC, PRIVATE_ANONYMOUS, -1, 0), DENIED),
    ("code in old memory", ("mprotect", 0x10000, 4096, READ | EXEC), DENIED),
    ("another's file for itself", ("chown", "@{dir}/state", 0, 0), DENIED),
    ("a file that only another may write", ("open", "@{dir}/state/bans.db", O_WRONLY), f"errno {errno.EACCES}"),
    ("the rights of a file of another", ("chmod", "@{dir}/state", 0o755), DENIED),
    ("its maps: there is none at this number", ("bpf", 1, "%128", 128), f"errno {errno.EINVAL}"),
    ("a socket for a gate", ("socket", INET, STREAM, 0), DONE),
    ("a signal to a child", ("kill", "{sibling}", 0), "ok 0"),
]

# The same with root's files, which belong to the keeper whatever capabilities it has; by Landlock.
FILES_FOR_THE_KEEPER = [
    ("a file of root's, changed", ("openat", AT_FDCWD, "@/etc/passwd", O_WRONLY), f"errno {errno.EACCES}"),
    ("a new file of root's", ("openat", AT_FDCWD, "@{dir}/new", O_WRONLY | O_CREAT, 0o600), f"errno {errno.EACCES}"),
    ("a file of root's, gone", ("unlink", "@{dir}/webadmin.list"), f"errno {errno.EACCES}"),
    ("root's right to a file of its own", ("chmod", "@{dir}/webadmin.list", 0o666), DENIED),
    ("the same by a newer call", (FCHMODAT2, AT_FDCWD, "@{dir}/webadmin.list", 0o666, 0), DENIED),
    ("another program", ("execve", "@/bin/sh", 0, 0), f"errno {errno.EACCES}"),
    ("a file of root's, read", ("openat", AT_FDCWD, "@{dir}/webadmin.list", O_RDONLY), DONE),
    ("a file in its own directory", ("openat", AT_FDCWD, "@{dir}/run/new", O_WRONLY | O_CREAT, 0o600), DONE),
]


def words(lab, role, pid, call):
    fill = {"self": pid, "keeper": lab.daemon.pid, "dir": lab.dir,
            "sibling": lab.pids("ledger" if role != "ledger" else "checker")[0]}
    return [w.format(**fill) if isinstance(w, str) else w for w in call]


def outcome(lab, role, call):
    pid = lab.pid(role)
    return lab.inject(role, *words(lab, role, pid, call), pid=pid)


def check_alive(lab):
    assert lab.cli("status", check=False).returncode == 0


@filtered
@pytest.mark.parametrize("row", FOR_NO_CHILD, ids=[row[0] for row in FOR_NO_CHILD])
def test_no_child_gets(lab, row):
    assert {role: outcome(lab, role, row[1:]) for role in CHILDREN} == dict.fromkeys(CHILDREN, KILLED)


@filtered
@pytest.mark.parametrize("row", FOR_SOME, ids=[row[0] for row in FOR_SOME])
def test_one_gets_what_another_does_not(lab, row):
    for role, wanted in zip(CHILDREN, row[2:]):
        got = outcome(lab, role, row[1])
        assert re.fullmatch(wanted, got), f"{role}: {got}"


@filtered
@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("row", FILES_FOR_THE_KEEPER, ids=[row[0] for row in FILES_FOR_THE_KEEPER])
def test_of_files_the_keeper_gets(lab, row):
    test_the_keeper_gets(lab, row)


@filtered
@pytest.mark.parametrize("row", FOR_THE_KEEPER, ids=[row[0] for row in FOR_THE_KEEPER])
def test_the_keeper_gets(lab, row):
    got = outcome(lab, "keeper", row[1])
    assert re.fullmatch(row[2], got), got
    assert lab.daemon.poll() is None


@filtered
def test_a_gate_takes_a_clients_address_with_a_socket_of_the_keepers_only(lab):
    """IP_TRANSPARENT belongs to the socket; no capability comes with it."""
    gate = lab.pid("gate")
    address = bytes([INET, 0, 0, 0, *map(int, GOOD4.split("."))])
    own = int(lab.inject("gate", "socket", INET, STREAM, 0, pid=gate).split()[1])
    assert lab.inject("gate", "bind", own, "=" + address.hex(), 16, pid=gate) == f"errno {errno.EADDRNOTAVAIL}"
    given = sorted(n for n, sock in sockets(gate) if is_free_and_transparent(sock))
    assert len(given) >= 2
    assert lab.inject("gate", "bind", given[0], "=" + address.hex(), 16, pid=gate) == "ok 0"
    low = bytes([INET, 0, 0, 25, *map(int, GATE4.split("."))])
    assert lab.inject("gate", "bind", given[1], "=" + low.hex(), 16, pid=gate) == f"errno {errno.EACCES}"


@filtered
def test_others_go_on_while_one_is_killed(lab):
    with lab.connect(GOOD4) as sock:
        assert sock.recv(200).startswith(b"220")
        outcome(lab, "ledger", ("fork",))
        outcome(lab, "checker", ("fork",))
        sock.sendall(b"NOOP\r\n")
        assert sock.recv(200).startswith(b"250")
    died = lab.events("child-died")
    assert any("process=ledger" in line and "signal=SIGSYS" in line for line in died)
    check_alive(lab)
