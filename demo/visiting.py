"""Act 16: a day of visitors: invited, scanned, let in without a network, waiting at the gate, overstaying, leaving."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from demo import door, gate, people
from demo.door import Door
from demo.people import Resident
from demo.refunding import AGREED
from demo.stage import Stage

HOUR = timedelta(hours=1)
# Who invites: the first of these neighbours who does not follow the official account.
HOSTS = range(23, 60)
GUEST, COURIER, UNWELCOME, UNANNOUNCED = "江先生", "快递小许", "冯先生", "姜师傅"
STALE, CUT, TOO_LONG = "10m", "30m", "80m"


@dataclass(frozen=True, slots=True)
class Home:
    """Who invites, and to which house."""

    host: Resident
    house_id: str
    label: str

    def invite(self, stage: Stage, name: str, *, hours: int, entries: int) -> str:
        """A pass from now on; its id."""
        window = {"valid_from": stage.now().isoformat(), "valid_until": (stage.now() + hours * HOUR).isoformat()}
        body = {"name": name, "phone": "13900007001", "entries": entries, **window}
        made = self.host.web.post(f"/api/v1/houses/{self.house_id}/visitor-passes", body)
        stage.expect(f"{name}的通行证", made["state"], "ACTIVE")
        return str(made["id"])

    def codes(self, pass_id: str) -> Any:
        """What the phone shows of a pass: the code to send on, and the live ones."""
        return self.host.web.get(f"/api/v1/visitor-passes/{pass_id}/code")


def play(stage: Stage) -> None:
    """From the first invitation to the last one who leaves."""
    stage.chapter("访客邀请与扫码")
    home = _home(stage)
    west, north = door.install(stage, "西门访客机"), door.install(stage, "北门访客机")
    _screenshot(stage, home, west)
    _offline(stage, home, west, north)
    stage.chapter("没有通行证的访客")
    _walk_in(stage, home, west)
    _goods(stage, home, west)
    _overstay(stage, home)
    _leave(stage, home)


def _home(stage: Stage) -> Home:
    host = next(who for who in _neighbours(stage) if not who.follows)
    house = host.web.get("/api/v1/houses")["items"][0]
    return Home(host, house["house_id"], house["label"])


def _neighbours(stage: Stage) -> Iterator[Resident]:
    for number in HOSTS:
        yield people.neighbour(stage, number)


def _screenshot(stage: Stage, home: Home, west: Door) -> None:
    """The live code opens while it is live; ten minutes later its picture does not, and the pass still does."""
    pass_id = home.invite(stage, GUEST, hours=1, entries=2)
    picture = home.host.web.ask("GET", f"/api/v1/visitor-passes/{pass_id}/code.png")
    stage.expect("通行码的图片", (picture.status, picture.body[:4]), (200, b"\x89PNG"))
    taken = home.codes(pass_id)["live"][0]["text"]
    told = door.scan(stage, west, taken)
    stage.expect("出示动态码", (told["open"], told["entries_left"]), (True, 1))
    stage.tell(f"{home.host.name}邀请{GUEST}，可进两次；{GUEST}在西门出示手机上的动态码，门开了，还剩 1 次。")
    stage.advance(STALE)
    late = door.scan(stage, west, taken)
    stage.expect("十分钟后出示截图", (late["open"], late["reason"]), (False, "expired"))
    stage.tell(f"十分钟后有人拿动态码的截图来扫，门没有开，屏幕显示“{late['text']}”")


def _offline(stage: Stage, home: Home, west: Door, north: Door) -> None:
    """Two gates alone for half an hour: each counts for itself, and what was too much is named afterwards."""
    once, gone = home.invite(stage, COURIER, hours=4, entries=1), home.invite(stage, UNWELCOME, hours=4, entries=1)
    code, withdrawn = home.codes(once)["text"], home.codes(gone)["text"]
    home.host.web.post(f"/api/v1/visitor-passes/{gone}/cancel")
    for each in (west, north):
        door.sync(stage, each)
    stage.chapter("门禁断网")
    stage.expect("断网时，已取消的通行证", door.admit(stage, west, withdrawn), "revoked")
    stage.expect("断网时，一次有效的通行证进西门", door.admit(stage, west, code), "open")
    stage.expect("断网时，再进一次西门", door.admit(stage, west, code), "used_up")
    stage.expect("断网时，同一张通行证进北门", door.admit(stage, north, code), "open")
    stage.tell(f"网络断了，门禁凭公钥自己验码：{COURIER}的通行码开了西门，再扫不开；已取消的通行证不开。")
    stage.advance(CUT)
    stage.expect("西门补报", door.sync(stage, west), [(True, None)])
    stage.expect("北门补报", door.sync(stage, north), [(False, "used_up")])
    (conflict,) = stage.manager.get("/admin/v1/visitor-conflicts")["items"]
    stage.expect("冲突", (conflict["gate"], conflict["house"], conflict["subject_id"]), (north.name, home.label, once))
    note = {"note": "快递员两个门各进一次，已提醒住户"}
    stage.manager.post(f"/admin/v1/visitor-conflicts/{conflict['id']}/settle", note)
    stage.expect("处理之后的冲突", stage.manager.get("/admin/v1/visitor-conflicts")["items"], [])
    stage.tell(f"网络恢复，两个门各补报一次入场：西门的计数，北门多放的一次列为冲突，写明“{conflict['text']}”")


def _walk_in(stage: Stage, home: Home, west: Door) -> None:
    guard = stage.staff["guard"]
    body = {"house_id": home.house_id, "name": UNANNOUNCED, "purpose": "维修空调"}
    waiting = guard.post(f"/admin/v1/visitor-gates/{west.device.id}/walk-ins", body)["id"]
    decision = f"/admin/v1/walk-ins/{waiting}/decision"
    early = guard.ask("POST", decision, {"admit": True, "reason": None})
    stage.expect("住户答复之前放行", (early.status, early.code), (409, "still_waiting"))
    shown = [each["id"] for each in home.host.web.get("/api/v1/walk-ins")["items"]]
    stage.expect("住户手机上等候的访客", shown, [waiting])
    home.host.web.post(f"/api/v1/walk-ins/{waiting}/answer", {"admit": True})
    stage.expect("住户同意之后放行", guard.post(decision, {"admit": True, "reason": None})["state"], "ADMITTED")
    stage.expect("西门收到的指令", gate.obey(stage, west.device), "open")
    stage.tell(f"{UNANNOUNCED}没有通行证，保安登记；{home.host.name}在手机上点“同意”，保安放行，西门打开。")


def _goods(stage: Stage, home: Home, west: Door) -> None:
    window = {"valid_from": stage.now().isoformat(), "valid_until": (stage.now() + 4 * HOUR).isoformat()}
    body = {"goods": "旧空调一台", "carrier": UNANNOUNCED, **window}
    permit = home.host.web.post(f"/api/v1/houses/{home.house_id}/goods-permits", body)["id"]
    waiting = [
        each
        for each in stage.manager.get("/admin/v1/approvals?state=PENDING&limit=100")["items"]
        if each["target"] == f"goods_permit:{permit}"
    ]
    stage.expect("等待审批的放行条", len(waiting), 1)
    stage.manager.post(f"/admin/v1/approvals/{waiting[0]['id']}/decision", AGREED)
    off = (f"/admin/v1/goods-permits/{permit}/check-off", {"gate_id": west.device.id})
    stage.staff["guard"].post(*off)
    again = stage.staff["guard"].ask("POST", *off)
    stage.expect("放行条再核销一次", (again.status, again.code), (409, "checked_off_already"))
    stage.tell(f"{UNANNOUNCED}搬走旧空调，放行条由项目经理批准，保安核销一次；再用一次被拒绝。")


def _overstay(stage: Stage, home: Home) -> None:
    """The guest's hour is over, and an hour more: the system names it, and the host is told."""
    stage.advance(TOO_LONG)

    def look() -> list[str] | None:
        named = [each["way"] for each in _inside(stage, home) if each["overstayed_at"] is not None]
        return named or None

    stage.expect("逾时未离开的访客", stage.wait("逾时的访客被列出", look), ["token"])

    def told() -> list[str] | None:
        letters = [each["body"] for each in home.host.web.get("/api/v1/messages")["items"]]
        return [body for body in letters if "目前没有离开记录" in body] or None

    stage.expect("告诉住户逾时的消息", len(stage.wait("逾时的消息", told)), 1)
    stage.tell(f"{GUEST}的通行证过了一个多小时，还没有离开的记录：系统列为逾时，并告诉{home.host.name}。")


def _inside(stage: Stage, home: Home) -> list[dict[str, Any]]:
    """Who is in the house's community for this house, as the guard sees it."""
    path = f"/admin/v1/communities/{stage.community}/visitor-entries?inside=true&limit=100"
    return [each for each in stage.staff["guard"].get(path)["items"] if each["house"] == home.label]


def _leave(stage: Stage, home: Home) -> None:
    staying = _inside(stage, home)
    stage.expect("在小区内的访客", [each["way"] for each in staying], ["token", "offline", "walk_in"])
    for each in staying:
        stage.staff["guard"].post(f"/admin/v1/visitor-entries/{each['id']}/check-out")
    stage.expect("都离开之后", _inside(stage, home), [])
    visits = home.host.web.get(f"/api/v1/houses/{home.house_id}/visits")["items"]
    seen = [(each["visitor"], each["gate"], each["left_way"]) for each in visits]
    names = (f"{UNANNOUNCED[0]}*", COURIER, GUEST)
    stage.expect("住户看到的来访记录", seen, [(name, "西门访客机", "guard") for name in names])
    stage.tell(f"三位访客都登记离开；{home.host.name}在手机上看到谁来过、从哪个门进、何时离开。")
