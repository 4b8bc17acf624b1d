#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""DNS servers that are far away: datagrams to one port go to another, and each answer comes back later.

  dns_delay.py MILLISECONDS PORT:TARGET...        ports of 127.0.0.1
"""
import asyncio
import sys


class Answers(asyncio.DatagramProtocol):
    """One question on its way, and its answer."""

    def __init__(self, front, client, question, delay):
        self.front, self.client, self.question, self.delay = front, client, question, delay

    def connection_made(self, transport):
        self.transport = transport
        transport.sendto(self.question)

    def datagram_received(self, data, _):
        asyncio.get_running_loop().call_later(self.delay, self.front.sendto, data, self.client)
        self.transport.close()


class Questions(asyncio.DatagramProtocol):
    def __init__(self, target, delay):
        self.target, self.delay, self.tasks = target, delay, set()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, client):
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_datagram_endpoint(
            lambda: Answers(self.transport, client, data, self.delay), remote_addr=("127.0.0.1", self.target)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def main():
    delay = int(sys.argv[1]) / 1000
    loop = asyncio.get_running_loop()
    for pair in sys.argv[2:]:
        port, target = map(int, pair.split(":"))
        await loop.create_datagram_endpoint(lambda target=target: Questions(target, delay), local_addr=("127.0.0.1", port))
    await asyncio.Event().wait()


asyncio.run(main())
