# SPDX-License-Identifier: GPL-2.0-only
"""A new program takes over under load: no connection is refused, no session is cut, bans hold."""
import os
import shutil
import signal
import smtplib
import subprocess
import threading

import pytest
from mailhost import DOMAIN, PASSWORD, POP3_PROXY, USER
from netns import CLIENT4, GOOD4, GUESSER4, MAIL4
from postern_lab import BUILD, WAIT_S, Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
MESSAGE = "Subject: x\r\n\r\nx\r\n"


class UpgradeLab(Lab):
    """posternd runs from a file of its own, which can be replaced."""

    def up(self, mail=True, daemon=True):
        super().up(mail, daemon=False)
        self.install(BUILD / "posternd")
        if daemon:
            self.start()
        return self

    def install(self, program):
        shutil.copy(program, self.dir / "posternd.new")
        os.replace(self.dir / "posternd.new", self.dir / "posternd")

    def posternd(self, *args):
        command = super().posternd(*args)
        command[command.index(str(BUILD / "posternd"))] = str(self.dir / "posternd")
        return command


@pytest.fixture(scope="module")
def lab():
    with UpgradeLab("upgrade") as running:
        yield running


class Load:
    """Clients that deliver one message after the other, and what went wrong for them."""

    def __init__(self, lab, sources):
        self.lab, self.delivered, self.problems = lab, 0, []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(source,)) for source in sources]

    def _run(self, source):
        while not self.stop.is_set():
            try:
                client = self.lab.smtp(source)
                client.ehlo()
                client.sendmail("a@example.com", [RCPT], MESSAGE)
                client.quit()
                self.delivered += 1
            except (OSError, smtplib.SMTPException) as problem:
                self.problems.append(repr(problem))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=30)


def upgraded(lab, before):
    """All that answers is new."""
    now = lab.pids("gate")
    return len(now) == 2 and not set(now) & set(before) and lab.cli("status", check=False).returncode == 0


def test_sessions_and_connections_survive_a_new_program(lab):
    lab.cli("ban", GUESSER4)
    gates, keeper = lab.pids("gate"), lab.daemon.pid
    idle, amid = lab.smtp(GOOD4), lab.smtp(CLIENT4[1])
    for client in (idle, amid):
        client.ehlo()
    for command in ("MAIL FROM:<a@example.com>", f"RCPT TO:<{RCPT}>", "DATA"):
        amid.docmd(command)
    with Load(lab, CLIENT4[7:11]) as load:
        wait_for("the load runs", lambda: load.delivered > 20)
        lab.install(BUILD / "posternd")
        done = lab.cli("upgrade")
        assert "takes over" in done.stdout
        wait_for("the new program answers", lambda: upgraded(lab, gates))
        seen = load.delivered
        wait_for("the load goes on", lambda: load.delivered > seen + 20)
    print(f"{load.delivered} messages were delivered meanwhile, {len(load.problems)} were not")
    assert not load.problems, load.problems[:3]
    assert lab.daemon.pid == keeper and lab.daemon.poll() is None
    assert not lab.reachable(GUESSER4, timeout=0.5) and lab.banned(GUESSER4)
    assert lab.cli("verify").returncode == 0

    leaving = [p for p in lab.rows("status")["processes"] if p["role"] == "gate-leaving"]
    assert leaving and {p["pid"] for p in leaving} <= set(gates)
    amid.send(MESSAGE + ".\r\n")
    assert amid.getreply()[0] == 250, "a message that was under way is delivered"
    assert idle.docmd("NOOP")[0] == 250
    idle.sendmail("a@example.com", [RCPT], MESSAGE)
    for client in (idle, amid):
        client.quit()
    wait_for("the old gates end with their last session",
             lambda: not [p for p in lab.rows("status")["processes"] if p["role"] == "gate-leaving"])
    lab.cli("unban", "--all")


def test_what_was_counted_before_counts_after(lab):
    gates = lab.pids("gate")
    lab.guess(GUESSER4, 3)
    wait_for("the strikes", lambda: len(lab.rows("why", GUESSER4)["strikes"]) == 3)
    lab.cli("upgrade")
    wait_for("the new program answers", lambda: upgraded(lab, gates))
    lab.guess(GUESSER4, 2)
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    lab.cli("unban", "--all")


POP3_SERVICE = f"""
service pop3 {{
	type = pop3 policy = global listen = {{ "0.0.0.0:110" }} backend = {{ "{MAIL4}:{POP3_PROXY}" }}
	client-address = proxy
}}
"""
AM4 = "192.0.2.68"


def vouched(lab):
    """Who vouches for a client of this address."""
    client = lab.smtp(AM4)
    port = client.sock.getsockname()[1]
    client.ehlo()
    client.quit()
    line = wait_for("its end", lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]
    return "auth_by=am" in line


