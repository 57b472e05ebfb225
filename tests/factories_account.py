"""An official account with push settings, and WeChat as it tells of followers: signed and encrypted by wechatpy."""

from dataclasses import dataclass, field
from hashlib import sha1
from itertools import count
from typing import Any
from urllib.parse import urlencode

import xmltodict
from wechatpy.crypto import WeChatCrypto

from backend.kernel.audit import SYSTEM
from backend.kernel.clock import Clock
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.wechat import apps, auto_replies, push_settings
from backend.wechat.apps import AppKind
from backend.wechat.auto_replies import NewReply, ReplyKind
from backend.wechat.push_settings import NewSettings, PushMode
from tests import factories
from tests.conftest import Answered, Client, Sandbox

OFFICIAL = "wx0ff1c1a1acc00047"
MINI = factories.APPID
SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "PropTok2026"
# Its last character has surplus bits (pitfalls E12).
ENCODING_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
GH = "gh_123456789abc"
MINI_GH = "gh_97417a04a28d"


async def account(
    res: Resources, place: factories.Community, mode: PushMode = PushMode.SAFE, *, miniprogram: bool = True
) -> None:
    """The company has a mini-program and an official account, both telling us things."""

    async def work(tx: Tx) -> None:
        kinds = {OFFICIAL: (AppKind.OFFICIAL, GH), MINI: (AppKind.MINIPROGRAM, MINI_GH)}
        for appid, (kind, original_id) in kinds.items():
            if kind is AppKind.MINIPROGRAM and not miniprogram:
                continue
            await apps.register(
                tx, res.keyring, actor=SYSTEM, company_id=place.company_id, kind=kind, appid=appid, secret=SECRET
            )
            new = NewSettings(original_id, mode, TOKEN, ENCODING_KEY)
            await push_settings.set_push(
                tx, res.keyring, SYSTEM, company_id=place.company_id, appid=appid, new=new
            )  # fmt: skip

    await res.db.transact(work)


async def reply(res: Resources, place: factories.Community, kind: str, keyword: str | None, text: str) -> None:
    """The account answers by itself."""
    new = NewReply(ReplyKind(kind), keyword, text)
    await res.db.transact(
        lambda tx: auto_replies.create(tx, SYSTEM, appid=OFFICIAL, company_id=place.company_id, new=new)
    )


async def plug_in(res: Resources, sandbox: Sandbox, place: factories.Community, *, platform: bool = True) -> None:
    """Both accounts here and at the sandbox, which tells us what happens; under one Open Platform account or none."""
    await account(res, place)
    for appid, kind, original_id in ((OFFICIAL, "official", GH), (MINI, "miniprogram", MINI_GH)):
        url = f"{res.settings.public_url}/wechat/{appid}"
        push = {"url": url, "token": TOKEN, "aes_key": ENCODING_KEY, "mode": "safe"}
        body = {"secret": SECRET, "kind": kind, "original_id": original_id, "push": push}
        await sandbox.ask("PUT", f"/apps/{appid}", body | ({"open_platform": "open-linli"} if platform else {}))


@dataclass(frozen=True)
class Fan:
    """Somebody with WeChat at the sandbox, whose mini-program a resident uses, or nobody does."""

    sandbox: Sandbox
    user_id: str
    openid: str
    mini_openid: str

    async def does(self, what: str, **how: Any) -> str | None:
        """Follow, unfollow, say, click or scan; what the account answers is seen at once."""
        done = await self.sandbox.ask("POST", f"/users/{self.user_id}/{what}", {"appid": OFFICIAL, **how})
        await self.sandbox.ask("POST", "/pushes/flush")
        told = await self.sandbox.ask("GET", f"/pushes?appid={OFFICIAL}&openid={self.openid}")
        push = next(push for push in told["pushes"] if push["id"] == done["push"])
        assert push["state"] == "delivered", push
        return push["reply"]["content"] if push["reply"] else None


async def fan(sandbox: Sandbox) -> Fan:
    """A new user of WeChat."""
    user_id = (await sandbox.ask("POST", "/users", {}))["user_id"]
    known = [
        (await sandbox.ask("GET", f"/users/{user_id}/openid?appid={appid}"))["openid"] for appid in (OFFICIAL, MINI)
    ]
    return Fan(sandbox, user_id, *known)


async def user(res: Resources, openid: str, appid: str = OFFICIAL) -> dict[str, Any] | None:
    """What is kept of an openid."""
    row = await res.db.fetchrow("SELECT * FROM wechat_user WHERE appid = $1 AND openid = $2", appid, openid)
    return None if row is None else dict(row.items())


def signature(*parts: str) -> str:
    return sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Wechat:
    """WeChat, as it tells the account of what its followers do."""

    client: Client
    clock: Clock
    appid: str = OFFICIAL
    original_id: str = GH
    safe: bool = True
    numbers: Any = field(default_factory=lambda: count(1))

    @property
    def crypto(self) -> WeChatCrypto:
        return WeChatCrypto(TOKEN, ENCODING_KEY, self.appid)

    def document(self, openid: str, fields: dict[str, Any], at_s: int | None = None) -> dict[str, Any]:
        """A message as WeChat writes it."""
        at_s = int(self.clock.now().timestamp()) if at_s is None else at_s
        return {"ToUserName": self.original_id, "FromUserName": openid, "CreateTime": str(at_s), **fields}

    def request(self, xml: str) -> tuple[str, bytes]:
        """Path and body of a push of `xml`, in safe mode where that is on."""
        timestamp, nonce = str(int(self.clock.now().timestamp())), f"13205{next(self.numbers):05}"
        query = {"signature": signature(TOKEN, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
        body = xml
        if self.safe:
            body = self.crypto.encrypt_message(xml, nonce, timestamp)
            signed = xmltodict.parse(body)["xml"]["MsgSignature"]
            query |= {"encrypt_type": "aes", "msg_signature": signed}
        return f"/wechat/{self.appid}?{urlencode(query)}", body.encode()

    async def send(self, xml: str) -> Answered:
        path, body = self.request(xml)
        return await self.client.call("POST", path, raw=body)

    async def tell(self, openid: str, fields: dict[str, Any], *, at_s: int | None = None) -> Answered:
        """Push a message about a follower."""
        return await self.send(xmltodict.unparse({"xml": self.document(openid, fields, at_s)}, full_document=False))

    async def event(self, openid: str, name: str, key: str | None = None, **how: Any) -> Answered:
        """Push an event."""
        fields = {"MsgType": "event", "Event": name} | ({} if key is None else {"EventKey": key})
        return await self.tell(openid, fields, **how)

    async def text(self, openid: str, content: str, msg_id: int | None = None) -> str | None:
        """Push a text; what the follower is answered."""
        number = 6_000_000_000_000_000_000 + next(self.numbers) if msg_id is None else msg_id
        return self.said(
            await self.tell(openid, {"MsgType": "text", "Content": content, "MsgId": str(number)})
        )  # fmt: skip

    def said(self, answer: Answered) -> str | None:
        """The text of a passive reply, read by wechatpy in safe mode; None where there is nothing to say."""
        assert answer.status == 200, answer
        if answer.body == b"success":
            return None
        xml = answer.body.decode()
        if self.safe:
            sent = xmltodict.parse(xml)["xml"]
            xml = self.crypto.decrypt_message(sent, sent["MsgSignature"], sent["TimeStamp"], sent["Nonce"])
        shown = xmltodict.parse(xml)["xml"]
        assert shown["FromUserName"] == self.original_id and shown["MsgType"] == "text"
        return str(shown["Content"])
