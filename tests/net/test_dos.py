# SPDX-License-Identifier: GPL-2.0-only
"""Flag BAN: each detector at its threshold and one below; observe; no flag; forged sources ban nobody."""
import contextlib
import json

import pytest
from forge import forger
from netns import CLIENT4, GOOD4
from postern_lab import wait_for

LIMITS = "errors-max = 2\n\tgreeting-timeout = 3s\n\tsessions-per-client-max = 3"
DETECTORS = ("dos-connects = 40/1m\n\tdos-crowded = 4/1m\n\tdos-slow = 3/1m\n\tdos-floods = 3/1m\n\t"
             "dos-junk = 3/1m\n\tdos-tls = off")
LAB = {"policy": DETECTORS, "limits": LIMITS}
BANNED, PERMITTED, OBSERVED = CLIENT4[4], CLIENT4[3], CLIENT4[5]


@pytest.fixture(scope="module", autouse=True)
def lists(lab):
    lab.lists["global.list"] = f"0.0.0.0/0 PA AS LL BAN\n{PERMITTED} PA AS LL\n"
    lab.write_conf()
    lab.cli("reload")


@pytest.fixture(autouse=True)
def forgotten(lab):
    """A gate that is started anew has counted nothing."""
    yield
    lab.cli("unban", "--all", check=False)
    lab.stop()
    lab.start()


def session(lab, source, *lines):
    with contextlib.suppress(OSError), lab.connect(source) as sock:
        sock.settimeout(30)
        sock.recv(200)
        for line in lines:
            sock.sendall(line)
        while sock.recv(4096):
            pass


def connect(lab, source):
    with contextlib.suppress(OSError):
        lab.connect(source).close()


def crowd(lab, source):
    """One connection more than a client may have."""
    held = [lab.connect(source) for _ in range(3)]
    for sock in held:
        sock.recv(200)
    connect(lab, source)
    for sock in held:
        sock.close()
    settled(lab)


def settled(lab):
    """Nothing is open, so everything is counted."""
    wait_for("no session is left", lambda: not lab.rows("sessions"))


KINDS = {
    "connects": (40, lambda lab, source: session(lab, source, b"QUIT\r\n")),
    "crowded": (4, crowd),
    "slow": (3, session),
    "floods": (3, lambda lab, source: session(lab, source, b"NONSENSE\r\n" * 5)),
    "junk": (3, lambda lab, source: session(lab, source, b"GET / HTTP/1.1\r\n\r\n")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_threshold_and_one_below(lab, kind):
    times, act = KINDS[kind]
    for _ in range(times - 1):
        act(lab, BANNED)
    settled(lab)
    assert not lab.bans(), "one below"
    act(lab, BANNED)
    wait_for("the ban", lambda: lab.banned(BANNED))
    ban = lab.banned(BANNED)[0]
    assert f"denial of service ({kind})" in ban["why"] and ban["policy"] == "global"
    assert not lab.reachable(BANNED, timeout=0.5)
    assert lab.reachable(GOOD4)
    told = json.loads(lab.cli("why", BANNED, "--json", check=False).stdout)
    evidence = told["bans"][0]["evidence"]
    assert [row for row in evidence if row["kind"] == "dos" and row["user"] == kind]


def test_without_the_flag_nobody_is_banned(lab):
    for _ in range(6):
        KINDS["junk"][1](lab, PERMITTED)
    settled(lab)
    assert not lab.bans()


def test_observe_says_whom_it_would_have_banned(lab):
    lab.write_conf(policy=DETECTORS + "\n\tdos = observe")
    lab.cli("reload")
    for _ in range(3):
        KINDS["junk"][1](lab, OBSERVED)
    wait_for("it is said", lambda: [e for e in lab.events("would-ban") if OBSERVED in e])
    assert not lab.bans()
    lab.write_conf(policy=DETECTORS)
    lab.cli("reload")


def test_forged_sources_ban_nobody(lab):
    """SYNs whose senders never answer, of many addresses and many of one."""
    with forger(lab.network) as send:
        for n in range(400):
            send(f"192.0.2.{200 + n % 20}", n)
            send("192.0.2.99", n)
    assert lab.reachable(GOOD4), "the gate still answers"
    assert not lab.bans()
