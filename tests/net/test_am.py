# SPDX-License-Identifier: GPL-2.0-only
"""Who counts as authenticated without AUTH (AA), and who may not use AUTH (no AS)."""
import re

import pytest
from mailhost import PASSWORD, USER
from netns import GOOD4
from postern_lab import GLOBAL_LIST, Lab, wait_for

AA4, NO_AS4 = "192.0.2.67", "192.0.2.11"
LISTS = GLOBAL_LIST + """\
192.0.2.67         PA AA AS LL HE PTR
"""


@pytest.fixture(scope="module")
def lab():
    new = Lab("am", gates=2, policy="helo = enforce")
    new.lists["global.list"] = LISTS
    with new as running:
        yield running


def closed(lab, client):
    """The close line of a session."""
    port = client.sock.getsockname()[1]
    client.quit()
    return wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]


def field(line, key):
    found = re.search(rf' {key}="?([^" ]*)', line)
    return found and found[1]


def test_aa_is_authenticated_from_the_first_command_on(lab):
    client = lab.smtp(AA4)
    assert client.docmd("EHLO 192.0.2.67")[0] == 250, "HE does not hold for the authenticated"
    assert "auth_by=aa" in closed(lab, client)
    client = lab.smtp(GOOD4)
    assert client.docmd("EHLO 192.0.2.10")[0] == 550
    assert field(closed(lab, client), "auth_by") is None


def test_aa_may_still_log_in(lab):
    client = lab.smtp(AA4)
    client.ehlo()
    client.login(USER, PASSWORD)
    line = closed(lab, client)
    assert field(line, "auth") == USER and field(line, "auth_by") == "login"


def test_without_as_auth_is_neither_offered_nor_accepted_and_trying_is_no_strike(lab):
    client = lab.smtp(NO_AS4)
    client.ehlo()
    assert "auth" not in client.esmtp_features
    for _ in range(6):
        code, text = client.docmd("AUTH PLAIN AGFubmEAd3Jvbmc=")
        assert (code, text) == (503, b"5.5.1 AUTH is not allowed here")
    line = closed(lab, client)
    assert field(line, "strikes") == "0" and field(line, "auth_by") is None
    assert not lab.banned(NO_AS4) and not lab.rows("why", NO_AS4)["strikes"]
