"""Acts 17 to 19: an afternoon at the service desk, and the next working day."""

from datetime import time

from demo import casework, complaining, days, outage, promised, repairing
from demo.stage import Stage

# After the statements of the morning have come.
OPEN_AT = time(10, 30)


def play(stage: Stage) -> None:
    """A complaint, a paid repair, a ticket that is urged and an outage; on the next day the complaint is settled."""
    calendar = promised.calendar(stage)
    reporters = casework.homes(stage)
    unnamed, leaking, urgent, *dry = (next(reporters) for _ in range(5))
    complaint = complaining.play_first_day(stage, calendar, unnamed)
    repairing.play(stage, calendar, leaking)
    outage.play(stage, urgent, *dry)
    days.pass_to(stage, calendar.next(stage.today()), OPEN_AT)
    complaining.play_next_day(stage, complaint)
