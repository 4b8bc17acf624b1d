# SPDX-License-Identifier: GPL-2.0-only
"""XCLIENT NAME: Postfix is told the client's host name if it leads back to the client, and no other."""
import pytest
from dns import Dns
from mailhost import DOMAIN, USER
from netns import GOOD4, MAIL4
from postern_lab import Lab, wait_for

ASTRAY4, UNFLAGGED4 = "192.0.2.66", "192.0.2.12"
REVERSE = """\
10 PTR client.example.com.
66 PTR client.example.com.
12 PTR unflagged.example.com.
"""
FORWARD = """\
client A 192.0.2.10
unflagged A 192.0.2.12
"""


@pytest.fixture(scope="module")
def running():
    lab = Lab("xname", client_address="xclient", ptr="observe", dns=f'"{MAIL4}"',
              policy="strikes = off\n\tptr-forward-confirmed = yes")
    lab.lists["global.list"] = f"0.0.0.0/0 PA AS LL PTR\n{UNFLAGGED4} PA AS LL\n"
    with lab, Dns(lab) as dns:
        dns.zones = {"2.0.192.in-addr.arpa": REVERSE, "example.com": FORWARD}
        dns.apply()
        yield lab


def name_told(lab, source):
    """Under which name Postfix takes a message of this client."""
    seen = lab.mail.log().count(f"[{source}]")
    client = lab.smtp(source)
    client.ehlo()
    client.sendmail("a@example.com", [f"{USER}@{DOMAIN}"], "Subject: x\r\n\r\nx\r\n")
    client.quit()
    wait_for("Postfix has it in the log", lambda: lab.mail.log().count(f"[{source}]") > seen)
    line = [line for line in lab.mail.log().splitlines() if " client=" in line and f"[{source}]" in line][-1]
    return line.split(" client=")[1].split("[")[0]


def test_a_name_that_leads_back_is_told(running):
    # The first time the answer may come too late: it is not waited for.
    wait_for("the name is known", lambda: name_told(running, GOOD4) == "client.example.com")


def test_no_other_is(running):
    for _ in range(3):
        assert name_told(running, ASTRAY4) == "unknown"
        assert name_told(running, UNFLAGGED4) == "unknown"
