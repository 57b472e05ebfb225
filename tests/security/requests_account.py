"""The requests of the official account: pushes that nobody signed, codes, settings, menu, replies."""

import secrets

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.wechat import auto_replies, menus, push_settings
from backend.wechat.auto_replies import NewReply, ReplyKind
from backend.wechat.push_settings import NewSettings, PushMode
from tests.factories_account import ENCODING_KEY, GH, TOKEN
from tests.security.prepared import Prepared, request
from tests.security.world import OFFICIAL, SECRET, Who, World

_ONE = f"/admin/v1/wechat-apps/{OFFICIAL}"
SETTINGS = NewSettings(GH, PushMode.SAFE, TOKEN, ENCODING_KEY)


async def set_up(world: World) -> None:
    """The account takes pushes, here and at WeChat."""
    res, company_id = world.res, world.a.company_id
    if await res.db.fetchval("SELECT push_mode FROM wechat_app WHERE appid = $1", OFFICIAL) is None:
        await res.db.transact(
            lambda tx: push_settings.set_push(
                tx, res.keyring, SYSTEM, company_id=company_id, appid=OFFICIAL, new=SETTINGS
            )
        )
        await world.sandbox.ask("PUT", f"/apps/{OFFICIAL}", {"secret": SECRET, "kind": "official"})


@request("GET /wechat/{account}")
async def unsigned_check(world: World, who: Who) -> Prepared:
    await set_up(world)
    return Prepared(f"/wechat/{OFFICIAL}?signature={'0' * 40}&timestamp=1&nonce=1&echostr=1")


@request("POST /wechat/{account}")
async def unsigned_push(world: World, who: Who) -> Prepared:
    await set_up(world)
    return Prepared(f"/wechat/{OFFICIAL}?signature={'0' * 40}&timestamp=1&nonce=1", raw=b"<xml/>")


@request("GET /api/v1/official-account")
async def my_account(world: World, who: Who) -> Prepared:
    await set_up(world)
    return Prepared("/api/v1/official-account")


@request("POST /api/v1/official-account/code")
async def my_code(world: World, who: Who) -> Prepared:
    await set_up(world)
    return Prepared("/api/v1/official-account/code", touches=(who.id,))


@request("GET /admin/v1/wechat-apps")
async def list_apps(world: World, who: Who) -> Prepared:
    return Prepared("/admin/v1/wechat-apps")


@request("PUT /admin/v1/wechat-apps/{appid}")
async def register(world: World, who: Who) -> Prepared:
    appid = f"wx{secrets.token_hex(8)}"
    body = {"kind": "official", "secret": secrets.token_hex(16)}
    return Prepared(f"/admin/v1/wechat-apps/{appid}", body, shows=(appid,), touches=(appid,))


@request("PUT /admin/v1/wechat-apps/{appid}/push-settings")
async def set_push(world: World, who: Who) -> Prepared:
    await set_up(world)
    body = {"original_id": GH, "mode": "safe", "token": TOKEN, "encoding_aes_key": ENCODING_KEY}
    return Prepared(f"{_ONE}/push-settings", body, shows=("safe",), touches=(OFFICIAL,))


async def menu(world: World) -> list[dict[str, object]]:
    """A menu that is kept, with a key of its own."""
    await set_up(world)
    buttons: list[dict[str, object]] = [{"name": "账单", "type": "click", "key": f"KEY_{world.next()}"}]

    async def work(tx: Tx) -> None:
        await menus.save(
            tx, SYSTEM, appid=OFFICIAL, company_id=world.a.company_id, buttons=buttons, sites=(), miniprograms=()
        )

    await world.res.db.transact(work)
    return buttons


@request("GET /admin/v1/wechat-apps/{appid}/menu")
async def show_menu(world: World, who: Who) -> Prepared:
    return Prepared(f"{_ONE}/menu", shows=((await menu(world))[0]["key"],))


@request("PUT /admin/v1/wechat-apps/{appid}/menu")
async def save_menu(world: World, who: Who) -> Prepared:
    await set_up(world)
    key = f"KEY_{world.next()}"
    body = {"buttons": [{"name": "账单", "type": "click", "key": key}]}
    return Prepared(f"{_ONE}/menu", body, shows=(key,), touches=(key, OFFICIAL))


@request("POST /admin/v1/wechat-apps/{appid}/menu/push")
async def push_menu(world: World, who: Who) -> Prepared:
    return Prepared(f"{_ONE}/menu/push", shows=((await menu(world))[0]["key"],), touches=(OFFICIAL,))


async def reply(world: World) -> str:
    """A reply of ours to a keyword of its own."""
    await set_up(world)
    await world.res.db.execute("DELETE FROM wechat_reply")
    new = NewReply(ReplyKind.EXACT, f"词{world.next()}", "请致电物业。")
    made = await world.res.db.transact(
        lambda tx: auto_replies.create(tx, SYSTEM, appid=OFFICIAL, company_id=world.a.company_id, new=new)
    )
    return str(made)


@request("GET /admin/v1/wechat-apps/{appid}/replies")
async def list_replies(world: World, who: Who) -> Prepared:
    return Prepared(f"{_ONE}/replies", shows=(await reply(world),))


@request("POST /admin/v1/wechat-apps/{appid}/replies")
async def create_reply(world: World, who: Who) -> Prepared:
    keyword = f"新词{world.next()}"
    body = {"kind": "contains", "keyword": keyword, "reply": "请致电物业。"}
    return Prepared(f"{_ONE}/replies", body, touches=(keyword,))


@request("PUT /admin/v1/wechat-apps/{appid}/replies/{reply_id}")
async def change_reply(world: World, who: Who) -> Prepared:
    reply_id, keyword = await reply(world), f"改词{world.next()}"
    body = {"kind": "contains", "keyword": keyword, "reply": "请致电物业。"}
    return Prepared(f"{_ONE}/replies/{reply_id}", body, touches=(reply_id, keyword))


@request("DELETE /admin/v1/wechat-apps/{appid}/replies/{reply_id}")
async def delete_reply(world: World, who: Who) -> Prepared:
    reply_id = await reply(world)
    return Prepared(f"{_ONE}/replies/{reply_id}", touches=(reply_id,))
