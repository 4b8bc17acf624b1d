# SPDX-License-Identifier: GPL-2.0-only
"""Greylisting and what SPF says of the sender, with real DNS servers: pools of networks, who is spared, softfail."""
import itertools
import json
import time

import pytest
from dns import Dns, DnsList, wait_tested
from mailhost import DOMAIN, USER
from netns import MAIL4
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
# Their names: valid, none, valid but listed.
NAMED4, NAMELESS4, BLOCKED4, NO_GL4, NO_PTR4 = (
    "192.0.2.10", "192.0.2.66", "192.0.2.68", "192.0.2.12", "192.0.2.13")
POOL4, POOL6 = "203.0.113.5", "2001:db8:1:67::1"
CHECK_TIMEOUT_S = 6
FLAGS = "PA AS LL GL SPF PTR RBL"
GLOBAL_LIST = f"""\
0.0.0.0/0    {FLAGS}
::/0         {FLAGS}
{NO_GL4}     PA AS LL SPF
{NO_PTR4}    PA AS LL GL SPF
"""
POLICY = """strikes = off  rbls = {{ "zen" }}  rbl = observe
	spf = {spf}  spf-softfail = {softfail}  spf-temperror = accept
	greylist = {greylist}  greylist-delay = 1s  greylist-window = 1h  greylist-spf-bypass = {bypass}"""
USUAL = dict(spf="enforce", softfail="accept", greylist="enforce", bypass="no")
POOL = f"v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 ip6:{POOL6} -all"
ZONE = "".join(f'{name} TXT "{POOL}"\n' for name in ("pool", "other-pool", "confirmed", "helo.pool")) + f"""\
soft TXT "v=spf1 ~all"
neutral TXT "v=spf1 ?all"
named A {NAMED4}
blocked A {BLOCKED4}
"""
numbers = itertools.count()


@pytest.fixture(scope="module")
def running():
    lab = Lab("greyspf", dns=f'"{MAIL4}"', top='rbl zen { zone = "zen.example.net" }', ptr="observe",
              policy=POLICY.format(**USUAL), limits=f"check-timeout = {CHECK_TIMEOUT_S}s")
    lab.lists["global.list"] = GLOBAL_LIST
    dns = Dns(lab)
    dns.zones = {"example": ZONE, "2.0.192.in-addr.arpa": "10 PTR named.example.\n13 PTR named.example.\n68 PTR blocked.example.\n"}
    dns.lists = {"zen.example.net": DnsList([BLOCKED4])}
    dns.faults = {f"{name}.example": "silent" for name in ("silent", "mute", "dumb")}
    with dns.before_the_daemon():
        wait_tested(lab)
        yield lab


@pytest.fixture
def lab(running):
    """With the usual settings afterwards."""
    yield running
    use(running)


def use(lab, **changes):
    lab.write_conf(policy=POLICY.format(**{**USUAL, **changes}))
    lab.cli("reload")


def sender(domain):
    n = next(numbers)
    return f"sender-{chr(97 + n // 26)}{chr(97 + n % 26)}@{domain}"


def rcpt(lab, source, mail_from, helo="client.example.org"):
    return lab.rcpt(source, mail_from, helo)[0]


def rcpt_until(lab, source, mail_from):
    wait_for(f"{mail_from} passes", lambda: rcpt(lab, source, mail_from) == 250)


def origins(lab, mail_from):
    """Under what the triplets of a sender are kept."""
    return {row["origin"] for row in lab.rows("greylist", "list") if row["sender"] == mail_from}


def test_a_retry_from_another_network_of_the_domain_is_a_retry(lab):
    who = sender("Pool.Example")
    assert rcpt(lab, NAMED4, who) == 451
    rcpt_until(lab, POOL4, who)
    assert rcpt(lab, POOL6, who) == 250
    assert origins(lab, who) == {"pool.example"}


@pytest.mark.parametrize("domain", ["nowhere.example", "neutral.example", "soft.example", "silent.example"])
def test_without_a_pass_the_network_counts(lab, domain):
    who = sender(domain)
    rcpt_until(lab, NAMED4, who)
    assert rcpt(lab, POOL4, who) == 451
    assert origins(lab, who) == {"192.0.2.0/24", "203.0.113.0/24"}


