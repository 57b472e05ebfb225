"""Rotation of keys in a running system (I-24): nobody fails to read, and in the end nothing needs the old key."""

import asyncio
import os
import secrets
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from backend.composition import CHECKS, HANDLERS, PERIODIC, SEALED
from backend.identity import people
from backend.kernel import crypto, failpoints, leases, seals
from backend.kernel.audit import SYSTEM
from backend.kernel.clock import FrozenClock
from backend.kernel.config import Settings
from backend.kernel.crypto import Context, Keyring, KeyRow, MasterKeys, SealError, master_keys
from backend.kernel.db import Database
from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from backend.wechat import apps
from tests import factories
from tests import workers_rig as rig
from tests.api_process import serving
from tests.soundness import broken

SOON = timedelta(seconds=seals.SETTLE_S)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks, so that a few people are several of them."""
    monkeypatch.setattr(seals, "CHUNK", 4)


async def _fill(res: Resources, count: int = 10) -> list[UUID]:
    """People, an app, a member of staff and a session key: something sealed in each noun."""
    place = await factories.community(res)
    found = [await factories.person(res, f"1380000{n:04}", f"住户{n}") for n in range(count)]
    await res.db.execute(
        "UPDATE wechat_user SET session_key_sealed = $2 WHERE id = $1",
        found[0].wechat_user_id,
        res.keyring.seal("k" * 24, Context("wechat_user", "session_key_sealed", found[0].wechat_user_id)),
    )
    await res.db.transact(
        lambda tx: apps.register(
            tx, res.keyring, actor=SYSTEM, company_id=place.company_id, kind=apps.AppKind.MINIPROGRAM,
            appid=factories.APPID, secret="0123456789abcdef0123456789abcdef",
        )
    )  # fmt: skip
    return [one.id for one in found]


async def _rotate(res: Resources, clock: FrozenClock) -> int:
    clock.advance(SOON)
    return await res.db.transact(lambda tx: seals.rotate(tx, master_keys(res.settings)))


async def _work_off(res: Resources) -> int:
    """Do the resealing that is due, as a worker does; how many jobs that took."""
    jobs = 0
    while claimed := await leases.claim(res.db, limit=1, lease_s=60):
        for lease in claimed:
            await rig.work_one(res, HANDLERS, lease)
            jobs += 1
    return jobs


async def _texts_by_key(db: Database) -> dict[int, int]:
    return {use.id: use.texts for use in await seals.uses(db, SEALED) if use.texts}


async def _without_retired(res: Resources) -> Keyring:
    """A keyring as if all retired keys were gone."""
    rows = await res.db.fetch("SELECT id, wrapped FROM data_key WHERE retired_at IS NULL")
    return Keyring.load([KeyRow(row["id"], bytes(row["wrapped"])) for row in rows], master_keys(res.settings))


async def _sound(res: Resources) -> None:
    assert await broken(res.db, CHECKS) == []


async def test_every_sealed_column_of_the_schema_is_known(db: Database) -> None:
    rows = await db.fetch(
        """SELECT table_name || '.' || column_name AS name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name LIKE '%\\_sealed'"""
    )
    assert {row["name"] for row in rows} == {column.name for column in SEALED}


async def test_after_a_rotation_everything_is_sealed_anew_and_nothing_needs_the_old_key(
    res: Resources, clock: FrozenClock, few: None
) -> None:
    ids = await _fill(res)
    before = await people.masked(res.db, res.keyring, ids)
    total = sum((await _texts_by_key(res.db)).values())
    assert await _rotate(res, clock) == 2
    assert await _texts_by_key(res.db) == {1: total}
    assert await _work_off(res) == 0, "not before every process has heard of it"
    clock.advance(SOON)
    assert await _work_off(res) == 1
    assert res.keyring.current_id == 2
    assert await _texts_by_key(res.db) == {2: total}
    fresh = await _without_retired(res)
    assert await people.masked(res.db, fresh, ids) == before
    assert (await apps.app_by_appid(res.db, fresh, factories.APPID)).secret == "0123456789abcdef0123456789abcdef"
    await _sound(res)


async def test_a_reseal_killed_between_chunks_goes_on_where_it_was(
    res: Resources, clock: FrozenClock, few: None
) -> None:
    ids = await _fill(res)
    await _rotate(res, clock)
    clock.advance(SOON)
    failpoints.arm("seals.after_chunk", "raise", times=1, first_pass=2)
    (lease,) = await leases.claim(res.db, limit=1, lease_s=60)
    await rig.work_one(res, HANDLERS, lease)
    half = await _texts_by_key(res.db)
    assert half[1] > 0 and half[2] == 8
    assert len(await people.masked(res.db, res.keyring, ids)) == len(ids)
    clock.advance(timedelta(minutes=15))
    await _work_off(res)
    assert list(await _texts_by_key(res.db)) == [2]
    await _sound(res)


async def test_a_reseal_beyond_its_budget_goes_on_in_another_job(
    res: Resources, clock: FrozenClock, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fill(res)
    monkeypatch.setattr("workers.resealing.BUDGET_S", 0.000_001)
    await _rotate(res, clock)
    clock.advance(SOON)
    assert await _work_off(res) > 3
    assert list(await _texts_by_key(res.db)) == [2]


async def test_what_somebody_writes_during_the_reseal_is_not_overwritten(res: Resources, clock: FrozenClock) -> None:
    (person_id,) = await _fill(res, 1)
    await _rotate(res, clock)
    await crypto.refresh(res.keyring, res.db, res.settings)
    column = SEALED[0]
    row = await res.db.fetchrow("SELECT id AS key, name_sealed AS sealed FROM person WHERE id = $1", person_id)
    assert row is not None
    outdated = seals._renew(res.keyring, column, row)
    assert outdated is not None
    await res.db.transact(lambda tx: people.rename(tx, res.keyring, SYSTEM, person_id=person_id, name="王小明"))
    await res.db.execute(seals._replace(column), *([value] for value in outdated))
    kept = await res.db.fetchval("SELECT name_sealed FROM person WHERE id = $1", person_id)
    assert res.keyring.open(bytes(kept), Context("person", "name_sealed", person_id)) == "王小明"


async def test_a_damaged_text_is_left_and_does_not_stop_the_others(
    res: Resources, clock: FrozenClock, few: None
) -> None:
    ids = await _fill(res)
    await res.db.execute(
        "UPDATE person SET name_sealed = set_byte(name_sealed, 20, get_byte(name_sealed, 20) # 1) WHERE id = $1", ids[3]
    )
    await _rotate(res, clock)
    clock.advance(SOON)
    await _work_off(res)
    assert (await _texts_by_key(res.db))[1] == 1
    with pytest.raises(SealError):
        await people.masked(res.db, res.keyring, [ids[3]])


async def test_readers_never_fail_while_keys_rotate_again_and_again(
    res: Resources, clock: FrozenClock, few: None
) -> None:
    """A process that hears of a rotation only SETTLE_S later, which is the latest that it may."""
    ids = await _fill(res, 6)
    late = await crypto.load_keyring(res.db, res.settings, at=clock.now())
    reads, stop = 0, asyncio.Event()

    async def read() -> None:
        nonlocal reads
        while not stop.is_set():
            assert len(await people.masked(res.db, res.keyring, ids)) == len(ids)
            assert len(await people.masked(res.db, late, ids)) == len(ids)
            reads += 1

    async def write() -> None:
        while not stop.is_set():
            for ring, person_id in ((late, ids[0]), (res.keyring, ids[1])):
                await res.db.transact(
                    lambda tx, ring=ring, person_id=person_id: people.rename(
                        tx, ring, SYSTEM, person_id=person_id, name=secrets.token_hex(4)
                    )
                )

    tasks = [asyncio.create_task(read()), asyncio.create_task(write())]
    for _ in range(4):
        await _rotate(res, clock)
        clock.advance(SOON)
        await _work_off(res)
        await crypto.refresh(late, res.db, res.settings)
    stop.set()
    await asyncio.gather(*tasks)
    assert reads > 4
    assert res.keyring.current_id == late.current_id == 5
    await _sound(res)


async def test_a_rotation_too_soon_is_refused_and_changes_nothing(res: Resources, clock: FrozenClock) -> None:
    await _rotate(res, clock)
    before = await res.db.fetch("SELECT * FROM data_key ORDER BY id")
    clock.advance(timedelta(seconds=seals.SETTLE_S - 1))
    with pytest.raises(Conflict) as caught:
        await res.db.transact(lambda tx: seals.rotate(tx, master_keys(res.settings)))
    assert caught.value.code == "rotated_too_soon"
    assert await res.db.fetch("SELECT * FROM data_key ORDER BY id") == before


async def test_a_running_process_takes_over_the_new_keys(
    res: Resources, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "REFRESH_S", 0.05)
    stop = asyncio.Event()
    following = asyncio.create_task(seals.follow(res, stop))
    await _rotate(res, clock)

    async def heard() -> bool:
        return res.keyring.current_id == 2

    await rig.until(heard, within_s=5)
    stop.set()
    await asyncio.wait_for(following, 5)


async def test_the_daily_round_reseals_what_slipped_through(res: Resources, clock: FrozenClock) -> None:
    (person_id,) = await _fill(res, 1)
    stale = await crypto.load_keyring(res.db, res.settings, at=clock.now())
    await _rotate(res, clock)
    clock.advance(SOON)
    await _work_off(res)
    await res.db.transact(lambda tx: people.rename(tx, stale, SYSTEM, person_id=person_id, name="李小红"))
    assert (await _texts_by_key(res.db))[1] == 1
    (daily,) = [each for each in PERIODIC if each.name == "keys.reseal"]
    await daily.run(res, "2026-09-02")
    await daily.run(res, "2026-09-02")
    assert await _work_off(res) == 1
    assert list(await _texts_by_key(res.db)) == [2]


def _keys(settings: Settings, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINLI_")},
        "LINLI_DATA_DIR": str(settings.data_dir),
        "LINLI_DATABASE_URL": str(settings.database_url),
        "LINLI_REDIS_URL": str(settings.redis_url),
        **changes,
    }
    argv = [sys.executable, "-m", "backend.cli", "keys", *words]
    return subprocess.run(
        argv, env=env, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=60, check=False
    )


async def test_the_command_shows_rotates_and_rewraps_beside_a_serving_process(res: Resources) -> None:
    resident = await factories.person(res)
    old = (res.settings.data_dir / crypto.MASTER_KEY_FILE).read_text().strip()
    new = secrets.token_hex(32)
    async with serving(res.settings) as (_, client):
        me = client.of(resident.token)
        told = (await me.get("/api/v1/me")).json
        done = await asyncio.to_thread(_keys, res.settings, "rotate")
        # The keys of this database are younger than the settling time by the shared clock.
        assert (done.returncode, done.stdout) == (3, "")
        assert "还不到 60 秒" in done.stderr
        await res.db.execute("UPDATE data_key SET created_at = created_at - interval '1 day'")
        done = await asyncio.to_thread(_keys, res.settings, "rotate")
        assert done.returncode == 0, done.stderr
        assert "已换用数据密钥 2" in done.stdout
        assert (await me.get("/api/v1/me")).json == told
        changed = {"LINLI_MASTER_KEY": new, "LINLI_PREVIOUS_MASTER_KEY": old}
        done = await asyncio.to_thread(_keys, res.settings, "show", **changed)
        assert "还有 4 把密钥由上一把主密钥保护" in done.stdout
        assert "数据密钥 1：已停用" in done.stdout and "有 2 条数据用它加密" in done.stdout
        assert "Traceback" not in done.stderr
        done = await asyncio.to_thread(_keys, res.settings, "rewrap", **changed)
        assert done.returncode == 0 and "已有 4 把密钥" in done.stdout
        assert (await me.get("/api/v1/me")).json == told
    done = await asyncio.to_thread(_keys, res.settings, "show")
    assert done.returncode == 2
    assert "主密钥打不开" in done.stderr
    renewed = res.settings.model_copy(update={"master_key": SecretStr(new)})
    alone = await crypto.load_keyring(res.db, renewed, at=res.clock.now())
    assert len(await people.masked(res.db, alone, [resident.id])) == 1
    assert MasterKeys(bytes.fromhex(new)).wraps(await res.db.fetchval("SELECT wrapped FROM data_key WHERE id = 0"), 0)
    entries = await res.db.fetch("SELECT action FROM audit_entry WHERE action LIKE 'keys.%' ORDER BY id")
    assert [entry["action"] for entry in entries] == ["keys.rotated", "keys.rewrapped"]
