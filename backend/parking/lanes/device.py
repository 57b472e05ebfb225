"""What cameras tell: sightings in our own signed form, and vendors' pushes as they are (D8, protocols/cameras.md 5).

No vendor signs: the secret in a camera's address proves it, and the name that it gives itself must be the registered
one. Only what is stored is acknowledged; a push that cannot be kept answers 503, and the camera repeats it.
"""

from dataclasses import replace
from typing import Any

from pydantic import AwareDatetime, Field

from backend.devices import commands, registry
from backend.devices.registry import Known
from backend.kernel.audit import Actor
from backend.kernel.auth import DEVICE, PUBLIC
from backend.kernel.crypto import equal
from backend.kernel.db import Tx
from backend.kernel.errors import BadRequest, Forbidden, NotFound, TooMany, Unauthenticated, Unavailable
from backend.kernel.http import MAX_BIGINT, Call, Reply, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.kernel.resources import Resources
from backend.parking import plates
from backend.parking.cameras import base, vendors
from backend.parking.cameras.base import CameraError
from backend.parking.lanes import gate, pictures
from backend.parking.lanes.gate import Camera
from backend.parking.lanes.sighting import Decision, Heartbeat, OpenedBy, Sighting, SightingKind
from backend.parking.plates import Colour
from backend.parking.prices import quotes

# How long a camera's poll is held while there is nothing to do (cameras.md 1.10).
HOLD_S = 3


class SightingBody(Strict):
    """One reading of one vehicle. `key`: the same for every repeat; `replayed`: told after having been offline."""

    model_config = example(
        key="20260901-000123", kind="plate", plate="粤B12345", at="2026-09-01T02:00:00Z", sequence=123, colour="blue",
        confidence=98, replayed=False, opened_by="none",
    )  # fmt: skip
    key: str = Field(pattern=r"^[\x21-\x7e]{1,100}$")
    kind: SightingKind = SightingKind.PLATE
    plate: str | None = Field(None, min_length=1, max_length=plates.MAX_TEXT)
    at: AwareDatetime
    sequence: int | None = Field(None, ge=0, le=MAX_BIGINT)
    colour: Colour = Colour.UNKNOWN
    confidence: int | None = Field(None, ge=0, le=100)
    replayed: bool = False
    opened_by: OpenedBy = OpenedBy.UNKNOWN

    @property
    def sighting(self) -> Sighting:
        text = plates.loose(self.plate) if self.plate else None
        return Sighting(
            device=None,
            key=self.key,
            kind=self.kind,
            plate=text or None,
            at=self.at,
            sequence=self.sequence,
            colour=self.colour,
            confidence=self.confidence,
            replayed=self.replayed,
            opened_by=self.opened_by,
        )


class DecisionAnswer(Strict):
    """What the lane does: whether the barrier opens, what the display shows and the voice says."""

    model_config = example(open=True, lines=["欢迎光临"], voice="欢迎光临")
    open: bool
    lines: list[str]
    voice: str


async def see(call: Call[SightingBody, None]) -> DecisionAnswer:
    """POST /device/v1/sightings."""
    device = await registry.known(call.res, call.principal.device_id)
    if device is None:
        raise NotFound
    decision = await _decide(call.res, device, call.body.sighting)
    return DecisionAnswer(open=decision.open, lines=list(decision.lines), voice=decision.voice)


async def push(call: Call[None, None]) -> Reply:
    """POST /device/v1/cameras/{vendor}/{device_id}/{key}."""
    device = await registry.known(call.res, call.ids["device_id"])
    if device is None or device.vendor != call.path["vendor"] or device.vendor not in vendors.ADAPTERS:
        raise NotFound
    if not any(equal(call.path["key"], secret) for secret in device.secrets(call.res.clock.now())):
        raise NotFound
    adapter = vendors.adapter(device.vendor)
    try:
        event = adapter.read(call.headers, call.raw)
    except CameraError as error:
        raise BadRequest("看不懂相机推送的内容。", code="camera_message", reason=error.reason) from error
    if device.serial is not None and not vendors.is_from(event, device.serial):
        raise Forbidden("相机的序列号与登记的不符。", code="serial_differs")
    decision = Decision()
    if isinstance(event, Sighting):
        decision = await _decide(call.res, device, event)
        pictures.keep_later(call.res, device.id, event)
        decision = replace(decision, plate=event.plate) if decision.lines else decision
    elif isinstance(event, Heartbeat) and adapter.opens_by_answer:
        decision = await _command(call.res, device)
    answer = adapter.answer(event, decision, base.STANDARD)
    return Reply(body=answer.body, content_type=answer.content_type)


async def _decide(res: Resources, device: Known, sighting: Sighting) -> Decision:
    key, camera = quotes.signing_key(res.settings), Camera(device.id, device.community_id)
    return await res.db.transact(lambda tx: gate.see(tx, camera, sighting, keyring=res.keyring, key=key))


async def _command(res: Resources, device: Known) -> Decision:
    """The command that waits for a camera that obeys answers; such a camera never acknowledges (cameras.md 1.10)."""
    rows = await commands.wait(res.db, device.id, wait_s=HOLD_S)

    async def hand_over(tx: Tx) -> None:
        for row in rows:
            await commands.acknowledge(
                tx, Actor("device", device.id), command_id=row["id"], done=True, detail="handed over with the answer"
            )

    if not rows:
        return Decision()
    await res.db.transact(hand_over)
    return Decision(open=True)


_PUSH_ERRORS: tuple[Any, ...] = (BadRequest, Forbidden, NotFound, TooMany, Unavailable)

ROUTES = (
    Route(
        "POST", "/device/v1/sightings", see, DEVICE, "相机看到一辆车：是否开闸、显示和播报什么", body=SightingBody,
        answer=DecisionAnswer, errors=(Unauthenticated, Forbidden, NotFound, TooMany, Unavailable),
        rate=Rule("parking.sighting", 1200, 60),
    ),
    Route(
        "POST", "/device/v1/cameras/{vendor}/{device_id}/{key}", push, PUBLIC, "各品牌相机的推送，地址里带设备密钥",
        errors=_PUSH_ERRORS, rate=Rule("parking.camera", 1200, 60), raw=True, upload_bytes=base.BODY_BYTES,
    ),
)  # fmt: skip
