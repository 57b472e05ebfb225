"""The data keys in the database (I-24): made once, rotated without losing a text, wrapped by a new master key."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from backend.kernel.config import ConfigError
from backend.kernel.crypto import Context, Keyring, MasterKeys, load_keyring, master_keys, rewrap, rotate_data_key

PHONE = Context("resident", "phone", 7)


async def _rows(db) -> list[tuple[int, str, bool]]:
    rows = await db.fetch("SELECT id, kind, retired_at IS NOT NULL AS retired FROM data_key ORDER BY id")
    return [(row["id"], row["kind"], row["retired"]) for row in rows]


async def _rotate(db, master: MasterKeys) -> Keyring:
    return await db.transact(lambda tx: rotate_data_key(tx, master, at=tx.now))


async def test_the_first_start_makes_the_keys_once_whoever_starts_beside_it(db, settings, urls, clock) -> None:
    admin = await asyncpg.connect(urls.admin)
    await admin.execute("DELETE FROM data_key")
    await admin.close()
    rings = await asyncio.gather(*(load_keyring(db, settings, at=clock.now()) for _ in range(6)))
    assert await _rows(db) == [(0, "index", False), (1, "data", False), (2, "data", False)]
    sealed = rings[0].seal("13812346666", PHONE)
    assert {ring.open(sealed, PHONE) for ring in rings} == {"13812346666"}
    assert len({ring.blind("13812346666", "phone") for ring in rings}) == 1


async def test_a_wrong_master_key_stops_the_start_and_changes_nothing(db, settings, clock) -> None:
    before = await db.fetch("SELECT * FROM data_key ORDER BY id")
    wrong = settings.model_copy(update={"data_dir": settings.data_dir / "other"})
    with pytest.raises(ConfigError, match="主密钥"):
        await load_keyring(db, wrong, at=clock.now())
    assert await db.fetch("SELECT * FROM data_key ORDER BY id") == before


async def test_a_rotation_seals_with_the_key_that_every_process_already_knows(db, settings, clock) -> None:
    running = await load_keyring(db, settings, at=clock.now())
    old = running.seal("13812346666", PHONE)
    rotated = await _rotate(db, master_keys(settings))
    assert await _rows(db) == [(0, "index", False), (1, "data", True), (2, "data", False), (3, "data", False)]
    new = rotated.seal("13812346666", PHONE)
    assert rotated.needs_reseal(old)
    assert not rotated.needs_reseal(new)
    assert running.open(new, PHONE) == rotated.open(old, PHONE) == "13812346666"
    assert running.blind("13812346666", "phone") == rotated.blind("13812346666", "phone")


async def test_rotations_at_once_follow_one_another(db, settings, clock) -> None:
    await asyncio.gather(*(_rotate(db, master_keys(settings)) for _ in range(3)))
    assert await _rows(db) == [
        (0, "index", False),
        *((key_id, "data", True) for key_id in (1, 2, 3)),
        *((key_id, "data", False) for key_id in (4, 5)),
    ]


async def test_a_new_master_key_takes_over_and_the_old_one_can_go(db, settings, clock) -> None:
    running = await load_keyring(db, settings, at=clock.now())
    sealed = running.seal("13812346666", PHONE)
    old = master_keys(settings)
    changed = settings.model_copy(update={"data_dir": settings.data_dir / "fresh"})
    fresh = MasterKeys(master_keys(changed).current, previous=old.current)
    assert await db.transact(lambda tx: rewrap(tx, fresh)) == 3
    assert await db.transact(lambda tx: rewrap(tx, fresh)) == 0
    alone = await load_keyring(db, changed, at=clock.now())
    assert alone.open(sealed, PHONE) == "13812346666"
    with pytest.raises(ConfigError):
        await load_keyring(db, settings, at=clock.now())


async def test_the_app_role_cannot_delete_a_key(db) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.execute("DELETE FROM data_key")


async def test_a_rotation_carries_the_instant_it_was_given(db, settings, clock) -> None:
    clock.advance(timedelta(days=90))
    await _rotate(db, master_keys(settings))
    row = await db.fetchrow("SELECT retired_at FROM data_key WHERE id = 1")
    assert row["retired_at"] == clock.now()
