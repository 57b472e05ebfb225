"""The stage of payments with Alipay beside WeChat Pay, and the house's paper code."""

import pytest

from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox
from tests.factories_alipay import Alipay, alipay
from tests.factories_payments import Stage, stage


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


@pytest.fixture
def with_alipay(play: Stage, run: Run) -> Alipay:
    return run(alipay(play))


@pytest.fixture
def code(play: Stage, run: Run) -> str:
    return str(run(play.res.db.fetchval("SELECT pay_code FROM house WHERE id = $1", play.house_id)))
