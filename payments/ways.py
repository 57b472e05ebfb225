"""Ways of paying (支付方式) that are open for what somebody wants to pay: those of the merchants that collect it (D6).

A merchant that is paused is not offered, and what different merchants of a channel collect cannot be paid there at
once. Whether the payer's app is the merchant's decides about paying inside of it (JSAPI).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.kernel.db import Reader
from backend.kernel.errors import Conflict
from payments import merchants
from payments.channels.base import Channel, Method

ONLINE: Mapping[Channel, tuple[Method, ...]] = {
    Channel.WECHAT: (Method.JSAPI, Method.H5, Method.NATIVE),
    Channel.ALIPAY: (Method.WAP, Method.PAGE, Method.PRECREATE),
}

TITLES: Mapping[Method, str] = {
    Method.JSAPI: "微信支付",
    Method.H5: "微信支付（手机浏览器）",
    Method.NATIVE: "微信扫码支付",
    Method.WAP: "支付宝（手机浏览器）",
    Method.PAGE: "支付宝（电脑网页）",
    Method.PRECREATE: "支付宝扫码支付",
}


@dataclass(frozen=True, slots=True)
class Offered:
    """A way that is open now."""

    channel: Channel
    method: Method

    @property
    def title(self) -> str:
        """What people call it."""
        return TITLES[self.method]


async def offered(db: Reader, community_id: UUID, *, item_ids: Sequence[UUID | None], appid: str = "") -> list[Offered]:
    """The ways open for things of these items in a community; `appid`: the app in which the payer is known."""
    return [
        Offered(channel, method)
        for channel, chosen in await _collecting(db, community_id, item_ids)
        for method in ONLINE[channel]
        if not chosen.paused and (method is not Method.JSAPI or chosen.serves(appid))
    ]


async def paused(db: Reader, community_id: UUID, *, item_ids: Sequence[UUID | None]) -> bool:
    """Whether things of these items cannot be paid online now but could before: all that collect them are paused."""
    found = await _collecting(db, community_id, item_ids)
    return bool(found) and all(chosen.paused for _, chosen in found)


async def _collecting(
    db: Reader, community_id: UUID, item_ids: Sequence[UUID | None]
) -> list[tuple[Channel, merchants.Choice]]:
    found: list[tuple[Channel, merchants.Choice]] = []
    for channel in ONLINE:
        try:
            found.append((channel, await merchants.choice(db, community_id, item_ids=item_ids, channel=channel)))
        except Conflict:
            continue
    return found
