"""One sandbox process for all tests of a worker."""

from collections.abc import Iterator

import pytest

from tests.sandbox import rig


@pytest.fixture(scope="session", autouse=True)
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    rig.SHARED.data_dir = tmp_path_factory.mktemp("sandbox")
    yield
    rig.SHARED.stop()
