"""The makers' cameras by name: how each pushes, polls and obeys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.cameras import dahua, hikvision, zhenshi
from sandbox.cameras.shots import Identity, Obeyed, Post, Record


@dataclass(frozen=True, slots=True)
class Model:
    """One maker's camera. `push_first` (the plate before its pictures), `poll`, `request` are None where it has none.

    `repeats`: how often a push that failed is sent again before it is stored; `chains`: each late record must be
    answered with leave to send the next.
    """

    push: Callable[[Record, Identity], Post]
    obey: Callable[[int, bytes], Obeyed]
    serial: str
    poll: Callable[[Identity], Post] | None = None
    request: Callable[[str, str, bytes], Obeyed] | None = None
    push_first: Callable[[Record, Identity], Post] | None = None
    repeats: int = 4
    chains: bool = False


MODELS: Mapping[str, Model] = {
    "zhenshi": Model(zhenshi.push, zhenshi.obey, "0a1b2c3d-4e5f6071", zhenshi.poll, chains=True),
    # It repeats without end; this one gives up, so that a test ends.
    "qy": Model(zhenshi.push_qy, zhenshi.obey_qy, "23d022da94b8469b", zhenshi.poll_qy, repeats=20),
    "hikvision": Model(
        hikvision.push,
        hikvision.obey,
        "a4:14:37:00:11:22",
        request=hikvision.request,
        push_first=hikvision.push_plate_first,
    ),
    "dahua": Model(dahua.push, dahua.obey, "8B0A1C2PAG00001", dahua.poll, dahua.request, repeats=20),
}
