"""A lot behind the served app, with a clock that stands still."""

from dataclasses import dataclass

import pytest

from backend.kernel.resources import Resources
from tests import factories, factories_parking
from tests.conftest import Client, Run
from tests.factories_parking import Lot


@dataclass
class Site:
    """A lot and whoever works or lives there."""

    res: Resources
    client: Client
    place: factories.Community
    lot: Lot
    guard: Client

    async def staff(self, role: str) -> Client:
        return self.client.of((await factories.staff(self.res, self.place, role)).token)


@pytest.fixture
def site(res: Resources, client: Client, run: Run) -> Site:
    async def make() -> Site:
        place = await factories.community(res)
        lot = await factories_parking.lot(res, place)
        guard = await factories.staff(res, place, "guard")
        return Site(res, client, place, lot, client.of(guard.token))

    return run(make())
