# SPDX-License-Identifier: GPL-2.0-only
"""The backend dies, refuses, stalls: nothing is answered 250 that it did not accept."""
import smtplib
import socket
import threading

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4, MAIL4
from postern_lab import WAIT_S, wait_for

RCPT = f"{USER}@{DOMAIN}"
LAB = {"backend": f'"{MAIL4}:2599", "{MAIL4}:25"', "client_address": "none"}


class Backend:
    """An SMTP server on port 2599 that stops at a chosen point. Real ones cannot be told when to die."""

    def __init__(self, lab, until):
        self.until = until
        with lab.network.inside("mail"):
            self.server = socket.create_server((MAIL4, 2599))
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        sock, _ = self.server.accept()
        self.server.close()
        with sock, sock.makefile("rb") as lines:
            if self.until == "banner":
                return
            sock.sendall(b"220 stand-in ESMTP\r\n")
            in_data = False
            for line in lines:
                verb = line.split()[0].upper() if line.split() else b""
                if in_data:
                    if self.until == "data":
                        return
                    if line == b".\r\n":
                        if self.until == "dot":
                            return
                        in_data = False
                        sock.sendall(b"250 2.0.0 kept\r\n")
                elif verb == b"EHLO":
                    sock.sendall(b"250-stand-in\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    if self.until == "354":
                        return
                    in_data = True
                    sock.sendall(b"354 go\r\n")
                elif verb == b"QUIT":
                    sock.sendall(b"221 bye\r\n")
                    return
                else:
                    sock.sendall(b"250 2.0.0 ok\r\n")

    def end(self):
        self.thread.join(timeout=WAIT_S)


def send(lab):
    client = lab.smtp(GOOD4)
    try:
        client.ehlo()
        client.docmd("MAIL", "FROM:<a@example.com>")
        client.docmd("RCPT", f"TO:<{RCPT}>")
        return client.data("Subject: x\r\n\r\n" + "line\r\n" * 20000)[0]
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    except (smtplib.SMTPServerDisconnected, OSError):
        return None
    finally:
        client.close()


@pytest.mark.parametrize("until", ["354", "data", "dot"])
def test_a_backend_that_dies_makes_no_250(lab, until):
    backend = Backend(lab, until)
    code = send(lab)
    backend.end()
    assert code is None or 400 <= code < 500, code


def test_a_backend_that_works_makes_a_250(lab):
    backend = Backend(lab, "the end")
    assert send(lab) == 250
    backend.end()


def test_the_next_address_is_taken_when_the_first_refuses(lab):
    before = len(lab.mail.messages())
    assert send(lab) == 250
    lab.mail.wait_messages(before + 1)


def test_no_backend_at_all_is_421(lab):
    lab.mail.stop_postfix()
    try:
        client = lab.smtp(GOOD4)
        code, _ = client.ehlo()
        assert code == 421
        client.close()
    finally:
        lab.mail.start_postfix()
    wait_for("mail flows again", lambda: send(lab) == 250)
