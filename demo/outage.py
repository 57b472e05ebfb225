"""Act 19: a ticket that its resident urges, and an outage that speaks for two."""

from datetime import timedelta

from demo.casework import Case, Home
from demo.stage import Stage

BY_ROTA, WATER = "门禁弱电", "水电维修"
TITLE, RESTORED = "小区停水", "水泵已修好，恢复供水"
REPAIR_TIME = timedelta(hours=4)
URGED = ("提交", "受理", "派单", "催单", "接单", "到场", "完工", "验收")
BOUND = ("提交", "挂靠公告", "随公告完工")


def play(stage: Stage, urgent: Home, *dry: Home) -> None:
    """Dispatched by rota and urged once; then no water in two homes, and one announcement for both."""
    _urge(stage, urgent)
    _bind(stage, dry)


def _urge(stage: Stage, home: Home) -> None:
    stage.chapter("催单")
    case = home.report(stage, BY_ROTA, "可视门铃没有声音，快递打不通")
    stage.expect("排班派给的师傅", case.when("ASSIGNED")["assignee"] is not None, True)
    case.resident("urge", "ASSIGNED", reason="孩子放学要用，请早点来")
    told = case.refused(None, "urge", "urged_lately")
    stage.expect("催单次数", case.shown("engineer")["urged_times"], 1)
    case.staff("engineer", "accept", "ACCEPTED")
    case.staff("engineer", "arrive", "ON_SITE")
    case.staff("engineer", "done", "DONE", reason="更换门铃扬声器")
    case.resident("sign-off", "SIGNED_OFF")
    case.told(*URGED)
    stage.tell(f"{home.resident.name}报修门铃，系统按值班表派单；住户催了一次，再催时看到“{told}”师傅当即上门修好。")


def _bind(stage: Stage, dry: tuple[Home, ...]) -> None:
    stage.chapter("停水公告")
    cases = [home.report(stage, WATER, "家里突然没有水了") for home in dry]
    body = {
        "title": TITLE,
        "words": "加压水泵故障，正在抢修",
        "began_at": stage.now().isoformat(),
        "expected_at": (stage.now() + REPAIR_TIME).isoformat(),
    }
    service = stage.staff["service"]
    outage = service.post(f"/admin/v1/communities/{stage.community}/ticket-outages", body)["id"]
    bound = service.post(f"/admin/v1/ticket-outages/{outage}/tickets", {"ticket_ids": [case.id for case in cases]})
    stage.expect("挂靠公告的工单数", bound["count"], len(cases))
    for case in cases:
        seen = case.seen()
        stage.expect("住户看到的公告", (seen["state"], seen["outage"]["title"]), ("TRIAGED", TITLE))
    service.post(f"/admin/v1/ticket-outages/{outage}/end", {"words": RESTORED})
    for case in cases:
        _restored(stage, case)
    stage.tell(
        f"{len(cases)} 户报修没有水，客服发布“{TITLE}”公告，两张工单都挂在公告下；恢复供水后一起完工，住户都收到消息。"
    )


def _restored(stage: Stage, case: Case) -> None:
    """Done with the outage; the resident was told so."""
    case.when("DONE")
    case.told(*BOUND)

    def told() -> bool | None:
        letters = case.home.resident.web.get("/api/v1/messages")["items"]
        return True if any(RESTORED in each["body"] for each in letters) else None

    stage.wait("恢复供水的消息", told)
    case.resident("sign-off", "SIGNED_OFF")
