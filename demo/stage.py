"""The stage: who plays, the shared clock, and the two things that every act does, to tell and to compare figures."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from demo.web import Unexpected, Web

T = TypeVar("T")
PATIENCE_S = 25.0
PAUSE_S = 0.1


def yuan(amount_fen: int) -> str:
    """Fen as people read them: 1,234.50 元."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02} 元"


@dataclass(slots=True)
class Stage:
    """Addresses, demo data, and everybody's sessions; acts leave here what later acts compare with.

    `staff_until`: when the first session of the staff ends. `books`: the last look at the books. `mishaps`: days whose
    statements must differ. `told`: followers of the official account who were told of their payment.
    """

    api: Web
    sandbox: Web
    data_dir: Path
    data: dict[str, Any]
    staff: dict[str, Web] = field(default_factory=dict)
    staff_until: datetime = datetime.min.replace(tzinfo=UTC)
    checks: int = 0
    books: dict[str, int] = field(default_factory=dict)
    started: date = date.min
    reconciled: date = date.min
    told: int = 0
    mishaps: list[date] = field(default_factory=list)

    @property
    def community(self) -> str:
        """The community's id."""
        return str(self.data["community_id"])

    @property
    def manager(self) -> Web:
        """The project manager, logged in."""
        return self.staff["manager"]

    def chapter(self, title: str) -> None:
        """Begin a new act."""
        print(f"\n【{title}】{self.now():%m 月 %d 日 %H:%M}", flush=True)

    def tell(self, sentence: str) -> None:
        """A sentence of the story."""
        print(f"  {sentence}", flush=True)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Compare a figure; Unexpected names it when it is off."""
        self.checks += 1
        if found != wanted:
            raise Unexpected(f"“{what}”应为 {wanted}，实际是 {found}")

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """Look until there is an answer; Unexpected after PATIENCE_S seconds."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := look()) is None:
            if time.monotonic() > deadline:
                raise Unexpected(f"等了 {PATIENCE_S:.0f} 秒，还没有等到：{what}")
            time.sleep(PAUSE_S)
        return found

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """The sandbox's control API, with which the player is WeChat and its users."""
        answer = self.sandbox.ask(method, f"/control{path}", body)
        if answer.status != 200:
            raise Unexpected(f"沙箱没有接受 {method} {path}：{answer.body.decode(errors='replace')[:300]}")
        return answer.json

    def now(self) -> datetime:
        """What the shared clock shows, in Shanghai."""
        return datetime.fromisoformat(self.control("GET", "/health")["now"])

    def today(self) -> date:
        """The date in Shanghai."""
        return self.now().date()

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the `linli` command on this system."""
        argv = [sys.executable, "-m", "backend.cli", *arguments]
        return subprocess.run(argv, env=os.environ, capture_output=True, text=True, check=False)

    def advance(self, step: str) -> None:
        """Move the shared clock forward: `linli clock advance`."""
        moved = self.cli("clock", "advance", step)
        if moved.returncode != 0:
            raise Unexpected(f"时间没有移动：{moved.stderr.strip()}")

    def look(self) -> dict[str, int]:
        """Today's closing figure of the community's accounts by code; debit is positive."""
        trial = self.manager.get(f"/admin/v1/trial-balance?community_id={self.community}")
        self.expect("试算平衡表各科目期末余额之和", trial["total_fen"], 0)
        closing: Counter[str] = Counter()
        for line in trial["lines"]:
            closing[line["code"]] += line["closing_fen"]
        return dict(closing)

    def moved(self, after_what: str, **wanted_fen: int) -> None:
        """Since the last look the books have moved by exactly these figures, and no other account has."""
        now = self.look()
        changes = {code: fen - self.books.get(code, 0) for code, fen in now.items()}
        found = {code: fen for code, fen in changes.items() if fen}
        self.expect(f"{after_what}，账簿的变动（分）", found, {code: fen for code, fen in wanted_fen.items() if fen})
        self.books = now


def open_stage(api: str, sandbox: str) -> Stage:
    """The stage over a running system whose data directory the environment names."""
    data_dir = Path(os.environ.get("LINLI_DATA_DIR", ".linli"))
    try:
        data = json.loads((data_dir / "demo.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unexpected(f"{data_dir} 里没有 demo.json：请用 linli demo 在一套全新的系统上演示。") from None
    return Stage(Web(api.rstrip("/")), Web(sandbox.rstrip("/")), data_dir, data)
