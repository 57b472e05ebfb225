"""What residents write and send is checked after it came in; risky is hidden, and nobody ever waits (R6, R7)."""

from typing import Any
from uuid import UUID

import pytest

from backend.kernel.audit import SYSTEM
from backend.tickets.moves import Move
from backend.tickets.screening import sweeping, switch
from backend.tickets.screening.hiding import MASK
from backend.tickets.step import Asked, Stars
from tests.conftest import Client
from tests.factories_screening import MEDIA, TEXT, Screened

BAD = "加微信领红包，日赚三千"


async def read(client: Client, token: str, ticket_id: UUID, *, staff: bool = False) -> dict[str, Any]:
    """A ticket as somebody is shown it."""
    answer = await client.of(token).get(f"/{'admin' if staff else 'api'}/v1/tickets/{ticket_id}")
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def asked(screened: Screened, path: str) -> int:
    return int((await screened.town.sandbox.ask("GET", "/stats")).get(f"POST {path}", 0))


async def test_risky_words_are_hidden_from_residents_and_the_desk_is_told(
    screened: Screened, sandbox_client: Client
) -> None:
    await screened.hostile(text_verdicts=["risky"])
    ticket = await screened.report(BAD)
    owner, family = screened.town.owner, await screened.family()
    assert (await read(sandbox_client, owner.token, ticket))["description"] == BAD, "it is not held back"
    await screened.settle()
    assert await screened.states() == ["RISKY"]
    for who in (owner, family):
        shown = await read(sandbox_client, who.token, ticket)
        assert (shown["description"], shown["flag"]) == (MASK, None)
        (listed,) = (await sandbox_client.of(who.token).get("/api/v1/tickets")).json["items"]
        assert (listed["description"], listed["flag"]) == (MASK, None)
    service = await read(sandbox_client, screened.desk.service.token, ticket, staff=True)
    assert (service["description"], service["flag"]) == (BAD, "risky")
    assert [each for each in await screened.letters() if "内容检查不通过" in each]
    await screened.sound()


async def test_words_to_be_reviewed_are_shown_and_flagged(screened: Screened, sandbox_client: Client) -> None:
    await screened.hostile(text_verdicts=["review"])
    ticket = await screened.report()
    await screened.settle()
    assert (await read(sandbox_client, screened.town.owner.token, ticket))["description"] == "厨房水龙头漏水"
    assert (await read(sandbox_client, screened.desk.service.token, ticket, staff=True))["flag"] == "review"
    assert [each for each in await screened.letters() if "内容检查存疑" in each]


async def test_what_passes_is_noticed_by_nobody(screened: Screened, sandbox_client: Client) -> None:
    ticket = await screened.report()
    await screened.settle()
    assert await screened.states() == ["PASSED"]
    assert (await read(sandbox_client, screened.desk.service.token, ticket, staff=True))["flag"] is None
    assert not [each for each in await screened.letters() if "内容检查" in each]


async def test_a_company_that_has_not_turned_it_on_sends_nothing_to_wechat(screened: Screened) -> None:
    await screened.res.db.transact(
        lambda tx: switch.turn(tx, SYSTEM, company_id=screened.town.place.company_id, enabled=False)
    )
    await screened.report(BAD)
    await screened.settle()
    assert await screened.checks() == [] and await asked(screened, TEXT) == 0
    await screened.res.db.execute("DELETE FROM ticket_screening")
    await screened.report(BAD)
    await screened.settle()
    assert await screened.checks() == [], "off unless it is turned on"


async def test_who_was_not_lately_in_the_mini_program_is_not_judged(screened: Screened) -> None:
    await screened.settle(hours=3)
    await screened.hostile(text_verdicts=["risky"])
    await screened.report(BAD)
    await screened.settle()
    assert await screened.states() == ["SKIPPED"] and await asked(screened, TEXT) == 1


@pytest.mark.parametrize("trouble", ["cut", "500", {"errcode": -1}, {"errcode": 45009}, "act_then_cut"])
async def test_while_wechat_is_not_there_it_is_shown_and_asked_again(
    screened: Screened, sandbox_client: Client, trouble: object
) -> None:
    await screened.hostile(calls={TEXT: [trouble]})
    ticket = await screened.report()
    await screened.settle()
    assert await screened.states() == ["WAITING"]
    assert (await read(sandbox_client, screened.town.owner.token, ticket))["description"] == "厨房水龙头漏水"
    await screened.settle(minutes=10)
    assert await screened.states() == ["PASSED"]


