"""The stage of payments with a cashier at the counter."""

import pytest

from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox
from tests.factories_counter import Counter, counter
from tests.factories_payments import Stage, stage


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


@pytest.fixture
def desk(play: Stage, run: Run) -> Counter:
    return run(counter(play))
