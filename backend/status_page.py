"""The status page `/status`: what works, and what staff say of an outage; a page, or JSON where asked for (D11).

Promises: answers 200 whatever is away, PostgreSQL and Redis among it; this process and the data directory are enough.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from html import escape
from string import Template

from backend.kernel import vitals
from backend.kernel.auth import PUBLIC
from backend.kernel.clock import SHANGHAI
from backend.kernel.http import Call, Reply, Route, Strict, example
from backend.kernel.resources import Resources
from backend.notices import outage
from backend.notices.outage import Outage

PAGE = Template("""\
<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>系统状态</title>
<style>
body { font: 16px/1.7 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
.said { border-left: 4px solid #c60; background: #fff6ec; padding: .6rem 1rem; margin: 1rem 0; white-space: pre-wrap; }
.said small { display: block; color: #666; }
li.bad { color: #b00; }
</style></head><body>
<h1>$headline</h1>
$said
<ul>$parts</ul>
<p><small>更新时间：$now（北京时间）。刷新页面可以看到最新状态。</small></p>
</body></html>
""")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# What a part does for people: working, and away.
PARTS = (
    ("账单、缴费、报修、停车等功能", "正常", "暂停服务，恢复前请不要重复付款；已付的款项不会丢失"),
    ("消息发送和后台处理", "正常", "有延迟，恢复后会自动补上"),
    ("加速服务", "正常", "不可用，系统照常工作，可能稍慢"),
)


class PartView(Strict):
    """What people use, whether it works, and what that means for them."""

    model_config = example(name="账单、缴费、报修、停车等功能", works=True, text="正常")
    name: str
    works: bool
    text: str


class SaidView(Strict):
    """What staff say."""

    model_config = example(who="邻里物业", words="系统升级中，预计23:30恢复。", said_at="2026-09-01T15:00:00Z")
    who: str
    words: str
    said_at: datetime


class StatusView(Strict):
    """Whether all works, part by part, and what staff say of it."""

    model_config = example(
        works=True, parts=[{"name": "账单、缴费、报修、停车等功能", "works": True, "text": "正常"}], said=[],
        now="2026-09-01T15:00:00Z",
    )  # fmt: skip
    works: bool
    parts: list[PartView]
    said: list[SaidView]
    now: datetime


async def show(call: Call[None, None]) -> Reply:
    """GET /status."""
    status = await _status(call.res)
    if "application/json" in call.headers.get("accept", ""):
        return Reply(body=status.model_dump_json().encode(), content_type="application/json")
    return Reply(
        body=_page(status).encode(), content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": POLICY},
    )  # fmt: skip


async def _status(res: Resources) -> StatusView:
    asked = (vitals.postgres(res), vitals.worker(res), vitals.redis(res))
    works = [up for up, _ in await asyncio.gather(*map(vitals.said, asked))]
    said = await asyncio.to_thread(outage.said, res.settings.data_dir)
    return StatusView(
        works=all(works),
        parts=_parts(works),
        said=[_said(one) for one in said],
        now=res.clock.now(),
    )


def _parts(works: Sequence[bool]) -> list[PartView]:
    return [
        PartView(name=name, works=up, text=good if up else bad)
        for (name, good, bad), up in zip(PARTS, works, strict=True)
    ]


def _said(one: Outage) -> SaidView:
    return SaidView(who=one.who, words=one.words, said_at=one.said_at)


def _page(status: StatusView) -> str:
    return PAGE.substitute(
        headline="系统运行正常" if status.works else "系统部分功能暂时不可用",
        said="".join(
            f'<div class="said">{escape(one.words)}<small>{escape(one.who)}，{_minute(one.said_at)}</small></div>'
            for one in status.said
        ),
        parts="".join(
            f'<li class="{"ok" if part.works else "bad"}">{part.name}：{part.text}</li>' for part in status.parts
        ),
        now=_minute(status.now),
    )


def _minute(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


ROUTES: tuple[Route, ...] = (
    Route("GET", "/status", show, PUBLIC, "系统状态页：哪些功能正常，以及故障公告", answer=StatusView),
)
