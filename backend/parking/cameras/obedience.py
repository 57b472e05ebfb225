"""What Zhenshi and QY cameras obey: the keys of `Response_AlarmInfoPlate` (protocols/cameras.md 1.6 to 1.8, 5.2).

Promises: `info` is "ok" only to open; one frame per port and answer; what the device lacks is no error, but named in
`dropped`.
"""

import base64
from dataclasses import dataclass, field
from typing import Any

from backend.parking.cameras import board
from backend.parking.cameras.base import Screen, Speech, Wiring
from backend.parking.lanes.sighting import Decision

OK, NO = "ok", "no"
# Stops QY's endless repeats (2.2); Zhenshi ignores it.
STOP = "retransfer_stop"
LOW, HIGH, PULSE, PULSE_MS = 0, 1, 2, 500
_SCENE = "busy_half"
_VOLUME = 90


@dataclass(slots=True)
class Effects:
    """Keys to be added to an answer, and what the device has no means for."""

    keys: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def effects(decision: Decision, wiring: Wiring) -> Effects:
    """Display, voice and outputs of `decision`, but not its opening."""
    found = Effects()
    _on_camera(decision, wiring, found)
    _on_board(decision, wiring, found)
    if decision.close:
        _output(found, "close", wiring.close_output, PULSE)
    if decision.hold or decision.release:
        _output(found, "hold", wiring.output, HIGH if decision.hold else LOW)
    return found


def _on_camera(decision: Decision, wiring: Wiring, found: Effects) -> None:
    """What the camera's own screen and voice do."""
    if wiring.screen is Screen.LCD and (decision.lines or decision.plate or decision.qr):
        found.keys.update(_lcd(decision))
    if wiring.screen is Screen.NONE:
        found.dropped += ["display"] if shown_lines(decision) else []
        found.dropped += ["qr"] if decision.qr else []
    if decision.voice and wiring.speech is Speech.NONE:
        found.dropped.append("voice")
    elif decision.voice and wiring.speech is not Speech.BOARD:
        found.keys["playserver_json_request"] = _speech(decision.voice, wiring.speech)


def _on_board(decision: Decision, wiring: Wiring, found: Effects) -> None:
    """One frame to the board: lines and voice before a code, because what a driver owes matters more."""
    lines = shown_lines(decision) if wiring.screen is Screen.BOARD else ()
    voice = decision.voice if wiring.speech is Speech.BOARD else ""
    code = decision.qr if wiring.screen is Screen.BOARD else None
    frame: bytes | None = None
    if lines:
        frame = board.show(lines, voice, show_s=decision.show_s, address=wiring.board_address)
    elif voice:
        frame = board.say(voice, address=wiring.board_address)
    elif code:
        frame = board.show_code(code, "", address=wiring.board_address)
    if code and (lines or voice or frame is None):
        found.dropped.append("qr")
    if frame is not None:
        found.keys["serialData"] = [serial(frame, wiring.board_port)]


def shown_lines(decision: Decision) -> tuple[str, ...]:
    """The lines of the display, the plate above them."""
    return ((decision.plate,) if decision.plate else ()) + decision.lines


def serial(frame: bytes, port: int) -> dict[str, Any]:
    """One entry of `serialData`; `dataLen` counts the bytes before base64."""
    return {"serialChannel": port, "data": base64.b64encode(frame).decode(), "dataLen": len(frame)}


def _lcd(decision: Decision) -> dict[str, Any]:
    body: dict[str, Any] = {"scene_name": _base64(_SCENE)}
    if decision.lines:
        body["custom"] = [_base64(line) for line in decision.lines]
    if decision.plate:
        body["car_id"] = [_base64(decision.plate)]
    if decision.qr:
        body["qrcode_text"] = decision.qr
    return {"module": "AD_CONFIG_REQUESTION", "type": "ad_push_message", "body": body}


def _speech(voice: str, speech: Speech) -> dict[str, Any]:
    text = voice.encode("gbk", "replace") if speech is Speech.GBK else voice.encode("utf-8", "replace")
    return {
        "type": "ps_voice_play",
        "voice": base64.b64encode(text).decode(),
        "voice_interval": 0,
        "voice_volume": _VOLUME,
        "voice_male": 1,
    }


def _output(found: Effects, name: str, output: int | None, value: int) -> None:
    if output is None:
        found.dropped.append(name)
        return
    found.keys["ivs_ioctrl"] = {"io": output, "value": value} | ({"delay": PULSE_MS} if value == PULSE else {})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()
