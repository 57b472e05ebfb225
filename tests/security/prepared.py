"""One request of the matrix: where it goes, what it sends, and what a success must show and change."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security.world import Who, World


@dataclass(frozen=True)
class Prepared:
    """A request upon a target of its own. `token` replaces the asker's session where the request ends it.

    `shows`: fresh things that a successful answer mentions. `touches`: fresh things that the changed rows mention.
    """

    path: str
    body: Any = None
    raw: bytes | None = None
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    shows: tuple[object, ...] = ()
    touches: tuple[object, ...] = ()


Builder = Callable[[World, Who], Awaitable[Prepared]]
REQUESTS: dict[str, Builder] = {}


def request(*keys: str) -> Callable[[Builder], Builder]:
    """Register a builder for rows of the matrix."""

    def register(builder: Builder) -> Builder:
        for key in keys:
            assert key not in REQUESTS, key
            REQUESTS[key] = builder
        return builder

    return register


def plain(key: str, path: str) -> None:
    """A request without a body whose path names things of the world: `/bills/{bill}`."""

    async def build(world: World, who: Who) -> Prepared:
        return Prepared(path.format_map(world.ids))

    request(key)(build)
