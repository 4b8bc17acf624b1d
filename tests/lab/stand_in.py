# SPDX-License-Identifier: GPL-2.0-only
"""A stand-in for the mail host, for what no real one can be brought to say: each of its sessions plays a script."""
import contextlib
import socket
import threading

from netns import MAIL4
from postern_lab import wait_for

TIMEOUT_S = 30


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

    def read_to_the_end(self):
        while self.lines.readline():
            pass


@contextlib.contextmanager
def backend(lab, port, *scripts, peer=Peer):
    """Each connection to this port of the mail host gets the next script, called with a peer; then nobody listens."""
    with lab.network.inside("mail"):
        server = socket.create_server((MAIL4, port))
    server.settimeout(TIMEOUT_S)
    errors = []

    def play(script, sock):
        player = peer(sock)
        try:
            script(player)
        except (ConnectionError, TimeoutError):
            pass
        except Exception as error:  # of the script: shown by the test
            errors.append(error)
        finally:
            player.lines.close()
            sock.close()

    def serve():
        sessions = []
        with contextlib.suppress(TimeoutError):
            for script in scripts:
                sock, _ = server.accept()
                sock.settimeout(TIMEOUT_S)
                sessions.append(threading.Thread(target=play, args=(script, sock)))
                sessions[-1].start()
        server.close()
        for session in sessions:
            session.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=2 * TIMEOUT_S)
        server.close()
    assert not thread.is_alive() and not errors, errors


@contextlib.contextmanager
def the_gate_outlives(lab):
    """What a backend does inside costs no gate its life, and no session stays."""
    before = lab.pids("gate")
    yield
    assert lab.pids("gate") == before, "a gate has died"
    wait_for("no session is left", lambda: not lab.rows("sessions"))
