# SPDX-License-Identifier: GPL-2.0-only
"""The store of greylisting: damaged, or on a full disk. Mail flows, and the log says why nobody is deferred."""
import json
import shutil

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4, GUESSER4, sh
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"


@pytest.fixture(scope="module")
def lab():
    lab = Lab("greystore", policy="greylist-delay = 1s  greylist-auto-pass = 0")
    lab.lists["global.list"] = "0.0.0.0/0 PA AS LL GL\n::/0 PA AS LL GL\n"
    with lab:
        yield lab


def rcpt(lab, sender):
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.docmd("MAIL", f"FROM:<{sender}@example.com>")
    code = client.docmd("RCPT", f"TO:<{RCPT}>")[0]
    client.close()
    return code


def prove(lab, sender):
    assert rcpt(lab, sender) == 451
    wait_for(f"{sender} passes", lambda: rcpt(lab, sender) == 250)


def test_a_damaged_store_is_set_aside_and_a_new_one_begun(lab):
    prove(lab, "anna")
    lab.cli("ban", GUESSER4)
    lab.stop()
    store = lab.dir / "state/grey.db"
    store.write_bytes(b"this is no database" * 500)
    shutil.chown(store, "postern-ledger")
    for leftover in store.parent.glob("grey.db-*"):
        leftover.unlink()
    lab.start()
    assert rcpt(lab, "anna") == 451, "it has to come back once more"
    wait_for("anna passes", lambda: rcpt(lab, "anna") == 250)
    assert lab.events("greylist-damaged")
    assert list(store.parent.glob("grey.db.damaged-*")), "the old file is kept"
    assert lab.banned(GUESSER4), "the bans are in another file"
    lab.cli("unban", "--all")


def fill(path):
    with open(path, "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass


def test_on_a_full_disk_newcomers_are_let_through(lab):
    lab.stop()
    state = lab.dir / "state"
    sh("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(state))
    try:
        shutil.chown(state, "postern-ledger", "postern-ledger")
        lab.start()
        prove(lab, "bert")
        fill(state / "filler")
        # That the first ones are not on the disk shows within a second; they just come back.
        numbers = iter(range(1000))

        def let_through():
            n = next(numbers)
            return rcpt(lab, f"new-{chr(97 + n // 26)}{chr(97 + n % 26)}") == 250
        wait_for("newcomers are let through", let_through)
        assert rcpt(lab, "bert") == 250, "who is known is known"
        assert lab.events("greylist-store")
        status = json.loads(lab.cli("status", "--json").stdout)
        assert status["greylist"]["state"] == "failing"
        assert [w for w in status["warnings"] if "greylisting" in w]
        (state / "filler").unlink()
        wait_for("newcomers are told to come back", lambda: rcpt(lab, "carl") == 451)
        assert lab.events("greylist-store-ok")
        wait_for("and do", lambda: rcpt(lab, "carl") == 250)
        assert rcpt(lab, "bert") == 250
    finally:
        lab.stop()
        sh("umount", str(state))
        lab.start()
