"""Gates without a network, over HTTP, with the reference verifier as the maker's gate: one day of two gates (I-20)."""

import struct
from datetime import timedelta

from backend.kernel.resources import Resources
from tests import factories, factories_gates
from tests.conftest import Client
from tests.factories_gates import Alone
from tests.factories_payments import sound


async def test_a_day_of_two_gates_without_a_network(res: Resources, client: Client) -> None:
    """The surplus entry is named after the sync, what was in order is counted, and both gates end up knowing it."""
    at = await factories_gates.grounds(res)
    east, west = Alone(client, at.east), Alone(client, at.west)
    assert [await each.sync() for each in (east, west, west, west)] == [200, 200, 200, 304]
    mine, passes = client.of(at.owner.token), "/api/v1/visitor-passes"
    once, revoked = await at.invite(entries=1, hours=2), await at.invite(entries=None)
    texts = {each: (await mine.get(f"{passes}/{each}/code")).json["text"] for each in (once, revoked)}
    picture = await mine.get(f"{passes}/{once}/code.png")
    assert picture.headers["Content-Type"] == "image/png" and struct.unpack(">I", picture.body[16:20])[0] > 300
    own = (await mine.get(f"/api/v1/houses/{at.tie.house_id}/door-code")).json["live"]

    # The network goes; both gates open for the same pass of one entry, and each counts its own.
    assert [east.admits(texts[once]), west.admits(texts[once]), east.admits(texts[once])] == ["open", "open", "used_up"]
    assert [east.admits(own[0]["text"]), east.admits(own[-1]["text"])] == ["open", "too_early"]
    assert west.admits(texts[revoked]) == "open"
    res.clock.advance(timedelta(minutes=30))
    assert east.admits(own[-1]["text"]) == "expired", "a screenshot of the resident's code"
    await at.revoke(revoked)
    res.clock.advance(timedelta(minutes=30))
    assert west.admits(texts[revoked]) == "open", "west cannot know"
    res.clock.advance(timedelta(hours=2))

    # The network is back: what was in order at its own instant is counted, though the window is over by now.
    assert (await east.sync(), await west.sync()) == (200, 200)
    assert [(each["counted"], each["reason"]) for each in east.answers] == [(True, None), (True, None)]
    assert [(each["counted"], each["reason"]) for each in west.answers] == [
        (False, "used_up"), (True, None), (False, "revoked")
    ]  # fmt: skip
    again = await client.of(at.west.token).post(
        "/device/v1/visitor-events",
        {"events": [{"key": each["key"], "token": texts[once], "at_s": 1} for each in west.answers]},
    )
    assert again.json["events"] == west.answers, "each is heard once"
    assert (west.admits(texts[revoked]), east.admits(texts[revoked])) == ("revoked", "revoked")
    assert (east.gate.journal, west.gate.journal) == ([], [])

    rows = await res.db.fetch("SELECT pass_id, way FROM visitor_entry ORDER BY entered_at, id")
    assert {(row["pass_id"], row["way"]) for row in rows} == {(once, "offline"), (revoked, "offline")} and len(
        rows
    ) == 2
    guard = client.of((await factories.staff(res, at.place, "guard")).token)
    named = (await guard.get("/admin/v1/visitor-conflicts")).json["items"]
    assert {(each["gate"], each["subject_id"], each["reason"], each["house"]) for each in named} == {
        ("西门", str(revoked), "revoked", "1栋1单元101"), ("西门", str(once), "used_up", "1栋1单元101")
    }  # fmt: skip
    assert len(named) == 2
    for each in named:
        settled = await guard.post(f"/admin/v1/visitor-conflicts/{each['id']}/settle", {"note": "已与住户核实"})
        assert settled.status == 200
    assert (await guard.get("/admin/v1/visitor-conflicts")).json["items"] == []
    twice = await guard.post(f"/admin/v1/visitor-conflicts/{named[0]['id']}/settle", {"note": "已与住户核实"})
    assert (twice.status, twice.json["error"]["code"]) == (409, "settled_already")
    await sound(res)


async def test_a_resident_who_has_moved_out_opens_no_door(res: Resources, client: Client) -> None:
    """Online at once; offline the codes that the phone has fetched are over within minutes, and no more are given."""
    at = await factories_gates.grounds(res)
    gate, mine, door = Alone(client, at.east), client.of(at.owner.token), f"/api/v1/houses/{at.tie.house_id}/door-code"
    await gate.sync()
    live = (await mine.get(door)).json["live"]
    scan = {"key": "1", "token": live[0]["text"]}
    east = client.of(at.east.token)
    assert (await east.post("/device/v1/visitor-scans", scan)).json["open"]
    today = res.clock.now().date()
    await res.db.execute("UPDATE occupancy SET ends_on = $1 WHERE person_id = $2", today, at.owner.id)
    said = (await east.post("/device/v1/visitor-scans", scan | {"key": "2"})).json
    assert (said["open"], said["reason"]) == (False, "revoked")
    assert (await mine.get(door)).status == 404
    await res.db.execute("UPDATE resident_pass SET revoked_at = $1", res.clock.now())
    assert gate.admits(live[0]["text"]) == "open", "before its next sync"
    await gate.sync()
    assert gate.admits(live[0]["text"]) == "revoked"
    await sound(res)


async def test_six_digits_open_once_and_cannot_be_guessed(res: Resources, client: Client) -> None:
    """Of one gate and one day, and no more than a few attempts a minute at a gate."""
    at = await factories_gates.grounds(res)
    pass_id = await at.invite(entries=2)
    given = await client.of(at.owner.token).post(
        f"/api/v1/visitor-passes/{pass_id}/codes",
        {"gate_id": str(at.east.id), "valid_on": (res.clock.now() + timedelta(hours=8)).date().isoformat()},
    )
    assert given.status in (200, 201), given.body
    code = given.json["code"]
    east, west = client.of(at.east.token), client.of(at.west.token)
    told = {"key": "digits-1", "code": code}
    assert (await west.post("/device/v1/visitor-digits", told)).json["reason"] == "unknown", "another gate"
    first = (await east.post("/device/v1/visitor-digits", told)).json
    assert (first["open"], first["entries_left"]) == (True, 1)
    assert (await east.post("/device/v1/visitor-digits", told)).json == first, "repeated: told the same"
    guard = client.of((await factories.staff(res, at.place, "guard")).token)
    admissions, text = f"/admin/v1/visitor-gates/{at.west.id}/admissions", await at.text(pass_id)
    by_hand = [await guard.post(admissions, {"token": each}) for each in (text, text, f"{text}=")]
    assert [each.status for each in by_hand] == [201, 409, 409]
    assert [each.json["error"]["code"] for each in by_hand[1:]] == ["pass_used_up", "pass_malformed"]
    assert (await guard.post(admissions, {"token": text, "code": code})).status == 422
    statuses = [
        (await east.post("/device/v1/visitor-digits", {"key": f"guess-{n}", "code": f"{n:06}"})).status
        for n in range(8)
    ]
    assert statuses[-1] == 429 and statuses.count(200) <= 6
    await sound(res)
