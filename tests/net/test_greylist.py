# SPDX-License-Identifier: GPL-2.0-only
"""Greylisting in front of a real Postfix: what is deferred, for how long, and what is remembered of it.

The three networks of the clients are 192.0.2.0/24, 203.0.113.0/24 and several /64 of 2001:db8:1::/48. Each test takes
senders of its own, so that none meets the triplets of another.
"""
import itertools
import json
import os
import re
import signal
import threading
import time

import pytest
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4, GOOD6
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
OTHER4, LISTED4 = "192.0.2.67", "203.0.113.5"
NO_GL4, AUTHENTICATED4 = "192.0.2.70", "192.0.2.71"
DELAY_S = 2

GLOBAL_LIST = f"""\
0.0.0.0/0          PA AS LL HE GL
::/0               PA AS LL HE GL
{NO_GL4}           PA AS LL HE
{AUTHENTICATED4}   PA AS LL HE GL AA
"""
POLICY = f"greylist-delay = {DELAY_S}s  greylist-window = 1h  greylist-lifetime = 1d  greylist-auto-pass = 0"
numbers = itertools.count()


@pytest.fixture(scope="module")
def lab():
    lab = Lab("grey", policy=POLICY)
    lab.lists["global.list"] = GLOBAL_LIST
    with lab:
        yield lab


def sender():
    return f"sender-{chr(97 + next(numbers) // 26)}{chr(97 + next(numbers) % 26)}@example.com"


def begin(lab, source, mail_from):
    client = lab.smtp(source)
    assert client.ehlo()[0] == 250
    assert client.docmd("MAIL", f"FROM:<{mail_from}>")[0] == 250
    return client


def rcpt(lab, source, mail_from, recipient=RCPT):
    """The reply to RCPT as (code, text)."""
    client = begin(lab, source, mail_from)
    code, text = client.docmd("RCPT", f"TO:<{recipient}>")
    client.close()
    return code, text.decode()


def wait_s(reply):
    code, text = reply
    assert code == 451, reply
    return int(re.fullmatch(r"4\.7\.1 greylisted, try again in (\d+) seconds", text)[1])


def rcpt_until(lab, source, mail_from, recipient=RCPT, seconds=DELAY_S + 5):
    """Try as a mail server would, until it is accepted."""
    return wait_for(f"{mail_from} passes", lambda: rcpt(lab, source, mail_from, recipient)[0] == 250, seconds)


def test_the_first_attempt_is_told_how_long_to_wait_and_the_retry_passes(lab):
    who, before = sender(), len(lab.mail.messages())
    assert wait_s(rcpt(lab, GOOD4, who)) == DELAY_S
    assert 1 <= wait_s(rcpt(lab, GOOD4, who)) <= DELAY_S
    rcpt_until(lab, GOOD4, who)
    client = begin(lab, GOOD4, who)
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    assert client.data("Subject: greylisted\r\n\r\nbody")[0] == 250
    client.quit()
    lab.mail.wait_messages(before + 1)
