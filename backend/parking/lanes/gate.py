"""What a camera's sighting decides: who comes in, who goes out, who pays first (D8).

Promises: one transaction and a handful of round trips for each sighting; a repeat gets the answer of the first (within
REPEAT_S, later without any effect in the lane); what came late changes the books and never the barrier; what does not
fit ends in a stay with a named flag for the guard, never in a charge.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from backend.devices import commands, inbox
from backend.devices.inbox import Heard, Told
from backend.devices.states import CommandKind, Outcome
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.crypto import Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import NotFound
from backend.parking import vehicles
from backend.parking.lanes import entering, late, leaving
from backend.parking.lanes.passages import SAME_PASSAGE, Passage, Ruling
from backend.parking.lanes.sighting import Decision, Moment, Sighting, SightingKind
from backend.parking.prices import classes
from backend.parking.states import Way
from backend.parking.stays import Car, Place

REPEAT = timedelta(seconds=5)
NOT_READ = ("未识别到车牌", "无牌车请扫码", "有牌车请联系保安")

# The lane by its camera, and all that is known of the plate there. Indexes parking_lane_camera,
# parking_session_one_open, parking_vehicle_plate, parking_card_vehicle_vehicle.
FACTS = """
    SELECT lane.id AS lane_id, lane.direction, lane.barrier_device_id, lot.id AS lot_id,
           lot.community_id, lot.spaces, lot.arrears_days, s.id AS session_id, s.entered_at, s.entry_lane_id,
           v.id AS vehicle_id, v.house_id,
           card.id AS card_id, listed.kind AS listed,
           (SELECT t.id FROM parking_tariff t
             WHERE t.lot_id = lot.id AND t.effective_from <= $4
               AND (t.vehicle_class IS NULL OR t.vehicle_class = $5)
             ORDER BY t.vehicle_class IS NULL, t.effective_from DESC LIMIT 1) AS tariff_id,
           (SELECT count(*) FROM parking_session i
             WHERE i.lot_id = lot.id AND i.state IN ('IN', 'QUOTED', 'PAID') AND i.entered_at IS NOT NULL) AS inside
      FROM parking_lane lane
      JOIN parking_lot lot ON lot.id = lane.lot_id
      LEFT JOIN parking_session s
        ON s.lot_id = lot.id AND s.plate_blind = $2 AND s.state IN ('IN', 'QUOTED', 'PAID')
      LEFT JOIN parking_vehicle v ON v.community_id = lot.community_id AND v.plate_blind = $2
      LEFT JOIN LATERAL (
           SELECT c.id FROM parking_card_vehicle cv JOIN parking_card c ON c.id = cv.card_id
            WHERE cv.vehicle_id = v.id AND cv.lot_no = lot.no AND cv.period @> $3::date
              AND linli_visitor_covers(cv.card_id, cv.vehicle_id, $4)) AS card ON true
      LEFT JOIN LATERAL (
           SELECT e.kind FROM parking_list_entry e
            WHERE e.vehicle_id = v.id AND e.lot_no = lot.no AND e.period @> $3::date) AS listed ON true
     WHERE lane.camera_device_id = $1
