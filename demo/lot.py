"""Act 14: a car park opens: lot, cameras, lanes, prices by two people, monthly cards."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from demo import cashier, days, people
from demo.binding import Household
from demo.gate import Device, Gate
from demo.people import Resident
from demo.refunding import AGREED
from demo.stage import Stage, yuan

SPACES = 20
FREE_MIN, HOUR_FEN, DAY_CAP_FEN, GRACE_MIN = 30, 500, 2_000, 15
OWNER_PLATE, DEBTOR_PLATE = "沪A12345", "沪AD98765"
OPENS_IN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Opening:
    """The open car park, and the two residents who have a card."""

    gate: Gate
    owner: Resident
    debtor: Resident


def tariff() -> dict[str, Any]:
    """30 free minutes, 5 yuan for each begun hour, at most 20 yuan a day."""
    hours = [{"from_min": 0, "to_min": None, "increment_min": 60, "price_fen": HOUR_FEN}]
    every_day = {
        "kinds": ["working_day", "weekend", "holiday"],
        "windows": [{"starts": "00:00", "ends": "24:00", "segments": hours}],
    }
    return {
        "crossing": "counted_apart", "rounding": "begun_units", "days": [every_day],
        "free": {"minutes": FREE_MIN, "kind": "threshold"}, "day": {"cap_fen": DAY_CAP_FEN, "by": "rolling"},
        "grace_min": GRACE_MIN,
    }  # fmt: skip


def play(stage: Stage, home: Household, debtor: Resident) -> Opening:
    """The morning on which the gate is taken into use."""
    days.pass_to(stage, stage.today() + days.A_DAY, days.MORNING)
    stage.chapter("停车场启用")
    owner, debtor = people.again(stage, home.owner), people.again(stage, debtor)
    rules = {"code": "DM", "name": "东门停车场", "spaces": SPACES, "basis": "entry", "arrears_days": 0}
    lot = stage.manager.post(f"/admin/v1/communities/{stage.community}/parking-lots", rules)
    entry, exit_ = (
        _device(stage, "zhenshi", "东门入口相机", "5f2c9a10-7be34d11"),
        _device(stage, "neutral", "东门出口相机"),
    )
    lane_in, lane_out = _lane(stage, lot["id"], "in", entry), _lane(stage, lot["id"], "out", exit_)
    stage.tell(f"项目经理建立“东门停车场”，{SPACES} 个车位，一进一出；管理员登记两台相机，密钥各显示一次。")
    _prices(stage, lot["id"])
    _card(stage, lot["id"], owner, OWNER_PLATE, "8栋1单元101")
    _card(stage, lot["id"], debtor, DEBTOR_PLATE, cashier.open_bills(debtor)[0]["house_label"])
    vehicles = [(each["plate"], each["has_card"]) for each in owner.web.get("/api/v1/parking-vehicles")["items"]]
    stage.expect(f"{owner.name}在手机上看到的车辆", vehicles, [(OWNER_PLATE, True)])
    stage.tell(f"客服给{owner.name}的 {OWNER_PLATE} 和{debtor.name}的 {DEBTOR_PLATE} 办了月租卡。")
    return Opening(Gate(lot["id"], lane_in, lane_out, entry, exit_), owner, debtor)


def _device(stage: Stage, vendor: str, name: str, serial: str | None = None) -> Device:
    body = {"community_id": stage.community, "kind": "camera", "vendor": vendor, "name": name, "serial": serial}
    made = stage.staff["admin"].post("/admin/v1/devices", body)
    return Device(made["id"], made["secret"], serial or "")


def _lane(stage: Stage, lot_id: str, direction: str, device: Device) -> str:
    name = "东门入口" if direction == "in" else "东门出口"
    body = {"direction": direction, "name": name, "camera_device_id": device.id, "barrier_device_id": device.id}
    return str(stage.manager.post(f"/admin/v1/parking-lots/{lot_id}/lanes", body)["id"])


def _prices(stage: Stage, lot_id: str) -> None:
    """One proposes, another approves; a proposal with a hole in the day is refused with its place."""
    path, since = f"/admin/v1/parking-lots/{lot_id}/tariffs", stage.now() + OPENS_IN
    body = {"document": tariff(), "effective_from": since.isoformat(), "reason": "业主大会第 15 号决议"}
    faulty = tariff()
    faulty["days"][0]["windows"][0]["ends"] = "22:00"
    refused = stage.manager.ask("POST", path, {**body, "document": faulty})
    stage.expect("漏了夜里的收费标准", refused.status, 422)
    stage.tell(f"第一份收费标准漏了夜里，没有收下：{refused.json['error']['message']}")
    proposed = stage.manager.post(path, body)["approval_id"]
    alone = stage.manager.ask("POST", f"/admin/v1/approvals/{proposed}/decision", AGREED)
    stage.expect("自己审批自己的收费标准", (alone.status, alone.code), (403, "second_person_required"))
    stage.expect("审批之前的收费标准", stage.manager.get(path)["items"], [])
    stage.staff["admin"].post(f"/admin/v1/approvals/{proposed}/decision", AGREED)
    stage.expect("审批之后的收费标准数", len(stage.manager.get(path)["items"]), 1)
    stage.tell(
        f"改正后：停 {FREE_MIN} 分钟以内免费，超过的从入场起每小时 {yuan(HOUR_FEN)}，不足一小时按一小时，"
        f"每天最多 {yuan(DAY_CAP_FEN)}；自己审批被拒绝，管理员审批后按时生效。"
    )


def _card(stage: Stage, lot_id: str, who: Resident, plate: str, label: str) -> None:
    houses = {house["label"]: house["house_id"] for house in who.web.get("/api/v1/houses")["items"]}
    today = stage.today()
    body = {
        "kind": "monthly", "plates": [plate], "spaces": 1, "starts_on": today.isoformat(),
        "ends_on": (today + timedelta(days=30)).isoformat(), "house_id": houses[label],
    }  # fmt: skip
    stage.staff["service"].post(f"/admin/v1/parking-lots/{lot_id}/cards", body)
