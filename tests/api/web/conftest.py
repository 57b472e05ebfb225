"""A town whose official account has pages."""

import pytest

from backend.kernel.resources import Resources
from tests import factories_web
from tests.conftest import Client, Run, Sandbox
from tests.factories_web import Browser, Town


@pytest.fixture
def town(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Town:
    return run(factories_web.town(sandbox_res, sandbox))


@pytest.fixture
def browser(town: Town, sandbox_client: Client, run: Run) -> Browser:
    """The owner's browser, linked to the owner."""
    return run(town.linked(sandbox_client))
