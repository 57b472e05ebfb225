"""Pictures of mini-program codes (mini-program page, section 6.1): drawn here as a QR code, as any scanner reads it."""

import json
import re
from urllib.parse import urlencode

from aiohttp import web

from sandbox import qr_codes, tokens
from sandbox.api_edge import ApiCall, text_of
from sandbox.errors import ApiError
from sandbox.store import Row

SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]+")
MOST_SCENE_CHARACTERS = 32
NARROWEST, WIDEST, USUAL_WIDTH = 280, 1280, 430
# A code of this content has about so many modules, margins included.
MODULES = 53
VERSIONS = ("release", "trial", "develop")


async def create(call: ApiCall) -> web.StreamResponse:
    """POST /wxa/getwxacodeunlimit: image bytes; refusals are JSON as everywhere."""
    app = tokens.app_of(call.world, call.request, kind="miniprogram")
    scene = text_of(call.body, "scene")
    if not 1 <= len(scene) <= MOST_SCENE_CHARACTERS:
        raise ApiError(40169, "invalid length for scene, or the data is not json string")
    if not SCENE.fullmatch(scene):
        raise ApiError(40129, "invalid scene")
    if "scancode_time" in scene:
        raise ApiError(85096, "not allow include scancode_time field")
    page = _page(call, app)
    width = call.body.get("width", USUAL_WIDTH)
    if not isinstance(width, int) or isinstance(width, bool) or not NARROWEST <= width <= WIDEST:
        raise ApiError(40097, "invalid args: width")
    if call.body.get("env_version", "release") not in VERSIONS:
        raise ApiError(40097, "invalid args: env_version")
    content = f"https://mp.weixin.qq.com/a/{app['appid']}?{urlencode({'page': page, 'scene': scene})}"
    return web.Response(body=qr_codes.picture(content, width // MODULES), content_type="image/png")


def _page(call: ApiCall, app: Row) -> str:
    page = call.body.get("page", "")
    if not isinstance(page, str) or page.startswith("/") or "?" in page:
        raise ApiError(41030, "invalid page")
    is_checked = call.body.get("check_path", True) is not False
    if page and is_checked and app["pages"] is not None and page not in json.loads(app["pages"]):
        raise ApiError(41030, "invalid page")
    return page
