# SPDX-License-Identifier: GPL-2.0-only
"""scripts/lint_files - what lint-layers, lint-sizes and lint-words share: finding sources, reading C, reporting.

Each of them is a function check(root) that yields (path, line, message). Python's standard library only.
"""
import re
import sys
from pathlib import Path

C_TOKEN = re.compile(
    r"""(?P<block>/\*.*?\*/) | (?P<line>//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*") | (?P<char>'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE,
)


def files(root, *patterns):
    """Paths below root that match one of the glob patterns, sorted, as (path from root, text)."""
    found = sorted({path for pattern in patterns for path in Path(root).glob(pattern) if path.is_file()})
    for path in found:
        yield path.relative_to(root), path.read_text(encoding="utf-8", errors="replace")


def blank(text, *kinds):
    """text with C comments and literals of these kinds (block, line, string, char) turned into spaces."""

    def spaces(match):
        if match.lastgroup not in kinds:
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return C_TOKEN.sub(spaces, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def main(check):
    """Run check over the tree named on the command line (default: the one this script is in)."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    findings = list(check(root))
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    sys.exit(1 if findings else 0)
