"""The data directory of the embedded servers: places, secrets and ports that stay the same from start to start."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.kernel import processes
from backend.kernel.processes import Account, StartError

_LOG_KEEP_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 2000


@dataclass(frozen=True)
class Secrets:
    """Passwords of the embedded servers, made once, kept in a file that only its owner reads (mode 0600)."""

    admin_password: str
    migrator_password: str
    app_password: str
    redis_password: str


def prepare(data_dir: Path) -> Path:
    """The data directory as an absolute path, made if it is missing; an existing one keeps its mode."""
    path = data_dir.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise StartError(
            f"无法使用数据目录 {path}：{error.strerror}。请检查权限，或用 LINLI_DATA_DIR 换一个目录。"
        ) from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise StartError(
            f"没有数据目录 {path} 的读写权限：它可能是由另一个用户创建的。"
            "请换回那个用户，或用 LINLI_DATA_DIR 换一个目录。"
        )
    return path


def make_private(path: Path, account: Account | None) -> None:
    """Make a directory that only the server's account can enter."""
    if path.exists():
        return
    path.mkdir(mode=0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def load_secrets(data_dir: Path) -> Secrets:
    """The passwords of this data directory, made at the first start."""
    path = data_dir / "embedded.key"
    try:
        return Secrets(**json.loads(path.read_text()))
    except FileNotFoundError:
        made = Secrets(*(secrets.token_urlsafe(24) for _ in range(4)))
        write_private(path, json.dumps(asdict(made)))
        return made
    except (OSError, ValueError, TypeError):
        raise StartError(
            f"密钥文件 {path} 无法读取或已损坏。请从备份恢复它；没有它就打不开这个数据目录里的数据库。"
        ) from None


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file that only we, or the given account, can read (mode 0600), in one step."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        if account is not None:
            os.fchown(file.fileno(), account.uid, account.gid)
    fresh.replace(path)


def kept_port(file: Path) -> int:
    """The port written at the last start if it is still free, else another free one, kept from then on."""
    try:
        port = int(file.read_text())
    except (FileNotFoundError, ValueError):
        port = 0
    if port == 0 or not processes.port_is_free("127.0.0.1", port):
        port = processes.free_port()
        file.write_text(str(port))
    return port


def open_log(data_dir: Path, name: str) -> Path:
    """The log file of one process; a long one is set aside once, over the one before it."""
    folder = data_dir / "logs"
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / f"{name}.log"
    if path.exists() and path.stat().st_size > _LOG_KEEP_BYTES:
        path.replace(path.with_suffix(".old.log"))
    path.touch(mode=0o600)
    return path


def log_tail(log: Path, begin: int = 0) -> str:
    """The end of what a log says from `begin` on."""
    with log.open("rb") as file:
        file.seek(max(begin, log.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").strip()
