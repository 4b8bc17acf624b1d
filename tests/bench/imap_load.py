#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Load on an IMAP server: logins, or downloads of one large message, over several connections at once.

  imap_load.py ADDRESS PORT [--tls] login COUNT PARALLEL      connect, log in, log out, COUNT times in all
  imap_load.py ADDRESS PORT [--tls] fetch COUNT PARALLEL      log in PARALLEL times, fetch message 1 COUNT times in all

Prints the seconds it took and the bytes that came. Each of PARALLEL is a process of its own.
"""
import multiprocessing
import socket
import ssl
import sys
import time

USER, PASSWORD = "anna", "secret"
READ_BYTES = 1 << 18


def connect(address, port, tls):
    sock = socket.create_connection((address, port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(sock) if tls else sock


def read_until(sock, end):
    """Everything up to a line that begins with end; what came."""
    seen = b""
    while True:
        got = sock.recv(READ_BYTES)
        if not got:
            raise EOFError(seen[-200:])
        seen += got
        line = seen.rfind(end)
        if line >= 0 and (line == 0 or seen[line - 1:line] == b"\n") and seen.endswith(b"\r\n"):
            return seen


def login(sock):
    if not read_until(sock, b"* ").startswith(b"* OK"):
        raise EOFError("no greeting")
    sock.sendall(f"a LOGIN {USER} {PASSWORD}\r\n".encode())
    if b"a OK" not in (answer := read_until(sock, b"a ")):
        raise EOFError(answer)


def worker_login(address, port, tls, count, results):
    for _ in range(count):
        sock = connect(address, port, tls)
        login(sock)
        sock.sendall(b"b LOGOUT\r\n")
        read_until(sock, b"b ")
        sock.close()
    results.put(0)


def worker_fetch(address, port, tls, count, results):
    sock = connect(address, port, tls)
    login(sock)
    sock.sendall(b"c EXAMINE INBOX\r\n")
    read_until(sock, b"c ")
    buffer, total = bytearray(READ_BYTES), 0
    for _ in range(count):
        sock.sendall(b"d FETCH 1 BODY[]\r\n")
        tail = b""
        while not (tail.endswith(b"\r\n") and b"\r\nd OK" in tail):
            got = sock.recv_into(buffer)
            if not got:
                raise EOFError(tail)
            total += got
            tail = (tail + bytes(buffer[max(0, got - 200):got]))[-200:]
    sock.close()
    results.put(total)


def main():
    arguments = [a for a in sys.argv[1:] if a != "--tls"]
    address, port, what, count, parallel = arguments[0], int(arguments[1]), arguments[2], *map(int, arguments[3:])
    tls = None
    if "--tls" in sys.argv:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    results = multiprocessing.Queue()
    worker = {"login": worker_login, "fetch": worker_fetch}[what]
    children = [multiprocessing.Process(target=worker, args=(address, port, tls, count // parallel, results))
                for _ in range(parallel)]
    begun = time.monotonic()
    for child in children:
        child.start()
    for child in children:
        child.join(timeout=300)
        if child.exitcode != 0:
            raise SystemExit(f"a worker ended with {child.exitcode}")
    print(time.monotonic() - begun, sum(results.get(timeout=5) for _ in children))


if __name__ == "__main__":
    main()
