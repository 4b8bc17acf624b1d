# SPDX-License-Identifier: GPL-2.0-only
"""What README and manuals show is accepted, and the defaults that postern.conf(5) tells are the program's.

Nothing is started: posternd --check reads, and postern is asked at a socket that is not there.
"""
import re
import shlex
import subprocess

import pytest
from certs import Authority
from postern_lab import BUILD, REPO

ETC = REPO / "daemon/etc"
README = (REPO / "README.md").read_text()
CONF5 = (REPO / "daemon/postern.conf.5").read_text()
USAGE, UNREACHABLE = 2, 3
POLICIES = "".join(f'policy {name} {{ lists = {{ "{name}.list" }} }}\n' for name in ("global", "lan"))
SERVICE = 'service smtp {\n type = smtp\n policy = global\n backend = { "192.0.2.10:25" }\n}\n'
RBL = 'rbl zen { zone = "zen.example.net" }\n'
BY_TYPE = {"type", "tls", "require-tls-for-auth"}  # of services: their defaults are not the same for all
LIST_LINE = re.compile(r"^[0-9a-f:.]+(/\d+)?\s+[A-Z]")


def manual_blocks(text):
    return [block.replace("\\e", "\\").replace("\\-", "-").replace("\t", " ")
            for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.MULTILINE | re.DOTALL)]


def readme_blocks():
    """Indented code; within a list item it is indented further."""
    found, block = [], []
    for line in README.splitlines() + ["end"]:
        if line.startswith("    ") or (not line and block):
            block.append(line.strip())
        elif block:
            found.append("\n".join(block) + "\n")
            block = []
    return found


def uncommented(text):
    """The examples that the shipped files carry as comments: no blank behind the sign, or one in braces."""
    return re.sub(r"^#(?=[^ #\n])", "", text, flags=re.MULTILINE)


def of_lists(blocks):
    return [block for block in blocks if all(LIST_LINE.match(line) or line[:1] in ("#", "")
                                             for line in block.strip().splitlines())]


def of_configurations(blocks):
    return [block for block in blocks if block.startswith("interfaces")]


def check(directory, conf, lists=None):
    for source in ETC.glob("*.list"):
        (directory / source.name).write_text((lists or {}).get(source.name, source.read_text()))
    (directory / "postern.conf").write_text(conf)
    return subprocess.run([BUILD / "posternd", "--check", directory / "postern.conf"],
                          capture_output=True, text=True, check=False)


def make_certificate(directory):
    """As the examples name it."""
    Authority(directory / "tls").make("fullchain", ["mail.example.org"])
    (directory / "tls/fullchain.key").rename(directory / "tls/privkey.pem")


def accepted(done, words=""):
    assert done.returncode == 0, done.stderr
    assert "no effect" not in done.stderr and words in done.stdout
    return True


README_LISTS, MANUAL_LISTS = of_lists(readme_blocks()), of_lists(manual_blocks(CONF5))
README_CONFS, MANUAL_CONFS = of_configurations(readme_blocks()), of_configurations(manual_blocks(CONF5))


def test_there_is_one_of_each():
    assert [len(found) for found in (README_LISTS, MANUAL_LISTS, README_CONFS, MANUAL_CONFS)] == [1, 1, 1, 1]


@pytest.mark.parametrize("text", README_LISTS + MANUAL_LISTS)
def test_an_example_of_a_list_is_accepted(tmp_path, text):
    entries = sum(1 for line in text.splitlines() if LIST_LINE.match(line))
    accepted(check(tmp_path, POLICIES + SERVICE, {"global.list": text}), f"policy global {{\t# {entries} entries")


def test_the_configuration_of_the_readme_is_accepted(tmp_path):
    make_certificate(tmp_path)
    done = check(tmp_path, POLICIES + README_CONFS[0])
    accepted(done, "client-address = transparent")
    assert done.stderr == ""


def test_the_service_of_the_readme_is_accepted(tmp_path):
    found = [block for block in readme_blocks() if block.startswith("service ")]
    assert len(found) == 1
    accepted(check(tmp_path, POLICIES + found[0]), 'backend = { "192.0.2.10:25" }')


def test_the_configuration_of_the_manual_is_accepted(tmp_path):
    done = check(tmp_path, MANUAL_CONFS[0])
    accepted(done, 'backend = { "192.0.2.10:2525" }')
    assert done.stderr == ""


def test_what_is_shipped_is_accepted(tmp_path):
    done = check(tmp_path, (ETC / "postern.conf").read_text())
    accepted(done, "policy webadmin")
    assert done.stderr.count("warning") == 2
    assert "interfaces is empty" in done.stderr and "local-domains is empty" in done.stderr


def test_the_examples_in_what_is_shipped_are_accepted(tmp_path):
    lists = {source.name: uncommented(source.read_text()) for source in ETC.glob("*.list")}
    make_certificate(tmp_path)
    conf = uncommented((ETC / "postern.conf").read_text())
    assert "/etc/letsencrypt/live/mail.example.org/" in conf
    done = check(tmp_path, conf.replace("/etc/letsencrypt/live/mail.example.org/", "tls/"), lists)
    for words in ("service submission", "service webmail", "service webadmin", 'dns = { "192.0.2.53:53" }'):
        accepted(done, words)


def told_defaults():
    """setting -> default, where the manual tells it as a value."""
    for entry in re.split(r"^\.It Ic ", CONF5, flags=re.MULTILINE)[1:]:
        name = entry.split()[0]
        told = re.search(r"^Default:(?:\n\.(?:Cm|Pa)| (?=\d)) *(\S+?)[.,]?(?:\s|$)", entry, re.MULTILINE)
        if told:
            yield name, told[1]


def test_the_defaults_of_the_manual_are_those_of_the_program(tmp_path):
    printed = check(tmp_path, POLICIES + RBL + SERVICE).stdout
    defaults = {name: value for name, value in told_defaults() if name not in BY_TYPE}
    assert len(defaults) > 30
    wrong = {name: value for name, value in defaults.items()
             if not re.search(rf'^\s*{name} = "?{re.escape(value)}"?$', printed, re.MULTILINE)}
    assert wrong == {}


def commands():
    for block in readme_blocks() + manual_blocks((REPO / "cli/postern.8").read_text()):
        for line in block.splitlines():
            command = line.removeprefix("$ ").split("|")[0]
            if command.startswith("postern ") or command == "postern":
                yield command.strip()


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_that_is_shown_is_one(command):
    words = shlex.split(command.replace("<list", "").replace("< list.txt", ""), comments=True)
    done = subprocess.run([BUILD / "postern", "--socket", "/nonexistent", *words[1:]], input="192.0.2.1\n",
                          capture_output=True, text=True, check=False)
    assert done.returncode == UNREACHABLE, done.stderr
