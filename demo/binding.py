"""Act 3: three ways into a house: the phone in the roster, a family code, an application that staff approve."""

from dataclasses import dataclass

from demo import people, roster
from demo.people import Resident
from demo.stage import Stage

OWNER_HOUSES = {"8栋1单元101": "owner", "8栋1单元102": "owner"}
MEANINGS = ["bill_issued", "notice", "payment_received"]
SUBSCRIBED = 2


@dataclass(frozen=True, slots=True)
class Household:
    """Who is bound at the end of the act."""

    owner: Resident
    family: Resident
    tenant: Resident


def play(stage: Stage) -> Household:
    """Bind owner, wife and a tenant, and let the owner subscribe to messages."""
    stage.chapter("住户绑定房屋")
    owner = people.join(stage, *roster.OWNER)
    stage.expect("手机号匹配到的房屋", people.houses_of(owner), OWNER_HOUSES)
    stage.tell(f"{owner.name}用微信登录并授权手机号，名册里的 {len(OWNER_HOUSES)} 套房屋自动绑定。")
    family = _by_family_code(stage, owner)
    tenant = _by_application(stage)
    _subscribe(stage, owner)
    return Household(owner, family, tenant)


def _by_family_code(stage: Stage, owner: Resident) -> Resident:
    family = people.join(stage, "许静", "13700000077")
    stage.expect("许静绑定前的房屋", people.houses_of(family), {})
    house = next(one for one in owner.web.get("/api/v1/houses")["items"] if one["label"] == "8栋1单元101")
    made = owner.web.post(f"/api/v1/houses/{house['house_id']}/family-codes", {"role": "family"})
    joined = family.web.post("/api/v1/houses/join", {"code": made["code"]})
    stage.expect("许静用邀请码加入的房屋", (joined["label"], joined["role"]), ("8栋1单元101", "family"))
    again = family.web.ask("POST", "/api/v1/houses/join", {"code": made["code"]})
    stage.expect("同一个邀请码第二次使用", (again.status, again.code), (403, "code_refused"))
    stage.tell("他给妻子许静生成了家庭邀请码，许静凭码成为 8栋1单元101 的家人；同一个码再用一次，被拒绝。")
    return family


def _by_application(stage: Stage) -> Resident:
    tenant = people.join(stage, "钱多", "13700000088")
    body = {
        "community_id": stage.community,
        "house": "8栋1单元201",
        "role": "tenant",
        "name": "钱多",
        "reason": "新租住户",
    }
    applied = tenant.web.post("/api/v1/applications", body)
    stage.expect("钱多的申请", (applied["house"], applied["state"]), ("8栋1单元201", "PENDING"))
    waiting = stage.staff["service"].get("/admin/v1/approvals?state=PENDING")["items"]
    mine = [one for one in waiting if one["id"] == applied["id"]]
    stage.expect("客服看到的待审批申请", [one["may_decide"] for one in mine], [True])
    decision = {"approve": True, "note": "已核对租赁合同"}
    stage.staff["service"].post(f"/admin/v1/approvals/{applied['id']}/decision", decision)
    stage.expect("审批后钱多的房屋", people.houses_of(tenant), {"8栋1单元201": "tenant"})
    stage.tell("租客钱多在小程序里申请绑定 8栋1单元201，客服核对合同后同意。")
    return tenant


def _subscribe(stage: Stage, owner: Resident) -> None:
    """Tap 允许 twice: two credits for each kind of message, at WeChat and with us."""
    offered = owner.web.get("/api/v1/subscriptions")["items"]
    stage.expect("可以订阅的消息", sorted(one["meaning"] for one in offered), MEANINGS)
    for _ in range(SUBSCRIBED):
        for one in offered:
            consent = {"appid": stage.data["miniprogram"], "template_id": one["template_id"], "answer": "accept"}
            stage.control("POST", f"/users/{owner.user_id}/consent", consent)
        owner.web.post("/api/v1/subscriptions", {"answers": {one["template_id"]: "accept" for one in offered}})
    stage.tell(f"{owner.name}允许接收账单、缴费和公告消息，各 {SUBSCRIBED} 次。")
