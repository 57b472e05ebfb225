"""A code shown for what is due (收款码): an order placed by the cashier, paid by whoever scans it with a phone (D5).

It is an ordinary order of WeChat Pay (Native) or Alipay (precreate): the code lives as long as the order, the callback
settles it, and the cashier's screen asks the order how it stands.
"""

from collections.abc import Sequence
from io import BytesIO
from uuid import UUID

import segno

from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from payments import orders
from payments.channels.base import Channel, Method
from payments.counter import shifts, takings
from payments.orders import Placed, Way
from payments.payables import Wish

WAYS = {
    Channel.WECHAT: Way(Channel.WECHAT, Method.NATIVE),
    Channel.ALIPAY: Way(Channel.ALIPAY, Method.PRECREATE),
}


async def place(
    tx: Tx, actor: Actor, *, res: Resources, communities: tuple[UUID, ...], wishes: Sequence[Wish], channel: Channel
) -> Placed:
    """The order behind a code, for things of the community of the cashier's open shift.

    Raises what `orders.place` raises, NotFound for what is not of the shift's community, Conflict `no_open_shift`.
    """
    shift = await shifts.working(tx, actor, communities=communities)
    await takings.require_here(tx, shift, wishes)
    placed = await orders.place(tx, takings.NOBODY, res=res, actor=actor, wishes=wishes, way=WAYS[channel])
    await takings.placed_here(tx, shift, placed)
    return placed


def picture(text: str) -> str:
    """The code as an SVG, to be shown in a page as it is."""
    sink = BytesIO()
    segno.make(text, error="m").save(sink, kind="svg", scale=6, border=2, xmldecl=False, svgns=True)
    return sink.getvalue().decode()
