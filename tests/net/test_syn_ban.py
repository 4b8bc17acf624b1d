# SPDX-License-Identifier: GPL-2.0-only
"""dos-syns: who goes on beginning too many connections, and completes them, is banned; forged sources ban nobody."""
import contextlib
import json
import random
import socket
import subprocess
import threading
import time

import pytest
from forge import forger
from mailhost import DOMAIN, USER
from netns import CLIENT4, CLIENT6, GATE4, GATE6, GOOD4
from postern_lab import BUILD, wait_for

EVENTS = 3
SYNS = f"dos-syn-rate = 10\n\tdos-syn-burst = 10\n\tdos-syns = {EVENTS}/1m"
OTHERS = "\n\t".join(f"dos-{name} = off" for name in ("connects", "crowded", "slow", "floods", "junk", "tls"))
LAB = {"syns": SYNS, "policy": OTHERS}
FLOODER, WITHOUT_FLAG, OBSERVED, FORGED = CLIENT4[4], CLIENT4[6], CLIENT4[7], CLIENT4[8]
FLOODER6, NEIGHBOUR6 = CLIENT6[1:3]  # of one /64


@pytest.fixture(scope="module", autouse=True)
def lists(lab):
    lab.lists["global.list"] = f"0.0.0.0/0 PA AS LL BAN\n::/0 PA AS LL BAN\n{WITHOUT_FLAG} PA AS LL\n"
    lab.write_conf()
    lab.cli("reload")


@pytest.fixture(autouse=True)
def forgotten(lab):
    """A gate that is started anew has counted nothing, and buckets that are made anew are full."""
    yield
    lab.cli("unban", "--all", check=False)
    lab.stop()
    lab.network.run("gate", *lab.posternd("--detach")[4:])
    lab.start()


class Flood:
    """Connections without end from one address; each is given up when it stands."""

    def __init__(self, lab, source):
        self.lab, self.source = lab, source
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        family, host = (socket.AF_INET6, GATE6) if ":" in self.source else (socket.AF_INET, GATE4)
        held = []
        with self.lab.network.inside("clients"):
            while not self.stopped.wait(0.01):
                sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                sock.bind((self.source, 0))
                sock.connect_ex((host, 25))
                held.append(sock)
                if len(held) > 200:
                    held.pop(0).close()
        for sock in held:
            sock.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.thread.join()


def reports(lab, source):
    return [line for line in lab.events("syn-rate") if f"addr={source}" in line]


def flood_until(lab, source, count):
    """So many reports of the kernel: the first says since when, each other one is an event."""
    before = len(reports(lab, source))
    with Flood(lab, source):
        wait_for(f"{count} reports", lambda: len(reports(lab, source)) - before >= count)


def settled(lab):
    wait_for("no session is left", lambda: not lab.rows("sessions"))


def test_at_the_threshold_and_one_below(lab):
    flood_until(lab, FLOODER, 1 + EVENTS - 1)
    settled(lab)
    assert not lab.bans(), "one below"
    assert lab.reachable(FLOODER)
    with Flood(lab, FLOODER):
        wait_for("the ban", lambda: lab.banned(FLOODER))
    ban = lab.banned(FLOODER)[0]
    assert "denial of service (syns)" in ban["why"] and ban["policy"] == "global"
    assert not lab.reachable(FLOODER, timeout=0.5)
    assert lab.reachable(GOOD4)

    told = json.loads(lab.cli("why", FLOODER, "--json", check=False).stdout)
    evidence = [row for row in told["bans"][0]["evidence"] if row["kind"] == "dos" and row["user"] == "syns"]
    assert evidence and "SYN over the rate" in evidence[0]["reply"] and "became connections" in evidence[0]["reply"]
    finding = next(row for row in told["findings"] if row["check"] == "dos")
    assert finding["result"] == "hit" and "more than 10 connections begun a second" in finding["why"]
    page = lab.cli("why", FLOODER, check=False).stdout
    assert "more than 10 connections begun a second" in page and "became connections" in page


def test_a_program_that_takes_over_goes_on_with_it(lab):
    gates = lab.pids("gate")
    lab.cli("upgrade")
    wait_for("all gates are new", lambda: len(lab.pids("gate")) == 2 and not set(lab.pids("gate")) & set(gates))
    with Flood(lab, FLOODER):
        wait_for("the ban", lambda: lab.banned(FLOODER))


