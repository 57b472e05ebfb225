"""The demo community's car park: a few spaces, a lane in and a lane out with a maker's cameras, prices by two people.

`linli camera` plays the cameras; the start page says how.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from backend.devices import registry
from backend.devices.states import Kind
from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.parking import lots
from backend.parking.lots import Rules
from backend.parking.prices import tariffs
from backend.parking.states import Basis, Way

NAME = "地面停车场"
VENDOR = "zhenshi"
RULES = Rules(name=NAME, spaces=30, basis=Basis.ENTRY, quote_minutes=10, arrears_days=None)
LANES = ((Way.IN, "南门入口"), (Way.OUT, "南门出口"))

# 30 minutes are free; who stays longer pays 5 yuan for each begun hour from the entry on, at most 20 yuan in 24 hours.
PRICES: Mapping[str, Any] = {
    "crossing": "counted_apart",
    "rounding": "begun_units",
    "days": [
        {
            "kinds": ["working_day", "weekend", "holiday"],
            "windows": [
                {
                    "starts": "00:00",
                    "ends": "24:00",
                    "segments": [{"from_min": 0, "to_min": None, "increment_min": 60, "price_fen": 500}],
                }
            ],
        }
    ],
    "free": {"minutes": 30, "kind": "threshold"},
    "day": {"cap_fen": 2_000, "by": "rolling"},
    "grace_min": 15,
}


async def lay_out(tx: Tx, res: Resources, community_id: UUID, *, manager: Actor, administrator: Actor) -> None:
    """The lot with its lanes, cameras and prices, which the manager proposes and the administrator approves."""
    lot = await lots.create(tx, manager, community_id=community_id, code="P1", rules=RULES)
    for way, name in LANES:
        camera = await registry.register(
            tx, administrator, keyring=res.keyring, community_id=community_id, kind=Kind.CAMERA, vendor=VENDOR,
            name=f"{name}相机",
        )  # fmt: skip
        await lots.add_lane(
            tx, manager, lot_id=lot.id, communities=[community_id], direction=way, name=name,
            camera_device_id=camera.id, barrier_device_id=camera.id,
        )  # fmt: skip
    proposed = await tariffs.propose(
        tx, manager, lot_id=lot.id, communities=[community_id], given=PRICES, effective_from=tx.now,
        reason="首次定价，按业主大会决议执行",
    )  # fmt: skip
    await approvals.decide(
        tx, administrator, proposed.id, approve=True, note="与决议一致，同意", kinds=res.approval_kinds
    )


async def addresses(res: Resources, community_id: UUID) -> tuple[str, dict[str, str]]:
    """The lot's id, and by direction the path to which each camera pushes, with its secret."""
    (lot,) = await lots.in_communities(res.db, [community_id])
    paths = {}
    for lane in await lots.lanes(res.db, lot["id"]):
        camera = await registry.known(res, lane["camera_device_id"])
        assert camera is not None, "registered with its lane"
        paths[lane["direction"]] = f"/device/v1/cameras/{camera.vendor}/{camera.id}/{camera.secret}"
    return str(lot["id"]), paths
