# SPDX-License-Identifier: GPL-2.0-only
"""What clients of POP3 and of IMAP have in common in a lab."""
import base64
import re

from netns import GATE4, GATE6, GOOD4
from postern_lab import wait_for


def b64(text):
    return base64.b64encode(text.encode("latin-1") if isinstance(text, str) else text).decode()


class RawClient:
    """A client that sends what it is told; how its answers are read is for its protocol to say, in line()."""

    def __init__(self, lab, source, port, timeout):
        self.sock = lab.connect(source, port, timeout)
        self.port = self.sock.getsockname()[1]
        self.file = self.sock.makefile("rb")

    def send(self, text):
        self.sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FromClientsHost:
    """For a client of the library: it connects from an address of the clients' host."""

    def __init__(self, lab, source=GOOD4, port=None, timeout=30):
        self.lab, self.source = lab, source
        super().__init__(GATE6 if ":" in source else GATE4, port, timeout=timeout)

    def _create_socket(self, timeout):
        return self.lab.connect(self.source, self.port, timeout)

    @property
    def local_port(self):
        return self.sock.getsockname()[1]


def closed(lab, port):
    """The one summary of the session that came from this port."""
    return wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]


def field(line, key):
    found = re.search(rf' {key}="?((?:[^"\\ ]|\\.)*)', line)
    return found and found[1]
