# SPDX-License-Identifier: GPL-2.0-only
"""The host changes while posternd runs: interfaces go and come back, addresses are added; a start that fails."""
import json

import pytest
from netns import GOOD4, GUESSER4, LISTED4, sh
from postern_lab import BUILD, wait_for

LAB = {"interfaces": '"nic"'}



def gate_ip(lab, *args, **kw):
    return sh("ip", "-n", lab.network.names["gate"], *args, **kw)


def make_spare(lab):
    gate_ip(lab, "link", "add", "spare", "type", "veth", "peer", "name", "spare-peer")
    for name in ("spare", "spare-peer"):
        gate_ip(lab, "link", "set", name, "up")


def remove_spare(lab, check=True):
    gate_ip(lab, "link", "del", "spare", check=check)


def has_program(lab, name):
    link = json.loads(gate_ip(lab, "-j", "link", "show", name).stdout)[0]
    return "xdp" in link


def mode(lab, name):
    return [i["mode"] for i in lab.rows("status")["interfaces"] if i["name"] == name]


@pytest.fixture
def spare(lab):
    make_spare(lab)
    lab.write_conf(interfaces='"nic", "spare"')
    assert lab.cli("reload").returncode == 0
    yield
    remove_spare(lab, check=False)
    lab.write_conf(interfaces='"nic"')
    assert lab.cli("reload").returncode == 0


def test_verify_and_status_see_that_an_interface_has_gone(lab, spare):
    assert has_program(lab, "spare") and lab.cli("verify").returncode == 0
    remove_spare(lab)
    done = lab.cli("verify", check=False)
    assert done.returncode == 1 and "spare" in done.stdout
    assert mode(lab, "spare") == ["off"]
    assert lab.cli("reload").returncode == 0, "an interface that is away for a while is no mistake"


def test_an_interface_that_comes_back_is_guarded_again(lab, spare):
    remove_spare(lab)
    make_spare(lab)
    wait_for("the program is attached again", lambda: has_program(lab, "spare"))
    wait_for("verify agrees", lambda: lab.cli("verify", check=False).returncode == 0)
    assert mode(lab, "spare") in (["native"], ["generic"])


def test_what_is_taken_off_by_detach_stays_off(lab):
    done = lab.network.run("gate", str(BUILD / "posternd"), "-c", str(lab.dir / "postern.conf"), "--detach")
    assert "posternd runs" in done.stderr
    gate_ip(lab, "link", "set", "nic", "alias", "changed")
    try:
        assert lab.reachable(LISTED4) or not has_program(lab, "nic")
        done = lab.cli("reload", check=False)
        assert "nic" in done.stdout + done.stderr and "restart" in done.stdout + done.stderr
        assert not has_program(lab, "nic")
        assert lab.cli("verify", check=False).returncode == 1
    finally:
        lab.stop()
        lab.start()
    assert has_program(lab, "nic") and lab.cli("verify").returncode == 0


def test_an_address_that_is_added_later_cannot_be_banned(lab):
    lab.cli("ban", "192.0.2.200", "--policy", "global")
    gate_ip(lab, "addr", "add", "192.0.2.200/24", "dev", "nic")
    try:
        wait_for("the ban of it is lifted", lambda: not lab.banned("192.0.2.200"))
        done = lab.cli("ban", "192.0.2.200", check=False)
        assert done.returncode == 1 and "own address" in done.stdout
        done = lab.cli("ban", "192.0.2.200/30", "--force", check=False)
        assert done.returncode == 1 and "own address" in done.stdout
    finally:
        gate_ip(lab, "addr", "del", "192.0.2.200/24", "dev", "nic")

    def may_be_banned():
        return lab.cli("ban", "192.0.2.200", "--policy", "global", check=False).returncode == 0

    wait_for("it is a stranger's again", may_be_banned)
    lab.cli("unban", "192.0.2.200")


def test_a_default_gateway_that_is_set_later_cannot_be_banned(lab):
    assert lab.cli("ban", "192.0.2.77", "--dry-run").returncode == 0
    for family, gateway in (("-4", "192.0.2.77"), ("-6", "2001:db8:1:77::1")):
        gate_ip(lab, family, "route", "add", "default", "via", gateway)
        try:
            wait_for("it is protected",
                     lambda: "default gateway" in lab.cli("ban", gateway, "--dry-run", check=False).stdout)
        finally:
            gate_ip(lab, family, "route", "del", "default")


def test_a_start_that_fails_changes_nothing_in_the_kernel(lab):
    """Another daemon on the same ports, with another run-dir and lists of its own."""
    lab.cli("ban", GUESSER4)
    conf = (lab.dir / "postern.conf").read_text()
    conf = conf.replace(f"{lab.dir}/run", f"{lab.dir}/run2").replace("global.list", "other.list")
    (lab.dir / "other.list").write_text("192.0.2.99 PA\n")
    (lab.dir / "other.conf").write_text(conf)
    names = ("services", "policies4", "policies6", "policy_names")
    before = [lab.dump(name) for name in names]
    for text in (conf, conf.replace(f"{lab.dir}/bpf/postern", f"{lab.dir}/bpf/two")):
        (lab.dir / "other.conf").write_text(text)
        done = lab.network.run("gate", str(BUILD / "posternd"), "-c", str(lab.dir / "other.conf"),
                               check=False, timeout=30)
        assert done.returncode == 1 and "listen" in done.stderr
        assert [lab.dump(name) for name in names] == before
        assert lab.reachable(GOOD4) and not lab.reachable(GUESSER4, timeout=0.5)
        assert has_program(lab, "nic")
    assert lab.cli("verify").returncode == 0
    lab.cli("unban", "--all")


def test_a_start_that_fails_leaves_nothing_attached(lab):
    lab.stop()
    lab.network.run("gate", str(BUILD / "posternd"), "-c", str(lab.dir / "postern.conf"), "--detach")
    try:
        lab.write_conf(interfaces='"nic", "absent"')
        done = lab.network.run("gate", *lab.posternd()[4:], check=False, timeout=30)
        assert done.returncode == 1 and "absent" in done.stderr
        assert not has_program(lab, "nic")
    finally:
        lab.write_conf(interfaces='"nic"')
        lab.start()
    assert has_program(lab, "nic")


def test_a_start_that_fails_leaves_on_what_was_there(lab):
    lab.stop()
    try:
        lab.write_conf(interfaces='"nic", "absent"')
        done = lab.network.run("gate", *lab.posternd()[4:], check=False, timeout=30)
        assert done.returncode == 1 and has_program(lab, "nic")
        assert not lab.reachable(LISTED4, timeout=0.5)
    finally:
        lab.write_conf(interfaces='"nic"')
        lab.start()
