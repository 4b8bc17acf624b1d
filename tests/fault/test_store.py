# SPDX-License-Identifier: GPL-2.0-only
"""The store: damaged, full, gone."""
import shutil

from netns import GOOD4, GUESSER4, sh
from postern_lab import wait_for


def test_a_damaged_database_is_set_aside_and_the_kernels_bans_are_kept(lab):
    lab.cli("ban", GUESSER4, "--policy", "global")
    lab.stop()
    state = lab.dir / "state"
    stores = [p for p in state.iterdir() if p.suffix == ".db"]
    assert len(stores) == 1
    for leftover in state.iterdir():
        if leftover.name.endswith(("-wal", "-shm")):
            leftover.unlink()
    stores[0].write_bytes(b"this is no database" * 500)
    shutil.chown(stores[0], "postern-ledger")
    lab.start()
    assert lab.events("store-damaged")
    assert [p for p in state.iterdir() if "damaged" in p.name], "the old file is kept"
    assert not lab.reachable(GUESSER4, timeout=0.5)
    assert lab.banned(GUESSER4), "what the pinned maps held is known again"
    assert lab.cli("verify").returncode == 0
    lab.stop()
    lab.start()
    assert lab.banned(GUESSER4), "and stored"
    lab.cli("unban", "--all")


def test_a_full_disk_still_bans_and_says_so(lab):
    lab.stop()
    state = lab.dir / "state"
    sh("mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(state))
    try:
        shutil.chown(state, "postern-ledger", "postern-ledger")
        lab.start()
        (state / "filler").write_bytes(b"")
        with open(state / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
        done = lab.cli("ban", GUESSER4, "--policy", "global", check=False)
        assert done.returncode != 0 or "not stored" in done.stdout + done.stderr
        wait_for("it is enforced all the same",
                 lambda: not lab.reachable(GUESSER4, timeout=0.5))
        assert lab.events("store-error")
        assert lab.reachable(GOOD4)
        (state / "filler").unlink()
        wait_for("it is stored as soon as there is room", lambda: lab.events("store-caught-up"))
        lab.stop()
        lab.start()
        assert lab.banned(GUESSER4)
    finally:
        lab.stop()
        sh("umount", str(state))
        lab.start()
