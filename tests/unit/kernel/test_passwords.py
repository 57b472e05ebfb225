"""Staff passwords and second factor: argon2id off the event loop, a code works once."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from backend.kernel import passwords
from backend.kernel.errors import Unavailable
from backend.kernel.passwords import hash_password, is_outdated, new_totp_secret, verify_password, verify_totp

NOON = datetime(2026, 3, 1, 4, 0, 15, tzinfo=UTC)
# RFC 6238 appendix B: the secret "12345678901234567890", time 59 s, six digits of 94287082.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def code_at(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def test_a_password_is_kept_as_argon2id_and_verified() -> None:
    async def scenario() -> None:
        stored = await hash_password("物业小区-2026")
        assert stored.startswith("$argon2id$")
        assert await verify_password(stored, "物业小区-2026")
        assert not await verify_password(stored, "物业小区-2027")
        assert not is_outdated(stored)

    asyncio.run(scenario())


def test_an_unknown_user_and_a_damaged_hash_are_simply_wrong() -> None:
    async def scenario() -> None:
        assert not await verify_password(None, "")
        assert not await verify_password(None, "anything")
        assert not await verify_password("not a hash", "anything")

    asyncio.run(scenario())


def test_an_unknown_user_costs_a_whole_hash() -> None:
    async def scenario() -> float:
        await verify_password(None, "warm up")
        started_s = time.process_time()
        await verify_password(None, "anything")
        return time.process_time() - started_s

    assert asyncio.run(scenario()) > 0.01


def test_the_event_loop_runs_on_while_a_password_is_hashed() -> None:
    async def scenario() -> int:
        hashing = asyncio.create_task(hash_password("物业小区-2026"))
        turns = 0
        while not hashing.done():
            await asyncio.sleep(0.001)
            turns += 1
        return turns

    assert asyncio.run(scenario()) >= 3


def test_a_flood_of_logins_is_turned_away() -> None:
    async def scenario() -> list[object]:
        logins = [verify_password(None, "x") for _ in range(40)]
        return await asyncio.gather(*logins, return_exceptions=True)

    answers = asyncio.run(scenario())
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 8
    assert asyncio.run(verify_password(None, "x")) is False


def test_the_code_of_the_standard_is_accepted() -> None:
    assert verify_totp(RFC_SECRET, "287082", at=datetime.fromtimestamp(59, UTC), last_step=None) == 1


@pytest.mark.parametrize(("off_s", "accepted"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_one_step_before_and_after_is_accepted(off_s: int, accepted: bool) -> None:
    secret = new_totp_secret()
    code = code_at(secret, NOON + timedelta(seconds=off_s))
    assert (verify_totp(secret, code, at=NOON, last_step=None) is not None) == accepted


def test_a_used_code_is_refused() -> None:
    secret = new_totp_secret()
    code = code_at(secret, NOON)
    step = verify_totp(secret, code, at=NOON, last_step=None)
    assert step is not None
    assert verify_totp(secret, code, at=NOON, last_step=step) is None
    later = NOON + timedelta(seconds=30)
    assert verify_totp(secret, code_at(secret, later), at=later, last_step=step) == step + 1


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "１２３４５６", "000000000000"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert verify_totp(RFC_SECRET, code, at=NOON, last_step=None) is None


def test_the_address_for_the_app_names_account_and_issuer() -> None:
    address = passwords.totp_address(RFC_SECRET, account="finance", issuer="邻里")
    assert address.startswith("otpauth://totp/")
    assert RFC_SECRET in address
