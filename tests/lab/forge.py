# SPDX-License-Identifier: GPL-2.0-only
"""TCP SYNs whose sender need not be who it says."""
import contextlib
import socket

from netns import GATE4


@contextlib.contextmanager
def forger(network):
    """Inside: a function that sends one SYN from any IPv4 address to the gate; nothing waits for an answer."""
    with network.inside("clients"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    with raw:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        yield lambda source, number=0, port=25: raw.sendto(syn(source, number, port), (GATE4, 0))


def syn(source, number, port=25):
    """An IPv4 packet with a SYN to the gate; the number makes the source port."""
    tcp = bytearray(20)
    tcp[0:2] = (20000 + number % 40000).to_bytes(2, "big")
    tcp[2:4] = port.to_bytes(2, "big")
    tcp[12], tcp[13] = 5 << 4, 2
    tcp[14:16] = b"\xff\xff"
    src, dst = socket.inet_aton(source), socket.inet_aton(GATE4)
    tcp[16:18] = checksum(src + dst + b"\x00\x06" + len(tcp).to_bytes(2, "big") + tcp)
    head = bytearray(20)
    head[0], head[8], head[9] = 0x45, 64, 6
    head[2:4] = (40).to_bytes(2, "big")
    head[12:16], head[16:20] = src, dst
    return bytes(head + tcp)


def checksum(data):
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return (~total & 0xffff).to_bytes(2, "big")
