"""Versions of a lot's prices (停车收费标准): proposed by one person, approved by another, never changed (S3, D8).

A version counts from an instant on, until the next one does. Which version a stay is priced by, that of its entry or
that of its exit, is the lot's rule. A version that prices holidays apart is refused where nobody knows the holidays of
the year in which it begins.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Invalid
from backend.kernel.ids import uuid7
from backend.parking import lots
from backend.parking.prices import classes
from backend.parking.prices.classes import PriceClass
from backend.parking.prices.tariff import Tariff, document, parse
from backend.property import calendars
from backend.property.calendars import DayKind, Source

KIND = "parking.tariff"
_KEPT = 200

OF_LOT = """
    SELECT id, vehicle_class, document, effective_from, created_at
      FROM parking_tariff WHERE lot_id = $1 ORDER BY effective_from DESC, id LIMIT 100
"""

LAST_FROM = """
    SELECT max(effective_from) FROM parking_tariff WHERE lot_id = $1 AND vehicle_class IS NOT DISTINCT FROM $2
"""

INSERT = """
    INSERT INTO parking_tariff (id, community_id, lot_id, document, effective_from, approval_id, created_at,
                                vehicle_class)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_parsed: OrderedDict[UUID, Tariff] = OrderedDict()


def parsed(tariff_id: UUID, kept: Mapping[str, Any]) -> Tariff:
    """The tariff of a version; parsed once, as a version never changes."""
    known = _parsed.get(tariff_id)
    if known is None:
        known = _parsed[tariff_id] = parse(kept)
        if len(_parsed) > _KEPT:
            _parsed.popitem(last=False)
    return known


async def of_lot(db: Reader, lot_id: UUID) -> list[Record]:
    """The versions of a lot that the caller has found in scope, the newest first."""
    return await db.fetch(OF_LOT, lot_id)


async def propose(
    tx: Tx,
    actor: Actor,
    *,
    lot_id: UUID,
    communities: Sequence[UUID],
    given: Mapping[str, Any],
    effective_from: datetime,
    reason: str,
    vehicle_class: PriceClass | None = None,
) -> Approval:
    """Propose that a lot's prices are these from an instant on, for a class of vehicles, or for all without their own.

    Raises NotFound, Conflict `approval_pending`, Invalid for a document that is no tariff, for holidays that are priced
    apart in a year that nobody knows, and for an instant that has passed or does not come after the last version's.
    """
    lot = await lots.lock(tx, lot_id, communities=communities)
    tariff = read(given)
    await _require_known_days(tx, lot["community_id"], tariff, effective_from)
    last = await tx.fetchval(LAST_FROM, lot_id, vehicle_class)
    if effective_from < tx.now or (last is not None and effective_from <= last):
        raise Invalid("生效时间必须晚于现在，也晚于上一个版本。", fields=[{"field": "effective_from"}])
    kept = document(tariff)
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"parking_lot:{lot_id}",
        community_id=lot["community_id"],
        payload={
            "lot_id": str(lot_id),
            "document": kept,
            "effective_from": effective_from.isoformat(),
            "last_from": None if last is None else last.isoformat(),
            "vehicle_class": vehicle_class,
        },
        shown={
            "停车场": lot["name"],
            "车型": classes.text(vehicle_class),
            "生效时间": effective_from.isoformat(),
            "收费标准": kept,
        },
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Make approved prices a version; Stale where another version came between, or their time has passed."""
    lot_id = UUID(approval.payload["lot_id"])
    effective_from = datetime.fromisoformat(approval.payload["effective_from"])
    await tx.fetchval("SELECT id FROM parking_lot WHERE id = $1 FOR UPDATE", lot_id)
    # Proposals from before there were classes have none.
    vehicle_class = approval.payload.get("vehicle_class")
    last = await tx.fetchval(LAST_FROM, lot_id, vehicle_class)
    if effective_from < tx.now or approval.payload["last_from"] != (last and last.isoformat()):
        raise Stale
    version_id = uuid7(tx.now)
    await tx.execute(
        INSERT, version_id, approval.community_id, lot_id, approval.payload["document"], effective_from, approval.id,
        tx.now, vehicle_class,
    )  # fmt: skip
    audit.record(
        tx, actor, action="parking.tariff_added", target=f"parking_tariff:{version_id}",
        community_id=approval.community_id,
        after={"lot_id": str(lot_id), "effective_from": effective_from.isoformat(), "vehicle_class": vehicle_class},
    )  # fmt: skip


def read(given: Mapping[str, Any]) -> Tariff:
    """The tariff of a proposal; Invalid names what is wrong with it by its place in the proposal."""
    try:
        tariff = parse(given)
    except Invalid as error:
        fields = [{**each, "field": f"document.{each['field']}"} for each in error.details.get("fields", ())]
        raise Invalid(error.message, fields=fields) from error
    return tariff


async def _require_known_days(tx: Tx, community_id: UUID, tariff: Tariff, effective_from: datetime) -> None:
    if not any(each.kinds == (DayKind.HOLIDAY,) for each in tariff.days):
        return
    year = local_date(effective_from).year
    calendar = await calendars.of_community(tx, community_id, years=[year])
    if calendar.source(year) is Source.UNKNOWN:
        raise Invalid(
            f"节假日表还没有录入 {year} 年，请先录入，或者把节假日与周末或工作日合为一组。", code="holidays_unknown",
            fields=[{"field": "document.days"}],
        )  # fmt: skip
