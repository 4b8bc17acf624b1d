# SPDX-License-Identifier: GPL-2.0-only
"""What tests/net and tests/fault share: root only, and one lab for each module."""
import os

import pytest

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
