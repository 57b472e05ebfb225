"""Lines of a quote or a cost (报价明细): from the price list of the day, or in words with a reason (D9, principle 6).

Promises: an amount is quantity × unit price in whole fen, and the line keeps both, with the day from which its price
counts or the reason why it is none of the list. A part of the list is one that lies in stock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from backend.kernel.db import Reader
from backend.kernel.errors import Invalid
from backend.tickets.paid import price_list
from backend.tickets.paid.states import Sort

MAX_LINES = 50


@dataclass(frozen=True, slots=True)
class Free:
    """What is none of the price list, with its price and the reason for it."""

    sort: Sort
    title: str
    unit: str
    unit_price_fen: int
    reason: str


@dataclass(frozen=True, slots=True)
class LineWish:
    """So many of an item of the price list, or of something else."""

    quantity: int
    item_id: UUID | None = None
    free: Free | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A priced line. `item_id`, `priced_from`: of the price list, by the price that counts from that day."""

    sort: str
    title: str
    unit: str
    quantity: int
    unit_price_fen: int
    amount_fen: int
    item_id: str | None
    priced_from: str | None
    reason: str | None


async def priced(db: Reader, community_id: UUID, wishes: Sequence[LineWish], *, today: Any) -> list[Line]:
    """The lines at today's prices; Invalid `no_price` for an item that has none here."""
    wanted = [wish.item_id for wish in wishes if wish.item_id is not None]
    listed = await price_list.prices(db, community_id, item_ids=wanted, today=today)
    return [_line(wish, listed, number) for number, wish in enumerate(wishes)]


def _line(wish: LineWish, listed: Mapping[UUID, Any], number: int) -> Line:
    if wish.free is not None:
        free = wish.free
        return Line(
            free.sort.value, free.title, free.unit, wish.quantity, free.unit_price_fen,
            wish.quantity * free.unit_price_fen, None, None, free.reason,
        )  # fmt: skip
    row = None if wish.item_id is None else listed.get(wish.item_id)
    if row is None:
        problem = f"第 {number + 1} 行的工料项目在本小区没有价格，请另选一项或按其他项目填写。"
        raise Invalid(problem, code="no_price", fields=[{"field": f"lines.{number}.item_id", "message": problem}])
    return Line(
        row["sort"], row["name"], row["unit"], wish.quantity, row["price_fen"], wish.quantity * row["price_fen"],
        str(row["id"]), row["starts_on"].isoformat(), None,
    )  # fmt: skip


def kept(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Lines as they are stored."""
    return [asdict(line) for line in lines]


def total_fen(lines: Sequence[Line]) -> int:
    """What the lines come to, in fen."""
    return sum(line.amount_fen for line in lines)


def parts(stored: Sequence[Mapping[str, Any]]) -> dict[UUID, int]:
    """Item → how many of it the stored lines take from stock."""
    found: dict[UUID, int] = {}
    for line in stored:
        if line["sort"] == Sort.PART and line["item_id"] is not None:
            item_id = UUID(line["item_id"])
            found[item_id] = found.get(item_id, 0) + line["quantity"]
    return found
