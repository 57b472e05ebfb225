"""Pictures and videos from a phone to what they belong to: one uploader, one owner, links that end, a day to be bound.

Rules: only those of the owner can read its media (D9); a repeated upload is one upload (I-19); foreign and unknown ids
answer alike; what is not bound goes.
"""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import PIL.Image
import pytest

from backend.kernel import checks as invariants
from backend.kernel.audit import Actor
from backend.kernel.errors import Invalid, NotFound, Unavailable
from backend.kernel.media.formats import Kind
from backend.kernel.resources import Resources
from backend.kernel.storage import LocalStorage
from backend.media import attachments, retention, uploads
from backend.media.attachments import Owner
from backend.media.checks import CHECKS
from tests import factories
from tests import factories_media as files
from tests.conftest import Answered, Client
from tests.factories import Community, Person
from tests.factories_payments import sound
from tests.unit.kernel.test_storage import bucket


@pytest.fixture
def place(res: Resources, run: Any) -> Community:
    return run(factories.community(res))


async def resident(res: Resources, place: Community, code: str, phone: str) -> tuple[Person, UUID]:
    who, house = await factories.person(res, phone), await factories.house(res, place, code)
    await factories.occupy(res, who, house)
    return who, house


async def send(client: Client, path: str, content: bytes, *, key: str | None = None, boundary: str = "x") -> Answered:
    body, headers = files.form(content, boundary=boundary)
    return await client.call("POST", path, raw=body, headers={**headers, "Idempotency-Key": key or uuid4().hex})


async def read(client: Client, url: str) -> Answered:
    parts = urlsplit(url)
    return await client.of(None).get(f"{parts.path}?{parts.query}")


async def rows(res: Resources) -> list[Any]:
    return list(await res.db.fetch("SELECT * FROM media ORDER BY id"))


async def bind(
    res: Resources, actor: Actor, ids: Sequence[Any], place: Community, key: str = "1", **more: Any
) -> None:  # fmt: skip
    wanted = [UUID(str(each)) for each in ids]
    await res.db.transact(
        lambda tx: attachments.bind(
            tx, actor, ids=wanted, community_id=place.id, owner=Owner("ticket_move", key), **more
        )
    )


async def test_a_picture_goes_from_the_phone_to_its_owner(res: Resources, client: Client, place: Community) -> None:
    who, house = await resident(res, place, "101", "13800000001")
    path, phone = f"/api/v1/houses/{house}/media", client.of(who.token)
    key = uuid4().hex
    answers = [await send(phone, path, files.picture(2_400, 1_200), key=key, boundary=f"b{n}") for n in range(2)]
    assert [answer.status for answer in answers] == [201, 201] and answers[0].json == answers[1].json
    shown = answers[0].json
    assert (shown["kind"], shown["width"], shown["height"], shown["ttl_s"]) == ("picture", 1_920, 960, 600)
    (row,) = await rows(res)
    assert (row["state"], row["uploader_id"], row["community_id"]) == ("UPLOADED", who.id, place.id)
    other = await send(phone, path, files.picture(10, 10), key=key)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    for url, size in ((shown["url"], (1_920, 960)), (shown["small_url"], (480, 240))):
        answer = await read(client, url)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert PIL.Image.open(io.BytesIO(answer.body)).size == size and files.SECRET not in answer.body

    film = (await send(phone, path, files.video())).json
    assert film["kind"] == "video" and (await read(client, film["url"])).headers["Content-Type"] == "video/mp4"
    actor = Actor("resident", who.id)
    await bind(res, actor, [film["id"], shown["id"]], place)
    found = await attachments.of(res.db, "ticket_move", ["1", "2"])
    assert [str(each.id) for each in found["1"]] == [film["id"], shown["id"]] and found["2"] == ()
    first, second = attachments.links(res, found["1"])
    assert (first.kind, first.length_ms, second.small_url) == (Kind.VIDEO, film["length_ms"], shown["small_url"])

    forged = shown["url"].replace(UUID(shown["id"]).hex, UUID(film["id"]).hex)
    later = shown["url"].replace("until=1", "until=2")
    for wrong in (forged, later, shown["url"][:-1] + "x", shown["url"].split("?")[0] + "?until=9999999999&sign=0"):
        assert (await read(client, wrong)).status == 404
    res.clock.advance(timedelta(seconds=attachments.LINK_S + 1))
    assert (await read(client, shown["url"])).status == 404, "the link has ended"
    assert (await read(client, attachments.links(res, found["1"])[1].url)).status == 200, "a new one reads it"
    await sound(res)