def test_the_domain_is_no_password(lab):
    who = sender("pool.example")
    rcpt_until(lab, NAMED4, who)
    assert rcpt(lab, POOL4, sender("other-pool.example")) == 451
    assert rcpt(lab, POOL4, sender("pool.example")) == 451, "another sender of the domain"


def test_a_bounce_is_kept_under_the_name_in_helo(lab):
    def bounce(source):
        client = lab.smtp(source)
        try:
            assert client.ehlo("helo.pool.example")[0] == 250
            assert client.docmd("MAIL", "FROM:<>")[0] == 250
            assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
            return client.docmd("DATA")[0]
        finally:
            client.close()
    assert bounce(NAMED4) == 451
    wait_for("the bounce passes", lambda: bounce(POOL4) == 354)
    assert origins(lab, "<>") == {"helo.pool.example"}


def test_what_came_back_as_a_network_stays_known_with_spf(lab):
    use(lab, spf="off")
    who = sender("pool.example")
    rcpt_until(lab, NAMED4, who)
    use(lab)
    assert rcpt(lab, NAMED4, who) == 250
    assert rcpt(lab, POOL4, who) == 451, "the domain is not known by that"


@pytest.mark.parametrize("bypass,source,domain,code", [
    ("yes", NAMED4, "pool.example", 250),
    ("yes", NAMELESS4, "pool.example", 250),
    ("yes", BLOCKED4, "pool.example", 250),
    ("yes", NAMED4, "nowhere.example", 451),
    ("yes", NAMED4, "neutral.example", 451),
    ("yes", NAMED4, "silent.example", 451),
    ("confirmed", NAMED4, "confirmed.example", 250),
    ("confirmed", NAMELESS4, "confirmed.example", 451),
    ("confirmed", BLOCKED4, "confirmed.example", 451),
    ("confirmed", POOL6, "confirmed.example", 451),
    ("confirmed", NO_PTR4, "confirmed.example", 451),
    ("confirmed", NAMED4, "nowhere.example", 451),
    ("no", NAMED4, "confirmed.example", 451),
])
def test_who_is_spared(lab, bypass, source, domain, code):
    use(lab, bypass=bypass)
    who = sender(domain)
    assert rcpt(lab, source, who) == code
    assert bool(origins(lab, who)) == (code == 451), "who is spared is not remembered"


@pytest.mark.parametrize("settings,source,domain,code", [
    (dict(softfail="greylist"), NO_GL4, "soft.example", 451),
    (dict(softfail="greylist"), NO_GL4, "neutral.example", 250),
    (dict(softfail="greylist"), NO_GL4, "pool.example", 250),
    (dict(softfail="accept"), NO_GL4, "soft.example", 250),
    (dict(softfail="greylist", spf="observe"), NO_GL4, "soft.example", 250),
    (dict(softfail="greylist", greylist="off"), NO_GL4, "soft.example", 250),
    (dict(softfail="greylist", greylist="observe"), NO_GL4, "soft.example", 250),
])
def test_a_softfail_may_be_greylisted_whatever_the_entry_says(lab, settings, source, domain, code):
    use(lab, **settings)
    who = sender(domain)
    assert rcpt(lab, source, who) == code
    if code == 451:
        rcpt_until(lab, source, who)


def test_spf_is_awaited_also_where_all_only_observes(lab):
    use(lab, spf="observe", greylist="observe")
    who = sender("pool.example")
    assert rcpt(lab, POOL4, who) == 250
    assert origins(lab, who) == {"pool.example"}
    began = time.monotonic()
    assert rcpt(lab, POOL4, sender("mute.example")) == 250
    assert time.monotonic() - began > CHECK_TIMEOUT_S / 2
    began = time.monotonic()
    assert rcpt(lab, NO_GL4, sender("dumb.example")) == 250
    assert time.monotonic() - began < CHECK_TIMEOUT_S, "without greylisting nobody waits for it"


def test_a_dry_run_says_what_spares(lab):
    use(lab, bypass="confirmed")
    done = lab.cli("test", "smtp", NAMED4, "--from", "a@confirmed.example", "--to", RCPT, "--json", check=False)
    assert done.stdout, done.stderr
    reply = json.loads(done.stdout)
    step = next(step for step in reply["steps"] if step["step"] == "greylist")
    assert reply["passes"] and step["text"] == "spf", step