async def test_after_two_hours_nobody_asks_any_more(screened: Screened) -> None:
    await screened.hostile(calls={TEXT: [{"errcode": -1}]})
    await screened.report()
    await screened.settle()
    await screened.settle(hours=2, minutes=1)
    assert await screened.states() == ["SKIPPED"] and await asked(screened, TEXT) == 1


async def test_what_no_repetition_cures_is_put_aside_where_staff_see_it(screened: Screened) -> None:
    await screened.hostile(calls={TEXT: [{"errcode": 48001}]})
    await screened.report()
    await screened.settle()
    assert await screened.states() == ["WAITING"]
    row = await screened.res.db.fetchrow("SELECT state, last_error FROM outbox WHERE event = 'tickets.to_check'")
    assert row is not None and row["state"] == "PARKED" and "48001" in row["last_error"]


async def test_pictures_are_judged_by_the_push_that_comes_later(screened: Screened, sandbox_client: Client) -> None:
    good, bad, film = await screened.picture(), await screened.picture(), await screened.picture("video")
    ticket = await screened.report(media=[good, bad, film])
    await screened.settle()
    checks = {row["media_id"]: row for row in await screened.checks()}
    assert set(checks) == {None, good, bad}, "videos are not checked"
    assert checks[good]["state"] == checks[bad]["state"] == "ASKED"
    owner, service = screened.town.owner.token, screened.desk.service.token
    assert len((await read(sandbox_client, owner, ticket))["events"][0]["media"]) == 3
    await screened.told(checks[good], "pass")
    await screened.told(checks[bad])
    await screened.told(checks[bad], "pass")
    await screened.settle()
    assert [row["state"] for row in await screened.checks() if row["media_id"] == bad] == ["RISKY"], "the first stands"
    shown = (await read(sandbox_client, owner, ticket))["events"][0]["media"]
    assert {each["id"] for each in shown} == {str(good), str(film)}
    assert len((await read(sandbox_client, service, ticket, staff=True))["events"][0]["media"]) == 3
    assert len([each for each in await screened.letters() if "内容检查不通过" in each]) == 1
    await screened.sound()


async def test_a_picture_that_wechat_could_not_fetch_is_asked_about_three_times(screened: Screened) -> None:
    await screened.report(media=[await screened.picture()])
    await screened.settle()
    for times in (1, 2, 3):
        (check,) = [row for row in await screened.checks() if row["media_id"]]
        assert (check["state"], check["asked_times"]) == ("ASKED", times)
        await screened.told(check, errcode=-1008)
        await screened.settle(seconds=30)
    assert sorted(await screened.states()) == ["PASSED", "SKIPPED"] and await asked(screened, MEDIA) == 3


async def test_e8_a_push_that_overtakes_the_answer_is_kept_until_the_answer_is_there(screened: Screened) -> None:
    await screened.report(media=[await screened.picture()])
    await screened.settle()
    (check,) = [row for row in await screened.checks() if row["media_id"]]
    await screened.res.db.execute("UPDATE ticket_check SET trace_id = 'later' WHERE id = $1", check["id"])
    await screened.told(check, "risky")
    await screened.settle()
    await screened.res.db.execute("UPDATE ticket_check SET trace_id = $2 WHERE id = $1", check["id"], check["trace_id"])
    await screened.settle(seconds=15)
    assert "RISKY" in await screened.states()


async def test_a_push_about_nothing_of_ours_is_forgotten(screened: Screened) -> None:
    await screened.report(media=[await screened.picture()])
    await screened.settle()
    (check,) = [row for row in await screened.checks() if row["media_id"]]
    await screened.told(check, trace_id="of-somebody-else")
    for _ in range(7):
        await screened.settle(seconds=15)
    assert await screened.res.db.fetchval("SELECT count(*) FROM outbox WHERE state <> 'DONE'") == 0
    assert "ASKED" in await screened.states()


