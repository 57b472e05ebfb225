"""What Y-13, Y-14 and Y-16 start from: lots with an entry and an exit, prices, and cars that came hours ago.

Lots, lanes, cameras and the cars inside are made by the product's own commands.
"""

import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from uuid import UUID, uuid4

import orjson

from backend.devices import registry
from backend.devices.registry import Issued
from backend.devices.states import Kind
from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.parking import lots
from backend.parking.lanes import gate
from backend.parking.lanes.gate import Camera
from backend.parking.lanes.sighting import Sighting, SightingKind
from backend.parking.lots import Rules
from backend.parking.plates import Colour
from backend.parking.prices import quotes
from backend.parking.prices.tariff import document, parse
from backend.parking.states import Basis, Way
from bench import loopback
from bench.rig import Rig
from tests.factories_parking import PRICES

LOTS = 8
# Between two and three hours when they leave: three are begun.
STAYED = timedelta(hours=2, minutes=10)
OWED_FEN = 1_500
AT_ONCE = 50

COMPANY = "INSERT INTO company (id, name, created_at) VALUES ($1, '物业', $2)"
PERSON = "INSERT INTO person (id, created_at) VALUES ($1, $2)"
COMMUNITY = "INSERT INTO community (id, company_id, code, name, created_at) VALUES ($1, $2, 'B', '小区', $3)"

APPROVED = """
    INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by, proposed_at,
                          expires_at, decided_by, decided_at, decision)
    VALUES ($1, 'parking.tariff', $2, 'parking_lot:' || $3::uuid, 'APPROVED', '{}', '{}', '新价格', $4, $6, $6, $5, $6,
            '同意')
"""

TARIFF = """
    INSERT INTO parking_tariff (id, community_id, lot_id, document, effective_from, approval_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $5)
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """A camera in its lane; it opens the barrier itself."""

    id: UUID
    secret: str


@dataclass(frozen=True, slots=True)
class Estate:
    """A seeded database that nobody is connected to; `waiting` cars are inside, dealt out to the lots."""

    settings: Settings
    company_id: UUID
    community_id: UUID
    lot_ids: tuple[UUID, ...]
    entries: tuple[Lane, ...]
    exits: tuple[Lane, ...]
    waiting: int


async def seed(rig: Rig, waiting: int) -> Estate:
    """A fresh database with LOTS lots and `waiting` cars inside."""
    settings = await rig.fresh()
    company_id, community_id = uuid4(), uuid4()
    async with rig.owner(settings) as owner:
        now = datetime.now(UTC)
        await owner.execute(COMPANY, company_id, now)
        await owner.execute(PERSON, company_id, now)
        await owner.execute(COMMUNITY, community_id, company_id, now)
    async with rig.resources(settings) as res:
        made = [await res.db.transact(partial(_lot, res=res, place=community_id, number=n)) for n in range(LOTS)]
        lot_ids, entries, exits = zip(*made, strict=True)
        estate = Estate(settings, company_id, community_id, lot_ids, entries, exits, waiting)
        for start in range(0, waiting, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, waiting))
            await res.db.transact(partial(_inside, res=res, estate=estate, numbers=numbers))
    async with rig.owner(settings) as owner:
        await owner.execute("VACUUM ANALYZE")
    await rig.sound(settings)
    return estate


async def _lot(tx: Tx, *, res: Resources, place: UUID, number: int) -> tuple[UUID, Lane, Lane]:
    rules = Rules("停车场", 100_000, Basis.ENTRY, 10, None)
    lot = await lots.create(tx, SYSTEM, community_id=place, code=f"P{number}", rules=rules)
    lanes = []
    for way in (Way.IN, Way.OUT):
        camera = await _camera(tx, res=res, place=place)
        await lots.add_lane(
            tx, SYSTEM, lot_id=lot.id, communities=[place], direction=way, name=f"{way}", camera_device_id=camera.id,
            barrier_device_id=camera.id,
        )  # fmt: skip
        lanes.append(Lane(camera.id, camera.secret))
    approval_id, since = uuid4(), tx.now - timedelta(days=60)
    await tx.execute(APPROVED, approval_id, place, lot.id, uuid4(), uuid4(), since)
    await tx.execute(TARIFF, uuid4(), place, lot.id, document(parse(PRICES)), since, approval_id)
    return lot.id, lanes[0], lanes[1]


async def _camera(tx: Tx, *, res: Resources, place: UUID) -> Issued:
    return await registry.register(
        tx, SYSTEM, keyring=res.keyring, community_id=place, kind=Kind.CAMERA, vendor="neutral", name="相机"
    )


async def _inside(tx: Tx, *, res: Resources, estate: Estate, numbers: range) -> None:
    """Cars that came STAYED ago, told late."""
    key = quotes.signing_key(res.settings)
    for number in numbers:
        camera = Camera(estate.entries[number % LOTS].id, estate.community_id)
        told = Sighting(
            device=None, key=f"seed-{number}", kind=SightingKind.PLATE, plate=plate(number, waiting=True),
            at=tx.now - STAYED, colour=Colour.BLUE, replayed=True,
        )  # fmt: skip
        await gate.see(tx, camera, told, keyring=res.keyring, key=key)


def plate(number: int, *, waiting: bool = False) -> str:
    """The plate of a car: of those that come now, or of those that wait inside."""
    return f"{'京A' if waiting else '粤B'}{number:05d}"


def sighting(lane: Lane, *, key: str, text: str, at: datetime) -> bytes:
    """A signed sighting, as the camera sends it."""
    told = {"key": key, "kind": "plate", "plate": text, "at": at.isoformat(), "colour": "blue", "replayed": False}
    return signed(lane, "POST", "/device/v1/sightings", orjson.dumps(told))


def signed(lane: Lane, method: str, target: str, body: bytes = b"") -> bytes:
    """A request signed now by the device of a lane."""
    timestamp, nonce = str(int(datetime.now(UTC).timestamp())), os.urandom(12).hex()
    text = "\n".join((method, target, timestamp, nonce, sha256(body).hexdigest()))
    signature = hmac.digest(lane.secret.encode(), text.encode(), "sha256").hex()
    credentials = f"device={lane.id},timestamp={timestamp},nonce={nonce},signature={signature}"
    headers = {"Authorization": f"LINLI-HMAC-SHA256 {credentials}"}
    return loopback.request(method, target, headers | ({"Content-Type": "application/json"} if body else {}), body)
