"""Staff routes of mini-program codes (小程序码): made for a house or a gate, and its picture, for the printer."""

from typing import Any
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound, TooMany, Unavailable
from backend.kernel.http import Call, Handler, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.wechat import apps, codes
from backend.wechat.apps import App, AppKind
from backend.wechat.codes import Code, CodeKind, Subject

MANAGE = "pay_code.manage"
RATE = Rule("wechat.code_made", count=120, period_s=60)
LINK_S = 600
NAMES = {CodeKind.HOUSE: "house_id", CodeKind.GATE: "gate_id"}


class CodeAnswer(Strict):
    """A code. Whoever has `url` can read its picture for `ttl_s` seconds."""

    model_config = example(
        kind="house", name="1栋1单元101", scene="7QK2M9XRPA3C", page="pages/pay/house",
        url="https://example.com/files/codes/7QK2M9XRPA3C.png?until=1&sign=2", ttl_s=600,
    )  # fmt: skip
    kind: CodeKind
    name: str
    scene: str
    page: str
    url: str
    ttl_s: int


class Given(Strict):
    """The code that an Idempotency-Key stands for."""

    scene: str


def making(kind: CodeKind) -> Handler:
    """The handler that makes the code of one kind of thing."""

    async def make(call: Call[None, None]) -> CodeAnswer:
        wanted = await _subject(call, kind)
        app = await _app(call, wanted.community_id)

        async def work(tx: Tx) -> Given:
            return Given(scene=(await codes.give(tx, call.principal.actor, wanted, app=app)).scene)

        given = await call.once(work, Given)
        code = await codes.of_scene(call.res.db, given.scene)
        return _answer(call, await codes.draw(call.res, app, code))

    return make


def showing(kind: CodeKind) -> Handler:
    """The handler that shows the code of one kind of thing, where there is one."""

    async def show(call: Call[None, None]) -> CodeAnswer:
        wanted = await _subject(call, kind)
        app = await _app(call, wanted.community_id)
        code = await codes.live(call.res.db, wanted, appid=app.appid)
        if code is None or code.picture is None:
            raise NotFound("还没有生成小程序码。")
        return _answer(call, code)

    return show


async def _subject(call: Call[Any, None], kind: CodeKind) -> Subject:
    wanted = await codes.subject(call.res.db, kind, call.ids[NAMES[kind]])
    call.principal.require_community(MANAGE, wanted.community_id)
    return wanted


async def _app(call: Call[Any, None], community_id: UUID) -> App:
    """The mini-program of the company; Conflict where it has none."""
    company_id = call.principal.company_id
    assert company_id is not None, "who may manage codes in a community is of its company"
    found = await apps.apps_of_company(
        call.res.db, call.res.keyring, company_id=company_id, kind=AppKind.MINIPROGRAM
    )  # fmt: skip
    if not found:
        raise Conflict("公司还没有接入小程序，不能生成小程序码。", code="no_miniprogram")
    return found[0]


def _answer(call: Call[Any, None], code: Code) -> CodeAnswer:
    return CodeAnswer(
        kind=code.kind, name=code.name, scene=code.scene, page=codes.PAGES[code.kind],
        url=call.res.storage.url(code.file_key, LINK_S), ttl_s=LINK_S,
    )  # fmt: skip


_HOUSE, _GATE = "/admin/v1/houses/{house_id}/mini-code", "/admin/v1/gates/{gate_id}/mini-code"

ROUTES: tuple[Route, ...] = tuple(
    route
    for path, kind, what in ((_HOUSE, CodeKind.HOUSE, "房屋"), (_GATE, CodeKind.GATE, "门禁"))
    for route in (
        Route("GET", path, showing(kind), MANAGE, f"{what}的小程序码", answer=CodeAnswer, errors=(NotFound, Conflict)),
        Route(
            "POST", path, making(kind), MANAGE, f"生成{what}的小程序码；已有的不变", answer=CodeAnswer,
            creates=True, rate=RATE, errors=(NotFound, Conflict, TooMany, Unavailable),
        ),
    )
)  # fmt: skip