async def test_a_verdict_that_never_comes_is_not_waited_for_and_old_checks_are_forgotten(screened: Screened) -> None:
    await screened.hostile(text_verdicts=["risky"])
    await screened.report(media=[await screened.picture()])
    await screened.settle()
    await sweeping.give_up(screened.res, "")
    assert sorted(await screened.states()) == ["ASKED", "RISKY"]
    await screened.settle(hours=1, minutes=1)
    await sweeping.give_up(screened.res, "")
    assert sorted(await screened.states()) == ["RISKY", "SKIPPED"]
    await screened.settle(days=181)
    await sweeping.forget(screened.res, "")
    assert await screened.states() == ["RISKY"], "what hides something stays"


async def test_notes_and_the_words_of_a_rating_are_checked_as_well(screened: Screened, sandbox_client: Client) -> None:
    ticket = await screened.report()
    await screened.settle()
    await screened.hostile(text_verdicts=["risky", "risky"])
    await screened.move(ticket, Move.URGE, Asked(reason=BAD))
    await screened.settle()
    await screened.desk.up_to(ticket, Move.SIGN_OFF)
    await screened.move(ticket, Move.RATE, Asked(stars=Stars(1, (), BAD)))
    await screened.settle()
    assert await screened.states() == ["PASSED", "RISKY", "RISKY"]
    shown = await read(sandbox_client, screened.town.owner.token, ticket)
    assert BAD not in str(shown) and shown["description"] == "厨房水龙头漏水"
    assert [each["words"] for each in shown["ratings"]] == [MASK]
    seen = await read(sandbox_client, screened.desk.service.token, ticket, staff=True)
    assert [each["words"] for each in seen["ratings"]] == [BAD]
    assert await screened.res.db.fetchval("SELECT count(*) FROM ticket_check") == 3, "staff's words are not checked"


async def test_an_anonymous_complaint_is_checked_and_stays_anonymous(screened: Screened) -> None:
    await screened.hostile(text_verdicts=["review"])
    await screened.complain("深夜有人唱歌", anonymous=True)
    await screened.settle()
    assert await screened.states() == ["REVIEW"]
    for table in ("ticket_check", "outbox"):
        rows = await screened.res.db.fetch(f"SELECT t::text AS row FROM {table} t")
        for secret in (str(screened.town.owner.id), screened.town.owner.openid):
            assert not any(secret in row["row"] for row in rows), table


@pytest.mark.parametrize(("shown", "state"), [(True, "CLEARED"), (False, "BLOCKED")])
async def test_staff_decide_and_that_stands(
    screened: Screened, sandbox_client: Client, shown: bool, state: str
) -> None:
    await screened.hostile(text_verdicts=["risky" if shown else "review"])
    ticket = await screened.report(BAD)
    await screened.settle()
    desk = sandbox_client.of(screened.desk.service.token)
    (found,) = (await desk.get("/admin/v1/ticket-checks")).json["items"]
    assert (found["ticket_id"], found["kind"], found["words"]) == (str(ticket), "words", BAD)
    path, body = f"/admin/v1/ticket-checks/{found['id']}/decision", {"shown": shown, "reason": "已核实内容"}
    assert (await desk.post(path, body)).status == 200
    assert (await desk.post(path, body)).code == "check_settled"
    assert await screened.states() == [state]
    assert (await desk.get("/admin/v1/ticket-checks")).json["items"] == []
    told = await read(sandbox_client, screened.town.owner.token, ticket)
    assert told["description"] == (BAD if shown else MASK)
    row = await screened.res.db.fetchrow("SELECT reason FROM audit_entry WHERE action = 'ticket.content_decided'")
    assert row is not None and row["reason"] == "已核实内容"


async def test_one_event_is_checked_once_however_often_its_job_runs(screened: Screened) -> None:
    await screened.report()
    await screened.res.db.execute("UPDATE outbox SET dedup_key = NULL")
    await screened.res.db.execute(
        """INSERT INTO outbox (event, lane, community_id, payload, state, run_at, emitted_at)
           SELECT event, lane, community_id, payload, state, run_at, emitted_at FROM outbox
            WHERE event = 'tickets.moved'"""
    )
    await screened.settle()
    assert await screened.states() == ["PASSED"] and await asked(screened, TEXT) == 1
