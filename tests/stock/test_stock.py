# SPDX-License-Identifier: GPL-2.0-only
"""postern on Debian 12 as it is: its kernel, its systemd, its Postfix and Dovecot, from `make install` to `--detach`.

One guest, and the tests in their order: each begins with what the one before has left. `make check-stock` runs them.
"""
import json
import os

import pytest
from guest import Guest, missing

CLIENT, GUESSER, OTHER, HERE = "192.0.2.10", "192.0.2.66", "192.0.2.11", "192.0.2.1"
CLIENT6, HERE6 = "2001:db8:1::10", "2001:db8:1::1"
POSTERN, POSTFIX = "ESMTP postern", "ESMTP Postfix"
PATH = "export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin; "
# What depends most on the kernel; and without the tests that say how soon something must be done.
SUITES = {
    "xdp": "tests/net/test_kernel.py tests/net/test_bans.py",
    "fence": "tests/net/test_fence_places.py tests/net/test_fence.py -k 'not hundred_thousand and not under_traffic'",
    "rights": "tests/net/test_privileges.py tests/net/test_unit.py",
}
SUITE_S = 1800


@pytest.fixture(scope="module")
def guest():
    lacking = missing()
    if lacking:
        pytest.fail(f"needs packages: apt-get install {' '.join(lacking)}")
    with Guest() as running:
        running.run("cd /postern && scripts/make-users")
        yield running


def run(guest, command, **kw):
    return guest.run(PATH + command, **kw)


def client(guest, command, **kw):
    return run(guest, f"ip netns exec clients {command}", **kw)


def banner(guest, source, server=HERE):
    """What a client of this address is greeted with; nothing when it is not answered."""
    return client(guest, f"swaks --server {server} --local-interface {source} --quit-after banner --timeout 5s",
                  check=False)[1]


def shown(guest, unit, *names):
    out = run(guest, f"systemctl show {unit} " + " ".join(f"-p {name}" for name in names))
    return dict(line.split("=", 1) for line in out.splitlines())


def events(guest, name):
    return [line for line in run(guest, "journalctl -u posternd -b -o cat").splitlines() if f"event={name} " in line]


def wait_for(guest, condition):
    run(guest, f"for i in $(seq 300); do if {condition}; then exit 0; fi; sleep 0.2; done; exit 1")


def test_it_is_what_debian_ships(guest):
    assert guest.kernel.startswith("6.1.")
    assert "systemd 252" in run(guest, "systemctl --version")
    assert run(guest, "cat /proc/1/comm").strip() == "systemd"


def test_make_install_and_setup(guest):
    run(guest, "cd /postern/tests/stock && cp world /usr/local/lib/ && cp world@.service /etc/systemd/system/")
    run(guest, "systemctl enable --now world@veth && /postern/tests/stock/mailhost")
    out = run(guest, f"cd /postern && CC='{os.environ.get('CC', 'cc')}' make install", seconds=600)
    assert "  CC " not in out, "built again, so this is not what was tested elsewhere"
    run(guest, "postern-setup --write")
    assert POSTFIX in banner(guest, CLIENT)


def test_it_starts_under_systemd(guest):
    run(guest, "systemctl enable --now posternd", seconds=200)
    state = shown(guest, "posternd", "ActiveState", "StatusText", "NRestarts")
    assert state == {"ActiveState": "active", "StatusText": "guarding", "NRestarts": "0"}
    assert "mode=native" in events(guest, "attach")[0]
    assert "jited" in run(guest, "bpftool prog show name postern")
    assert not [line for line in run(guest, "journalctl -u posternd -b -o cat").splitlines() if "event=error" in line]


def test_mail_passes_and_comes_out(guest):
    run(guest, "printf 'Subject: hello\\r\\n\\r\\nhello\\r\\n' >/tmp/mail")
    for source, server in ((CLIENT, HERE), (CLIENT6, f"[{HERE6}]")):
        client(guest, f"curl -sSkg --ssl-reqd --interface {source} --mail-from bob@example.net "
                      f"--mail-rcpt anna@example.org -T /tmp/mail smtp://{server}/mx.example.net")
    wait_for(guest, "[ $(ls /home/anna/Maildir/new | wc -l) = 2 ]")
    assert f"[{CLIENT}]" in run(guest, "cat /home/anna/Maildir/new/*"), "Postfix sees the client's own address"
    for url in ("imaps://{}/INBOX?ALL", "pop3s://{}/1"):
        assert client(guest, f"curl -sSk --interface {CLIENT} -u anna:secret '{url.format(HERE)}'")
    assert len(events(guest, "close")) >= 4


def test_a_guesser_is_banned(guest):
    for _ in range(5):  # by turns: Dovecot lets who has failed at one wait for longer than Postfix does
        client(guest, f"curl -sSk --interface {GUESSER} -u anna:wrong imaps://{HERE}/", check=False)
    wait_for(guest, f"postern bans --tsv | grep -q {GUESSER}")
    assert POSTERN not in banner(guest, GUESSER) and POSTERN in banner(guest, CLIENT)


