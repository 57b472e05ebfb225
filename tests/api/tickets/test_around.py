"""Around a ticket over HTTP: photos, duty, urging, outages, what was merged, the job sheet, figures (D9, S7)."""

import io
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import openpyxl

from backend.composition import CHECKS
from backend.kernel.resources import Resources
from tests import factories, factories_media
from tests.api.tickets.test_tickets import CATEGORY, said
from tests.conftest import Client
from tests.soundness import broken

MINUTES = {**CATEGORY, "measure": "minutes", "respond_within": 30, "arrive_within": 60, "finish_within": 240}


async def photo(who: Client, path: str) -> str:
    """A photo that somebody has uploaded; its id."""
    raw, headers = factories_media.form(factories_media.picture())
    sent = await who.call("POST", path, raw=raw, headers={**headers, "Idempotency-Key": uuid4().hex})
    assert sent.status == 201, sent.body
    return str(sent.json["id"])


async def test_d9_photos_outages_and_what_was_merged_are_seen_by_those_of_the_ticket(
    res: Resources, client: Client
) -> None:
    place = await factories.community(res)
    house, next_house = [await factories.house(res, place, code) for code in ("101", "102")]
    owner, neighbour = [await factories.person(res, f"1380000000{number}") for number in range(2)]
    await factories.occupy(res, owner, house)
    await factories.occupy(res, neighbour, next_house)
    me, other = client.of(owner.token), client.of(neighbour.token)
    admin = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    desk = client.of((await factories.staff(res, place, "customer_service")).token)
    worker = await factories.staff(res, place, "engineer")
    engineer = client.of(worker.token)
    category = (
        await said(admin, "/admin/v1/ticket-categories", {**MINUTES, "needs_approval": False, "dispatch": "rota"}, 201)
    )["id"]

    # Duty: planned for the night, on duty by exception at ten in the morning.
    duty = f"/admin/v1/communities/{place.id}/ticket-duty"
    shift = {"staff_id": str(worker.id), "weekday": 1, "opens": "20:00", "closes": "08:00"}
    assert (await admin.call("PUT", duty, {"shifts": [shift, shift]})).code == "shifts_overlap"
    assert (await admin.call("PUT", duty, {"shifts": [shift]})).status == 200
    hours = {"starts_at": "2026-09-01T08:00:00+08:00", "ends_at": "2026-09-01T18:00:00+08:00"}
    stands_in = {"staff_id": str(worker.id), **hours, "on_duty": True, "note": "替班"}
    made = await said(admin, f"{duty}/exceptions", stands_in, 201)
    shown = (await desk.get(duty)).json
    assert (shown["shifts"], shown["on_duty"][0]["id"]) == ([shift], str(worker.id))
    gone = f"/admin/v1/ticket-duty-exceptions/{made['id']}"
    assert [(await admin.call("DELETE", gone)).status for _ in range(2)] == [200, 409]
    assert (await desk.get(duty)).json["on_duty"] == []
    rule = {"at_once": True, "warn_before_m": 10, "escalate_after_m": 30, "urge_times": 1, "urge_hours": 1}
    body = {"category_id": category, "rule": {**rule, "similar_days": 3}}
    assert (await admin.call("PUT", "/admin/v1/ticket-handling", body)).status == 200
    assert (await desk.get("/admin/v1/ticket-handling")).json["items"][1] == body
    assert (await admin.call("PUT", "/admin/v1/ticket-handling", {**body, "rule": None})).status == 200

    # Photos: one's own, once; read by those of the ticket through links, by nobody else.
    mine = await photo(me, f"/api/v1/houses/{house}/media")
    theirs = await photo(other, f"/api/v1/houses/{next_house}/media")
    wish = {"category_id": category, "description": "入户管道漏水"}
    tickets = f"/api/v1/houses/{house}/tickets"
    assert (await me.post(tickets, {**wish, "media_ids": [theirs]})).code == "media_unusable"
    ticket = await said(me, tickets, {**wish, "media_ids": [mine]}, 201)
    assert (await me.post(tickets, {**wish, "media_ids": [mine]})).code == "media_unusable"
    (file,) = (await me.get(f"/api/v1/tickets/{ticket['id']}")).json["events"][0]["media"]
    link = urlsplit(file["url"])
    assert (await client.of(None).get(f"{link.path}?{link.query}")).status == 200
    assert (await other.get(f"/api/v1/tickets/{ticket['id']}")).code == "not_found"
    one = f"/admin/v1/tickets/{ticket['id']}"
    assert (await engineer.get(one)).json["events"][0]["media"][0]["id"] == mine
    await said(desk, f"{one}/triage", {"category_id": None})
    await said(desk, f"{one}/assign", {"staff_id": str(worker.id)})
    await said(engineer, f"{one}/accept", {})
    seen = await photo(engineer, f"/admin/v1/communities/{place.id}/media")
    await said(engineer, f"{one}/arrive", {"media_ids": [seen], "reason": "已入户检查"})
    assert (await me.get(f"/api/v1/tickets/{ticket['id']}")).json["events"][-1]["media"][0]["id"] == seen
    await said(me, f"/api/v1/tickets/{ticket['id']}/urge", {})
    assert (await me.post(f"/api/v1/tickets/{ticket['id']}/urge", {})).code == "urged_lately"
    (work,) = (await engineer.get("/admin/v1/ticket-work")).json["items"]
    assert (work["urged_times"], work["urged_at"] is not None) == (1, True)

    # The neighbour reports the same: suggested, merged, and told how the other goes on, without its words.
    again = await said(other, f"/api/v1/houses/{next_house}/tickets", {**wish, "media_ids": [theirs]}, 201)
    offered = (await desk.get(f"/admin/v1/tickets/{again['id']}/suggestions")).json
    assert [each["id"] for each in offered["duplicates"]] == [ticket["id"]]
    await said(desk, f"/admin/v1/tickets/{again['id']}/merge", {"into_id": ticket["id"]})
    follows = (await other.get(f"/api/v1/tickets/{again['id']}")).json["follows"]
    assert [event["title"] for event in follows] == ["提交", "受理", "派单", "接单", "到场", "催单"]
    assert not [event for event in follows if event["media"] or event["reason"] or event["details"]]

    # An outage of the building: offered, bound, told of, over.
    failed = {"title": "1栋停水", "words": "水泵故障，正在抢修", "began_at": "2026-09-01T10:00:00+08:00"}
    where = {"category_id": category, "building_id": str(place.building_id)}
    outages = f"/admin/v1/communities/{place.id}/ticket-outages"
    late = {**failed, "expected_at": "2026-09-01T09:00:00+08:00"}
    assert (await desk.post(outages, late)).code == "invalid"
    outage = (await said(desk, outages, {**failed, **where}, 201))["id"]
    assert (await me.get(f"/api/v1/houses/{house}/ticket-outages")).json["items"][0]["title"] == "1栋停水"
    dry = await said(other, f"/api/v1/houses/{next_house}/tickets", wish, 201)
    offered = (await desk.get(f"/admin/v1/tickets/{dry['id']}/suggestions")).json
    assert [each["id"] for each in offered["outages"]] == [outage]
    path = f"/admin/v1/ticket-outages/{outage}"
    assert (await said(desk, f"{path}/tickets", {"ticket_ids": [dry["id"]]}))["count"] == 1
    await said(desk, f"{path}/progress", {"words": "水泵已更换", "expected_at": "2026-09-01T20:00:00+08:00"})
    story = (await other.get(f"/api/v1/tickets/{dry['id']}")).json["outage"]
    assert (story["title"], [note["words"] for note in story["notes"]]) == ("1栋停水", ["水泵已更换"])
    await said(desk, f"{path}/end", {"words": "已恢复供水"})
    (listed,) = (await desk.get("/admin/v1/ticket-outages?state=ENDED")).json["items"]
    assert (listed["tickets"], listed["expected_at"]) == (1, "2026-09-01T12:00:00Z")
    assert (await me.get(f"/api/v1/houses/{house}/ticket-outages")).json["items"] == []

    # The job sheet, as a page and as a PDF.
    page = await engineer.get(f"{one}/paper")
    assert (page.status, "default-src 'none'" in page.headers["Content-Security-Policy"]) == (200, True)
    for words in ("派 工 单", "1栋1单元101", "入户管道漏水", "住户签字", "到场"):
        assert words in page.body.decode(), words
    pdf = await engineer.get(f"{one}/paper?form=pdf&size=241")
    assert pdf.body.startswith(b"%PDF") or pdf.code == "pdf_font_missing"
    assert not await broken(res.db, CHECKS)


