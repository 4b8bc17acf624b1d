# SPDX-License-Identifier: GPL-2.0-only
"""Clients of IMAP, and the services that they use in a lab."""
import base64
import imaplib
import re

from mailhost import IMAP, IMAP_PROXY
from netns import GATE4, GATE6, GOOD4, MAIL4
from postern_lab import wait_for

TIMEOUT_S = 10

SERVICE = """
service imap {{
	type = imap
	policy = global
	listen = {{ "0.0.0.0:143", "[::]:143" }}
	backend = {{ "{backend}" }}
	client-address = {mode}
	{more}
}}
"""
PORT_OF_MODE = {"none": IMAP, "proxy": IMAP_PROXY, "xclient": IMAP}


def imap_service(mode="proxy", backend=None, more=""):
    """For the setting `services` of a lab: IMAP on port 143. The client's address is told in this mode."""
    return SERVICE.format(mode=mode, backend=backend or f"{MAIL4}:{PORT_OF_MODE[mode]}", more=more)


def b64(text):
    return base64.b64encode(text.encode("latin-1") if isinstance(text, str) else text).decode()


class Raw:
    """A client that sends what it is told and reads whole lines."""

    def __init__(self, lab, source=GOOD4, port=143):
        self.sock = lab.connect(source, port, TIMEOUT_S)
        self.port = self.sock.getsockname()[1]
        self.file = self.sock.makefile("rb")
        self.greeting = self.line()

    def line(self):
        return self.file.readline().decode("latin-1")

    def send(self, text):
        self.sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def until(self, tag):
        """Lines up to the one that begins with this word."""
        lines = []
        while not lines or not lines[-1].startswith(tag + " "):
            lines.append(self.line())
            assert lines[-1], lines
        return lines

    def ask(self, command):
        """The last line of the answer, without its tag."""
        self.send(command + "\r\n")
        return self.until(command.split()[0])[-1].split(" ", 1)[1].rstrip("\r\n")

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def closed(lab, port):
    """The one summary of the session that came from this port."""
    return wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]


def field(line, key):
    return re.search(rf' {key}="?((?:[^"\\ ]|\\.)*)', line)[1]


class Imap(imaplib.IMAP4):
    """imaplib, from an address of the clients' host."""

    def __init__(self, lab, source=GOOD4):
        self.lab, self.source = lab, source
        super().__init__(GATE6 if ":" in source else GATE4, 143, timeout=TIMEOUT_S)

    def _create_socket(self, timeout):
        return self.lab.connect(self.source, 143, timeout)

    @property
    def local_port(self):
        return self.sock.getsockname()[1]
