"""The list by which a lane without a network decides alone (离线名单): its lot's cards, white and black list (D8).

Promises: only the camera of a lane is given one, that of its own lot, with readable plates (decision 0022); a version
names one state of the cards and lists, made by triggers in the transaction of the change; a list with the changes since
a version that was given out is the list that would be given out whole. An entry carries its days, so that a day that
passes changes nothing: one that is over is left out, and the camera leaves it out by itself.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from backend.kernel import audit, versions
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Database, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.versions import Version

# Changes of a lot that are kept; who is further behind gets the whole list.
KEPT_CHANGES = 10_000

_LOT = """
    SELECT lot.id AS lot_id, lot.no AS lot_no, lot.community_id, coalesce(v.version, 0) AS version, v.mark
      FROM parking_lane lane
      JOIN parking_lot lot ON lot.id = lane.lot_id
      LEFT JOIN parking_gate_version v ON v.lot_id = lot.id
     WHERE lane.camera_device_id = $1
"""

HEAD = f"""
    WITH lot AS ({_LOT})
    SELECT lot.*, EXISTS (SELECT FROM parking_gate_change c
                           WHERE c.lot_id = lot.lot_id AND c.version = $2 AND c.mark = $3) AS known
      FROM lot
"""  # noqa: S608 - constants only

_CARD = """
    SELECT cv.id AS card_vehicle_id, NULL::uuid AS list_entry_id, 'card' AS kind, cv.card_id, card.spaces,
           cv.period, v.id AS vehicle_id, v.plate_sealed
      FROM parking_card_vehicle cv
      JOIN parking_card card ON card.id = cv.card_id
      JOIN parking_vehicle v ON v.id = cv.vehicle_id
"""
_ENTRY = """
    SELECT NULL::bigint AS card_vehicle_id, e.id AS list_entry_id, e.kind, NULL::uuid AS card_id,
           NULL::integer AS spaces, e.period, v.id AS vehicle_id, v.plate_sealed
      FROM parking_list_entry e
      JOIN parking_vehicle v ON v.id = e.vehicle_id
"""
_LASTS = "(upper_inf(period) OR upper(period) > $2::date)"
_SHOWN = """
    lot.version, lot.mark, found.kind, found.card_id, found.spaces, lower(found.period) AS starts_on,
    upper(found.period) AS ends_on, found.vehicle_id, found.plate_sealed
"""

# One statement, so that the version is that of its entries. Indexes parking_card_vehicle_lot, parking_list_entry_lot.
FULL = f"""
    WITH lot AS ({_LOT})
    SELECT {_SHOWN}, found.card_vehicle_id, found.list_entry_id
      FROM lot
      LEFT JOIN LATERAL (
           SELECT * FROM ({_CARD} WHERE cv.lot_no = lot.lot_no) AS card WHERE {_LASTS}
            UNION ALL
           SELECT * FROM ({_ENTRY} WHERE e.lot_id = lot.lot_id) AS entry WHERE {_LASTS}) AS found ON true
     ORDER BY found.card_vehicle_id, found.list_entry_id
"""  # noqa: S608 - constants only

# What has changed since a version and no longer stands comes without a kind. Index parking_gate_change_version.
DELTA = f"""
    WITH lot AS ({_LOT}),
    changed AS (SELECT DISTINCT c.card_vehicle_id, c.list_entry_id
                  FROM parking_gate_change c JOIN lot ON c.lot_id = lot.lot_id AND c.version > $3)
    SELECT {_SHOWN}, changed.card_vehicle_id, changed.list_entry_id
      FROM lot
      LEFT JOIN changed ON true
      LEFT JOIN LATERAL (
           SELECT * FROM ({_CARD} WHERE cv.id = changed.card_vehicle_id) AS card WHERE {_LASTS}
            UNION ALL
           SELECT * FROM ({_ENTRY} WHERE e.id = changed.list_entry_id) AS entry WHERE {_LASTS}) AS found ON true
     ORDER BY changed.card_vehicle_id, changed.list_entry_id
"""  # noqa: S608 - constants only

FORGET = """
    DELETE FROM parking_gate_change c USING parking_gate_version v
     WHERE v.lot_id = c.lot_id AND c.version <= v.version - $1
"""


class Entry(NamedTuple):
    """A plate that the lane knows: `card` or `white` come in, `black` does not. Vehicles of a card share its spaces."""

    id: str
    plate: str
    kind: str
    card_id: UUID | None
    spaces: int | None
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Given:
    """A list, or the changes since a version; `entries` None: the camera has it already."""

    version: Version
    entries: tuple[Entry, ...] | None
    removed: tuple[str, ...]


async def of_camera(
    db: Database, actor: Actor, *, keyring: Keyring, camera_id: UUID, since: str | None, have: str | None, today: date
) -> Given:
    """The list of the camera's lot, or what has changed in it since version `since`.

    `have`: the tags that the camera names (If-None-Match). The whole list is given where `since` is unknown or too old,
    and that is audited. NotFound for a device that is no lane's camera.
    """
    number, mark = versions.parsed(since)
    head = await db.fetchrow(HEAD, camera_id, number, mark)
    if head is None:
        raise NotFound("这台设备还没有登记到车道。")
    full = not head["known"]
    version = Version(head["version"], head["mark"] or "", full, today)
    if version.is_among(have):
        return Given(version, None, ())
    rows = await db.fetch(FULL, camera_id, today) if full else await db.fetch(DELTA, camera_id, today, number)
    if full:
        await db.transact(lambda tx: _note(tx, actor, head))
    version = Version(rows[0]["version"], rows[0]["mark"] or "", full, today)
    named = [row for row in rows if row["card_vehicle_id"] is not None or row["list_entry_id"] is not None]
    entries = await asyncio.to_thread(_entries, keyring, [row for row in named if row["kind"] is not None])
    return Given(version, entries, tuple(_id(row) for row in named if row["kind"] is None))


async def forget(tx: Tx) -> None:
    """Forget the changes that nobody is given any more."""
    await tx.execute(FORGET, KEPT_CHANGES)


async def _note(tx: Tx, actor: Actor, head: Record) -> None:
    audit.record(
        tx, actor, action="parking.gate_list_given", target=f"parking_lot:{head['lot_id']}",
        community_id=head["community_id"], after={"version": head["version"]},
    )  # fmt: skip


def _entries(keyring: Keyring, rows: Sequence[Record]) -> tuple[Entry, ...]:
    return tuple(Entry(_id(row), _plate(keyring, row), **_known(row)) for row in rows)


def _known(row: Record) -> dict[str, Any]:
    return {name: row[name] for name in ("kind", "card_id", "spaces", "starts_on", "ends_on")}


def _plate(keyring: Keyring, row: Record) -> str:
    return keyring.open(bytes(row["plate_sealed"]), Context("parking_vehicle", "plate_sealed", row["vehicle_id"]))


def _id(row: Record) -> str:
    if row["card_vehicle_id"] is not None:
        return f"c{row['card_vehicle_id']}"
    return f"l{row['list_entry_id']}"
