"""Control API of refunds: what the channel knows of them, and how one ends."""

from typing import Any

from aiohttp import web

from sandbox import clock, refund_books
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.notifications import POSTMAN
from sandbox.refund_books import Refund, RefundState
from sandbox.world import World


def _refund(world: World, request: web.Request) -> Refund:
    mchid, out_refund_no = request.match_info["mchid"], request.match_info["out_refund_no"]
    refund = refund_books.find(world, mchid, out_refund_no)
    if refund is None:
        raise ControlError(404, "no_such_refund", f"merchant {mchid} has no refund {out_refund_no}")
    return refund


def refund_view(refund: Refund) -> dict[str, Any]:
    """A refund as the channel's books have it."""
    return {
        "refund_id": refund.refund_id,
        "mchid": refund.mchid,
        "sub_mchid": refund.sub_mchid,
        "out_refund_no": refund.out_refund_no,
        "out_trade_no": refund.out_trade_no,
        "transaction_id": refund.transaction_id,
        "amount_fen": refund.amount_fen,
        "total_fen": refund.total_fen,
        "reason": refund.reason,
        "state": str(refund.state),
        "account": refund.account,
        "created_at": clock.rfc3339(refund.created_s),
        "success_time": None if refund.success_s is None else clock.rfc3339(refund.success_s),
    }


async def list_refunds(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/refunds?mchid=: all refunds of a merchant, oldest first."""
    return {"refunds": [refund_view(refund) for refund in refund_books.of_merchant(world, asked(request, "mchid"))]}


async def show_refund(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/refunds/{mchid}/{out_refund_no}."""
    return refund_view(_refund(world, request))


async def finish(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/refunds/{mchid}/{out_refund_no}/finish: it ends now (SUCCESS unless told); its callback is due."""
    state = take(body, state="SUCCESS")["state"]
    if state not in refund_books.EVENTS:
        raise ControlError(400, "wrong_value", f"state is one of {[str(one) for one in refund_books.EVENTS]}")
    ended = refund_books.end_by_hand(world, _refund(world, request), RefundState(state))
    request.app[POSTMAN].wake()
    return refund_view(ended)
