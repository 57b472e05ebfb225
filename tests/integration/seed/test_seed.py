"""Demo data: an empty database becomes a living community whose books agree with the channel's, once and for all."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from backend import seed
from backend.composition import CHECKS, HANDLERS
from backend.devices import registry
from backend.identity import staff_login
from backend.kernel import checks, clock, passwords
from backend.kernel.config import ConfigError, Mode, Settings
from backend.kernel.resources import Resources
from backend.parking import lots
from backend.parking.prices import tariffs
from backend.property import houses
from backend.seeding import demo_file, history, town
from backend.seeding.demo_file import Demo
from payments import merchants, ways
from payments.channels.base import Channel
from tests.conftest import START, Sandbox

COUNTS = """
    SELECT (SELECT count(*) FROM company), (SELECT count(*) FROM house), (SELECT count(*) FROM person),
           (SELECT count(*) FROM bill), (SELECT count(*) FROM bill WHERE state = 'PAID'),
           (SELECT count(*) FROM payment_order), (SELECT count(*) FROM posting)
"""
PAID = "SELECT count(*), sum(amount_fen)::bigint FROM payment_attempt WHERE state = 'PAID' AND settled_by = 'query'"


@pytest.fixture
def seeded_settings(sandbox_res: Resources, sandbox: Sandbox) -> Iterator[Settings]:
    """Settings whose data directory holds the clock that the sandbox reads."""
    master_key = SecretStr((sandbox_res.settings.data_dir / "master.key").read_text().strip())
    yield sandbox_res.settings.model_copy(update={"data_dir": sandbox.data_dir, "master_key": master_key})
    (sandbox.data_dir / demo_file.NAME).unlink(missing_ok=True)


async def counts(res: Resources) -> tuple[int, ...]:
    row = await res.db.fetchrow(COUNTS)
    assert row is not None
    return tuple(row)


async def broken(res: Resources) -> list[tuple[str, str]]:
    return [(found.check.code, found.check.title) for found in await checks.run(res.db, CHECKS) if found.offenders]


async def test_the_books_of_the_seed_agree_with_the_channels(
    seeded_settings: Settings, sandbox: Sandbox, sandbox_res: Resources
) -> None:
    """I-04, I-07, I-10: two months of bills, paid through orders and the query door; a second seed changes nothing."""
    offset_s = clock.read_offset_s(sandbox.data_dir)
    await seed.seed(seeded_settings)
    assert clock.read_offset_s(sandbox.data_dir) == offset_s
    assert await broken(sandbox_res) == []

    demo = demo_file.read(sandbox.data_dir)
    assert demo is not None and demo.complete
    assert (sandbox.data_dir / demo_file.NAME).stat().st_mode & 0o777 == 0o600
    books = await sandbox.ask("GET", f"/books?mchid={demo.mchid}")
    assert await sandbox_res.db.fetchrow(PAID) == (books["count"], books["total_fen"])
    shipped = await sandbox.ask("GET", "/shipping")
    assert len(shipped["uploads"]) == books["count"]
    states = Counter({row["state"]: row["n"] for row in await sandbox_res.db.fetch(
        "SELECT state, count(*) AS n FROM outbox WHERE state <> 'DONE' GROUP BY state"
    )})  # fmt: skip
    assert states == Counter(), "nothing of the past waits for a worker"

    before = await counts(sandbox_res)
    assert before[:2] == (1, len(town.spots()))
    await seed.seed(seeded_settings)
    assert await counts(sandbox_res) == before


async def test_the_seeded_community_is_alive(
    seeded_settings: Settings, sandbox: Sandbox, sandbox_res: Resources
) -> None:
    """One seed for all that is only looked at."""
    await seed.seed(seeded_settings)
    demo = demo_file.read(sandbox.data_dir)
    assert demo is not None
    await _both_channels_collect_and_every_house_has_a_paper_code(sandbox_res, demo)
    await _the_car_park_takes_a_car_through_its_cameras(sandbox_res, demo)
    await _the_desk_has_tickets_at_different_points_of_their_way(sandbox_res)
    await _history_lies_in_the_past_of_the_shared_clock(sandbox_res)
    await _every_role_logs_in_with_what_the_demo_file_says(sandbox_res, demo)


async def _both_channels_collect_and_every_house_has_a_paper_code(sandbox_res: Resources, demo: Demo) -> None:
    community_id = UUID(demo.community_id)
    items = await sandbox_res.db.fetch("SELECT id FROM fee_item")
    offered = await ways.offered(sandbox_res.db, community_id, item_ids=[items[0]["id"]], appid=demo.miniprogram)
    assert {way.channel for way in offered} == {Channel.WECHAT, Channel.ALIPAY}
    merchant = await merchants.merchant(sandbox_res, UUID(demo.alipay_merchant_id))
    assert (merchant.channel, merchant.appid) == (Channel.ALIPAY, demo.alipay_app_id)
    sealed = await sandbox_res.db.fetchval("SELECT private_key_sealed FROM merchant WHERE id = $1", merchant.id)
    assert b"PRIVATE KEY" not in sealed
    house = await houses.of_pay_code(sandbox_res.db, demo.pay_code)
    assert house.community_id == community_id
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM house WHERE pay_code IS NULL OR pay_code = ''") == 0


async def _the_car_park_takes_a_car_through_its_cameras(sandbox_res: Resources, demo: Demo) -> None:
    """S3: its prices were proposed by one person and approved by another; the demo file has what the cameras need."""
    (lot,) = await lots.in_communities(sandbox_res.db, [UUID(demo.community_id)])
    assert (str(lot["id"]), lot["free_spaces"]) == (demo.lot_id, lot["spaces"])
    assert {row["direction"] for row in await lots.lanes(sandbox_res.db, lot["id"])} == set(demo.cameras)
    (version,) = await tariffs.of_lot(sandbox_res.db, lot["id"])
    assert version["effective_from"] < START
    for path in demo.cameras.values():
        _, vendor, device_id, secret = path.rsplit("/", 3)
        device = await registry.known(sandbox_res, UUID(device_id))
        assert device is not None and (device.vendor, device.secret) == (vendor, secret)


async def _the_desk_has_tickets_at_different_points_of_their_way(sandbox_res: Resources) -> None:
    rows = await sandbox_res.db.fetch("SELECT kind, state FROM ticket ORDER BY no")
    assert [tuple(row) for row in rows] == [
        ("repair_home", "RATED"), ("repair_home", "ACCEPTED"), ("repair_public", "TRIAGED"), ("complaint", "SUBMITTED"),
        ("repair_home", "QUOTED"),
    ]  # fmt: skip
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM inbox_message WHERE title = '工单进度'") >= 5
    hidden = await sandbox_res.db.fetch(
        """SELECT k.kind FROM ticket t JOIN ticket_reporter r ON r.ticket_id = t.id
             JOIN ticket_clock k ON k.ticket_id = t.id WHERE t.anonymous AND t.person_id IS NULL ORDER BY 1"""
    )
    assert [row["kind"] for row in hidden] == ["answer", "contact", "respond"]


async def _history_lies_in_the_past_of_the_shared_clock(sandbox_res: Resources) -> None:
    found = await sandbox_res.db.fetch("SELECT DISTINCT period_start, published_at FROM billing_run ORDER BY 1")
    assert [f"{row['period_start']:%Y-%m}" for row in found] == ["2026-07"] * 3 + ["2026-08"] * 3
    assert all(row["published_at"].date() == row["period_start"] for row in found)
    latest = await sandbox_res.db.fetchval("SELECT max(paid_at) FROM payment_attempt")
    assert latest < START


async def _every_role_logs_in_with_what_the_demo_file_says(sandbox_res: Resources, demo: Demo) -> None:
    second_factors = {}
    for login in demo.staff:
        code = passwords.totp_code(login.totp_secret, at=sandbox_res.clock.now()) if login.totp_secret else None
        done = await staff_login.log_in(
            sandbox_res, login=login.login, password=login.password, totp=code, request_id="r"
        )
        second_factors[login.role] = done.second_factor
    assert second_factors == {
        "administrator": True, "manager": True, "cashier": True, "customer_service": False, "engineer": False,
        "guard": False, "read_only": False,
    }  # fmt: skip


async def test_a_seed_that_was_cut_off_is_carried_on(
    seeded_settings: Settings, sandbox: Sandbox, sandbox_res: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the first month: the clock is put right and the next seed ends with the same logins and sound books."""
    offset_s = clock.read_offset_s(sandbox.data_dir)

    async def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(history, "pay_bills", killed)
        with pytest.raises(KeyboardInterrupt):
            await seed.seed(seeded_settings)
    # What a kill leaves behind: a clock that still stands in the past.
    clock.write_offset_s(sandbox.data_dir, offset_s - 50 * 86_400)
    cut_off = demo_file.read(sandbox.data_dir)
    assert cut_off is not None and not cut_off.complete

    await seed.seed(seeded_settings)
    done = demo_file.read(sandbox.data_dir)
    assert done is not None and done.complete and done.staff == cut_off.staff
    assert clock.read_offset_s(sandbox.data_dir) == offset_s
    assert await broken(sandbox_res) == []
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM company") == 1
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM billing_run WHERE state = 'PUBLISHED'") == 6


async def test_live_mode_takes_no_demo_data(settings: Settings) -> None:
    live = settings.model_copy(update={"mode": Mode.LIVE})
    with pytest.raises(ConfigError):
        await seed.seed(live)


def test_the_town_is_the_same_in_every_run() -> None:
    spots = town.spots()
    assert spots == town.spots()
    assert len({(spot.building, spot.unit, spot.door) for spot in spots}) == len(spots) == 200
    assert Counter(spot.kind for spot in spots) == {"residence": 164, "shop": 12, "parking_for_sale": 24}
    assert sum(spot.owner is None for spot in spots) == town.UNSOLD


def test_a_demo_file_that_cannot_be_read_is_none(tmp_path: Any) -> None:
    assert demo_file.read(tmp_path) is None
    (tmp_path / demo_file.NAME).write_text(json.dumps({"staff": 3}))
    assert demo_file.read(tmp_path) is None
    assert demo_file.Demo(0, []).complete is False


def test_the_two_months_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [f"{month:%Y-%m-%d}" for month in history.months_before(datetime(2027, 1, 31, tzinfo=UTC).date())] == [
        "2026-11-01",
        "2026-12-01",
    ]
    assert HANDLERS
