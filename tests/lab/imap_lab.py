# SPDX-License-Identifier: GPL-2.0-only
"""Clients of IMAP, and the services that they use in a lab."""
import imaplib

from mailbox_lab import FromClientsHost, RawClient, b64, closed, field  # noqa: F401 (for those that import this)
from mailhost import IMAP, IMAP_PROXY
from netns import GOOD4, MAIL4

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


class Raw(RawClient):
    """Reads whole lines, with their ends."""

    def __init__(self, lab, source=GOOD4, port=143):
        super().__init__(lab, source, port, TIMEOUT_S)
        self.greeting = self.line()

    def line(self):
        return self.file.readline().decode("latin-1")

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


class Imap(FromClientsHost, imaplib.IMAP4):
    """imaplib, from an address of the clients' host."""

    def __init__(self, lab, source=GOOD4):
        super().__init__(lab, source, 143, TIMEOUT_S)
