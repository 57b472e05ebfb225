"""A ticket as its resident and the staff play it: submitted, moved on, looked at from both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from demo import people
from demo.people import Resident
from demo.stage import Stage

# Who reports: the first of these neighbours who do not follow the official account.
REPORTERS = range(60, 100)


@dataclass(frozen=True, slots=True)
class Home:
    """A resident and the house for which they speak."""

    resident: Resident
    house_id: str
    label: str

    def category(self, name: str) -> str:
        """The category of that name among those that the phone offers."""
        offered = self.resident.web.get(f"/api/v1/houses/{self.house_id}/ticket-categories")["items"]
        return str({each["name"]: each["id"] for each in offered}[name])

    def report(self, stage: Stage, category: str, description: str, **more: Any) -> "Case":
        """A ticket of theirs."""
        body = {"category_id": self.category(category), "description": description, **more}
        made = self.resident.web.post(f"/api/v1/houses/{self.house_id}/tickets", body)
        return Case(stage, self, made["id"], made["no"])


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket: its reporter's home, its id and number."""

    stage: Stage
    home: Home
    id: str
    no: int

    def staff(self, login: str, move: str, state: str, **body: Any) -> None:
        """Somebody on the staff moves it, and it comes to `state`."""
        moved = self.stage.staff[login].post(f"/admin/v1/tickets/{self.id}/{move}", body)
        self.stage.expect(f"{move} 之后的工单", moved["state"], state)

    def resident(self, move: str, state: str, **body: Any) -> None:
        """The reporter moves it, and it comes to `state`."""
        moved = self.home.resident.web.post(f"/api/v1/tickets/{self.id}/{move}", body)
        self.stage.expect(f"{move} 之后的工单", moved["state"], state)

    def refused(self, login: str | None, move: str, code: str, **body: Any) -> str:
        """What somebody (None: the reporter) reads whose move is refused with this code."""
        if login is None:
            answer = self.home.resident.web.ask("POST", f"/api/v1/tickets/{self.id}/{move}", body)
        else:
            answer = self.stage.staff[login].ask("POST", f"/admin/v1/tickets/{self.id}/{move}", body)
        self.stage.expect(f"被拒绝的 {move}", answer.code, code)
        return str(answer.json["error"]["message"])

    def seen(self) -> dict[str, Any]:
        """As the reporter sees it."""
        found: dict[str, Any] = self.home.resident.web.get(f"/api/v1/tickets/{self.id}")
        return found

    def shown(self, login: str) -> dict[str, Any]:
        """As somebody on the staff sees it."""
        found: dict[str, Any] = self.stage.staff[login].get(f"/admin/v1/tickets/{self.id}")
        return found

    def when(self, state: str) -> dict[str, Any]:
        """As the reporter sees it once the system has brought it to `state`."""

        def look() -> dict[str, Any] | None:
            found = self.seen()
            return found if found["state"] == state else None

        return self.stage.wait(f"工单到达 {state}", look)

    def promised(self, **due: datetime) -> None:
        """The promises that run are these, and fall due then."""
        found = {each["kind"]: _local(self.stage, each["due_at"]) for each in self.seen()["clocks"]}
        self.stage.expect("承诺的时限", found, due)

    def kept(self, *kinds: str) -> None:
        """These promises are kept, each in time, and the others run."""
        clocks = self.seen()["clocks"]
        self.stage.expect("已经兑现的时限", [each["kind"] for each in clocks if each["stopped_at"]], list(kinds))
        self.stage.expect("超过的时限", [each["kind"] for each in clocks if each["late"]], [])

    def told(self, *titles: str) -> None:
        """The timeline, which the reporter and staff read alike, has these lines."""
        for reader, found in (("住户", self.seen()), ("客服", self.shown("service"))):
            self.stage.expect(f"{reader}看到的进度", [each["title"] for each in found["events"]], list(titles))

    def submitted_at(self) -> datetime:
        """When it came in, in Shanghai."""
        return _local(self.stage, self.seen()["submitted_at"])


def homes(stage: Stage) -> Iterator[Home]:
    """One reporter after the other."""
    for number in REPORTERS:
        resident = people.neighbour(stage, number)
        if not resident.follows:
            house = resident.web.get("/api/v1/houses")["items"][0]
            yield Home(resident, house["house_id"], house["label"])


def hour(at: datetime) -> str:
    """As people read it."""
    return f"{at:%m 月 %d 日 %H:%M}"


def _local(stage: Stage, text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(stage.now().tzinfo)
