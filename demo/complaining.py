"""Act 17: an anonymous complaint with its clocks: no name for staff, a look by two people, answered, called, closed."""

from dataclasses import replace
from typing import Any

from demo import people
from demo.casework import Case, Home, hour
from demo.promised import Calendar
from demo.refunding import AGREED
from demo.stage import Stage

CATEGORY, NATURE, PLACE = "投诉", "noise", "小区东侧"
RESPOND_M, CONTACT_DAYS, ANSWER_DAYS = 120, 1, 3
CAUSE = "服务不规范"
ANSWER = "装修工地每天 18:00 后不再施工，已书面通知施工方，巡逻岗每晚检查"
SIGHTING = "住户在投诉中提到有人威胁，需要当面核实"
TIMELINE = (
    "提交", "受理", "联系住户", "查看匿名报单人", "书面答复", "登记根因", "验收", "评价", "回访", "关闭",
)  # fmt: skip
# What is written aside, for staff alone.
ASIDE = "登记根因"


def play_first_day(stage: Stage, calendar: Calendar, home: Home) -> Case:
    """It comes in, its clocks run, the desk writes at once; who wrote it is seen by leave of a second person."""
    stage.chapter("匿名投诉")
    body = {
        "category_id": home.category(CATEGORY),
        "nature": NATURE,
        "anonymous": True,
        "place": PLACE,
        "description": "楼旁的装修工地夜里还在施工，吵得睡不着",
    }
    made = home.resident.web.post(f"/api/v1/houses/{home.house_id}/complaints", body)
    case = Case(stage, home, made["id"], made["no"])
    began = case.submitted_at()
    contact_due, answer_due = calendar.in_days(began, CONTACT_DAYS), calendar.in_days(began, ANSWER_DAYS)
    case.promised(respond=calendar.in_minutes(began, RESPOND_M), contact=contact_due, answer=answer_due)
    case.staff("service", "triage", "TRIAGED")
    case.staff("service", "desk-contact", "TRIAGED", reason="已派巡逻岗去现场，下一个工作日给您书面答复")
    case.kept("respond", "contact")
    stage.tell(
        f"{home.resident.name}匿名投诉噪声，工单 {case.no}：按工作日历，{hour(contact_due)} 前联系，"
        f"{hour(answer_due)} 前书面答复；客服当天受理，在工单里联系了住户。"
    )
    _nameless(stage, case)
    _look(stage, case)
    return case


def _person(case: Case) -> dict[str, Any]:
    """The reporter as the player knows them."""
    data = case.stage.data["residents"]
    found: dict[str, Any] = next(each for each in data if each["user_id"] == case.home.resident.user_id)
    return found


def _nameless(stage: Stage, case: Case) -> None:
    """None of the answers that staff get holds the reporter's name, phone or house."""
    person = _person(case)
    paths = (f"/tickets/{case.id}", f"/tickets/{case.id}/complaint", f"/tickets?no={case.no}", "/complaints?limit=1")
    for login in ("service", "manager", "admin"):
        for path in paths:
            answer = stage.staff[login].ask("GET", f"/admin/v1{path}")
            told = answer.body.decode()
            stage.expect(f"{login} 能看到 {path}", (answer.status, case.id in told), (200, True))
            known = [each for each in (person["name"], person["phone"], case.home.label) if each in told]
            stage.expect(f"{login} 看到的 {path} 里的身份", known, [])


def _look(stage: Stage, case: Case) -> None:
    """An administrator asks, may not decide alone, and sees who it is once the manager has agreed."""
    admin, reporter = stage.staff["admin"], f"/admin/v1/tickets/{case.id}/reporter"
    before = admin.ask("GET", reporter)
    stage.expect("没有获准时查看匿名报单人", (before.status, before.code), (403, "look_not_allowed"))
    asked = admin.post(f"/admin/v1/tickets/{case.id}/look", {"reason": SIGHTING})
    decision = f"/admin/v1/approvals/{asked['approval_id']}/decision"
    alone = admin.ask("POST", decision, AGREED)
    stage.expect("自己审批自己的查看申请", (alone.status, alone.code), (403, "second_person_required"))
    stage.manager.post(decision, AGREED)
    person = _person(case)
    wanted = {"name": person["name"], "phone": person["phone"], "house": case.home.label}
    stage.expect("管理员看到的报单人", admin.get(reporter), wanted)
    last = case.seen()["events"][-1]
    stage.expect("住户读到的查看记录", (last["title"], last["reason"]), ("查看匿名报单人", SIGHTING))
    stage.tell(
        "客服、项目经理、管理员看到的都没有姓名、电话和房屋；管理员申请查看，项目经理同意后才看到，住户也读到了原因。"
    )


def play_next_day(stage: Stage, case: Case) -> None:
    """Answered within the working days that were promised; called by somebody else, and closed."""
    stage.chapter("答复匿名投诉")
    case = replace(case, home=replace(case.home, resident=people.again(stage, case.home.resident)))
    case.staff("service", "desk-answer", "DONE", reason=ANSWER)
    case.kept("respond", "contact", "answer")
    stage.expect("住户读到的答复", case.seen()["events"][-1]["reason"], ANSWER)
    _settle(stage, case)
    _count(stage, case)
    stage.tell(
        f"客服书面答复，三个时限都按时，根因“{CAUSE}”；经办的客服不能自己回访，由项目经理回访后关闭，统计与此一致。"
    )


def _settle(stage: Stage, case: Case) -> None:
    """Accepted, rated; the cause noted; the call made by the manager, for the desk has answered."""
    causes = {each["name"]: each["id"] for each in stage.staff["service"].get("/admin/v1/complaint-causes")["items"]}
    case.staff("service", "cause", "DONE", cause_id=causes[CAUSE])
    case.resident("sign-off", "SIGNED_OFF")
    case.resident("rating", "RATED", stars=4, tags=["处理快"])
    due = [each["id"] for each in stage.manager.get("/admin/v1/ticket-follow-ups")["items"]]
    stage.expect("待回访的工单里有这张投诉", case.id in due, True)
    case.refused("service", "follow-up", "follow_up_by_another", reason="电话回访")
    case.staff("manager", "follow-up", "FOLLOWED_UP", reason="站内留言回访：夜里没有再施工")
    case.staff("manager", "close", "CLOSED")
    for reader, found, titles in (
        ("客服", case.shown("service"), TIMELINE),
        ("住户", case.seen(), tuple(each for each in TIMELINE if each != ASIDE)),
    ):
        stage.expect(f"{reader}看到的进度", tuple(each["title"] for each in found["events"]), titles)
    _nameless(stage, case)


def _count(stage: Stage, case: Case) -> None:
    """The figures of the day on which it came in."""
    day = case.submitted_at().date()
    path = f"/admin/v1/complaint-figures?first_on={day}&last_on={day}&community_id={stage.community}"
    (row,) = stage.manager.get(path)["items"]
    names = ("nature", "cause", "tickets", "contacted_on_time", "answered_on_time", "satisfied")
    stage.expect("当天投诉的统计", tuple(row[name] for name in names), (NATURE, CAUSE, 1, 1, 1, 1))