def test_a_recent_login_counts_after_the_upgrade():
    new = UpgradeLab("upgr-am", services=POP3_SERVICE)
    new.lists["global.list"] += f"{AM4} PA AM AS LL HE\n"
    with new as lab:
        with lab.connect(AM4, 110) as sock:
            words = sock.makefile("rw", newline="\r\n")
            for command in (f"USER {USER}", f"PASS {PASSWORD}", "QUIT"):
                words.readline()
                words.write(command + "\n")
                words.flush()
            words.readline()
        wait_for("the login counts", lambda: vouched(lab))
        gates = lab.pids("gate")
        lab.cli("upgrade")
        wait_for("the new program answers", lambda: upgraded(lab, gates))
        assert lab.rows("why", AM4)["login"]["user"] == USER
        assert vouched(lab)


def test_a_program_that_refuses_the_configuration_does_not_take_over(lab):
    gates = lab.pids("gate")
    good = (lab.dir / "postern.conf").read_text()
    (lab.dir / "postern.conf").write_text(good + "\nno-such-setting = 1\n")
    done = lab.cli("upgrade", check=False)
    (lab.dir / "postern.conf").write_text(good)
    assert done.returncode == 1 and "nothing has changed" in done.stderr
    assert lab.pids("gate") == gates
    lab.install("/bin/false")
    assert lab.cli("upgrade", check=False).returncode == 1
    lab.install(BUILD / "posternd")
    assert lab.pids("gate") == gates and lab.reachable(GOOD4)


@pytest.mark.parametrize("setting", ["state-dir", "run-dir", "pin-dir"])
def test_another_directory_takes_a_restart(lab, setting):
    """The new program may not make one, and would end with nobody to take its place."""
    gates = lab.pids("gate")
    good = (lab.dir / "postern.conf").read_text()
    line = next(line for line in good.splitlines() if line.startswith(setting))
    (lab.dir / "postern.conf").write_text(good.replace(line, line[:-1] + '-other"'))
    done = lab.cli("upgrade", check=False)
    (lab.dir / "postern.conf").write_text(good)
    assert done.returncode == 1 and f"{setting} is another" in done.stderr
    assert lab.pids("gate") == gates and lab.reachable(GOOD4)


def test_what_locks_out_whoever_asks_does_not_take_over(lab):
    gates = lab.pids("gate")
    good = (lab.dir / "global.list").read_text()
    (lab.dir / "global.list").write_text("0.0.0.0/0 BL\n::/0 PA AS\n")
    try:
        done = lab.cli("upgrade", "--caller", GOOD4, check=False)
        assert done.returncode == 1 and f"{GOOD4}, from where you are connected, would be locked out" in done.stderr
        # On trial it may be; but the new program would read the files, and keep what stands there.
        lab.cli("reload", "--confirm", "60s", "--force")
        done = lab.cli("upgrade", "--force", check=False)
        assert done.returncode == 1 and "a reload waits to be confirmed" in done.stderr
        assert lab.pids("gate") == gates
        (lab.dir / "global.list").write_text(good)
        lab.cli("reload")
        lab.cli("upgrade", "--caller", GOOD4)
        wait_for("the new program answers", lambda: upgraded(lab, gates))
        assert lab.reachable(GOOD4)
    finally:
        (lab.dir / "global.list").write_text(good)


def test_the_admin_is_answered_however_late_the_ledger_is(lab):
    gates, (ledger,), (checker,) = lab.pids("gate"), lab.pids("ledger"), lab.pids("checker")
    orders, answers = len(lab.events("ctl")), len(lab.events("upgrade"))
    assert ledger > 1
    # A list that the keeper reads for longer than it takes us to stop the ledger.
    short = lab.lists["global.list"]
    lab.lists["global.list"] = short + "".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255} PA\n" for n in range(300_000))
    lab.write_conf()
    cli = subprocess.Popen(lab.network.command("gate", str(BUILD / "postern"), "--socket",
                                               str(lab.dir / "run/control.sock"), "upgrade"),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for("it is ordered", lambda: [e for e in lab.events("ctl")[orders:] if "cmd=upgrade" in e])
        os.kill(ledger, signal.SIGSTOP)
        assert len(lab.events("upgrade")) == answers, "there is no answer yet"
        lab.wait_event("upgrade", answers + 1)
        wait_for("the others are told to end", lambda: not os.path.exists(f"/proc/{checker}"))
    finally:
        os.kill(ledger, signal.SIGCONT)
        lab.lists["global.list"] = short
        lab.write_conf()
    said = cli.communicate(timeout=WAIT_S)[0]
    assert cli.returncode == 0 and "takes over" in said, said
    wait_for("the new program answers", lambda: upgraded(lab, gates))
    lab.cli("reload")


def test_one_that_was_upgraded_stops_in_order(lab):
    client = lab.smtp(GOOD4)
    gates = lab.pids("gate")
    lab.cli("upgrade")
    wait_for("the new program answers", lambda: upgraded(lab, gates))
    assert lab.stop() == 0
    client.close()
    lab.start()
    assert lab.reachable(GOOD4)
