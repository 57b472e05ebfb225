"""A signed address reads one file until it ends; all else is a file that is not there."""

from urllib.parse import urlsplit

import pytest

from backend.kernel.resources import Resources
from tests.conftest import Client

PICTURE, BOOK, PAGE = "parking-pictures/2026-09/a1.jpg", "roster-exports/b2.xlsx", "papers/c3.html"


@pytest.fixture
def run_put(res: Resources, run: object) -> None:
    async def put() -> None:
        for key in (PICTURE, BOOK, PAGE):
            await res.storage.put(key, key.encode())

    run(put())  # type: ignore[operator]


def path(res: Resources, key: str, ttl_s: int = 60) -> str:
    parts = urlsplit(res.storage.url(key, ttl_s))
    return f"{parts.path}?{parts.query}"


@pytest.mark.usefixtures("run_put")
async def test_the_holder_of_an_address_reads_that_file(res: Resources, client: Client) -> None:
    for key, kind, saved in (
        (PICTURE, "image/jpeg", None),
        (BOOK, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "attachment"),
        (PAGE, "text/html; charset=utf-8", "attachment"),
    ):
        answer = await client.get(path(res, key))
        assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, key.encode(), kind)
        assert answer.headers.get("Content-Disposition") == saved
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.usefixtures("run_put")
async def test_another_file_another_signature_and_an_address_that_has_ended_read_nothing(
    res: Resources, client: Client
) -> None:
    good = path(res, PICTURE)
    for wrong in (
        good.replace("a1.jpg", "a2.jpg"), good.replace(PICTURE, BOOK), good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.replace("until=1", "until=2"), path(res, PICTURE, ttl_s=0), path(res, "parking-pictures/2026-09/none.jpg"),
        "/files/..%2f..%2fmaster/key.txt?until=9999999999&sign=0", "/files/a/b.exe?until=9999999999&sign=0",
    ):  # fmt: skip
        assert (await client.get(wrong)).status == 404, wrong
