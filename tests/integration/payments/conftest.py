"""The stage of payments, with the sandbox as the channel and the served app behind its callbacks."""

import pytest

from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, stage


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))