"""


@dataclass(frozen=True, slots=True)
class Camera:
    """The device that saw it."""

    id: UUID
    community_id: UUID


async def see(tx: Tx, camera: Camera, sighting: Sighting, *, keyring: Keyring, key: bytes) -> Decision:
    """Hear a sighting once and decide; NotFound for a camera that belongs to no lane."""
    moment = sighting.moment(tx.now)
    told = Told(sighting.key, sighting.kind.value, moment.at, sighting.sequence, _body(sighting))
    heard = await inbox.hear(tx, told, keyring=keyring, device_id=camera.id, community_id=camera.community_id)
    if heard.answer is not None:
        return _again(heard, tx.now)
    car, misread = _car(sighting, keyring)
    facts = await tx.fetchrow(
        FACTS, camera.id, car.blinds and car.blinds.whole, local_date(moment.at), moment.at, car.vehicle_class
    )  # fmt: skip
    if facts is None:
        raise NotFound("这台设备还没有登记到车道。")
    passage = Passage(
        place=Place(facts["community_id"], facts["lot_id"], facts["lane_id"]),
        car=replace(car, vehicle_id=facts["vehicle_id"]),
        at=moment.at,
        late=moment.late,
        skewed=moment.skew_s is not None,
        misread=misread,
        opened_by_device=sighting.opened_by.value == "device",
        device_event_id=heard.id,
        actor=Actor("device", camera.id),
    )
    ruling = await _rule(tx, passage, facts, sighting, keyring=keyring, key=key)
    decision = _decision(ruling, moment)
    if decision.open and facts["barrier_device_id"] != camera.id:
        _order(tx, passage, facts["barrier_device_id"], ruling.reason)
    await _conclude(tx, heard, ruling, decision)
    return decision


async def _rule(tx: Tx, passage: Passage, facts: Record, sighting: Sighting, *, keyring: Keyring, key: bytes) -> Ruling:
    if sighting.kind not in (SightingKind.PLATE, SightingKind.NO_PLATE):
        return Ruling(Outcome.IGNORED, sighting.kind.value)
    if passage.car.plate is None:
        return Ruling(Outcome.REFUSED, "no_plate", lines=NOT_READ)
    way = Way(facts["direction"])
    if passage.late or (facts["entered_at"] is not None and passage.at < facts["entered_at"] - SAME_PASSAGE):
        covered = replace(passage, car=replace(passage.car, card_id=facts["card_id"]))
        return await late.place(tx, covered, way, tariff_id=facts["tariff_id"], keyring=keyring)
    if way is Way.IN:
        return await entering.enter(tx, passage, facts, keyring=keyring)
    return await leaving.leave(tx, passage, facts, keyring=keyring, key=key)


def _car(sighting: Sighting, keyring: Keyring) -> tuple[Car, bool]:
    """The car as it was read, and whether the read can be no plate: it is kept as read, for the guard."""
    if not sighting.plate:
        return Car(None, None), False
    text, misread = sighting.plate, sighting.doubtful
    if (known := vehicles.as_read(sighting.plate, sighting.colour)) is None:
        misread = True
    elif known.text:
        text = known.text
    else:
        return Car(None, None), False
    vehicle_class = classes.of(known, sighting.vehicle_class)
    return Car(text, vehicles.blinds(keyring, text), vehicle_class=vehicle_class), misread


def _body(sighting: Sighting) -> str:
    """What of a sighting is kept, sealed; pictures are not."""
    return orjson.dumps(
        {
            "plate": sighting.plate,
            "colour": sighting.colour,
            "confidence": sighting.confidence,
            "vehicle_class": sighting.vehicle_class,
            "at": sighting.at,
            "opened_by": sighting.opened_by,
        }
    ).decode()


def _order(tx: Tx, passage: Passage, device_id: UUID, reason: str) -> None:
    """The barrier is not the camera's own: it is told by a command."""
    commands.order(
        tx, passage.actor, community_id=passage.place.community_id, device_id=device_id, kind=CommandKind.OPEN,
        subject=f"parking_lane:{passage.lane_id}", reason=reason,
    )  # fmt: skip


def _decision(ruling: Ruling, moment: Moment) -> Decision:
    decision = Decision(open=ruling.open, lines=ruling.lines, voice="，".join(ruling.lines))
    return decision.quiet() if moment.late else decision


async def _conclude(tx: Tx, heard: Heard, ruling: Ruling, decision: Decision) -> None:
    answer: dict[str, Any] = {"open": decision.open, "lines": list(decision.lines), "voice": decision.voice}
    await tx.flush()
    await inbox.conclude(tx, heard, outcome=ruling.outcome, answer=answer, reason=ruling.reason)


def _again(heard: Heard, now: datetime) -> Decision:
    """A camera may have lost its answer: it gets it again at once, later only without opening and speaking."""
    stored = heard.answer or {}
    decision = Decision(
        open=bool(stored.get("open")), lines=tuple(stored.get("lines", ())), voice=str(stored.get("voice", ""))
    )
    return decision if now - heard.first_at <= REPEAT else decision.quiet()
