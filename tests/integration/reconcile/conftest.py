"""Books of paid attempts without a channel, for statements made by the test."""

import pytest

from backend.kernel.resources import Resources
from tests import factories_reconcile
from tests.conftest import Run
from tests.factories_reconcile import Books


@pytest.fixture
def books(res: Resources, run: Run) -> Books:
    found: Books = run(factories_reconcile.books(res))
    return found
