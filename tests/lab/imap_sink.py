#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/lab/imap_sink.py ADDRESS PORT - an IMAP server that lets everybody in and holds thousands of idle sessions.

For what a real one is too heavy for: Dovecot has a process for each session. SIGUSR1: every session is told of a
new message. A line that is no LOGIN is answered OK.
"""
import resource
import selectors
import signal
import socket
import sys

GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ IDLE AUTH=PLAIN] sink ready\r\n"
NOTICE = b"* 1 EXISTS\r\n"


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sessions = set()
    poll = selectors.DefaultSelector()
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=1024)
    listener.setblocking(False)
    poll.register(listener, selectors.EVENT_READ)
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    poll.register(woken, selectors.EVENT_READ)
    signal.signal(signal.SIGUSR1, lambda *_: wake.send(b"!"))
    while True:
        for key, _ in poll.select():
            if key.fileobj is listener:
                session, _ = listener.accept()
                session.sendall(GREETING)
                poll.register(session, selectors.EVENT_READ)
                sessions.add(session)
            elif key.fileobj is woken:
                woken.recv(1)
                for session in sessions:
                    session.sendall(NOTICE)
            else:
                text = key.fileobj.recv(4096)
                if text:
                    tag = text.split(b" ", 1)[0]
                    key.fileobj.sendall(tag + b" OK done\r\n")
                else:
                    poll.unregister(key.fileobj)
                    sessions.discard(key.fileobj)
                    key.fileobj.close()


if __name__ == "__main__":
    main()
