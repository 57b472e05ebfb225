"""Staff routes of visitors (R8): the rule, who is expected, revoking, the bans; those at the gate: guard_admin.py."""

from uuid import UUID

from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, decode_cursor, encode_cursor
from backend.parking.schemas import ReasonBody
from backend.visitors import bans, guard_admin, guests, passes, reads, rules, windows
from backend.visitors.bans import NewBan
from backend.visitors.schemas import (
    AddedAnswer,
    BanBody,
    BansAnswer,
    BanView,
    ExpectedQuery,
    PassesAnswer,
    PassView,
    RuleBody,
)

READ, EDIT, REVOKE, BAN = "visitor.read", "visitor.edit", "visitor.revoke", "visitor.ban"


async def show_rule(call: Call[None, None]) -> RuleBody:
    """GET /admin/v1/communities/{community_id}/visitor-rule."""
    community_id = call.ids["community_id"]
    call.principal.require_community(READ, community_id)
    return RuleBody.of(await rules.of(call.res.db, community_id))


async def set_rule(call: Call[RuleBody, None]) -> RuleBody:
    """PUT /admin/v1/communities/{community_id}/visitor-rule."""
    community_id = call.ids["community_id"]
    call.principal.require_community(EDIT, community_id)

    async def work(tx: Tx) -> RuleBody:
        await rules.change(tx, call.principal.actor, community_id=community_id, new=call.body.rule)
        return call.body

    return await call.transact(work)


async def list_expected(call: Call[None, ExpectedQuery]) -> PassesAnswer:
    """GET /admin/v1/communities/{community_id}/visitor-passes: a page may hold fewer than there are, or none."""
    community_id, query, now = call.ids["community_id"], call.query, call.res.clock.now()
    call.principal.require_community(READ, community_id)
    day, ring = query.on or local_date(now), call.res.keyring
    rows = await reads.expected(
        call.res.db, community_id, day=day, since=now,
        phone_tail=None if query.phone_tail is None else guests.tail_blind(ring, query.phone_tail),
        after=None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0], limit=query.limit,
    )  # fmt: skip
    return PassesAnswer(
        items=[PassView.of(ring, row) for row in rows if windows.opens_on(windows.of_row(row["weekly"]), day)],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def revoke(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/visitor-passes/{pass_id}/revoke."""

    async def work(tx: Tx) -> Nothing:
        await passes.revoke(
            tx, call.principal.actor, pass_id=call.ids["pass_id"], communities=call.principal.communities(REVOKE),
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def list_bans(call: Call[None, Page]) -> BansAnswer:
    """GET /admin/v1/communities/{community_id}/visitor-bans."""
    community_id, query = call.ids["community_id"], call.query
    call.principal.require_community(BAN, community_id)
    rows = await bans.of_community(
        call.res.db, community_id, at=call.res.clock.now(),
        before=None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0], limit=query.limit,
    )  # fmt: skip
    return BansAnswer(
        items=[BanView.of(call.res.keyring, row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def put_ban(call: Call[BanBody, None]) -> AddedAnswer:
    """POST /admin/v1/communities/{community_id}/visitor-bans."""
    community_id, body = call.ids["community_id"], call.body
    call.principal.require_community(BAN, community_id)

    async def work(tx: Tx) -> AddedAnswer:
        banned = await bans.put(
            tx, call.principal.actor, keyring=call.res.keyring, community_id=community_id,
            new=NewBan(body.kind, body.value, body.reason, body.until_at),
        )  # fmt: skip
        return AddedAnswer(id=banned.id)

    return await call.once(work, AddedAnswer)


async def lift_ban(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/visitor-bans/{ban_id}/lift."""

    async def work(tx: Tx) -> Nothing:
        await bans.lift(
            tx, call.principal.actor, ban_id=call.ids["ban_id"], communities=call.principal.communities(BAN),
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


_PLACE = "/admin/v1/communities/{community_id}"

ROUTES = (
    Route("GET", f"{_PLACE}/visitor-rule", show_rule, READ, "小区的访客规则", answer=RuleBody, errors=(NotFound,)),
    Route(
        "PUT", f"{_PLACE}/visitor-rule", set_rule, EDIT, "设置小区的访客规则", body=RuleBody, answer=RuleBody,
        errors=(NotFound, Invalid),
    ),
    Route(
        "GET", f"{_PLACE}/visitor-passes", list_expected, READ, "某天预计来访的通行证，可按手机尾号查找",
        query=ExpectedQuery, answer=PassesAnswer, errors=(NotFound, Invalid),
    ),
    Route(
        "POST", "/admin/v1/visitor-passes/{pass_id}/revoke", revoke, REVOKE, "撤销访客通行证，须写明原因",
        body=ReasonBody, answer=Nothing, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "GET", f"{_PLACE}/visitor-bans", list_bans, BAN, "访客黑名单", query=Page, answer=BansAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", f"{_PLACE}/visitor-bans", put_ban, BAN, "加入访客黑名单：手机号、证件号或车牌", body=BanBody,
        answer=AddedAnswer, status=201, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "POST", "/admin/v1/visitor-bans/{ban_id}/lift", lift_ban, BAN, "解除访客黑名单，须写明原因", body=ReasonBody,
        answer=Nothing, errors=(NotFound, Conflict, Invalid),
    ),
    *guard_admin.ROUTES,
)  # fmt: skip
