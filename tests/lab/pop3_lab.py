# SPDX-License-Identifier: GPL-2.0-only
"""Clients of POP3, and the services that they use in a lab."""
import contextlib
import poplib

import stand_in as stand_ins
from mailbox_lab import FromClientsHost, RawClient, b64, closed, field  # noqa: F401 (for those that import this)
from mailhost import POP3, POP3_PROXY
from netns import GOOD4, MAIL4

TIMEOUT_S = 20

SERVICE = """
service {name} {{
	type = {name}
	policy = global
	listen = {{ "0.0.0.0:{port}", "[::]:{port}" }}
	backend = {{ "{backend}" }}
	client-address = {mode}
	{more}
}}
"""
PORT_OF_MODE = {"none": POP3, "proxy": POP3_PROXY, "xclient": POP3}


def pop3_service(mode="proxy", backend=None, more="", name="pop3"):
    """For the setting `services` of a lab. The client's address is told to the backend in this mode."""
    return SERVICE.format(name=name, port={"pop3": 110, "pop3s": 995}[name], mode=mode, more=more,
                          backend=backend or f"{MAIL4}:{PORT_OF_MODE[mode]}")


def plain(user, secret):
    return b64(f"\0{user}\0{secret}")


class Raw(RawClient):
    """Reads whole lines, without their ends."""

    def __init__(self, lab, source=GOOD4, port=110, greeted=True):
        super().__init__(lab, source, port, TIMEOUT_S)
        self.greeting = self.line() if greeted else None

    def line(self):
        return self.file.readline().decode("latin-1").rstrip("\r\n")

    def lines(self):
        """Of an answer of several lines, up to the dot."""
        found = []
        while (line := self.file.readline()) != b".\r\n":
            assert line, found
            found.append(line.decode("latin-1").rstrip("\r\n"))
        return found

    def ask(self, command):
        self.send(command + "\r\n")
        return self.line()

    def rest(self):
        """Everything until the end, or until a reset."""
        pieces = []
        with contextlib.suppress(ConnectionResetError):
            while piece := self.file.read1():
                pieces.append(piece)
        return b"".join(pieces)

    def login(self, user, password):
        assert self.ask(f"USER {user}").startswith("+OK")
        return self.ask(f"PASS {password}")


class Pop3(FromClientsHost, poplib.POP3):
    """poplib, from an address of the clients' host."""

    def __init__(self, lab, source=GOOD4, port=110):
        super().__init__(lab, source, port, TIMEOUT_S)


STAND_IN_PORT = 1199


class Peer(stand_ins.Peer):
    def begin(self, offers=b"USER\r\nSASL PLAIN LOGIN\r\n"):
        """The greeting; a gate that has asked already within a minute does not ask again."""
        self.say(b"+OK stand-in ready\r\n")
        line = self.lines.readline()
        if line.upper().startswith(b"CAPA"):
            self.say(b"+OK\r\n" + offers + b".\r\n")
            line = self.lines.readline()
        return line

    def until_pass(self):
        assert self.begin().startswith(b"USER ")
        self.say(b"+OK\r\n")
        return self.lines.readline()


def stand_in(lab, *scripts):
    """Each connection gets the next script; then nobody listens any more."""
    return stand_ins.backend(lab, STAND_IN_PORT, *scripts, peer=Peer)
