"""Become another program: say who we are, give up root, ask for a death signal, exec.

Run as a script by `processes.spawn`, before anything of ours is imported, so it stands alone and takes milliseconds.
It promises that a program that we start

- is written into its lock file, with pid and start time, before its first instruction;
- is not root when an account was named, keeps at most the one capability that was named and can never gain another;
- gets the death signal as soon as the launcher is gone, however the launcher went.
"""

import ctypes
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Identity:
    """One process for all time: a pid alone is given to strangers after its owner is gone."""

    pid: int
    started_ticks: int
    boot_id: str


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None when nobody, or only a zombie, has it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    if state in "ZX":
        return None
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return Identity(pid=pid, started_ticks=int(fields[18]), boot_id=boot_id)


def set_death_signal(number: int, *, parent_pid: int) -> None:
    """Have the kernel send us this signal when our parent dies; leave at once if it is dead already."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def _write_lock(path: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(vars(me)))
    fresh.replace(path)


def _give_up_root(uid: int, gid: int, capability: int | None) -> None:
    # Without this, access(2) ignores capabilities for whoever is not root, and PostgreSQL does not find its own files.
    _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _keep_only(capability)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _keep_only(capability: int | None) -> None:
    bit = 0 if capability is None else 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        _raise("capset")
    if capability is not None:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, *values: int) -> None:
    padded = [*values, 0, 0, 0, 0][:4]
    if _libc.prctl(option, *(ctypes.c_ulong(value) for value in padded)) != 0:
        _raise("prctl")


def _raise(call: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{call}: {os.strerror(number)}")


def main() -> None:
    plan = json.loads(sys.argv[1])
    if plan["lock"] is not None:
        _write_lock(Path(plan["lock"]))
    if plan["account"] is not None:
        _give_up_root(**plan["account"])
    set_death_signal(plan["death_signal"], parent_pid=plan["parent_pid"])
    os.execv(plan["argv"][0], plan["argv"])


if __name__ == "__main__":
    main()
