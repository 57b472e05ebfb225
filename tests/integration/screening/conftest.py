"""A town whose tickets WeChat checks."""

import pytest

from backend.kernel.resources import Resources
from tests import factories_screening
from tests.conftest import Run, Sandbox
from tests.factories_screening import Screened


@pytest.fixture
def screened(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Screened:
    return run(factories_screening.screened(sandbox_res, sandbox))
