"""An abnormal refund goes another way: two people, the same number, the payer's card nowhere in the clear (B15)."""

from typing import Any, cast
from uuid import UUID

import pytest

from backend.kernel.resources import Resources
from payments import refund_redirects
from payments.refunds import Part
from tests import factories, vectors
from tests.conftest import Answered, Client, Run, Sandbox
from tests.factories_payments import sound, stage
from tests.factories_refunds import Refunds
from tests.scripted_channel import Scripted

CARD = {"bank_type": "ICBC_DEBIT", "account": "6222021234567890123", "name": "张三丰"}
OTHER_CARD = {**CARD, "account": "6222029999999999999"}


@pytest.fixture
def desk(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Refunds:
    """A refund that the payer's account does not take."""

    async def made() -> Refunds:
        play = await stage(sandbox_res, sandbox)
        asker = await factories.staff(sandbox_res, play.place, "manager")
        approver = await factories.staff(sandbox_res, play.place, "manager")
        desk = Refunds(play, cast(Scripted, None), asker, approver)
        order_id = await play.ready(await play.bill(26_805))
        await play.user_pays(order_id)
        await play.deliver()
        await play.hostile(refund_outcomes=["ABNORMAL"])
        (line,) = await desk.lines(order_id)
        await desk.refunded(order_id, Part(line["id"], 26_805, 0))
        await settle_down(desk)
        assert await desk.state() == "ABNORMAL"
        return desk

    return run(made())


async def settle_down(desk: Refunds) -> None:
    for _ in range(3):
        await desk.play.later(seconds=40)
        await desk.play.deliver()
        await desk.work()
        await desk.tick()


async def propose(desk: Refunds, client: Client, card: dict[str, str] | None) -> Answered:
    refund = await desk.refund()
    body = {"card": card, "reason": "付款人的微信账户已注销"}
    return await client.of(desk.asker.token).post(f"/admin/v1/refunds/{refund['id']}/redirect", body)


async def decide(desk: Refunds, client: Client, approval_id: str, *, who: Any = None, approve: bool = True) -> Answered:
    path = f"/admin/v1/approvals/{approval_id}/decision"
    return await client.of((who or desk.approver).token).post(path, {"approve": approve, "note": "已核对"})


async def everything_written(desk: Refunds) -> str:
    """All text that the tables around a refund hold."""
    tables = ("approval", "audit_entry", "outbox", "refund", "idempotency")
    rows = [row["t"] for name in tables for row in await desk.play.res.db.fetch(f"SELECT t::text FROM {name} t")]
    return "\n".join(rows)


@pytest.mark.parametrize("card", [CARD, None], ids=["to the payer's card", "to the merchant's account"])
async def test_two_people_send_it_another_way_under_its_own_number(
    desk: Refunds, sandbox_client: Client, card: dict[str, str] | None
) -> None:
    number = (await desk.refund())["out_refund_no"]
    asked = await propose(desk, sandbox_client, card)
    assert asked.status == 201, asked.body
    refused = await decide(desk, sandbox_client, asked.json["approval_id"], who=desk.asker)
    assert (refused.status, (await desk.refund())["state"]) == (403, "ABNORMAL")
    assert (await decide(desk, sandbox_client, asked.json["approval_id"])).status == 200
    await settle_down(desk)
    row = await desk.refund()
    assert (row["state"], row["out_refund_no"], row["redirect_sealed"]) == ("SUCCEEDED", number, None)
    assert await desk.play.count("refund") == 1
    assert await desk.play.clearing_fen() == await desk.play.channel_fen() - 26_805
    written = await everything_written(desk)
    assert CARD["account"] not in written and CARD["name"] not in written
    assert await desk.unexplained() == []
    await sound(desk.play.res)


async def test_the_card_is_sealed_while_it_waits_and_forgotten_when_nobody_approves(
    desk: Refunds, sandbox_client: Client
) -> None:
    asked = await propose(desk, sandbox_client, CARD)
    sealed = (await desk.refund())["redirect_sealed"]
    assert sealed and CARD["account"].encode() not in sealed
    shown = await desk.play.res.db.fetchval("SELECT shown FROM approval WHERE id = $1", UUID(asked.json["approval_id"]))
    assert shown["after"] == {"way": "payer_card", "card": "张* ICBC_DEBIT 尾号0123"}
    await decide(desk, sandbox_client, asked.json["approval_id"], approve=False)
    assert ((await desk.refund())["redirect_sealed"], await desk.state()) == (None, "ABNORMAL")
    await sound(desk.play.res)


async def test_a_card_that_nobody_approved_is_not_used(desk: Refunds, sandbox_client: Client) -> None:
    """Another card proposed between the approval and the job: the approved one is gone, the other one waits."""
    asked = await propose(desk, sandbox_client, CARD)
    assert (await decide(desk, sandbox_client, asked.json["approval_id"])).status == 200
    assert (await propose(desk, sandbox_client, OTHER_CARD)).status == 201
    await settle_down(desk)
    assert await desk.state() == "ABNORMAL"
    assert await desk.play.count("outbox WHERE event = $1 AND state = 'DONE'", refund_redirects.DUE) == 1


@pytest.mark.parametrize("way", ["act_then_500", "500", "bad_signature"])
async def test_an_answer_that_is_lost_is_asked_for_again(desk: Refunds, sandbox_client: Client, way: str) -> None:
    await desk.play.hostile(refund=[way])
    asked = await propose(desk, sandbox_client, CARD)
    await decide(desk, sandbox_client, asked.json["approval_id"])
    for _ in range(3):
        await settle_down(desk)
    assert await desk.state() == "SUCCEEDED"
    assert await desk.play.count("refund") == 1
    await sound(desk.play.res)


async def test_only_an_abnormal_refund_goes_another_way(desk: Refunds, sandbox_client: Client) -> None:
    number = (await desk.refund())["out_refund_no"]
    asked = await propose(desk, sandbox_client, CARD)
    await desk.play.sandbox.ask("POST", f"/refunds/{vectors.MCHID}/{number}/finish", {"state": "SUCCESS"})
    await settle_down(desk)
    assert ((await desk.refund())["redirect_sealed"], await desk.state()) == (None, "SUCCEEDED")
    stale = await decide(desk, sandbox_client, asked.json["approval_id"])
    assert (stale.status, stale.code) == (409, "approval_stale")
    again = await propose(desk, sandbox_client, CARD)
    assert (again.status, again.code) == (409, "refund_not_abnormal")
    await sound(desk.play.res)
