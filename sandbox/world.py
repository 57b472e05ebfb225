"""What every endpoint of the sandbox works on: clock, store, keys and scripted hostility."""

from dataclasses import dataclass

from aiohttp import web

from sandbox.alipay_keys import AlipayKeys
from sandbox.clock import SharedClock
from sandbox.hostile import Hostility
from sandbox.platform_keys import PlatformKeys
from sandbox.store import Store


@dataclass(frozen=True, slots=True)
class World:
    """One sandbox. All `now` comes from its clock."""

    clock: SharedClock
    store: Store
    keys: PlatformKeys
    alipay: AlipayKeys
    hostile: Hostility

    def now_s(self) -> float:
        """The present instant on the shared clock, in seconds since 1970."""
        return self.clock.now_s()


WORLD = web.AppKey("world", World)
