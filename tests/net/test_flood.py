# SPDX-License-Identifier: GPL-2.0-only
"""Floods, while a good client delivers mail and reads its mailbox: of a million banned sources, and of forged ones.

The mail host stands on the gate's own host, as postern-setup finds it (tproxy, TLS), or behind a gate that listens itself.
"""
import contextlib
import imaplib
import json
import subprocess
import time

import pytest
from certs import Authority
from imap_lab import imap_service
from mailhost import DOMAIN, PASSWORD, USER
from netns import GATE4, GOOD4
from postern_lab import BUILD, WAIT_S, Lab
from setup_lab import NAME, SetupLab

BANS = 1000000
FIRST_BANNED, FIRST_FORGED = "10.0.0.0", "198.18.0.0"
FLOOD_S = 5  # at least; it goes on until the good client has been served three times
PATIENCE_S = 15  # what a good client has for a mail or a look into its mailbox: idle it takes some 50 ms
RATE = 20000    # forged SYNs a second: more than the queue of a listener holds, so that the kernel answers with cookies


class Imap(imaplib.IMAP4):
    def __init__(self, lab):
        self.lab = lab
        super().__init__(NAME, 143, timeout=PATIENCE_S)

    def _create_socket(self, timeout):
        return self.lab.connect(GOOD4, 143, timeout)


class Behind(Lab):
    """A gate with addresses of its own."""

    def __init__(self, tag, authority):
        super().__init__(tag, services=imap_service(), syns="")
        self.context = None

    def up(self, mail=True, daemon=True):
        super().up(mail, daemon)
        # Answers to forged sources leave for where they seem to come from, and are lost there.
        self.network.run("gate", "ip", "route", "add", "default", "via", GOOD4, "dev", "nic")
        return self

    def secured(self, source):
        return self.smtp(source)


@pytest.fixture(scope="module", params=[SetupLab, Behind], ids=["same host", "proxy"])
def lab(request, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certs"))
    authority.make("mx", [NAME])
    with request.param("flood", authority) as running:
        yield running


@contextlib.contextmanager
def flood(lab, first, count, rate):
    """Runs beside the block, and ends with it."""
    process = subprocess.Popen(
        lab.network.command("clients", str(BUILD / "tests/lab/flood"), "-s", first, "-k", str(count), "-r", str(rate),
                            "-d", str(20 * PATIENCE_S), "to-gate", GATE4, "25"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield
        assert process.poll() is None, "it has gone on"
    finally:
        process.terminate()
        out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    assert json.loads(out)["packets"] > 5000, out


def good_client(lab):
    """A mail and a look into the mailbox. Each step has its time, or this raises."""
    client = lab.secured(GOOD4)
    client.sock.settimeout(PATIENCE_S)
    client.sendmail("a@example.com", [f"{USER}@{DOMAIN}"], "Subject: amid a flood\r\n\r\nx\r\n")
    client.quit()
    client = Imap(lab)
    if lab.context:
        client.starttls(lab.context)
    client.login(USER, PASSWORD)
    assert client.select("INBOX", readonly=True)[0] == "OK"  # so that the mail is not moved away
    client.logout()


def rounds(lab):
    """How often the good client is served while the flood lasts; each round in time."""
    done, ends = 0, time.monotonic() + FLOOD_S
    while done < 3 or time.monotonic() < ends:
        began = time.monotonic()
        good_client(lab)
        assert time.monotonic() - began < 2 * PATIENCE_S
        done += 1
    return done


def dropped(lab, name):
    status = lab.rows("status")
    status = status[0] if isinstance(status, list) else status
    return sum(policy["counters"][name] for policy in status["policies"])


def test_a_good_client_gets_through_a_flood_of_forged_syns(lab):
    before = len(lab.mail.messages())
    with flood(lab, FIRST_FORGED, 131072, RATE):
        done = rounds(lab)
    lab.mail.wait_messages(before + done)
    assert not lab.bans(), "a forger has got somebody banned"
    assert len(lab.dump("syn_sources")) <= 65536
    assert lab.cli("verify").returncode == 0


def test_a_good_client_gets_through_a_flood_of_one_forged_source(lab):
    before, over = len(lab.mail.messages()), dropped(lab, "dropped_syn_rate")
    with flood(lab, FIRST_FORGED, 1, 0):
        done = rounds(lab)
    lab.mail.wait_messages(before + done)
    assert not lab.bans()
    assert dropped(lab, "dropped_syn_rate") > over + 5000


@pytest.mark.parametrize("lab", [SetupLab], ids=["same host"], indirect=True)
def test_a_good_client_gets_through_a_flood_of_a_million_banned_sources(lab):
    text = "".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(BANS))
    lab.cli("ban", "-", "--policy", "global", "--for", "1h", input=text, timeout=600)
    before, drops, passed = len(lab.mail.messages()), dropped(lab, "dropped_ban"), dropped(lab, "passed")
    with flood(lab, FIRST_BANNED, BANS, 0):
        done = rounds(lab)
    lab.mail.wait_messages(before + done)
    assert dropped(lab, "dropped_ban") > drops + 20000
    assert dropped(lab, "passed") - passed < 200 * (done + 1), "only the good client has passed"
