"""Counting units: pieces of a stay become units, units become fen, caps cut them off.

The invariant on which every law of prices rests: units and their prices are fixed by the beginning of the stay alone.
Leaving later only adds units; no unit is ever priced anew. A unit is due at its start (a begun unit counts) or at its
end (whole units only) and belongs to the segment, the window and the day in which it starts. Caps are applied unit by
unit from the narrow to the wide (segment, window, day, stay), each to what the one before left, so that what has been
charged only grows and no cap is ever exceeded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.parking.prices.stay import Kinds, Piece, Presence, pieces
from backend.parking.prices.tariff import Crossing, Rounding, Tariff
from backend.parking.prices.timetable import DAY_S, Band, Step

# How far ahead the next change of an amount is looked for.
HORIZON_S = 31 * DAY_S

CapKey = tuple[str, int, int, int]
STAY_CAP: CapKey = ("stay", 0, 0, 0)


@dataclass(slots=True)
class Run:
    """Units in a row that cost the same: `raw_fen` is before caps.

    With `units` 0 it is a rest of `rest_s` seconds, not a whole unit; without a step it is the price of an entry.
    """

    band: Band
    step: Step | None
    piece: Piece
    starts_s: int
    ends_s: int
    units: int = 0
    raw_fen: int = 0
    rest_s: int = 0


@dataclass(slots=True)
class Cut:
    """What a cap took off; it is shown after the run `after`, the last that it cut."""

    cap_fen: int
    run: Run
    after: int
    off_fen: int = 0


@dataclass(slots=True)
class Meter:
    """Reads a stay once, from its beginning; `read` first, `ahead` after it. All instants are seconds in Shanghai."""

    tariff: Tariff
    total_fen: int = 0
    runs: list[Run] = field(default_factory=list)
    cuts: dict[CapKey, Cut] = field(default_factory=dict)
    started: bool = False
    entry_fen: int = 0
    _pieces: Iterator[Piece] = iter(())
    _first_ahead: Piece | None = None
    _whole: bool = False
    _apart: bool = False
    _anew: bool = False
    _used: dict[CapKey, int] = field(default_factory=dict)
    _scope: tuple[int, int] = (-1, 0)
    _day: int = 0
    # Seconds counted in the scope: so far, where the next unit starts, and where segments began to be counted.
    _at: int = 0
    _next: int = 0
    _origin: int = 0
    # A unit that is not full yet (whole units only): its piece, its segment, and when it started.
    _pending: tuple[Piece, Step, int] | None = None
    _watched_fen: int | None = None
    _changes_at: int | None = None

    @property
    def shown_fen(self) -> int:
        """What is asked for: at least the minimum, where anything is charged at all."""
        return max(self.total_fen, self.tariff.minimum_fen) if self.total_fen else 0

    def read(self, presence: Presence, *, entered_s: int, day_kind: Kinds) -> None:
        """Count the seconds of `presence`; `entered_s` is when the first stay began."""
        tariff = self.tariff
        self._whole = tariff.rounding is Rounding.WHOLE_UNITS
        self._apart = tariff.crossing is Crossing.COUNTED_APART
        self._anew = tariff.day is not None and tariff.day.counts_anew
        spans = presence.spans
        starts_s, ends_s = spans[0][0], spans[-1][1]
        gaps = [(left[1], right[0]) for left, right in zip(spans, spans[1:], strict=False)]
        self._pieces = pieces(
            tariff,
            entered_s=entered_s,
            starts_s=starts_s,
            ends_s=ends_s + HORIZON_S,
            marks=[at for span in spans for at in span],
            day_kind=day_kind,
        )
        for piece in self._pieces:
            if piece.starts_s >= ends_s:
                self._first_ahead = piece
                break
            if not any(since <= piece.starts_s < until for since, until in gaps):
                self._take(piece)
        self._note_rest()

    def ahead(self) -> int | None:
        """The last second at which `shown_fen` is still what it is, if the car stays; None where nothing ever changes.

        Not looked for further than HORIZON_S: an amount that stays longer is said to stay until then.
        """
        tariff = self.tariff
        if tariff.stay_cap_fen is not None and self.total_fen >= tariff.stay_cap_fen:
            return None
        if not tariff.timed and self.started:
            return None
        self._watched_fen = self.shown_fen
        piece = self._first_ahead
        while piece is not None:
            self._take(piece)
            if self._changes_at is not None:
                return self._changes_at
            last, piece = piece, next(self._pieces, None)
        return last.ends_s if tariff.timed else None

    def _take(self, piece: Piece) -> None:
        if not self.started:
            self.started = True
            self._day = piece.day
            self._charge_entry(piece)
        scope = (piece.occurrence, piece.day if self._anew else 0) if self._apart else (0, 0)
        if scope != self._scope:
            self._note_rest()
            self._pending = None
            self._scope, self._at, self._next, self._origin = scope, 0, 0, 0
        elif piece.day != self._day and self._anew:
            self._origin = self._at
        self._day = piece.day
        wall = piece.starts_s - self._at
        reached = self._at + piece.ends_s - piece.starts_s
        if self._pending is not None and self._next <= reached:
            begun_in, step, starts_s = self._pending
            self._pending = None
            self._charge(begun_in, step, 1, starts_s, wall + self._next)
        while self._next < reached:
            self._units(piece, wall, reached)
        self._at = reached

    def _units(self, piece: Piece, wall: int, reached: int) -> None:
        """Units of one segment that start in the piece; second `n` of the scope is second `wall + n` of the clock."""
        step = piece.band.step(self._next - self._origin)
        if step is None:
            self._next = reached
            return
        first, unit_s = self._next, step.unit_s
        until = reached if step.ends_s is None else min(reached, self._origin + step.ends_s)
        started = -((first - until) // unit_s)
        self._next = first + started * unit_s
        due = started
        if self._whole and self._next > reached:
            due -= 1
            self._pending = (piece, step, wall + self._next - unit_s)
        if due:
            starts_s = wall + first
            self._charge(piece, step, due, starts_s, starts_s + unit_s if self._whole else starts_s)

    def _charge(self, piece: Piece, step: Step, units: int, starts_s: int, due_s: int) -> None:
        """Units that start at `starts_s`, the first of them due at `due_s`."""
        before_fen, raw_fen = self.total_fen, units * step.price_fen
        if self._watched_fen is None:
            ends_s = starts_s + units * step.unit_s
            run = self._run(piece, step)
            if run is None:
                run = Run(piece.band, step, piece, starts_s, ends_s)
                self.runs.append(run)
            run.units += units
            run.raw_fen += raw_fen
            run.ends_s = ends_s
        self._add(piece, step, raw_fen)
        if self._watched_fen is None or self._changes_at is not None or self.shown_fen == self._watched_fen:
            return
        # The first unit that lifts the amount: one of `price_fen` each, as caps cut off the last ones.
        lifting = -((before_fen - max(before_fen, self._watched_fen) - 1) // step.price_fen) if before_fen else 1
        last_s = due_s + (lifting - 1) * step.unit_s
        self._changes_at = last_s - 1 if self._whole else last_s

    def _run(self, piece: Piece, step: Step) -> Run | None:
        """The last run where these units go on with it."""
        if not self.runs:
            return None
        last = self.runs[-1]
        same = last.step is step and last.rest_s == 0
        near = last.piece.occurrence == piece.occurrence and last.piece.day == piece.day
        return last if same and near else None

    def _charge_entry(self, piece: Piece) -> None:
        price_fen = self.entry_fen = piece.band.entry_fen
        if not price_fen:
            return
        if self._watched_fen is None:
            self.runs.append(Run(piece.band, None, piece, piece.starts_s, piece.starts_s, 1, price_fen))
        else:
            self._changes_at = piece.starts_s
        self._add(piece, None, price_fen)

    def _add(self, piece: Piece, step: Step | None, fen: int) -> None:
        """Add what the caps leave of `fen`."""
        tariff, day = self.tariff, self.tariff.day
        if step is not None and step.cap_fen is not None:
            # Segments that are counted anew each day have their caps anew. Within one count they begin at different
            # seconds, which tell them apart.
            anew = piece.day if self._anew else 0
            fen = self._under(("segment", piece.occurrence, anew, step.starts_s), step.cap_fen, fen)
        if step is not None and piece.band.cap_fen is not None:
            fen = self._under(("window", piece.occurrence, 0, 0), piece.band.cap_fen, fen)
        if day is not None and day.cap_fen is not None:
            fen = self._under(("day", piece.day, 0, 0), day.cap_fen, fen)
        if tariff.stay_cap_fen is not None:
            fen = self._under(STAY_CAP, tariff.stay_cap_fen, fen)
        self.total_fen += fen

    def _under(self, key: CapKey, cap_fen: int, fen: int) -> int:
        used_fen = self._used.get(key, 0)
        kept_fen = min(fen, cap_fen - used_fen)
        self._used[key] = used_fen + kept_fen
        if kept_fen < fen and self._watched_fen is None:
            last = len(self.runs) - 1
            cut = self.cuts.setdefault(key, Cut(cap_fen, self.runs[last], last))
            cut.after = last
            cut.off_fen += fen - kept_fen
        return kept_fen

    def _note_rest(self) -> None:
        """Seconds that are not a whole unit are shown, where a whole unit would have cost something."""
        if self._pending is None or self._watched_fen is not None:
            return
        piece, step, starts_s = self._pending
        rest_s = self._at - (self._next - step.unit_s)
        if step.price_fen:
            self.runs.append(Run(piece.band, step, piece, starts_s, starts_s + rest_s, rest_s=rest_s))
