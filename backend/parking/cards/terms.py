"""Months of a card: from a day to the same day of a later month, or to its last day where there is none (D8)."""

from datetime import date

from backend.fees import periods


def months_later(day: date, months: int, *, anchor_day: int | None = None) -> date:
    """The day `months` after `day`: 31 January and one month are the last day of February.

    `anchor_day`: the day of the month on which the months of a card begin. A card of the 31st that ended on 28 February
    goes on to 31 March, so that a short month takes nothing from those that follow.
    """
    first = periods.add_months(day, months)
    return first.replace(day=min(anchor_day or day.day, periods.days_of_month(first)))
