"""A company with both apps at the sandbox, residents with WeChat there, and WeChat's browser as pages meet it."""

from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from backend.kernel.resources import Resources
from tests import factories, factories_messaging
from tests.conftest import Answered, Client, Sandbox
from tests.factories import Community, Person
from tests.factories_messaging import MINI, OFFICIAL

WECHAT = "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50"


@dataclass
class Browser:
    """WeChat's browser of one user: it keeps its cookies and follows nothing by itself."""

    client: Client
    user_id: str
    openid: str
    jar: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, raw: bytes | None = None
    ) -> Answered:
        """One request with the cookies whose path it falls under."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        sent = {"User-Agent": WECHAT, "Cookie": cookies, **(headers or {})}
        async with self.client.session.request(
            method, self.client.url + path, headers=sent, data=raw, allow_redirects=False
        ) as answer:
            for text in answer.headers.getall("Set-Cookie", []):
                self.jar |= {name: morsel.value for name, morsel in SimpleCookie(text).items()}
            return Answered(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.ask("GET", path, headers=headers)

    async def at_wechat(self, departed: Answered) -> str:
        """WeChat sends the browser back; where to, without the host."""
        assert departed.status == 302, departed.body
        headers = {"Cookie": f"sandbox_user={self.user_id}"}
        async with self.client.session.get(
            departed.headers["Location"], headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"

    async def leaves(self, back: str = "/h5/", appid: str = OFFICIAL) -> str:
        """The menu's entry is opened; the address to which WeChat sends the browser back."""
        return await self.at_wechat(await self.get(f"/p/login/{appid}?{urlencode({'back': back})}"))

    async def logs_in(self, back: str = "/h5/") -> Answered:
        return await self.get(await self.leaves(back))


@dataclass(frozen=True)
class Town:
    """A community of a company with both apps, a house and its owner, who uses the mini-program."""

    res: Resources
    sandbox: Sandbox
    place: Community
    house_id: UUID
    owner: Person
    user_id: str

    async def browser(self, client: Client, user_id: str | None = None) -> Browser:
        """The browser of the owner, or of another user."""
        user_id = user_id or self.user_id
        told = await self.sandbox.ask("GET", f"/users/{user_id}/openid?appid={OFFICIAL}")
        return Browser(client, user_id, told["openid"])

    async def linked(self, client: Client) -> Browser:
        """The owner's browser, whose openid is known as the owner's."""
        made = await self.browser(client)
        await self.res.db.execute(
            """INSERT INTO wechat_user (id, appid, openid, person_id, created_at)
               VALUES (gen_random_uuid(), $1, $2, $3, $4)""",
            OFFICIAL, made.openid, self.owner.id, self.res.clock.now(),
        )  # fmt: skip
        return made

    async def count(self, table: str) -> int:
        return int(await self.res.db.fetchval(f"SELECT count(*) FROM {table}"))


async def town(res: Resources, sandbox: Sandbox) -> Town:
    """The town; its owner has just opened the mini-program."""
    place = await factories.community(res)
    await factories_messaging.plug_in(res, sandbox, place)
    house_id = await factories.house(res, place)
    user_id = (await sandbox.ask("POST", "/users", {"nickname": "张三"}))["user_id"]
    openid = (await sandbox.ask("GET", f"/users/{user_id}/openid?appid={MINI}"))["openid"]
    await sandbox.ask("POST", f"/users/{user_id}/open", {"appid": MINI})
    owner = await factories.person(res, openid=openid)
    await factories.occupy(res, owner, house_id)
    return Town(res, sandbox, place, house_id, owner, user_id)
