"""What the tests of messaging share."""

import aiohttp
import pytest

from backend.kernel import egress


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is not answered counts as such after a second: how long we wait is not what these tests are about."""
    monkeypatch.setattr(egress, "_patience", lambda total_s: aiohttp.ClientTimeout(total=1.0))
