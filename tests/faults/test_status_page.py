"""The status page answers with PostgreSQL and Redis away, and says what staff wrote from the command line (D11)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import cli
from backend.kernel.config import Settings
from backend.kernel.embedded_redis import RedisServer, start_redis
from tests.api_process import serving
from tests.conftest import Run
from tests.private_postgres import PrivatePostgres, private_postgres

pytestmark = pytest.mark.apart

JSON = {"Accept": "application/json"}


@pytest.fixture
def own(tmp_path: Path, run: Run) -> Iterator[PrivatePostgres]:
    with private_postgres(tmp_path / "own", run) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = start_redis(tmp_path / "own_redis")
    yield server
    if server.alive():
        server.stop()


async def test_the_page_answers_while_postgres_and_redis_are_away(
    own: PrivatePostgres, own_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = own.settings(Settings(data_dir=tmp_path, redis_url=own_redis.url))
    monkeypatch.setenv("LINLI_DATA_DIR", str(tmp_path))
    async with serving(settings) as (_, client):
        assert [part["works"] for part in (await client.get("/status", headers=JSON)).json["parts"]] == [
            True, False, True,
        ]  # fmt: skip
        await own.crash()
        own_redis.process.kill()
        assert cli.main(["outage", "say", "机房停电，预计两小时恢复"]) == 0
        status = await client.get("/status", headers=JSON)
        assert status.status == 200
        assert [part["works"] for part in status.json["parts"]] == [False, False, False]
        assert [one["words"] for one in status.json["said"]] == ["机房停电，预计两小时恢复"]
        page = await client.get("/status")
        assert (page.status, "请不要重复付款" in page.body.decode()) == (200, True)
        assert "机房停电" in page.body.decode()
        assert (await client.get("/healthz")).status == 503, "nothing else works"
