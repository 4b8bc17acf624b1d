# SPDX-License-Identifier: GPL-2.0-only
"""Random sessions against Postfix itself and through the gate: the same reply codes, command by command.

Where postern means to differ is not asked here: VRFY and ETRN, MAIL before EHLO, names in EHLO that flag HE
refuses, AUTH after HELO, mechanisms that are not offered, addresses without a domain, QUIT with an argument.
"""
import base64
import random
import smtplib

import pytest
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4, MAIL4

LAB = {"policy": "strikes = observe", "limits": "errors-max = 1000\n\tcommands-max = 1000"}
SESSIONS, COMMANDS = 12, 14  # of each seed; Postfix hangs up at the 20th error
# Which of these it is depends on what is looked at first: the verb, its argument, or its turn.
REFUSALS = {500, 501, 502, 503, 554}
BROKEN_BASE64 = (501, 535)
LOCAL = f"{USER}@{DOMAIN}"


def plain(secret):
    return base64.b64encode(f"\0{USER}\0{secret}".encode()).decode()


HELLO = ["EHLO client.example.com", "ehlo client.example.com", "HELO client.example.com"]
LINES = [
    "MAIL FROM:<a@example.com>", "mail from:<a@example.com>", "MAIL FROM: <a@example.com>",
    "MAIL FROM:a@example.com", "MAIL FROM:<>", "MAIL FROM:<@r.example:a@example.com>",
    "MAIL FROM:<a@example.com> SIZE=1000", "MAIL FROM:<a@example.com> SIZE=999999999",
    "MAIL FROM:<a@example.com> BODY=8BITMIME", "MAIL FROM:<a@example.com> BODY=NONSENSE",
    "MAIL FROM:<a@example.com> RET=HDRS ENVID=x", "MAIL FROM:<a@example.com> NONESUCH=1",
    "MAIL FROM:<a@example.com> AUTH=<>", "MAIL FROM:<a..b@example.com>", "MAIL FROM:<.a.@example.com>",
    'MAIL FROM:<"a b"@example.com>', f"MAIL FROM:<{'l' * 100}@example.com>", "MAIL FROM:<a@[192.0.2.10]>",
    "MAIL FROM:<a@example.com", "MAIL FROM:<a b@example.com>", "MAIL FROM:", "MAIL", "MAIL TO:<a@example.com>",
    f"RCPT TO:<{LOCAL}>", f"rcpt to:<{LOCAL}>", f"RCPT TO: <{LOCAL}>", f"RCPT TO:{LOCAL}",
    f"RCPT TO:<{LOCAL}> NOTIFY=NEVER", f"RCPT TO:<{LOCAL}> ORCPT=rfc822;{LOCAL}",
    f"RCPT TO:<{LOCAL}> NONESUCH=1", f"RCPT TO:<nobody@{DOMAIN}>", "RCPT TO:<x@far.example>",
    f"RCPT TO:<@r.example:{LOCAL}>", f"RCPT TO:<{LOCAL}", "RCPT TO:<>", "RCPT TO:", "RCPT",
    "DATA", "DATA", "DATA", "DATA x", "RSET", "rset", "RSET x", "NOOP", "NOOP some words", "FROBNICATE", "",
    "EXPN staff"]
UTF8 = ["MAIL FROM:<\u00e4@example.com> SMTPUTF8", f"RCPT TO:<\u00e4@{DOMAIN}>",
        "MAIL FROM:<a@b\u00fccher.example> SMTPUTF8", "MAIL FROM:<\u00e4@example.com>"]
LOGINS = [["AUTH PLAIN " + plain("wrong")], ["AUTH PLAIN " + plain(PASSWORD)], ["AUTH PLAIN", "*"], ["AUTH"],
          ["AUTH LOGIN", base64.b64encode(USER.encode()).decode(), "*"], ["AUTH PLAIN", plain("wrong")],
          ["AUTH PLAIN "], ["AUTH PLAIN !!!!"]]
