"""Weights of losses that change with the updates."""

from dataclasses import dataclass

import numpy as np

from mass_plugins.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """A piecewise linear function of the update, constant before its first point and after its last.

    Attributes:
        updates: rising numbers of updates.
        values: one for each, not negative.
    """

    updates: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def parse(cls, text: str, flag: str) -> "Schedule":
        """``"0.5"``, or ``"0:1,30000:0.1,60000:0"`` (updates:value, as XLM writes it)."""
        try:
            points = [tuple(map(float, point.split(":"))) for point in text.split(",")]
            if len(points) == 1 and len(points[0]) == 1:
                points = [(0.0, points[0][0])]
            updates, values = zip(*points, strict=True)
        except ValueError:
            updates, values = (), ()
        rising = all(a < b for a, b in zip(updates, updates[1:]))
        good = all(np.isfinite(number) and number >= 0 for number in (*updates, *values))
        if not updates or not rising or not good:
            raise InputError(f"{flag} {text!r} is not a weight; set it like 0.5 or 0:1,30000:0.1,60000:0")
        return cls(updates, values)

    def at(self, update: int) -> float:
        return float(np.interp(update, self.updates, self.values))

    @property
    def never(self) -> bool:
        """It is always 0."""
        return not any(self.values)


def check_never_all_zero(schedules: dict[str, Schedule]) -> None:
    """An update without any loss has nothing to learn from.

    Args:
        schedules: by flag.

    Raises:
        InputError: all are 0 at some update.
    """
    points = sorted({update for schedule in schedules.values() for update in schedule.updates})
    for update in points:  # between them all are linear, so their sum is 0 between only if it is at both ends
        if not any(schedule.at(int(update)) for schedule in schedules.values()):
            raise InputError(f"{', '.join(schedules)} are all 0 at update {int(update)}; raise one of them")
