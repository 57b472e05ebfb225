"""The product's app in the tests' own loop. Building one costs a fifth of a second, so a worker keeps one.

The kept app listens on `KEPT_PORT` from its first use. It serves the resources of the running test; between two
tests it answers 503, so that a late callback meets nobody else's database.
"""

import asyncio
import gc
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
from sanic import Sanic

from backend.composition import build_app
from backend.kernel.config import Settings
from backend.kernel.errors import Unavailable
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources

Serving = tuple[Any, Any, aiohttp.ClientSession]

KEPT_PORT: Final = free_port()


class _Whose:
    """Stands for the resources of the test that is being served."""

    def __init__(self) -> None:
        self.res: Resources | None = None

    def __getattr__(self, name: str) -> Any:
        if self.res is None:
            raise Unavailable("这个测试已经结束。")
        return getattr(self.res, name)


class _Kept:
    whose: Any = _Whose()
    serving: tuple[Any, Any] | None = None
    # What ran before the last app was served: not to be ended with it.
    before: set[asyncio.Task[Any]] = set()


async def _listen(res: Resources, port: int) -> tuple[Any, Any]:
    Sanic.test_mode = True
    app = build_app(res, name=f"test_{uuid4().hex}")
    server = await app.create_server(host="127.0.0.1", port=port, return_asyncio_server=True, access_log=False)
    assert server is not None
    # CPython 3.11 cannot parse while it parses: Sanic compiles its routes, and an object that complains when collected
    # has its traceback formatted, which parses as well.
    gc.disable()
    try:
        await server.startup()
    finally:
        gc.enable()
    await server.start_serving()
    return app, server


def _plain(settings: Settings) -> bool:
    """What the edge reads from the settings once, when it is built, is as it always is."""
    return settings.request_timeout_s == Settings(data_dir=settings.data_dir).request_timeout_s


async def serve(res: Resources) -> Serving:
    """Serve `res` at its public address."""
    port = urlsplit(res.settings.public_url).port
    assert port is not None
    if port == KEPT_PORT:
        assert _plain(res.settings) and _Kept.whose.res is None
        _Kept.whose.res = res
        _Kept.serving = _Kept.serving or await _listen(_Kept.whose, port)
        app, server = _Kept.serving
    else:
        app, server = await _listen(res, port)
    _Kept.before = asyncio.all_tasks()
    return app, server, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))


async def stop(app: Any, server: Any, session: aiohttp.ClientSession) -> None:
    """Serve no longer; what goes on behind the answers, as pictures that are being decoded, ends as well."""
    await session.close()
    left = asyncio.all_tasks() - _Kept.before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    if _Kept.serving is not None and app is _Kept.serving[0]:
        _Kept.whose.res = None
        return
    server.close()
    await server.wait_closed()
    Sanic._app_registry.pop(app.name, None)
