"""F-24: under a mixed load, what each client was told is what the database holds, and the books are the channels'."""

import pytest

from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import stage
from tests.mixed_load import Load, load


@pytest.fixture
def clients(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Load:
    return run(load(run(stage(sandbox_res, sandbox)), sandbox_client, households=6, seed=24))


async def _loaded(clients: Load, rounds: int) -> None:
    await clients.open_shift()
    await clients.bill_all(rounds)
    await clients.rounds(rounds)
    await clients.settle_down()
    await clients.right()
    assert len(clients.told["paid"]) == 2 * len(clients.told["voucher"]) == 12 * rounds
    assert clients.told["refunded"]


async def test_f24_what_clients_were_told_is_what_the_database_holds(clients: Load) -> None:
    await _loaded(clients, 2)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_f24_the_same_for_a_longer_time(clients: Load) -> None:
    await _loaded(clients, 15)
