"""An answer within the deadline whatever happens behind: nothing is lost, nothing is done twice (R10, pitfalls E11)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from backend.composition import CHECKS
from backend.kernel import failpoints
from backend.kernel.errors import Unavailable
from backend.kernel.resources import Resources
from backend.wechat import push_settings
from miniprogram_api import account_words as words
from miniprogram_api import wechat_server
from tests import factories
from tests.api.account.test_texts import OPENID, writer
from tests.conftest import Client
from tests.factories_account import OFFICIAL, Wechat, account
from tests.soundness import broken
from tests.worker_database import Urls

HELD = "LOCK TABLE wechat_push IN ACCESS EXCLUSIVE MODE"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long: the tests hold PostgreSQL up until they have seen the answer."""
    monkeypatch.setattr(wechat_server, "ANSWER_WITHIN_S", 0.3)


async def ended() -> None:
    """Until the work that nobody waits for has come to its end."""
    await asyncio.gather(*wechat_server._at_work, return_exceptions=True)


async def test_e11_a_slow_database_is_answered_in_time_so_that_wechat_repeats(
    res: Resources, client: Client, urls: Urls, hurried: None
) -> None:
    await account(res, await factories.community(res))
    wechat, at_s = Wechat(client, res.clock), int(res.clock.now().timestamp())
    connection = await asyncpg.connect(urls.admin)
    try:
        async with connection.transaction():
            await connection.execute(HELD)
            answer = await wechat.event("oFan", "subscribe", at_s=at_s)
            assert (answer.status, answer.body) == (503, b"failure")
    finally:
        await connection.close()
    await ended()
    assert await res.db.fetchval("SELECT count(*) FROM wechat_push") == 1
    assert wechat.said(await wechat.event("oFan", "subscribe", at_s=at_s)) == words.GREETING
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'wechat.subscribe'") == 1


async def test_who_has_written_is_told_at_once_and_finds_the_late_answer_in_the_inbox(
    res: Resources, client: Client, urls: Urls, hurried: None
) -> None:
    my = await writer(res, client)
    connection = await asyncpg.connect(urls.admin)
    try:
        async with connection.transaction():
            await connection.execute(HELD)
            assert await my.wechat.text(OPENID, "游泳池几号开放？", msg_id=7) == words.BUSY
    finally:
        await connection.close()
    await ended()
    (ticket,) = await my.tickets()
    told = words.CONSULTED.format(no=ticket["no"])
    letters = await res.db.fetch("SELECT body FROM inbox_message WHERE person_id = $1", my.person.id)
    assert [row["body"] for row in letters] == [told]
    assert await my.wechat.text(OPENID, "游泳池几号开放？", msg_id=7) == told
    assert await res.db.fetchval("SELECT count(*) FROM inbox_message") == 1
    assert await broken(res.db, CHECKS) == []


async def test_while_postgresql_is_away_events_are_repeated_and_writers_told(res: Resources, client: Client) -> None:
    my = await writer(res, client)
    assert "已登记" in str(await my.wechat.text(OPENID, "在吗"))
    failpoints.arm("tx.before_commit", "raise57P01")
    assert await my.wechat.text(OPENID, "游泳池几号开放？") == words.BUSY
    answer = await my.wechat.event("oNew", "subscribe")
    assert (answer.status, answer.body) == (503, b"failure")
    failpoints.disarm_all()
    assert await res.db.fetchval("SELECT count(*) FROM wechat_push") == 1
    assert await res.db.fetchval("SELECT count(*) FROM wechat_user WHERE openid = 'oNew'") == 0
    assert await res.db.fetchval("SELECT count(*) FROM inbox_message") == 0


async def test_what_is_too_much_at_once_is_answered_as_if_postgresql_were_away(
    res: Resources, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    my = await writer(res, client)
    monkeypatch.setattr(wechat_server, "MOST_AT_ONCE", 0)
    assert await my.wechat.text(OPENID, "在吗") == words.BUSY
    assert (await my.wechat.event("oNew", "subscribe")).status == 503
    assert await res.db.fetchval("SELECT count(*) FROM wechat_push") == 0


class Away:
    """A PostgreSQL that is not there."""

    async def fetchrow(self, *told: Any) -> Any:
        raise Unavailable


class Elsewhere:
    """Resources whose database is away."""

    def __init__(self, res: Resources) -> None:
        self.db, self.keyring = Away(), res.keyring


async def test_an_account_stays_known_while_postgresql_is_away(res: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    await account(res, await factories.community(res))
    known, away = push_settings.Known(), Elsewhere(res)
    found = await known.account(res, OFFICIAL)
    monkeypatch.setattr(push_settings, "REFRESH_S", 0.0)
    assert await known.account(away, OFFICIAL) is found  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await push_settings.Known().account(away, OFFICIAL)  # type: ignore[arg-type]


async def test_changed_settings_count_at_once_in_this_process_and_never_come_back(
    res: Resources, client: Client
) -> None:
    place = await factories.community(res)
    await account(res, place)
    wechat = Wechat(client, res.clock)
    assert (await wechat.event("oFan", "subscribe")).status == 200
    admin = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    body = {"original_id": "gh_123456789abc", "mode": "plain", "token": "Another2026"}
    view = await admin.call("PUT", f"/admin/v1/wechat-apps/{OFFICIAL}/push-settings", body)
    assert view.status == 200 and "Another2026" not in view.body.decode()
    assert (await wechat.event("oFan", "unsubscribe")).status == 403
