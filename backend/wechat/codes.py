"""Mini-program codes of houses and gates (小程序码, wechat-miniprogram.md section 6.1).

A scene takes 32 characters of a small set, so it holds a short ticket and nothing else (pitfalls E19); what the ticket
stands for is kept here. Promises: a house or gate has one code in an app; when the house's paper code is replaced, or
the gate is taken out of use, the code leads nowhere from then on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.egress import EgressError
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import random_text
from backend.kernel.resources import Resources
from backend.wechat import answers, api
from backend.wechat.apps import App
from backend.wechat.errors import WechatError, WechatSilent

SCENE_LENGTH = 12
SCENE = re.compile(r"[0-9A-Z]{12}")
TAKEN_BY_WECHAT = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
WIDTH_PX = 600
PAGE_MISSING = 41030


class CodeKind(StrEnum):
    """What a code is for."""

    HOUSE = "house"
    GATE = "gate"


# Pages of the mini-program: without a slash in front, without a query.
PAGES: Mapping[CodeKind, str] = {CodeKind.HOUSE: "pages/pay/house", CodeKind.GATE: "pages/visitors/gate"}

SUBJECT = "SELECT kind, id, community_id, name, paper_code FROM wechat_code_subject WHERE id = $1 AND kind = $2"

# A code whose paper code was replaced is over.
OVERTAKEN = """
    UPDATE wechat_code SET ended_at = $4
     WHERE subject_id = $1 AND kind = $2 AND ended_at IS NULL AND paper_code IS DISTINCT FROM $3
"""
ADD = """
    INSERT INTO wechat_code (scene, community_id, appid, kind, subject_id, paper_code, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (subject_id, kind, appid) WHERE ended_at IS NULL DO NOTHING
"""
_CODE = """
    SELECT c.scene, c.kind, c.subject_id, c.community_id, c.appid, c.picture, s.name, s.paper_code
      FROM wechat_code c
      JOIN wechat_code_subject s
        ON s.id = c.subject_id AND s.kind = c.kind AND s.paper_code IS NOT DISTINCT FROM c.paper_code
     WHERE c.ended_at IS NULL
"""
LIVE = f"{_CODE} AND c.subject_id = $1 AND c.kind = $2 AND c.appid = $3"
OF_SCENE = f"{_CODE} AND c.scene = $1"
DRAWN = "UPDATE wechat_code SET picture = $2 WHERE scene = $1"


class PageMissing(Conflict):
    """The released mini-program does not have the page (41030)."""

    code = "page_not_released"
    message = "已发布的小程序里还没有这个页面，请先发布小程序，再生成小程序码。"


@dataclass(frozen=True, slots=True)
class Subject:
    """A house or a gate, as codes know it."""

    kind: CodeKind
    id: UUID
    community_id: UUID
    name: str
    paper_code: str | None


@dataclass(frozen=True, slots=True)
class Code:
    """A code and what it stands for. `picture`: the ending of its stored file, None where there is none yet."""

    scene: str
    kind: CodeKind
    subject_id: UUID
    community_id: UUID
    appid: str
    picture: str | None
    name: str
    paper_code: str | None

    @property
    def file_key(self) -> str:
        """Where the store keeps the picture."""
        return f"codes/{self.scene}{self.picture}"


async def subject(db: Reader, kind: CodeKind, subject_id: UUID) -> Subject:
    """A house, or a gate in use; NotFound."""
    row = await db.fetchrow(SUBJECT, subject_id, kind)
    if row is None:
        raise NotFound
    return Subject(CodeKind(row["kind"]), row["id"], row["community_id"], row["name"], row["paper_code"])


async def give(tx: Tx, actor: Actor, wanted: Subject, *, app: App) -> Code:
    """The code of the subject in the app, made where there is none; its picture comes by `draw`."""
    await tx.execute(OVERTAKEN, wanted.id, wanted.kind, wanted.paper_code, tx.now)
    made = await tx.execute(
        ADD, random_text(SCENE_LENGTH), wanted.community_id, app.appid, wanted.kind, wanted.id, wanted.paper_code,
        tx.now,
    )  # fmt: skip
    found = await live(tx, wanted, appid=app.appid)
    if found is None:
        raise Conflict("房屋的缴费码刚刚被更换，请重试。", code="pay_code_changed")
    if made.endswith(" 1"):
        audit.record(
            tx, actor, action="wechat_code.made", target=f"{wanted.kind}:{wanted.id}",
            community_id=wanted.community_id, after={"appid": app.appid},
        )  # fmt: skip
    return found


async def live(db: Reader, wanted: Subject, *, appid: str) -> Code | None:
    """The code that leads to the subject, if there is one."""
    row = await db.fetchrow(LIVE, wanted.id, wanted.kind, appid)
    return None if row is None else Code(**{**dict(row.items()), "kind": CodeKind(row["kind"])})


async def of_scene(db: Reader, scene: str) -> Code:
    """What a scanned scene stands for; NotFound for what is none of ours, or no more."""
    row = await db.fetchrow(OF_SCENE, scene) if SCENE.fullmatch(scene) else None
    if row is None:
        raise NotFound("这个小程序码已失效，请扫描最新张贴的码。")
    return Code(**{**dict(row.items()), "kind": CodeKind(row["kind"])})


async def draw(res: Resources, app: App, code: Code) -> Code:
    """The code with its picture in the store, asked of WeChat where it is not there yet; PageMissing, Unavailable."""
    if code.picture is not None:
        return code
    document = {"scene": checked(code.scene), "page": PAGES[code.kind], "width": WIDTH_PX}
    try:
        picture = await api.of(res).draw(app, "/wxa/getwxacodeunlimit", document)
    except WechatError as error:
        raise (PageMissing() if error.errcode == PAGE_MISSING else error) from error
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    drawn = Code(
        code.scene, code.kind, code.subject_id, code.community_id, code.appid,
        ".png" if picture.startswith(answers.PNG) else ".jpg", code.name, code.paper_code,
    )  # fmt: skip
    await res.storage.put(drawn.file_key, picture)
    await res.db.execute(DRAWN, drawn.scene, drawn.picture)
    return drawn


def checked(scene: str) -> str:
    """A scene that WeChat takes: 1 to 32 characters of its set, no Chinese, no percent sign; ValueError."""
    if not TAKEN_BY_WECHAT.fullmatch(scene):
        raise ValueError("not a scene")
    return scene