def test_the_maps_read_as_fields(guest):
    dump = json.loads(run(guest, "bpftool -j map dump pinned /sys/fs/bpf/postern/bans"))[0]["formatted"]
    assert dump["key"]["addr"][:4] == [int(n) for n in GUESSER.split(".")] and dump["value"]["packets"] > 0
    counters = json.loads(run(guest, "bpftool -j map dump pinned /sys/fs/bpf/postern/counters"))[0]["formatted"]
    assert sum(cpu["value"]["dropped_ban"] for cpu in counters["values"]) > 0


def test_each_process_is_confined(guest):
    out = run(guest, "for p in $(cat /sys/fs/cgroup/system.slice/posternd.service/cgroup.procs); do "
                     "echo $(sed -n 's/^Seccomp:\\|^NoNewPrivs:\\|^CapEff:/&/p' /proc/$p/status); done")
    rows = [line.split() for line in out.splitlines()]
    assert len(rows) == 5 and all(row[3] == "1" and row[5] == "2" for row in rows), out
    assert sum(int(row[1], 16) == 0 for row in rows) == 4, "the keeper alone has any"
    assert "landlock" in run(guest, "cat /sys/kernel/security/lsm")


def test_reload(guest):
    run(guest, f"echo '{OTHER} BL' >>/etc/postern/global.list; systemctl reload posternd")
    assert POSTERN not in banner(guest, OTHER)
    run(guest, "cp /etc/postern/global.list /root; echo nonsense >>/etc/postern/global.list")
    assert guest.run("systemctl reload posternd", check=False)[0] == 1
    run(guest, "cp /root/global.list /etc/postern/")
    assert shown(guest, "posternd", "ActiveState") == {"ActiveState": "active"}
    assert POSTERN in banner(guest, CLIENT)


def test_upgrade_keeps_the_process_id(guest):
    before = shown(guest, "posternd", "MainPID", "NRestarts")
    run(guest, "cp /usr/local/sbin/posternd /root && mv /root/posternd /usr/local/sbin/ && postern upgrade")
    wait_for(guest, "[ $(journalctl -u posternd -b -o cat | grep -c event=ready) = 2 ]")
    assert shown(guest, "posternd", "MainPID", "NRestarts") == before
    assert POSTERN not in banner(guest, GUESSER) and POSTERN in banner(guest, CLIENT)


def test_stop_leaves_the_bans_and_frees_the_ports(guest):
    run(guest, "systemctl stop posternd")
    assert POSTFIX in banner(guest, CLIENT) and "ESMTP" not in banner(guest, GUESSER)
    run(guest, "systemctl start posternd")
    assert POSTERN in banner(guest, CLIENT)


def test_killed_it_comes_back(guest):
    main = int(shown(guest, "posternd", "MainPID")["MainPID"])
    assert main > 1
    run(guest, f"kill -9 {main}")
    assert "ESMTP" not in banner(guest, GUESSER)
    wait_for(guest, "[ $(systemctl show -p NRestarts --value posternd) = 1 ] && systemctl is-active -q posternd")
    assert POSTERN in banner(guest, CLIENT)
    assert "agree" in run(guest, "postern verify")


def test_a_reboot(guest):
    """The second time clients come through virtio cards; and nobody reaches the mail host before the bans hold."""
    run(guest, "systemctl disable world@veth && systemctl enable world@virtio")
    guest.reboot()
    wait_for(guest, "systemctl is-active -q posternd && systemctl is-active -q postfix")
    ready = int(shown(guest, "posternd", "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])
    for unit in ("postfix@-", "dovecot"):
        name = "InactiveExitTimestampMonotonic"
        assert ready < int(shown(guest, unit, name)[name]), unit
    assert "mode=native" in events(guest, "attach")[0]
    assert "ESMTP" not in banner(guest, GUESSER) and POSTERN in banner(guest, CLIENT)


def test_the_second_fence(guest):
    run(guest, "sed -i '1i xdp = off' /etc/postern/postern.conf && systemctl restart posternd")
    assert "nftables" in run(guest, "postern status")
    assert GUESSER in run(guest, f"nft get element inet postern ban4-global '{{ {GUESSER} }}'")
    assert "ESMTP" not in banner(guest, GUESSER) and POSTERN in banner(guest, CLIENT)


def test_detach_takes_all_of_it_off(guest):
    run(guest, "systemctl stop posternd && posternd --detach")
    assert POSTFIX in banner(guest, GUESSER)
    assert not run(guest, "ls /sys/fs/bpf; nft list tables; ip rule show table 112 2>/dev/null || true").strip()


def test_verdicts_of_the_kernel(guest):
    out = run(guest, "cd /postern && python3 -B tests/run programs --results /root/results --suite check-bpf --root "
                     f"--limit {SUITE_S} $(ls -d build/tests/bpf/test_* | grep -v '[.]d$')",
              seconds=2 * SUITE_S, check=False)[1]
    assert " 0 failed" in out.splitlines()[-1], out


@pytest.mark.parametrize("suite", SUITES)
def test_suite(guest, suite):
    status, out = run(guest, f"cd /postern && POSTERN_BUILD=/postern/build CC='{os.environ.get('CC', 'cc')}' "
                             "python3 -B -m pytest -p no:cacheprovider -q -rs --tb=short -n 2 --dist loadfile "
                             f"{SUITES[suite]}", seconds=SUITE_S, check=False)
    assert status == 0, out