MESSAGES = [b"Subject: x\r\n\r\nx\r\n.\r\n", b".\r\n", b"..\r\n.x\r\n\r\n.\r\n", b"x" * 3000 + b"\r\n.\r\n",
            b"Subject: \xc3\xa4\r\n\r\n\xff\r\n" + b"line\r\n" * 4000 + b".\r\n"]


def sessions(seed):
    """Lists of commands; a list within is a login."""
    rng = random.Random(seed)
    for _ in range(SESSIONS):
        steps = [HELLO[0]]
        is_esmtp = True
        # Most begin well, or hardly any would come as far as a message.
        if rng.random() < 0.7:
            steps += [rng.choice(LINES[:7]), rng.choice(LINES[23:27]), "DATA"]
        while len(steps) < COMMANDS:
            kind = rng.random()
            if kind < 0.06:
                steps.append(rng.choice(HELLO))
                is_esmtp = steps[-1].upper().startswith("EHLO")
            elif kind < 0.12 and is_esmtp:
                steps.append(rng.choice(LOGINS))
            elif kind < 0.18 and is_esmtp:
                steps.append(rng.choice(UTF8))
            else:
                steps.append(rng.choice(LINES))
        yield steps, rng.randrange(1 << 30)


class Client:
    def __init__(self, lab, through_gate):
        if through_gate:
            self.smtp = lab.smtp(GOOD4)
        else:
            with lab.network.inside("gate"):
                self.smtp = smtplib.SMTP(MAIL4, 25, timeout=30)
        self.asked = []
        self.codes = []  # of each command, in order

    def send(self, *lines):
        self.asked += lines
        self.smtp.sock.sendall(b"".join(line.encode() + b"\r\n" for line in lines))

    def reply(self):
        code = self.smtp.getreply()[0]
        self.codes.append((self.asked.pop(0) if self.asked else "(message)", code))
        return code

    def ask(self, line):
        self.send(line)
        return self.reply()

    def message(self, rng):
        self.smtp.sock.sendall(rng.choice(MESSAGES))
        self.reply()

    def login(self, lines):
        for line in lines:
            if self.ask(line) != 334:
                return
        self.ask("*")

    def end(self):
        """Everything that was asked has been answered, and nothing else."""
        self.ask("QUIT")
        assert self.smtp.file.read() == b""
        self.smtp.close()
        return self.codes


def run_one_by_one(client, steps, rng):
    for step in steps:
        if isinstance(step, list):
            client.login(step)
        elif client.ask(step) == 354:
            client.message(rng)
    return client.end()


def run_pipelined(client, steps, rng):
    """All commands up to the next one that must be the last of its group, at once (RFC 2920)."""
    group = []
    for step in steps + ["NOOP"]:
        if isinstance(step, list):
            client.send(*group)
            for _ in group:
                client.reply()
            client.login(step)
            group = []
            continue
        group.append(step)
        if step.upper().startswith(("DATA", "EHLO", "HELO")) or step == "NOOP":
            client.send(*group)
            for _ in group:
                last = client.reply()
            if last == 354:
                client.message(rng)
            group = []
    return client.end()


@pytest.mark.parametrize("run", [run_one_by_one, run_pipelined])
@pytest.mark.parametrize("seed", range(6))
def test_the_same_replies_as_without_the_gate(lab, run, seed):
    messages = 0
    for steps, inner in sessions(seed):
        without, through = (run(Client(lab, way), steps, random.Random(inner)) for way in (False, True))
        messages += sum(code == 354 for _, code in without)
        assert [line for line, _ in through] == [line for line, _ in without], "a reply more, or less"
        differing = [(line, here, there) for (line, here), (_, there) in zip(through, without)
                     if here != there and not {here, there} <= REFUSALS
                     and (here, there) != BROKEN_BASE64]
        assert not differing, f"{steps}: (command, code through the gate, code without)"
    assert messages > SESSIONS // 4, "too few of the sessions come as far as a message"
