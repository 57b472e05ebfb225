"""Resident routes of codes for gates (通行码): a pass to send on, live codes, one's own code for the doors (D10)."""

from dataclasses import asdict
from datetime import datetime

from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Reply, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.visitors import codes, inviting, tokens
from backend.visitors.codes import LiveCode, PassCodes

_TEXT = "AQAAAAcAAAADAZkbKnwAcACAAAAAAAAAAWqVoABqlvGAAAEBAgMEBQYHCAAA…"
_LIVE = {"shown_from": "2026-09-01T02:00:00Z", "shown_until": "2026-09-01T02:00:30Z", "text": _TEXT}
_RATE = Rule("visitors.codes", 60, 60)


class LiveCodeAnswer(Strict):
    """A code that the phone shows as a QR between two instants, and no longer."""

    model_config = example(**_LIVE)
    shown_from: datetime
    shown_until: datetime
    text: str


class PassCodeAnswer(Strict):
    """`text`: what the QR of the pass holds; `live`: codes of the next minutes, none outside the pass's hours."""

    model_config = example(text=_TEXT, live=[_LIVE])
    text: str
    live: list[LiveCodeAnswer]


class DoorCodeAnswer(Strict):
    """The resident's own codes of the next minutes; ask again before the last one is over."""

    model_config = example(live=[_LIVE])
    live: list[LiveCodeAnswer]


async def show(call: Call[None, None]) -> PassCodeAnswer:
    """GET /api/v1/visitor-passes/{pass_id}/code."""
    found = await call.res.db.transact(lambda tx: _codes(tx, call))
    return PassCodeAnswer(text=found.text, live=_live(found.live))


async def picture(call: Call[None, None]) -> Reply:
    """GET /api/v1/visitor-passes/{pass_id}/code.png."""
    found = await call.res.db.transact(lambda tx: _codes(tx, call))
    headers = {"Cache-Control": "private, no-store"}
    return Reply(body=tokens.picture(found.text), content_type="image/png", headers=headers)


async def show_own(call: Call[None, None]) -> DoorCodeAnswer:
    """GET /api/v1/houses/{house_id}/door-code."""
    tie, person_id = call.principal.tie(call.ids["house_id"]), call.principal.person_id
    found = await call.res.db.transact(
        lambda tx: codes.of_resident(tx, tie=tie, person_id=person_id, keyring=call.res.keyring)
    )
    return DoorCodeAnswer(live=_live(found))


async def _codes(tx: Tx, call: Call[None, None]) -> PassCodes:
    row = await inviting.scoped(tx, call.ids["pass_id"], call.principal.scope)
    return await codes.of_pass(tx, row, keyring=call.res.keyring)


def _live(found: tuple[LiveCode, ...]) -> list[LiveCodeAnswer]:
    return [LiveCodeAnswer(**asdict(each)) for each in found]


_ERRORS = (Unauthenticated, NotFound, Conflict, TooMany)
ROUTES = (
    Route(
        "GET", "/api/v1/visitor-passes/{pass_id}/code", show, RESIDENT, "访客通行证的通行码，以及会变化的动态码",
        answer=PassCodeAnswer, errors=_ERRORS, rate=_RATE,
    ),
    Route(
        "GET", "/api/v1/visitor-passes/{pass_id}/code.png", picture, RESIDENT, "通行码的二维码图片，可以转发给访客",
        errors=_ERRORS, rate=_RATE,
    ),
    Route(
        "GET", "/api/v1/houses/{house_id}/door-code", show_own, RESIDENT, "住户自己的开门动态码",
        answer=DoorCodeAnswer, errors=_ERRORS, rate=_RATE,
    ),
)  # fmt: skip