def test_the_whole_64_of_ipv6(lab):
    with Flood(lab, FLOODER6), Flood(lab, NEIGHBOUR6):
        wait_for("the ban", lambda: lab.banned("2001:db8:1:66::/64"))
    assert not lab.reachable(NEIGHBOUR6, timeout=0.5)
    assert lab.reachable(CLIENT6[3])


def test_without_the_flag_it_is_dropped_and_not_banned(lab):
    flood_until(lab, WITHOUT_FLAG, 1 + EVENTS + 3)
    settled(lab)
    assert not lab.bans()
    assert "dropped_syn_rate" in json.dumps(lab.rows("status"))


def test_observe_says_whom_it_would_have_banned(lab):
    lab.write_conf(policy=OTHERS + "\n\tdos = observe")
    lab.cli("reload")
    with Flood(lab, OBSERVED):
        wait_for("it is said", lambda: [e for e in lab.events("would-ban") if OBSERVED in e])
    settled(lab)
    assert not lab.bans()
    told = json.loads(lab.cli("why", OBSERVED, "--json", check=False).stdout)
    assert [row for row in told["findings"] if row["check"] == "dos" and row["result"] == "would-refuse"]
    lab.write_conf(policy=OTHERS)
    lab.cli("reload")


def test_off_bans_nobody(lab):
    lab.write_conf(syns=SYNS.replace(f"{EVENTS}/1m", "off"))
    lab.cli("reload")
    flood_until(lab, OBSERVED, 1 + EVENTS + 3)
    settled(lab)
    assert not lab.bans()
    lab.write_conf(syns=SYNS)
    lab.cli("reload")


def test_events_tell_who_is_over(lab):
    events = subprocess.Popen(lab.network.command(
        "gate", str(BUILD / "postern"), "--socket", str(lab.dir / "run/control.sock"), "events", "--follow", "--json"),
        stdout=subprocess.PIPE, text=True)
    try:
        with Flood(lab, FLOODER):
            row = next(row for row in map(json.loads, events.stdout) if row.get("kind") == "dos")
        assert row["event"] == "check" and row["addr"] == FLOODER and row["result"] == "hit"
        assert "more than 10 connections begun a second" in row["why"]
    finally:
        events.kill()
        events.wait()


@contextlib.contextmanager
def forged(lab, name):
    """A flood of SYNs in somebody's name, some thousands a second, and at least as many as ban."""
    stopped, before = threading.Event(), len(reports(lab, name))

    def run():
        number = 0
        with forger(lab.network) as send:
            while not stopped.wait(0.005):
                for _ in range(20):
                    send(name, number)
                    number += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for("it is over its rate", lambda: len(reports(lab, name)) > before)
        yield
        wait_for("enough of them", lambda: len(reports(lab, name)) - before >= 1 + EVENTS + 3)
    finally:
        stopped.set()
        thread.join()


def test_a_flood_in_somebodys_name_bans_nobody_and_the_owner_delivers(lab):
    with forged(lab, FORGED):
        for number in range(2):
            client = lab.smtp(FORGED)  # its first SYN is dropped, most likely
            client.sendmail("owner@example.com", [f"{USER}@{DOMAIN}"], f"Subject: mine {number}\r\n\r\nhello\r\n")
            client.quit()
        assert lab.reachable(GOOD4)
    wait_for("both are there", lambda: sum(b"Subject: mine" in mail for mail in lab.mail.messages()) == 2)
    assert not lab.bans() and not lab.dump("bans")
    again = [row["value"]["again"] for row in lab.dump("syn_sources")]
    assert sum(again) >= 1, "what came again was let through"
    told = json.loads(lab.cli("why", FORGED, "--json", check=False).stdout)
    assert [row for row in told["findings"] if row["check"] == "dos"], "it is said all the same"


def test_a_flood_in_many_names_bans_nobody_and_fills_nothing(lab):
    rng = random.Random(25)
    names = [f"{rng.randrange(1, 223)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
             for _ in range(20000)]
    started = len(lab.events("syn-rate"))
    with forger(lab.network) as send:
        for number, name in enumerate(names):
            send(name, number)
    wait_for("the gate still answers", lambda: lab.reachable(GOOD4))
    assert not lab.bans() and not lab.dump("bans") and not lab.dump("ban_prefixes4")
    assert len(lab.events("syn-rate")) == started, "none of them is over its rate"