async def test_s7_figures_agree_with_the_rows(res: Resources, client: Client) -> None:
    """Worked by hand: five tickets of two engineers in September, one of them finished in October."""
    place = await factories.community(res)
    house = await factories.house(res, place)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house)
    me = client.of(owner.token)
    admin = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    desk = client.of((await factories.staff(res, place, "customer_service")).token)
    workers = [await factories.staff(res, place, "engineer") for _ in range(2)]
    body = {**MINUTES, "arrive_within": None, "needs_approval": False}
    category = (await said(admin, "/admin/v1/ticket-categories", body, 201))["id"]

    async def report() -> str:
        wish = {"category_id": category, "description": "厨房水龙头漏水"}
        made: str = (await said(me, f"/api/v1/houses/{house}/tickets", wish, 201))["id"]
        await said(desk, f"/admin/v1/tickets/{made}/triage", {"category_id": None})
        return made

    async def step(ticket: str, who: int, *moves: str, **body: Any) -> None:
        for move in moves:
            staff = desk if move in ("assign", "follow-up", "cancel") else client.of(workers[who].token)
            more = {"staff_id": str(workers[who].id)} if move == "assign" else body
            await said(staff, f"/admin/v1/tickets/{ticket}/{move}", more)

    async def later(**step: int) -> None:
        res.clock.instant += timedelta(**step)  # type: ignore[attr-defined]

    async def settle(ticket: str, stars: int) -> None:
        await said(me, f"/api/v1/tickets/{ticket}/sign-off", {})
        await said(me, f"/api/v1/tickets/{ticket}/rating", {"stars": stars, "tags": [], "words": ""})

    # A: answered after 10 minutes, done after 20, in time; five stars.
    a = await report()
    await step(a, 0, "assign")
    await later(minutes=10)
    await step(a, 0, "accept", "arrive")
    await later(minutes=10)
    await step(a, 0, "done")
    await settle(a, 5)
    # B: answered after 40 minutes (late), given back, done by the other after 5 hours (late); two stars.
    b = await report()
    await step(b, 0, "assign")
    await later(minutes=40)
    await step(b, 0, "accept")
    await step(b, 0, "return", reason="不会修")
    await step(b, 1, "assign", "accept", "arrive")
    await later(minutes=260)
    await step(b, 1, "done")
    await settle(b, 2)
    # C: done in time by the other, reopened, done again in time; no stars.
    c = await report()
    for _ in range(2):
        await step(c, 1, "assign", "accept", "arrive", "done")
        if _ == 0:
            await said(me, f"/api/v1/tickets/{c}/reopen", {"reason": "又漏水了"})
    # D: nobody has it, its promises are broken. E: cancelled, counts nowhere. F: begun, done in October.
    await report()
    e = await report()
    await step(e, 0, "cancel", reason="自己修好了")
    f = await report()
    await step(f, 0, "assign", "accept", "arrive")
    await res.db.execute("UPDATE session SET expires_at = expires_at + interval '60 days'")
    await later(days=35)
    await step(f, 0, "done")

    query = "starts_on=2026-09-01&ends_on=2026-10-01"
    assert (await admin.get("/admin/v1/ticket-figures?starts_on=2026-09-01&ends_on=2026-09-01")).code == "invalid"
    told = (await admin.get(f"/admin/v1/ticket-figures?{query}")).json
    lines = {line["key"]: line for line in told["items"]}

    def counts(line: dict[str, Any]) -> tuple[Any, ...]:
        promises = [
            (each["kept"], each["broken"]) for each in line["promises"] if each["kind"] in ("respond", "finish")
        ]
        names = ("assigned", "done", "in_hand", "finished", "fixed", "reopened", "ratings", "stars")
        return (*promises, *[line[name] for name in names])

    # First: A kept both; B's answer was late; F answered at once, its finish broken in September.
    assert counts(lines[str(workers[0].id)]) == ((2, 1), (1, 1), 3, 1, 0, 1, 1, 0, 1, 5)
    # Second: B's finish late; C answered and finished twice, first finished by him and reopened.
    assert counts(lines[str(workers[1].id)]) == ((2, 0), (2, 1), 3, 3, 0, 2, 0, 1, 1, 2)
    assert counts(lines[None]) == ((0, 1), (0, 1), 0, 0, 0, 0, 0, 0, 0, 0)
    assert counts(told["total"]) == ((4, 2), (3, 3), 6, 4, 0, 3, 1, 1, 2, 7)
    whole = told["total"]
    assert (whole["promises"][0]["on_time_permille"], whole["first_fix_permille"], whole["stars_permille"]) == (
        667, 333, 3500,
    )  # fmt: skip
    for by, name in (("category", "水电维修"), ("building", "1栋")):
        found = (await admin.get(f"/admin/v1/ticket-figures?{query}&by={by}")).json
        (line,) = found["items"]
        assert (line["name"], counts(line), found["total"]["name"]) == (name, counts(told["total"]), "合计")
    october = (await admin.get("/admin/v1/ticket-figures?starts_on=2026-10-01&ends_on=2026-11-01")).json["total"]
    assert (october["done"], october["finished"], october["promises"][2]["broken"]) == (1, 1, 0)
    sheet = openpyxl.load_workbook(
        io.BytesIO((await admin.get(f"/admin/v1/ticket-figures.xlsx?{query}")).body)
    ).worksheets[0]  # fmt: skip
    last = [cell.value for cell in list(sheet.rows)[-1]]
    told = [4, 2, "66.7%", 0, 0, None, 3, 3, "50.0%", 0, 0, None, 0, 0, None]
    assert last == ["合计", *told, 6, 4, 0, 3, 1, "33.3%", 1, "33.3%", 2, "3.500"]
    assert not await broken(res.db, CHECKS)
