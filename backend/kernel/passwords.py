"""Staff passwords (argon2id) and the second factor (TOTP, RFC 6238).

Hashing takes tens of milliseconds of CPU and 64 MiB, so it runs in a pool of two threads with a bounded queue: a flood
of logins gets `Unavailable` and does not stop the event loop or fill the memory. An unknown user costs as much as a
wrong password.
"""

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

import argon2
import pyotp

from backend.kernel.errors import Unavailable

T = TypeVar("T")

STEP_S = 30
WINDOW_STEPS = 1
_THREADS = 2
_MAX_WAITING = 32

_hasher = argon2.PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
_pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
_nobody: list[str] = []
_waiting = 0


async def hash_password(password: str) -> str:
    """The argon2id hash of `password`, parameters and salt included."""
    return await _in_pool(lambda: _hasher.hash(password))


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` is that of `stored`; for an unknown user (None) the same work is done and it is not."""
    return await _in_pool(lambda: _verify(stored, password))


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with other parameters than today's: hash the password again after a login."""
    return _hasher.check_needs_rehash(stored)


def new_totp_secret() -> str:
    """A fresh secret of 160 random bits in base32, to be kept sealed."""
    return pyotp.random_base32()


def totp_address(secret: str, *, account: str, issuer: str) -> str:
    """The `otpauth://` address that an authenticator app reads from a QR code."""
    address: str = pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)
    return address


def totp_code(secret: str, *, at: datetime) -> str:
    """The code that an authenticator app shows at `at`."""
    code: str = pyotp.TOTP(secret, interval=STEP_S).at(at)
    return code


def verify_totp(secret: str, code: str, *, at: datetime, last_step: int | None) -> int | None:
    """The time step that `code` belongs to, one step before or after `at` included; None when it is wrong.

    A step not later than `last_step` is refused: the caller stores the returned step with the login, under the lock of
    the account, so that a code works once.
    """
    totp = pyotp.TOTP(secret, interval=STEP_S)
    now = int(at.timestamp()) // STEP_S
    found = None
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 1):
        fresh = last_step is None or step > last_step
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()) and fresh:
            found = step
    return found


def _verify(stored: str | None, password: str) -> bool:
    if stored is None and not _nobody:
        _nobody.append(_hasher.hash(""))
    try:
        return _hasher.verify(stored or _nobody[0], password) and stored is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


async def _in_pool(work: Callable[[], T]) -> T:
    global _waiting
    if _waiting >= _MAX_WAITING:
        raise Unavailable("登录的人太多，请稍后再试。")
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_pool, work)
    finally:
        _waiting -= 1
