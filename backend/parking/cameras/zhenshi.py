"""臻识 (Zhenshi, Vzenith) cameras: they push, and obey the answer; a comet poll fetches later commands (cameras.md 1).

The camera's web password, which its heartbeat carries in clear, is read past and never kept.
"""

from collections.abc import Mapping
from typing import Any

from backend.parking.cameras import alarm, base, forms, obedience
from backend.parking.cameras.base import Adapter, Answer, CameraError, Wiring
from backend.parking.lanes.sighting import Decision, Event, Heartbeat, Sighting

_TYPES = [
    "unknown",
    "blue",
    "black",
    "yellow",
    "yellow_two_rows",
    "police",
    "armed_police",
    "personalised",
    "military",
    "military_two_rows",
    "embassy",
    "hong_kong",
    "farm",
    "learner",
    "macao",
    "armed_police_two_rows",
    "armed_police_hq",
    "armed_police_hq_two_rows",
    "civil_aviation",
    "new_energy_small",
    "new_energy_large",
    "emergency",
    "consulate",
    "new_standard_fuel",
    "new_standard_new_energy",
    "airport",
    "foreign",
]
DIALECT = alarm.Dialect({**dict(enumerate(_TYPES)), 29: "fake", 30: "car_logo", 31: "no_plate"})


def read(headers: Mapping[str, str], body: bytes) -> Event:
    """The event of one push or poll; a poll may be a form or empty (1.10). Raises CameraError."""
    if not body.strip():
        return Heartbeat(None)
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return alarm.event_in(base.document(base.decoded(body)), DIALECT)
    told = forms.fields(headers, body)
    if "serialno" not in told:
        raise CameraError("no_device")
    return Heartbeat(base.identity(told["serialno"]))


def answer(event: Event, decision: Decision, wiring: Wiring = base.STANDARD) -> Answer:
    """What the camera is to do; to a poll, `decision` is the command that waited, or an idle one."""
    if isinstance(event, Sighting):
        return _to_plate(event, decision, wiring)
    if not isinstance(event, Heartbeat):
        return Answer(base.dump({}), base.JSON)
    if decision.idle:
        return Answer(base.dump({"status": "ok"}), base.JSON)
    found = obedience.effects(decision, wiring)
    keys: dict[str, Any] = {"info": obedience.OK if decision.open else obedience.NO}
    keys |= {"channelNum": wiring.output} if decision.open else {}
    keys |= {"manualTrigger": obedience.OK} if decision.recognise else {}
    return _document(keys | found.keys, found.dropped)


def _to_plate(event: Sighting, decision: Decision, wiring: Wiring) -> Answer:
    if event.replayed:
        keys: dict[str, Any] = {"info": obedience.NO, "content": obedience.STOP}
        if event.sequence is not None:
            keys["ContinuePushOffline"] = {"plateid": event.sequence, "continue": int(decision.next_late)}
        return _document(keys, [])
    found = obedience.effects(decision, wiring)
    keys = {"info": obedience.OK if decision.open else obedience.NO}
    keys |= {"channelNum": wiring.output} if decision.open else {}
    keys |= {"plateid": event.sequence} if event.sequence is not None else {}
    keys |= {"content": obedience.STOP, "is_pay": "true" if decision.open else "false"}
    # A trigger in answer to its own result would go round for ever (1.6).
    keys |= {"manualTrigger": obedience.OK} if decision.recognise and not event.manual else {}
    return _document(keys | found.keys, found.dropped)


def _document(keys: Mapping[str, Any], dropped: list[str]) -> Answer:
    return Answer(base.dump({"Response_AlarmInfoPlate": keys}), base.JSON, tuple(dropped))


ADAPTER = Adapter("zhenshi", "臻识", True, read, answer, base.no_requests)
