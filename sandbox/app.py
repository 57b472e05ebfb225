"""One server plays all hosts of WeChat, WeChat Pay and Alipay: what each answers is in its table of routes."""

from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from sandbox import (
    alipay_postman,
    alipay_routes,
    alipay_tables,
    content_checks,
    js_tickets,
    menus,
    pay_books,
    plants,
    push_postman,
    pushes,
    qr_codes,
    refund_books,
    scenario,
    store,
    wechat_routes,
)
from sandbox.alipay_keys import AlipayKeys
from sandbox.clock import SharedClock
from sandbox.hostile import Hostility
from sandbox.notifications import POSTMAN, Postman, Tick
from sandbox.pay_edge import Handler
from sandbox.platform_keys import PlatformKeys
from sandbox.rounds import going
from sandbox.store import Store
from sandbox.world import WORLD, World

CLOCK_FILE = "clock-offset"
STATE_FILE = "sandbox.sqlite3"
NOT_COUNTED = ("/control", "/cashier")

# What each part keeps in the store, what it answers, and what it does by itself as time goes by.
SCHEMAS = (
    store.SCHEMA,
    refund_books.SCHEMA,
    plants.SCHEMA,
    pushes.SCHEMA,
    qr_codes.SCHEMA,
    menus.SCHEMA,
    js_tickets.SCHEMA,
    content_checks.SCHEMA,
    scenario.SCHEMA,
    alipay_tables.SCHEMA,
)
ROUTES: tuple[tuple[str, str, Handler], ...] = (*wechat_routes.ROUTES, *alipay_routes.ROUTES)
TICKS: tuple[Tick, ...] = (
    pay_books.pay_late,
    refund_books.settle_due,
)


@web.middleware
async def count_calls(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every call of the wire by method and path, for GET /control/stats."""
    resource = request.match_info.route.resource
    if resource is not None and not resource.canonical.startswith(NOT_COUNTED):
        request.app[WORLD].store.count(f"{request.method} {resource.canonical}")
    return await handler(request)


def make_app(data_dir: Path, clock_file: Path | None = None) -> web.Application:
    """The sandbox on the state in `data_dir`; the shared clock's file is `data_dir`/clock-offset unless given."""
    app = web.Application(middlewares=[count_calls])
    books = Store(data_dir / STATE_FILE, *SCHEMAS)
    app[WORLD] = World(
        clock=SharedClock(clock_file or data_dir / CLOCK_FILE),
        store=books,
        keys=PlatformKeys(data_dir),
        alipay=AlipayKeys(data_dir),
        hostile=Hostility(books),
    )
    for method, path, handler in ROUTES:
        app.router.add_route(method, path, handler)
    app.cleanup_ctx.append(_deliver)
    app.cleanup_ctx.append(alipay_postman.deliver)
    app.cleanup_ctx.append(push_postman.deliver)
    return app


async def _deliver(app: web.Application) -> AsyncIterator[None]:
    app[POSTMAN] = Postman(app[WORLD], TICKS)
    async with going(app[POSTMAN]):
        yield
    app[WORLD].store.close()
