"""Each invariant of notices sees the fault it is for."""

from datetime import timedelta

from backend.kernel.resources import Resources
from backend.notices.checks import CHECKS
from tests import factories_notices as make
from tests.factories_notices import Town
from tests.soundness import broken

FAULTS = (
    ("DELETE FROM message_intent WHERE id = (SELECT min(id::text)::uuid FROM message_intent)",
     {"发送完毕的公告，每个接收人都有一条消息", "公告每轮发送的条数等于消息的条数，且只发给接收人"}),
    ("UPDATE notice_sending SET planned_count = planned_count + 1",
     {"公告每轮发送的条数等于消息的条数，且只发给接收人"}),
    ("DELETE FROM notice_recipient",
     {"公告每轮发送的条数等于消息的条数，且只发给接收人", "公告的人数等于接收人的条数"}),
    ("UPDATE notice_sending SET done_at = NULL", {"没有发完的公告都有一个会继续的任务"}),
    ("DELETE FROM outbox WHERE event = 'notices.due'", {"定时发布的公告都有一个到时会发布的任务"}),
    ("UPDATE notice_recipient SET community_id = gen_random_uuid()", {"公告的接收人与公告属于同一个小区"}),
    ("""UPDATE notice SET state = 'WITHDRAWN', withdrawn_at = created_at, withdrawn_why = '未审计'
         WHERE state = 'PUBLISHED'""",
     {"公告的发布和撤回都有审计记录"}),
)  # fmt: skip


class Undone(Exception):
    """The planted fault is taken back with its transaction."""


async def found(town: Town, fault: str) -> set[str]:
    """The titles of the checks that a planted fault breaks."""
    titles: set[str] = set()

    async def plant(tx: object) -> None:
        await tx.execute(fault)  # type: ignore[attr-defined]
        for check in CHECKS:
            if await tx.fetch(check.sql):  # type: ignore[attr-defined]
                titles.add(check.title)
        raise Undone

    try:
        await town.res.db.transact(plant)
    except Undone:
        return titles
    raise AssertionError("unreachable")


async def test_each_check_sees_its_fault(res: Resources) -> None:
    town = await make.town(res)
    await town.published()
    await town.work()
    await town.schedule(await town.draft(), res.clock.now() + timedelta(hours=1))
    assert await broken(res.db, CHECKS) == []
    assert {fault: await found(town, fault) for fault, _ in FAULTS} == dict(FAULTS)
    assert {title for _, titles in FAULTS for title in titles} == {check.title for check in CHECKS}
