"""Days and instants that people name, as fields of bodies and queries.

Far from the ends of the calendar, where a time zone or the day after overflows, and PostgreSQL agrees with Python.
"""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

FIRST, LAST = date(2000, 1, 1), date(2100, 1, 1)
Day = Annotated[date, Field(ge=FIRST, le=LAST)]
Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC))]
