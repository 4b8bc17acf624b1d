#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/unit/scripts/test_lint - shows that lint-layers, lint-sizes and lint-words find what they are for.

Each row is a small tree and the findings it must give, no more and no fewer. Prints TAP. Run by `make check`.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
SPDX = "/* SPDX-License-Identifier: GPL-2.0-only */\n"


def function(lines, parameters="void"):
    return f"int f({parameters})\n{{\n" + "\tg();\n" * (lines - 3) + "}\n"


# (script, why, {path: text}, [finding, ...]); a finding is "path:line: words that the message holds".
ROWS = [
    ("lint-layers", "a house in order",
     {"daemon/base/addr.c": '#include "base/addr.h"\n#include <stddef.h>\n',
      "daemon/sys/xdp.c": '#include "bpf/abi.h"\n#include <bpf/libbpf.h>\n#include "postern.skel.h"\n',
      "daemon/sys/sandbox.c": "#include <sys/capability.h>\n#include <seccomp.h>\n",
      "daemon/proc/gate.c": '#include "proc/session.h"\n#include <event2/event.h>\n#include "base/log.h"\n',
      "daemon/main.c": '#include "proc/keeper.h"\n', "cli/main.c": '#include "cli/table.h"\n#include <jansson.h>\n',
      "bpf/postern.bpf.c": '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include "bpf/abi.h"\n'}, []),
    ("lint-layers", "base knows nothing of ours", {"daemon/base/a.c": '\n#include "wire/line.h"\n'},
     ["daemon/base/a.c:2: base/ may not include"]),
    ("lint-layers", "policy and wire are neighbours", {"daemon/policy/a.h": '#include "wire/line.h"\n'},
     ["daemon/policy/a.h:1: policy/ may not include"]),
    ("lint-layers", "sys/ sees abi.h and nothing else of bpf/",
     {"daemon/sys/a.c": '#include "bpf/abi.h"\n#include "bpf/parse.h"\n'}, ["daemon/sys/a.c:2: sys/ may not include"]),
    ("lint-layers", "up from checks/", {"daemon/checks/a.c": '#include "proc/msg.h"\n'},
     ["daemon/checks/a.c:1: checks/ may not include"]),
    ("lint-layers", "the command line tool sees no policy", {"cli/a.c": '#include "policy/conf.h"\n'},
     ["cli/a.c:1: cli/ may not include"]),
    ("lint-layers", "the kernel side sees only itself", {"bpf/a.h": '#include "base/addr.h"\n'},
     ["bpf/a.h:1: bpf/ may not include"]),
    ("lint-layers", "an include without its room", {"daemon/base/a.c": '#include "addr.h"\n'},
     ["daemon/base/a.c:1: does not name its room"]),
    ("lint-layers", "a commented include is none", {"daemon/base/a.c": '/*\n#include "proc/msg.h"\n*/\n'}, []),
    ("lint-layers", "checks do not log", {"daemon/checks/a.c": '#include "base/log.h"\n'},
     ["daemon/checks/a.c:1: does not log"]),
    ("lint-layers", "a library in two modules of sys/",
     {"daemon/sys/db.c": "#include <sqlite3.h>\n", "daemon/sys/store.c": "#include <sqlite3.h>\n",
      "daemon/sys/db_bans.c": "#include <sqlite3.h>\n"}, ["daemon/sys/store.c:1: sqlite belongs to sys/db"]),
    ("lint-layers", "two libraries in one module", {"daemon/sys/db.c": "#include <sqlite3.h>\n#include <ares.h>\n"},
     ["daemon/sys/db.c:2: already has sqlite"]),
    ("lint-layers", "a library outside sys/", {"daemon/proc/a.c": "#include <sqlite3.h>\n"},
     ["daemon/proc/a.c:1: sqlite may not stand in proc/"]),
    ("lint-layers", "the event loop stands in proc/ only", {"daemon/checks/a.c": "#include <event2/event.h>\n"},
     ["daemon/checks/a.c:1: libevent may not stand in checks/"]),
    ("lint-layers", "the skeleton is libbpf's", {"daemon/proc/a.c": '#include "postern.skel.h"\n'},
     ["daemon/proc/a.c:1: libbpf may not stand in proc/"]),
    ("lint-layers", "a library nobody has heard of", {"daemon/sys/a.c": "#include <glib.h>\n"},
     ["daemon/sys/a.c:1: say in scripts/lint-layers"]),
    ("lint-layers", "a circle of three modules",
     {"daemon/base/a.c": '#include "base/b.h"\n', "daemon/base/b.h": '#include "base/c.h"\n',
      "daemon/base/c.c": '\n#include "base/a.h"\n'}, ["daemon/base/c.c:2: circle: base/a -> base/b -> base/c -> base/a"]),
    ("lint-layers", "parts of a module know each other, other modules of like name do not",
     {"daemon/sys/xdp.c": '#include "sys/xdp_maps.h"\n', "daemon/sys/xdp_maps.c": '#include "sys/xdp.h"\n',
      "daemon/base/prefix_set.c": '#include "base/prefix_table.h"\n',
      "daemon/base/prefix_table.c": '#include "base/prefix_set.h"\n'},
     ["daemon/base/prefix_table.c:1: circle: base/prefix_set -> base/prefix_table -> base/prefix_set"]),
    ("lint-layers", "a circle of headers, even within a module",
     {"cli/a.h": '#include "cli/a_b.h"\n', "cli/a_b.h": '#include "cli/a.h"\n'}, ["cli/a_b.h:1: circle: cli/a.h"]),
    ("lint-layers", "a process that knows another",
     {"daemon/proc/session.c": '#include "proc/gate.h"\n#include "proc/ledger.h"\n'},
     ["daemon/proc/session.c:2: belongs to the ledger"]),
    ("lint-layers", "what all share knows no process", {"daemon/proc/channel.c": '#include "proc/keeper.h"\n'},
     ["daemon/proc/channel.c:1: belongs to the keeper"]),
    ("lint-layers", "a room that is not in the plan", {"daemon/util/a.c": ""}, ["daemon/util/a.c:1: no room"]),

    ("lint-sizes", "the longest function, the most parameters",
     {"daemon/base/a.c": function(69, "int a, int (*b)(int, int), int c,\n\tint d, int e")}, []),
    ("lint-sizes", "one line too long", {"daemon/base/a.c": "\n" + function(71)}, ["daemon/base/a.c:2: f: 71 lines"]),
    ("lint-sizes", "one parameter too many", {"tests/bpf/a.c": function(5, "int a, int b, int c, int d, int e, int f")},
     ["tests/bpf/a.c:1: f: 6 parameters"]),
    ("lint-sizes", "an attribute is no parameter list",
     {"bpf/a.h": "static int\nf(int a, int b)\n\t__attribute__((nonnull(1, 2)))\n{\n}\n"}, []),
    ("lint-sizes", "braces in literals and comments", {"cli/a.c": 'int f(void)\n{\n\tg("}", \'}\'); /*\n}\n*/\n}\n'}, []),
    ("lint-sizes", "the longest file", {"daemon/base/a.h": "\n" * 600, "tests/net/a.py": "\n" * 600}, []),
    ("lint-sizes", "one line more", {"daemon/base/a.h": "\n" * 601, "tests/net/a.py": "\n" * 601},
     ["daemon/base/a.h:601: 601 lines", "tests/net/a.py:601: 601 lines"]),

    ("lint-words", "a clean file", {"daemon/proc/a.c": SPDX + '/* strcpy() // */\nint x = my_strcpy("system()");\n'}, []),
    ("lint-words", "a banned call", {"daemon/base/a.c": SPDX + "\tif (x)\n\t\tsprintf (a, b);\n"},
     ["daemon/base/a.c:3: sprintf() is banned"]),
    ("lint-words", "banned in tests, too", {"tests/unit/base/a.c": SPDX + "int a = atoi(b);\n"},
     ["tests/unit/base/a.c:2: atoi() is banned"]),
    ("lint-words", "a clock in a pure room",
     {"daemon/policy/a.c": SPDX + "t = clock_wall_s();\n", "daemon/proc/a.c": SPDX + "t = clock_wall_s();\n"},
     ["daemon/policy/a.c:2: clock_wall_s(): policy/ is pure"]),
    ("lint-words", "memory in wire/", {"daemon/wire/a.c": SPDX + "p = malloc(1);\n"},
     ["daemon/wire/a.c:2: malloc(): wire/ is pure"]),
    ("lint-words", "a // comment, a URL in a string", {"cli/a.c": SPDX + 'x("http://a"); // why\n'},
     ["cli/a.c:2: // comment"]),
    ("lint-words", "work left without an issue", {"bpf/a.h": SPDX + "/* TO" "DO(#12): a */\n/* TO" "DO: b */\n"},
     ["bpf/a.h:3: without an issue"]),
    ("lint-words", "no licence", {"daemon/base/a.h": "int x;\n", "tests/net/a.py": "x = 1\n"},
     ["daemon/base/a.h:1: does not begin with", "tests/net/a.py:1: does not begin with"]),
    ("lint-words", "a name that says nothing", {"daemon/base/str_util.c": SPDX}, ["daemon/base/str_util.c:1: says nothing"]),
    ("lint-words", "a test that sleeps", {"tests/net/a.py": "# " + SPDX + "time.sleep(0.1)\ntime.sleep" + "(2)\n"},
     ["tests/net/a.py:3: waits for an event"]),
]


def findings_of(script, tree):
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            file = Path(root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", SCRIPTS / script, root], text=True, capture_output=True, check=False)
    if done.returncode != (1 if done.stdout else 0) or done.stderr:
        return [f"exit status {done.returncode}", *done.stdout.splitlines(), *done.stderr.splitlines()]
    return done.stdout.splitlines()


def holds(found, wanted):
    if len(found) != len(wanted):
        return False
    for line, want in zip(sorted(found), sorted(wanted)):
        place, words = want.split(": ", 1)
        if not line.startswith(f"{place}: ") or words not in line:
            return False
    return True


def main():
    bad = 0
    print(f"1..{len(ROWS)}")
    for number, (script, why, tree, wanted) in enumerate(ROWS, 1):
        found = findings_of(script, tree)
        passed = holds(found, wanted)
        bad += not passed
        print(f"{'ok' if passed else 'not ok'} {number} - {script}: {why}")
        if not passed:
            print("".join(f"# found  {line}\n" for line in found) + "".join(f"# wanted {line}\n" for line in wanted), end="")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
