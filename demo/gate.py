"""What stands at the gate: a maker's camera at the entry, played by `linli camera`, one of our own form at the exit.

The player speaks our device interface by itself: it signs, tells what it sees, holds the long poll and acknowledges.
"""

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_hex
from typing import Any

from demo.stage import Stage
from demo.web import Unexpected, json_bytes

PLATELESS = "无牌车"
HOLD_S = 15
SHOWN = re.compile("显示：([^；。]*)")


@dataclass(frozen=True, slots=True)
class Device:
    """A camera with its barrier, and the secret that the administrator was shown."""

    id: str
    secret: str = field(repr=False)
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a camera was told to do about a car."""

    opens: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """A lot with a lane in and a lane out."""

    lot_id: str
    lane_in: str
    lane_out: str
    entry: Device
    exit: Device


def arrive(stage: Stage, gate: Gate, *plates: str) -> list[Seen]:
    """Cars at the entry, one after the other."""
    told = _camera(stage, gate, *(f"--plate={plate}" for plate in plates)).splitlines()
    stage.expect("入口相机得到的应答数", len(told), len(plates))
    return [_seen(line) for line in told]


def poll(stage: Stage, gate: Gate) -> Seen:
    """One heartbeat of the entry's camera, and what waited for it."""
    return _seen(_camera(stage, gate))


def tell_late(stage: Stage, gate: Gate, at: datetime, *plates: str) -> str:
    """The network of the entry is back: its camera sends what it has kept, the first car having passed at `at`."""
    moment = f"--at={at.replace(tzinfo=None).isoformat(timespec='seconds')}"
    return _camera(stage, gate, "--offline", moment, *(f"--plate={plate}" for plate in plates))


def _camera(stage: Stage, gate: Gate, *options: str) -> str:
    url = f"{stage.api.url}/device/v1/cameras/zhenshi/{gate.entry.id}/{gate.entry.secret}"
    played = stage.cli("camera", "--vendor=zhenshi", f"--url={url}", f"--serial={gate.entry.serial}", *options)
    if played.returncode != 0:
        raise Unexpected(f"入口相机的推送没有被收下：{played.stdout}{played.stderr}")
    return played.stdout.strip()


def _seen(line: str) -> Seen:
    shown = SHOWN.search(line)
    return Seen("已抬杆" in line, tuple(shown.group(1).split(" / ")) if shown else ())


def leave(stage: Stage, gate: Gate, plate: str | None, *, at: datetime | None = None) -> Seen:
    """A car at the exit, None: without a plate; with `at` it passed then, while the camera was offline and opened."""
    body = {
        "key": token_hex(8), "plate": plate, "at": (at or stage.now()).isoformat(), "replayed": at is not None,
        "opened_by": "none" if at is None else "device",
    }  # fmt: skip
    told = signed(stage, gate.exit, "POST", "/device/v1/sightings", body)
    return Seen(told["open"], tuple(told["lines"]))


def obey(stage: Stage, device: Device) -> str:
    """A barrier or a gate waits for a command, does it, and says so; the kind of the command."""
    commands = signed(stage, device, "GET", f"/device/v1/commands?wait_s={HOLD_S}")["items"]
    stage.expect("道闸收到的指令数", len(commands), 1)
    path = f"/device/v1/commands/{commands[0]['id']}/acknowledgement"
    signed(stage, device, "POST", path, {"done": True})
    return str(commands[0]["kind"])


def signed(stage: Stage, device: Device, method: str, path: str, body: Any = None) -> Any:
    """The answer to a device's signed request, which must succeed."""
    timestamp, nonce = str(int(stage.now().timestamp())), token_hex(16)
    digest = sha256(b"" if body is None else json_bytes(body)).hexdigest()
    text = "\n".join((method, path, timestamp, nonce, digest))
    signature = hmac.digest(device.secret.encode(), text.encode(), "sha256").hex()
    credentials = f"device={device.id},timestamp={timestamp},nonce={nonce},signature={signature}"
    answer = stage.api.ask(method, path, body, signed=f"LINLI-HMAC-SHA256 {credentials}")
    if answer.status >= 300:
        raise Unexpected(f"设备的 {method} {path} 得到 {answer.status}：{answer.body.decode(errors='replace')[:300]}")
    return answer.json
