"""What a handler sees of HTTP: routes as data, strict models, calls, pages and replies.

A handler reads: parse (already done, by the route's models), authorise (the route's permission, then the scope as an
argument), one call, present.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from backend.kernel import idempotency
from backend.kernel.auth import Nonce, Principal
from backend.kernel.db import Tx
from backend.kernel.errors import AppError, BadRequest
from backend.kernel.ratelimit import Rule
from backend.kernel.resources import Resources

M = TypeVar("M", bound=BaseModel)
B = TypeVar("B")
Q = TypeVar("Q")
MAX_PAGE = 100
MAX_BIGINT = (1 << 63) - 1


class Strict(BaseModel):
    """Base of every request and answer: exact types, no unknown fields, no change after parsing."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def example(**values: Any) -> ConfigDict:
    """The `model_config` of a model with an example for OpenAPI, in JSON types."""
    return ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [values]})


class Nothing(Strict):
    """An empty body or an empty answer."""

    model_config = example()


class Page(Strict):
    """Query of a list: cursor paging."""

    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the page before")
    limit: int = Field(20, ge=1, le=MAX_PAGE)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not a JSON model: a page, a file, an acknowledgement."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def document(values: Mapping[str, Any]) -> Reply:
    """A JSON answer written as it stands: what models would write, for a quarter of what they cost.

    For lists that are asked for all day. Nothing checks the values: a test holds them against the route's `answer`.
    """
    return Reply(body=orjson.dumps(values, _plain, orjson.OPT_UTC_Z), content_type="application/json")


def _plain(value: Any) -> str:
    """A row's ids are of a subclass, which orjson does not write by itself; what else it does not know is refused."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on: chunks as they come, server-sent events unless said otherwise. It ends by itself."""

    chunks: AsyncIterator[bytes]
    content_type: str = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One authorised, parsed request."""

    principal: Principal
    res: Resources
    route: "Route"
    ids: Mapping[str, UUID]
    path: Mapping[str, str]
    body: B
    query: Q
    raw: bytes
    headers: Mapping[str, str]
    client_ip: str
    request_id: str
    nonce: Nonce | None = None

    async def transact(self, work: Callable[[Tx], Awaitable[M]]) -> M:
        """One transaction; see `Database.transact`."""
        return await self.res.db.transact(work)

    async def once(self, work: Callable[[Tx], Awaitable[M]], answer: type[M]) -> M:
        """One transaction under the client's Idempotency-Key (I-19); the edge has checked that there is one."""
        key = self.headers["idempotency-key"]
        who = f"{self.principal.kind}:{self.principal.id or self.principal.wechat_user_id}"
        route = f"{self.route.method} {self.route.path}"
        named = orjson.dumps({name: str(value) for name, value in self.ids.items()}, option=orjson.OPT_SORT_KEYS)

        async def claimed(tx: Tx) -> M:
            return await idempotency.once(
                tx, work, principal=who, route=route, key=key, body=named + self.raw, answer=answer
            )

        return await self.res.db.transact(claimed)


Handler = Callable[[Call[Any, Any]], Awaitable[BaseModel | Reply | Stream]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API, declared once: it drives the router, the checks and the OpenAPI document.

    `creates`: takes an Idempotency-Key. `raw`: the body is bytes for the handler (callbacks). `upload_bytes`: the body
    is a file of at most so many bytes; with `form` the only file of a form. `spends_nonce`: the handler keeps the nonce
    of a signed request in the statement by which it writes. Path parameters ending in `_id` are UUIDs; a malformed one
    is a 404.
    """

    method: str
    path: str
    handler: Handler
    permission: str
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    errors: tuple[type[AppError], ...] = ()
    rate: Rule | None = None
    creates: bool = False
    raw: bool = False
    upload_bytes: int | None = None
    form: bool = False
    spends_nonce: bool = False

    @property
    def template(self) -> str:
        """The path as the router writes it: `/bills/<bill_id:str>`."""
        return self.path.replace("{", "<").replace("}", ":str>")


def encode_cursor(*values: Any) -> str:
    """An opaque cursor of the last row's sort key."""
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def decode_cursor(text: str, types: Sequence[type]) -> tuple[Any, ...]:
    """The values of a cursor as `types` (int, str, UUID, date, datetime); BadRequest `bad_cursor` otherwise."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(values, list) or len(values) != len(types):
            raise ValueError
        return tuple(_read(value, kind) for value, kind in zip(values, types, strict=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest("翻页参数有误，请从第一页重新开始。", code="bad_cursor") from error


def _read(value: Any, kind: Any) -> Any:
    """One value of a cursor as we write it: a text, an instant with its zone, a number that a column can hold."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    read = kind.fromisoformat(value) if issubclass(kind, date) else kind(value)
    if (isinstance(read, int) and not -MAX_BIGINT <= read <= MAX_BIGINT) or getattr(read, "tzinfo", read) is None:
        raise ValueError
    return read
