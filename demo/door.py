"""A maker's gate for visitors: it asks the server while it can, and decides by the reference verifier when it cannot.

The verifier is the one file that makers are given, loaded by its path; nothing of the product is imported.
"""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import Any

from demo import gate
from demo.gate import Device
from demo.stage import Stage
from demo.web import Unexpected

VERIFIER = Path(__file__).parents[1] / "gate" / "verifier.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verifier", VERIFIER)
    if spec is None or spec.loader is None:
        raise Unexpected(f"没有找到门禁的参考程序：{VERIFIER}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verifier = _load()


@dataclass(slots=True)
class Door:
    """One gate, and what it knows while it is alone."""

    name: str
    device: Device
    alone: Any = field(default_factory=verifier.Gate)


def install(stage: Stage, name: str) -> Door:
    """The administrator registers a gate; its secret is shown once, and the gate syncs for the first time."""
    body = {"community_id": stage.community, "kind": "gate", "vendor": "neutral", "name": name, "serial": None}
    made = stage.staff["admin"].post("/admin/v1/devices", body)
    door = Door(name, Device(made["id"], made["secret"]))
    sync(stage, door)
    return door


def scan(stage: Stage, door: Door, text: str) -> Any:
    """Somebody shows a code while there is a network: the server decides, and counts."""
    body = {"key": token_hex(8), "token": text}
    told = gate.signed(stage, door.device, "POST", "/device/v1/visitor-scans", body)
    if told["open"]:
        door.alone.admitted(text, now_s=stage.now().timestamp())
    return told


def admit(stage: Stage, door: Door, text: str) -> str:
    """Somebody shows a code while there is none: `open`, or why not."""
    try:
        door.alone.admit(text, now_s=stage.now().timestamp())
    except verifier.Refused as refused:
        return str(refused.code)
    return "open"


def sync(stage: Stage, door: Door) -> list[tuple[bool, str | None]]:
    """Tell what was let in alone, and fetch what is new; of each entry whether it was counted, or why not."""
    heard = []
    if waiting := door.alone.to_tell():
        heard = gate.signed(stage, door.device, "POST", "/device/v1/visitor-events", {"events": waiting})["events"]
        door.alone.told({each["key"] for each in heard}, now_s=stage.now().timestamp())
    since = "" if door.alone.version == "0" else f"?since={door.alone.version}"
    asked_s = stage.now().timestamp()
    bundle = gate.signed(stage, door.device, "GET", f"/device/v1/visitor-bundle{since}")
    door.alone.sync(bundle, asked_s=asked_s, answered_s=stage.now().timestamp())
    return [(each["counted"], each["reason"]) for each in heard]
