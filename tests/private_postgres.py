"""A durable PostgreSQL of one test, which may crash it, start it again, fill its disk or copy it."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.kernel.config import Settings
from backend.kernel.embedded_postgres import PostgresServer, start_postgres
from backend.kernel.migrator import migrate
from tests.conftest import Run


@dataclass
class PrivatePostgres:
    """A server with the schema in its database; its files are under `home`."""

    home: Path
    server: PostgresServer

    def settings(self, shared: Settings) -> Settings:
        """The settings of this test, over this server."""
        return shared.model_copy(update={"database_url": self.server.app_url, "migrator_url": self.server.migrator_url})

    async def crash(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, all clients cut off."""
        await asyncio.to_thread(self.server.stop, immediate=True)

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def start(self) -> None:
        """Start it again, on the same port; recovers from the log where it crashed."""
        port = self.server.port
        self.server = await asyncio.to_thread(start_postgres, self.home, progress=lambda text: None)
        assert self.server.port == port

    async def back_up(self) -> None:
        """A base backup of the running server, beside it."""
        await asyncio.to_thread(self.run, "pg_basebackup", "-D", self._cluster.with_name("backup"), "-c", "fast")

    async def mark(self, name: str) -> None:
        """Name this point of the write-ahead log, to which `restore` can come back."""
        await asyncio.to_thread(self.run, "psql", "-X", "-q", "-c", f"SELECT pg_create_restore_point('{name}')")

    async def restore(self, name: str) -> None:
        """The cluster is lost but for its write-ahead log: the backup takes its place and replays up to the point."""
        await self.crash()
        backup, lost = self._cluster.with_name("backup"), self._cluster.with_name("lost")
        self._cluster.rename(lost)
        shutil.copytree(lost / "pg_wal", backup / "pg_wal", dirs_exist_ok=True)
        with (backup / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"restore_command = 'false'\nrecovery_target_name = '{name}'\n")
            settings.write("recovery_target_action = 'promote'\nhot_standby = off\n")
        (backup / "recovery.signal").touch()
        owner = lost.stat()
        for path in (backup, *backup.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        backup.rename(self._cluster)
        await self.start()

    @property
    def _cluster(self) -> Path:
        return self.home / "postgres" / "cluster"

    def run(self, program: str, *arguments: str | Path) -> None:
        """A program of PostgreSQL, as the superuser of this server."""
        done = subprocess.run(
            [self.server.binaries / program, "-d", self.server.admin_url, *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def said(self) -> str:
        """The log of the server."""
        return (self.home / "logs" / "postgres.log").read_text()


@contextmanager
def private_postgres(home: Path, run: Run) -> Iterator[PrivatePostgres]:
    """Made, migrated, and stopped at the end whatever happened."""
    own = PrivatePostgres(home, start_postgres(home, progress=lambda text: None))
    try:
        urls = {"database_url": own.server.app_url, "migrator_url": own.server.migrator_url}
        run(migrate(Settings(data_dir=home, **urls), progress=lambda text: None))
        yield own
    finally:
        if own.server.alive():
            own.server.stop(immediate=True)
