# SPDX-License-Identifier: GPL-2.0-only
"""Clients of POP3, and the services that they use in a lab."""
import base64
import contextlib
import poplib
import re
import socket
import threading

from mailhost import POP3, POP3_PROXY
from netns import GATE4, GATE6, GOOD4, MAIL4
from postern_lab import wait_for

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


def b64(text):
    return base64.b64encode(text.encode("latin-1") if isinstance(text, str) else text).decode()


def plain(user, secret):
    return b64(f"\0{user}\0{secret}")


class Raw:
    """A client that sends what it is told and reads whole lines."""

    def __init__(self, lab, source=GOOD4, port=110, greeted=True):
        self.sock = lab.connect(source, port, TIMEOUT_S)
        self.port = self.sock.getsockname()[1]
        self.file = self.sock.makefile("rb")
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

    def send(self, text):
        self.sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)

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

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pop3(poplib.POP3):
    """poplib, from an address of the clients' host."""

    def __init__(self, lab, source=GOOD4, port=110):
        self.lab, self.source = lab, source
        super().__init__(GATE6 if ":" in source else GATE4, port, timeout=TIMEOUT_S)

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


STAND_IN_PORT = 1199


class Peer:
    """The backend's side of one session: reads lines, says what it is told to."""

    def __init__(self, sock):
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.seen = []

    def say(self, text):
        self.sock.sendall(text)

    def expect(self, verb, reply):
        line = self.lines.readline()
        self.seen.append(line)
        assert line.upper().startswith(verb), line
        self.say(reply)

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


@contextlib.contextmanager
def stand_in(lab, *scripts):
    """Each connection gets the next script; then nobody listens any more."""
    with lab.network.inside("mail"):
        server = socket.create_server((MAIL4, STAND_IN_PORT))
    server.settimeout(TIMEOUT_S)
    errors = []

    def play(script, sock):
        peer = Peer(sock)
        try:
            script(peer)
        except (ConnectionError, TimeoutError):
            pass
        except Exception as error:  # of the script: shown by the test
            errors.append(error)
        finally:
            peer.lines.close()
            sock.close()

    def serve():
        threads = []
        with contextlib.suppress(TimeoutError):
            for script in scripts:
                sock, _ = server.accept()
                sock.settimeout(TIMEOUT_S)
                threads.append(threading.Thread(target=play, args=(script, sock)))
                threads[-1].start()
        server.close()
        for thread in threads:
            thread.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=2 * TIMEOUT_S)
        server.close()
    assert not errors, errors
