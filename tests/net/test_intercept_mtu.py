# SPDX-License-Identifier: GPL-2.0-only
"""A link on the clients' way that takes shorter packets than the hosts at its ends think.

The router in front says so in ICMP to the address that it knows, the mail host's; it is a gate's packet that was too long.
"""
import pytest
from intercept_lab import InterceptLab
from mailhost import USER
from netns import GOOD4, GOOD6

MTU = 1300
BODY = "".join(f"line {n:06} of a message that takes many packets\r\n" for n in range(20000))


@pytest.fixture(scope="module", params=["second router", "bridge"])
def lab(request):
    with InterceptLab("icmtu" + request.param[0], request.param) as running:
        box = running.mail.dir / "mail" / USER / "new"
        box.mkdir(parents=True, exist_ok=True)
        (box / "1.big").write_text(f"Subject: long\r\n\r\n{BODY}", newline="")
        running.network.run("mail", "chown", "-R", "nobody", str(running.mail.dir / "mail" / USER))
        running.network.run("router", "ip", "link", "set", "nic", "mtu", str(MTU))
        yield running


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_a_gate_learns_that_its_packets_are_too_long(lab, source):
    mailbox = lab.imap(source)
    got = mailbox.fetch("1", "(BODY[TEXT])")[1][0][1].decode()
    assert got == BODY
    mailbox.logout()
