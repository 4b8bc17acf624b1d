#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: runs the commands that guest.py sends, one JSON object a line each way, over a virtio port."""
import json
import os
import subprocess

PORT = "/dev/virtio-ports/postern"


def answer(ask):
    try:
        done = subprocess.run(["bash", "-c", ask["command"]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=ask["seconds"], check=False)
        return {"status": done.returncode, "output": done.stdout.decode(errors="replace")}
    except subprocess.TimeoutExpired as late:
        return {"status": None, "output": (late.stdout or b"").decode(errors="replace")}


def main():
    with open(PORT, "r+b", buffering=0) as port:
        def say(**what):
            data = json.dumps(what).encode() + b"\n"
            while data:
                data = data[port.write(data):]

        say(hello=os.uname().release)
        rest = b""
        while True:
            *lines, rest = (rest + port.read(4096)).split(b"\n")
            for line in lines:
                say(**answer(json.loads(line)))


if __name__ == "__main__":
    main()
