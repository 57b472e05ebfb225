"""Paper codes of houses (缴费码): by its code anybody may pay for a house, and sees nothing but what is due (D6).

Every house has one code from the start, random and of 50 bits; a new one ends the old one at once. The code leads to
`<site>/p/<code>`.
"""

import re
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

import segno

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import random_text
from backend.property.houses import PAY_CODE_LENGTH

DOOR = re.compile(r"[0-9A-Za-z]+(?=[^0-9A-Za-z]*$)")

LOCK = "SELECT community_id FROM house WHERE id = $1 FOR UPDATE"

REPLACE = "UPDATE house SET pay_code = $2 WHERE id = $1"

# Index house_by_community.
CARDS = """
    SELECT h.id AS house_id, h.no, h.community_id, c.name AS community, h.label, h.pay_code
      FROM house h JOIN community c ON c.id = h.community_id
     WHERE h.community_id = $1 AND h.no > $2 AND ($3::uuid IS NULL OR h.building_id = $3)
     ORDER BY h.no
     LIMIT $4
"""

CARD = """
    SELECT h.id AS house_id, h.no, h.community_id, c.name AS community, h.label, h.pay_code
      FROM house h JOIN community c ON c.id = h.community_id
     WHERE h.id = $1
"""


@dataclass(frozen=True, slots=True)
class Card:
    """What is printed for a house. `no` is where the next page of cards begins."""

    house_id: UUID
    no: int
    community_id: UUID
    community: str
    label: str
    pay_code: str


async def replace(tx: Tx, actor: Actor, *, house_id: UUID, reason: str) -> Card:
    """Give the house another code; the old one leads nowhere from now on. NotFound for an unknown house."""
    community_id = await tx.fetchval(LOCK, house_id)
    if community_id is None:
        raise NotFound
    await tx.execute(REPLACE, house_id, random_text(PAY_CODE_LENGTH))
    audit.record(
        tx, actor, action="house.pay_code_replaced", target=f"house:{house_id}", community_id=community_id,
        reason=reason,
    )  # fmt: skip
    return await card(tx, house_id)


async def card(db: Reader, house_id: UUID) -> Card:
    """The card of one house; NotFound for an unknown one."""
    row = await db.fetchrow(CARD, house_id)
    if row is None:
        raise NotFound
    return Card(**dict(row.items()))


async def cards(db: Reader, community_id: UUID, *, building_id: UUID | None, after: int, limit: int) -> list[Card]:
    """The cards of a community's houses behind number `after`, in order of their numbers."""
    return [Card(**dict(row.items())) for row in await db.fetch(CARDS, community_id, after, building_id, limit)]


def masked(label: str) -> str:
    """A house's label for those who only hold its code: of the door's number the last character stays."""
    return DOOR.sub(lambda door: "*" * (len(door[0]) - 1) + door[0][-1] if len(door[0]) > 1 else "*", label)


def address(site: str, pay_code: str) -> str:
    """Where the code leads."""
    return f"{site.rstrip('/')}/p/{pay_code}"


def svg(url: str, *, title: str = "缴费码") -> str:
    """The QR code of an address, to stand inside of a page or by itself; it needs nothing from elsewhere."""
    drawn = BytesIO()
    segno.make(url, error="m", micro=False).save(
        drawn, kind="svg", scale=4, border=4, xmldecl=False, svgns=True, nl=False, title=title
    )
    return drawn.getvalue().decode()
