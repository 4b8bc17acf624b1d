# SPDX-License-Identifier: GPL-2.0-only
"""`make install` and its systemd unit: what systemd says of it, and posternd under each of its restrictions."""
import errno
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys

import pytest
import unit
from intercept_lab import InterceptLab
from netns import GOOD4, GUESSER4, sh
from postern_lab import BUILD, REPO, wait_for

# Of `systemd-analyze security`, 0 to 10. 3.0 with systemd 252; releases differ. Half of it is for root and the network.
EXPOSURE_MAX = 3.5


def make(target, destdir):
    build = os.path.relpath(BUILD, REPO)  # as in the rest of a run, or all of it would be built again under it
    done = subprocess.run(["make", "-s", "-C", REPO, f"BUILD={build}", f"DESTDIR={destdir}", target],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(directory):
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if not p.is_dir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dest")
    make("install", directory)
    return directory


def unit_path(directory):
    return directory / "etc/systemd/system/posternd.service"


# ---- make install ----------------------------------------------------------------------------------------------


PROGRAMS_AND_MANUALS = {
    "etc/systemd/system/posternd.service", "usr/local/sbin/postern", "usr/local/sbin/postern-setup",
    "usr/local/sbin/posternd", "usr/local/share/man/man5/postern.conf.5", "usr/local/share/man/man8/postern.8",
    "usr/local/share/man/man8/posternd.8"}


def test_install_brings_everything_and_keeps_what_the_admin_has(tmp_path):
    make("install", tmp_path)
    found = tree(tmp_path)
    assert PROGRAMS_AND_MANUALS <= found
    assert "etc/postern/postern.conf" in found
    conf = tmp_path / "etc/postern/postern.conf"
    conf.write_text("# mine\n")
    assert "kept" in make("install", tmp_path)
    assert conf.read_text() == "# mine\n" and tree(tmp_path) == found
    done = subprocess.run([tmp_path / "usr/local/sbin/posternd", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("posternd ")


def test_uninstall_leaves_the_configuration_and_nothing_else(tmp_path):
    make("install", tmp_path)
    before = tree(tmp_path)
    make("uninstall", tmp_path)
    left = tree(tmp_path)
    assert left and all(path.startswith("etc/postern/") for path in left)
    assert {p for p in before if p.startswith("etc/postern/")} == left


# ---- what systemd says -------------------------------------------------------------------------------------------


def analyze(*args):
    return subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True)


def verify(directory):
    """With the targets that every unit hangs on, from the host."""
    there = directory / "usr/lib/systemd/system"
    if not there.exists():
        shutil.copytree("/lib/systemd/system", there, symlinks=True)
    return analyze("verify", "--man=no", f"--root={directory}", "posternd.service")


def test_systemd_accepts_the_unit(installed):
    done = verify(installed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_and_would_say_what_is_wrong(installed, tmp_path):
    shutil.copytree(installed, tmp_path / "copy", symlinks=True)
    path = unit_path(tmp_path / "copy")
    path.write_text(path.read_text().replace("sbin/posternd --config", "sbin/nothing --config"))
    assert verify(tmp_path / "copy").returncode != 0


def test_its_manuals_are_installed(installed):
    text = unit_path(installed).read_text()
    names = next(line for line in text.splitlines() if line.startswith("Documentation=")).split("=")[1].split()
    for name in names:
        page, section = name.removeprefix("man:").rstrip(")").split("(")
        assert (installed / f"usr/local/share/man/man{section}/{page}.{section}").exists(), name


def test_it_exposes_no_more_than_it_must(installed):
    done = analyze("security", "--offline=yes", f"--threshold={int(EXPOSURE_MAX * 10)}", unit_path(installed))
    assert done.returncode == 0, done.stdout


def test_its_capabilities_are_those_that_the_keeper_keeps(installed):
    source = (REPO / "daemon/sys/sandbox.c").read_text()
    kept = source.split("cap_value_t kept[] = {")[1].split("};")[0]
    listed = " ".join(unit.settings(unit_path(installed))["CapabilityBoundingSet"]).split()
    assert sorted(listed) == sorted(w.rstrip(",") for w in kept.split() if w.startswith("CAP_"))


def test_at_boot_the_mail_host_waits_for_the_bans(installed):
    """For Debian's units, so that a new name in a later release is seen here. Tried on a guest: tests/stock."""
    order = next(line for line in unit_path(installed).read_text().splitlines() if line.startswith("Before="))
    for source, name in (("postfix@.service", "postfix@-.service"), ("dovecot.service", "dovecot.service")):
        assert pathlib.Path("/lib/systemd/system", source).exists(), source
        assert name in order.removeprefix("Before=").split()


# ---- posternd under its restrictions -------------------------------------------------------------------------------


class Notes:
    """What systemd would hear: (process, text)."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind(str(path))
        self.heard = []

    def take(self):
        while True:
            try:
                text, control, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(12))
            except BlockingIOError:
                return self.heard
            pid = struct.unpack("iii", control[0][2])[0]
            self.heard += [(pid, line) for line in text.decode().splitlines()]


class UnitLab(InterceptLab):
    """posternd as the unit starts it, with the directories that it has by default."""

    def __init__(self, tag, installed):
        super().__init__(tag, "same host")
        self.installed, self.notes = installed, None

    def prepare(self):
        for name in ("state", "program"):
            (self.dir / name).mkdir(mode=0o700)
        shutil.chown(self.dir / "state", "postern-ledger", "postern-ledger")
        for name in ("posternd", "postern"):
            shutil.copy(self.installed / "usr/local/sbin" / name, self.dir / "program" / name)
        self.notes = Notes(self.dir / "notify")

    def write_conf(self, **changes):
        super().write_conf(**changes)
        conf = self.dir / "postern.conf"
        text = conf.read_text()
        for ours, default in (("state", "/var/lib/postern"), ("run", "/run/postern"),
                              ("bpf/postern", "/sys/fs/bpf/postern")):
            text = text.replace(f'"{self.dir}/{ours}"', f'"{default}"')
        conf.write_text(text)

    def under_the_unit(self, *command):
        return self.network.command("gate", "env", f"NOTIFY_SOCKET={self.dir}/notify", sys.executable, "-B",
                                    str(REPO / "tests/lab/unit.py"), str(unit_path(self.installed)), str(self.dir),
                                    *command)

    def posternd(self, *args):
        program = [str(self.dir / "program/posternd"), "--config", str(self.dir / "postern.conf"), *args]
        return self.network.command("gate", *program) if args else self.under_the_unit(*program)

    def wait_note(self, text, count=1):
        said = (self.daemon.pid, text)
        wait_for(text, lambda: self.notes.take().count(said) >= count)


@pytest.fixture(scope="module")
def lab(installed):
    with UnitLab("unit", installed) as running:
        yield running


def inside(lab, call, *args):
    """What comes of a system call that the keeper makes."""
    done = sh(str(BUILD / "tests/lab/inject"), str(lab.daemon.pid), call, *map(str, args))
    return done.stdout.strip()


def test_it_starts_and_says_so(lab):
    lab.wait_note("READY=1")
    assert {pid for pid, _ in lab.notes.heard} == {lab.daemon.pid}
    assert not lab.events("error")


def test_the_restrictions_are_in_force(lab):
    """Or the tests below would prove nothing."""
    for path in ("/etc/new", "/usr/new", "/var/lib/new", "/run/new", "/new"):
        assert inside(lab, "openat", -100, f"@{path}", 0o101, 0o600) == f"errno {errno.EROFS}", path
    assert inside(lab, "openat", -100, "@/run/postern/new", 0o101, 0o600).startswith("ok")
    assert inside(lab, "openat", -100, "@/tmp/new", 0o101, 0o600) == f"errno {errno.EACCES}", "Landlock"
    assert inside(lab, "socket", 38, 5, 0) == f"errno {errno.EPERM}"
    with open(f"/proc/{lab.daemon.pid}/status") as lines:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    assert int(status["Seccomp_filters"]) > 5 and status["NoNewPrivs"] == "1"


def test_mail_passes_and_a_guesser_is_banned(lab):
    lab.deliver(GOOD4)
    assert lab.guess(GUESSER4, 6)[:5] == [535] * 5
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    assert not lab.reachable(GUESSER4, timeout=0.5)


def test_it_reloads_by_the_units_own_command(lab):
    words = unit.settings(unit_path(lab.installed))["ExecReload"][0].split()
    lab.lists["global.list"] += "192.0.2.67 BL\n"
    lab.write_conf()
    done = sh(*lab.under_the_unit(str(lab.dir / "program" / words[0].rsplit("/", 1)[1]), *words[1:]))
    assert "generation" in done.stdout or "in force" in done.stdout, done.stdout
    assert not lab.reachable("192.0.2.67", timeout=0.5) and lab.reachable(GOOD4)


def test_a_new_program_takes_over_with_the_same_process_id(lab):
    keeper, gates = lab.daemon.pid, set(lab.pids("gate"))
    client = lab.smtp(GOOD4)
    lab.cli("ban", GUESSER4)
    lab.cli("upgrade")
    lab.wait_note("READY=1", count=2)
    wait_for("new gates", lambda: len(lab.pids("gate")) == 2 and not gates & set(lab.pids("gate")))
    assert lab.daemon.pid == keeper and lab.daemon.poll() is None
    assert client.docmd("NOOP")[0] == 250
    client.quit()
    lab.deliver(GOOD4)
    assert not lab.reachable(GUESSER4, timeout=0.5)


def test_a_child_that_dies_is_started_again(lab):
    ledger = lab.pids("ledger")[0]
    assert ledger > 1
    os.kill(ledger, signal.SIGKILL)
    wait_for("another ledger", lambda: lab.pids("ledger") not in ([], [ledger]))
    lab.deliver(GOOD4)


def test_it_stops_starts_again_and_is_taken_off(lab):
    lab.cli("ban", GUESSER4)
    stopping = (lab.daemon.pid, "STOPPING=1")
    assert lab.stop() == 0
    assert stopping in lab.notes.take()
    assert not lab.reachable(GUESSER4, timeout=0.5), "bans hold while it is down"
    lab.start()
    assert lab.banned(GUESSER4)
    lab.deliver(GOOD4)
    assert lab.stop() == 0
    sh(*lab.posternd("--detach", "--pin-dir", str(lab.dir / "bpf/postern")))
    assert lab.reachable(GUESSER4) and not (lab.dir / "bpf/postern").exists()
    assert not lab.events("error")
