"""A community whose desk and workers handle tickets, with a clock that stands still."""

import pytest

from backend.kernel.resources import Resources
from tests import factories_tickets
from tests.conftest import Run
from tests.factories_tickets import Desk


@pytest.fixture
def desk(res: Resources, run: Run) -> Desk:
    return run(factories_tickets.desk(res))