async def test_only_the_uploader_binds_and_only_once(res: Resources, client: Client, place: Community) -> None:
    who, _ = await resident(res, place, "101", "13800000001")
    neighbour, _ = await resident(res, place, "102", "13800000002")
    elsewhere = await factories.community(res, "LL02", company_id=place.company_id)
    boss = await factories.staff(res, place, "manager")
    owner = Actor("resident", who.id)
    ids = [await files.uploaded(res, owner, place.id) for _ in range(3)]
    paper = await send(client.of(boss.token), f"/admin/v1/communities/{place.id}/media", files.PDF)
    assert paper.status == 201 and paper.json["small_url"] is None
    saved = await read(client, paper.json["url"])
    assert (saved.body, saved.headers["Content-Disposition"]) == (files.PDF, "attachment")

    told = set()
    for actor, wanted, where in (
        (Actor("resident", neighbour.id), ids[:1], place), (Actor("staff", who.id), ids[:1], place),
        (owner, ids[:1], elsewhere), (owner, [uuid4()], place), (owner, [ids[0], uuid4()], place),
        (owner, [ids[0], ids[0]], place), (Actor("staff", boss.id), [paper.json["id"]], place),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            await bind(res, actor, wanted, where)
        told.add((refused.value.code, refused.value.message))
    assert len(told) == 1 and {row["state"] for row in await rows(res)} == {"UPLOADED"}
    await bind(res, Actor("staff", boss.id), [paper.json["id"]], place, "notice", kinds=frozenset(Kind))

    tries = await asyncio.gather(
        *(bind(res, owner, ids if n % 2 else ids[::-1], place, str(n)) for n in range(10)), return_exceptions=True
    )
    assert [isinstance(each, Invalid) for each in tries].count(True) == 9, "one of ten has them all, and in its order"
    bound = await res.db.fetch(
        "SELECT owner_key, count(*) AS files FROM media WHERE uploader_id = $1 GROUP BY 1", who.id
    )
    assert [row["files"] for row in bound] == [3]
    with pytest.raises(Invalid):
        await bind(res, owner, ids[:1], place, "later")
    await sound(res)
    await res.db.execute("UPDATE media SET community_id = $1 WHERE id = $2", elsewhere.id, ids[0])
    assert [found.offenders for found in await invariants.run(res.db, CHECKS)] == [0, 1], "a foreign file is found"


async def test_what_is_refused_is_told_in_a_sentence_and_leaves_nothing(
    res: Resources, client: Client, place: Community
) -> None:
    who, house = await resident(res, place, "101", "13800000001")
    path, phone = f"/api/v1/houses/{house}/media", client.of(who.token)
    for content, reason in (
        (files.SVG, "unknown_type"),
        (files.PDF, "not_accepted_here"),
        (files.huge("PNG"), "too_many_pixels"),
    ):
        answer = await send(phone, path, content)
        assert (answer.status, answer.code, answer.json["error"]["details"]["reason"]) == (422, "file_refused", reason)
        assert len(answer.json["error"]["message"]) > 8
    bare = await phone.call("POST", path, raw=files.picture(), headers={"Idempotency-Key": uuid4().hex})
    assert (bare.status, bare.code) == (400, "no_file")
    assert list((res.settings.data_dir / "files").rglob("*.*")) == []
    assert [row["state"] for row in await rows(res)] == ["RECEIVING"], "what was decoded counts for the day"
    res.clock.advance(retention.KEPT + timedelta(seconds=1))
    await retention.expire(res, "")
    assert await rows(res) == []
    await sound(res)


async def test_the_limit_of_a_day_holds_for_uploads_at_once(
    res: Resources, client: Client, place: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(uploads.PER_DAY, "resident", 3)  # type: ignore[arg-type]
    who, house = await resident(res, place, "101", "13800000001")
    path, phone = f"/api/v1/houses/{house}/media", client.of(who.token)
    answers = await asyncio.gather(*(send(phone, path, files.picture()) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [429] * 3
    assert {answer.code for answer in answers if answer.status == 429} == {"media_per_day"}
    res.clock.advance(timedelta(hours=15))
    assert (await send(phone, path, files.picture())).status == 201
    await sound(res)


async def test_an_upload_that_broke_off_is_taken_up_again_by_its_key_and_what_is_unbound_goes(
    res: Resources, client: Client, place: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: LocalStorage, key: str, body: bytes) -> None:
        raise Unavailable

    who, house = await resident(res, place, "101", "13800000001")
    path, phone = f"/api/v1/houses/{house}/media", client.of(who.token)
    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "put", away)
        assert (await send(phone, path, files.picture(), key="k")).status == 503
    (broken,) = await rows(res)
    with pytest.raises(Invalid):
        await bind(res, Actor("resident", who.id), [broken["id"]], place)
    again = await send(phone, path, files.picture(), key="k")
    assert (again.status, again.json["id"]) == (201, str(broken["id"]))
    kept = await send(phone, path, files.picture())
    await bind(res, Actor("resident", who.id), [kept.json["id"]], place)

    res.clock.advance(retention.KEPT)
    await retention.expire(res, "")
    assert len(await rows(res)) == 2, "a day is a day"
    res.clock.advance(timedelta(seconds=1))
    await retention.expire(res, "")
    assert [str(row["id"]) for row in await rows(res)] == [kept.json["id"]]
    for key in attachments.file_keys(broken["id"], Kind.PICTURE, broken["created_at"]):
        with pytest.raises(NotFound):
            await res.storage.get(str(key))
    assert len(list((res.settings.data_dir / "files").rglob("*.jpg"))) == 2
    late = await send(phone, path, files.picture(), key="k")
    assert (late.status, late.code) == (409, "media_expired")
    await sound(res)


async def test_files_live_in_a_bucket_as_well(res: Resources, place: Community) -> None:
    who, _ = await resident(res, place, "101", "13800000001")
    async with bucket(res.clock) as (server, storage, egress):
        far = replace(res, storage=storage, egress=egress)
        media_id = await res.db.transact(
            lambda tx: uploads.begin(tx, Actor("resident", who.id), community_id=place.id, kind=Kind.PICTURE)
        )
        stored = await uploads.finish(far, media_id, body=files.picture())
        (shown,) = attachments.links(far, [stored])
        assert PIL.Image.open(io.BytesIO((await egress.request("GET", shown.url)).body)).size == (96, 64)
        assert (await egress.request("GET", shown.url.replace("Expires=600", "Expires=60000"))).status == 403
        res.clock.advance(retention.KEPT + timedelta(seconds=1))
        await retention.expire(far, "")
        assert server.files == {} and await rows(res) == []
