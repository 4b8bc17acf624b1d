# SPDX-License-Identifier: GPL-2.0-only
"""What tests/net and tests/fault share: root only, one lab for each module, and one authority for its certificates."""
import os

import pytest

from certs import MX_NAME, Authority
from postern_lab import BUILD, Lab


def pytest_sessionstart(session):
    missing = None
    if os.geteuid() != 0:
        missing = "needs root"
    elif not (BUILD / "posternd").exists():
        missing = f"needs {BUILD}/posternd: run make first"
    if missing:
        pytest.exit(missing, returncode=1 if os.environ.get("REQUIRE_ALL") else 77)


@pytest.fixture(scope="module")
def lab(request):
    """A lab with the settings that the module names in LAB (default: none)."""
    name = request.module.__name__.replace("test_", "")[:8]
    with Lab(name, **getattr(request.module, "LAB", {})) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Who signs, and has signed the certificate mx."""
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.make("mx", [MX_NAME])
    return made
