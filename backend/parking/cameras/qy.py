"""千熠 (QY, Alphadigi) cameras and rebadged kin: Zhenshi's push, another heartbeat, other types (cameras.md 2)."""

from collections.abc import Mapping
from typing import Any

from backend.parking.cameras import alarm, base, obedience
from backend.parking.cameras.base import Adapter, Answer, Wiring
from backend.parking.lanes.sighting import Decision, Event, Heartbeat, SerialBytes, Sighting

_TYPES = [
    "unknown",
    "blue",
    "black",
    "yellow",
    "yellow_two_rows",
    "police",
    "armed_police",
    "armed_police_two_rows",
    "military",
    "military_two_rows",
    "personalised",
    "new_energy_small",
    "new_energy_large",
    "embassy",
    "consulate",
    "civil_aviation",
    "emergency",
]
DIALECT = alarm.Dialect(dict(enumerate(_TYPES)))


def read(headers: Mapping[str, str], body: bytes) -> Event:
    """The event of one push. Raises CameraError."""
    document = base.document(base.decoded(body))
    if "heartbeat" in document:
        return Heartbeat(base.named(base.part(document, "heartbeat").get("serialno")))
    return alarm.event_in(document, DIALECT)


def answer(event: Event, decision: Decision, wiring: Wiring = base.STANDARD) -> Answer:
    """What the camera is to do; to a heartbeat or serial bytes, `decision` is the command that waited, or idle."""
    if isinstance(event, Sighting):
        return _to_plate(event, decision.quiet() if event.replayed else decision, wiring)
    if not isinstance(event, Heartbeat | SerialBytes):
        return Answer(base.dump({}), base.JSON)
    info, texts, dropped = _command(decision, wiring)
    keys: dict[str, Any] = {"info": info, "serialData": texts}
    if isinstance(event, SerialBytes):
        dropped += [name for name in ("close", "recognise") if getattr(decision, name)]
        return Answer(base.dump({"Response_SerialData": keys}), base.JSON, tuple(dropped))
    keys |= {
        "shutoff": obedience.OK if decision.close else obedience.NO,
        "snapnow": "yes" if decision.recognise else "no",
    }
    return Answer(base.dump({"Response_Heartbeat": keys}), base.JSON, tuple(dropped))


def _command(decision: Decision, wiring: Wiring) -> tuple[str, list[dict[str, Any]], list[str]]:
    """`info`, `serialData` and what is left out. An opening goes alone: with serial bytes both got lost (2.4)."""
    found = obedience.effects(decision, wiring)
    texts: list[dict[str, Any]] = found.keys.get("serialData", [])
    dropped = [name for name in found.dropped if name != "close"]
    dropped += ["hold"] if decision.hold or decision.release else []
    if not decision.open:
        return obedience.NO, texts, dropped
    return obedience.OK, [], [*dropped, "texts"] if texts else dropped


def _to_plate(event: Sighting, decision: Decision, wiring: Wiring) -> Answer:
    found = obedience.effects(decision, wiring)
    keys: dict[str, Any] = {"info": obedience.OK if decision.open else obedience.NO}
    keys |= {"channelNum": wiring.output} if decision.open else {}
    keys |= {"plateid": event.sequence} if event.sequence is not None else {}
    keys |= {"content": obedience.STOP, "is_pay": "true" if decision.open else "false", "serialData": []}
    keys |= {"manualTrigger": obedience.OK} if decision.recognise and not event.manual else {}
    return Answer(base.dump({"Response_AlarmInfoPlate": keys | found.keys}), base.JSON, tuple(found.dropped))


ADAPTER = Adapter("qy", "千熠", True, read, answer, base.no_requests)
