# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of any process at any moment: no reported ban is lost, no mail is lost."""
import os
import random
import signal
import threading
import time

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4, GUESSER4
from postern_lab import wait_for


def kill(lab, role):
    victims = wait_for(f"a running {role}", lambda: lab.pids(role))
    assert min(victims) > 1  # 0 and -1 would be ourselves and everybody
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    return victims


@pytest.mark.parametrize("role", ["gate", "checker", "ledger"])
def test_a_killed_child_comes_back_and_bans_hold(lab, role):
    lab.cli("ban", GUESSER4)
    old = kill(lab, role)
    assert not lab.reachable(GUESSER4, timeout=0.5)
    wait_for(f"a new {role}", lambda: alive_and_new(lab, role, old))
    wait_for("mail flows", lambda: delivers(lab))
    assert lab.banned(GUESSER4)
    assert lab.cli("verify").returncode == 0
    lab.cli("unban", "--all")
    wait_for("the ban is gone", lambda: lab.reachable(GUESSER4))


def alive_and_new(lab, role, old):
    done = lab.cli("status", check=False)
    return done.returncode == 0 and lab.pids(role) and not set(old) & set(lab.pids(role))


def delivers(lab):
    try:
        client = lab.smtp(GOOD4, timeout=3)
        client.ehlo()
        client.quit()
        return True
    except Exception:
        return False


def test_other_sessions_go_on_when_a_sibling_dies(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    kill(lab, "ledger")
    kill(lab, "checker")
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
    assert client.docmd("RCPT", f"TO:<{USER}@{DOMAIN}>")[0] == 250
    assert client.data("Subject: x\r\n\r\nx")[0] == 250
    client.quit()
    wait_for("the ledger answers", lambda: lab.cli("status", check=False).returncode == 0)


def test_strikes_survive_the_ledger(lab):
    lab.guess(GUESSER4, 2)
    lab.guess(GUESSER4, 1, user="the-third-user")
    wait_for("the strikes are stored", lambda: is_stored(lab, "the-third-user"))
    kill(lab, "ledger")
    wait_for("the ledger answers", lambda: lab.cli("status", check=False).returncode == 0)
    lab.guess(GUESSER4, 2)
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    lab.cli("unban", "--all")


def is_stored(lab, user):
    """Is a strike for this user in the store's journal? (Strikes are written within a second.)"""
    return user.encode() in (lab.dir / "state/bans.db-wal").read_bytes()


def test_no_reported_ban_is_lost_under_random_kills(lab):
    seed = int(os.environ.get("SEED", time.time_ns() % 100000))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    reported, stop = [], threading.Event()

    def ban_on():
        for n in range(1, 2000):
            if stop.is_set():
                return
            address = f"100.64.{n // 256}.{n % 256}"
            if lab.cli("ban", address, "--policy", "global", check=False).returncode == 0:
                reported.append(address)

    thread = threading.Thread(target=ban_on)
    thread.start()
    try:
        for _ in range(6):
            time.sleep(chance.uniform(0.2, 0.8))
            status = lab.cli("status", check=False)
            if status.returncode == 0:
                kill_one(lab, chance.choice(["gate", "ledger", "checker", "keeper"]))
    finally:
        stop.set()
        thread.join()
    wait_for("the ledger answers", lambda: lab.cli("status", check=False).returncode == 0)
    kept = {row["addr"] for row in lab.bans()}
    assert len(reported) > 20
    assert not set(reported) - kept
    assert lab.cli("verify").returncode == 0
    lab.cli("unban", "--all")


def kill_one(lab, role):
    if role != "keeper":
        kill(lab, role)
        return
    lab.daemon.kill()
    lab.daemon.wait()
    wait_for("the children are gone", lambda: not children_left(lab))
    lab.start()


def children_left(lab):
    """Processes that still run our binary in the gate's namespace."""
    pids = lab.network.run("gate", "ip", "netns", "pids", lab.network.names["gate"]).stdout.split()
    names = []
    for pid in pids:
        try:
            names.append(os.path.basename(os.readlink(f"/proc/{pid}/exe")))
        except OSError:
            pass
    return "posternd" in names
