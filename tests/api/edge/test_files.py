"""A signed address reads one file until it ends; all else is a file that is not there."""

from urllib.parse import urlsplit

import pytest

from backend.kernel.resources import Resources
from tests.conftest import Client

PICTURE, BOOK, PAGE = "parking-pictures/2026-09/a1.jpg", "roster-exports/b2.xlsx", "papers/c3.html"
FILM, PAPER = "media/2026-09/d4.mp4", "media/2026-09/e5.pdf"


@pytest.fixture
def run_put(res: Resources, run: object) -> None:
    async def put() -> None:
        for key in (PICTURE, BOOK, PAGE, FILM, PAPER):
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
        (FILM, "video/mp4", None),
        (PAPER, "application/pdf", "attachment"),
    ):
        answer = await client.get(path(res, key))
        assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, key.encode(), kind)
        assert answer.headers.get("Content-Disposition") == saved
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.usefixtures("run_put")
async def test_a_part_of_a_file_is_given_where_one_is_asked_for(res: Resources, client: Client) -> None:
    whole, size = PICTURE.encode(), len(PICTURE)
    for asked, first, last in (("bytes=0-1", 0, 1), ("bytes=5-", 5, size - 1), ("bytes=-3", size - 3, size - 1),
                               ("bytes=2-9999", 2, size - 1)):  # fmt: skip
        answer = await client.get(path(res, PICTURE), headers={"Range": asked})
        assert (answer.status, answer.body) == (206, whole[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    for asked in ("bytes=3-1", "bytes=-", "lines=0-1", "bytes=0-1,3-4"):
        answer = await client.get(path(res, PICTURE), headers={"Range": asked})
        assert (answer.status, answer.body, answer.headers["Accept-Ranges"]) == (200, whole, "bytes")
    for asked in (f"bytes={size}-", "bytes=-0"):
        assert (await client.get(path(res, PICTURE), headers={"Range": asked})).status == 416


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
