"""Schedules of Chronos: how they are read, and how each run changes them."""

from __future__ import annotations

import calendar
import contextlib
import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

FORM = re.compile(r"R([0-9]*)/(.*)/(P.*)")
UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
PERIOD = re.compile(
    r"P(?:(?P<years>-?\d+)Y)?(?:(?P<months>-?\d+)M)?(?:(?P<weeks>-?\d+)W)?(?:(?P<days>-?\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>-?\d+)H)?(?:(?P<minutes>-?\d+)M)?"
    r"(?:(?P<seconds>-?\d+(?:\.\d+)?)S)?)?"
)
MAX_INTEGER = 2**31 - 1


class Schedule(NamedTuple):
    """
    A parsed schedule.

    ``repeat`` is -1 for an unlimited number of runs, ``start`` is None to start immediately.
    """

    repeat: int
    start: datetime | None
    period: dict[str, float]

    @property
    def text(self) -> str:
        """The schedule as Chronos writes it."""
        start = stamp(self.start) if self.start else ""
        return f"R{'' if self.repeat < 0 else self.repeat}/{start}/{_written(self.period)}"

    def after(self, times: int) -> datetime:
        """Return the time of a later run: 0 for the next one, 1 for the one after it."""
        start = self.start or datetime.now(UTC)
        month = start.month - 1 + times * int(self.period["months"] + 12 * self.period["years"])
        year, month = start.year + month // 12, month % 12 + 1
        day = min(start.day, calendar.monthrange(year, month)[1])
        days = timedelta(days=times * (self.period["days"] + 7 * self.period["weeks"]))
        moved = start.replace(year=year, month=month, day=day) + days  # on the clock of its zone
        exact = timedelta(**{unit: times * self.period[unit] for unit in UNITS[4:]})
        return (moved.astimezone(UTC) + exact).astimezone(start.tzinfo)

    def missed(self, now: datetime) -> int:
        """Return how many runs were due before a time, including the first one."""
        begun, now = (self.start or now).astimezone(UTC), now.astimezone(UTC)
        length = (self.after(1).astimezone(UTC) - begun).total_seconds()
        if begun > now or length <= 0:
            return 0
        # Months and years differ in length: begin well before.
        share = 0.8 if self.period["months"] or self.period["years"] else 1
        times = max(0, int((now - begun).total_seconds() / length * share) - 2)
        while self.after(times).astimezone(UTC) <= now:
            times += 1
        return times

    def missed_by_division(self, now: datetime) -> int:
        """
        Return how many runs were due before a time, as Chronos 3 counts them.

        It divides by the length of the coming period, so months are counted imprecisely.
        """
        begin, now = (self.start or now).astimezone(UTC), now.astimezone(UTC)
        length = (self.after(1).astimezone(UTC) - begin).total_seconds()
        if begin > now or length <= 0:
            return 0
        return int((now - begin).total_seconds() / length) + 1

    def skipped(self, times: int) -> Schedule:
        """Return the schedule after so many runs."""
        return Schedule(
            self.repeat if self.repeat < 0 else max(0, self.repeat - times),
            self.after(times),
            self.period,
        )


def zone(name: str) -> tzinfo:
    """Return the time zone of a name. As in Java, an unknown name is GMT."""
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo(name)
    return UTC


def parse(text: str, zone_name: str) -> Schedule | None:
    """
    Parse a schedule. Returns None if it is invalid.

    A zone replaces the offset in the text; the local time stays.
    """
    match = FORM.fullmatch(text)
    period = PERIOD.fullmatch(match[3]) if match else None
    if not match or not period or int(match[1] or 0) > MAX_INTEGER:
        return None
    if any(abs(float(number or 0)) > MAX_INTEGER for number in period.groups()):
        return None
    start = None
    if match[2]:
        start = _parse_start(match[2])
        if start is None:
            return None
        if zone_name:
            start = start.replace(tzinfo=zone(zone_name))
        elif not start.tzinfo:
            start = start.replace(tzinfo=UTC)
    return Schedule(
        int(match[1]) if match[1] else -1, start, {unit: float(period[unit] or 0) for unit in UNITS}
    )


def _parse_start(text: str) -> datetime | None:
    """Parse a time as Joda does, which also takes a year, an ordinal date, or a time of day."""
    if re.match(r"\d{8}", text) or not re.fullmatch(r"[-0-9TW:.,+Zz]*", text):
        return None
    if text.startswith("T"):
        text = f"1970-01-01{text}"
    elif re.fullmatch(r"\d{4}", text):
        text += "-01-01"
    try:
        ordinal = re.fullmatch(r"(\d{4}-\d{3})(T.*)?", text)
        if ordinal:
            text = f"{datetime.strptime(ordinal[1], '%Y-%j').date()}{ordinal[2] or ''}"
        return datetime.fromisoformat(text.replace("z", "Z"))
    except ValueError:
        return None


def stamp(moment: datetime) -> str:
    """Return a time as text, in the format of Joda."""
    text = moment.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _written(period: dict[str, float]) -> str:
    parts = [f"{period[unit]:.10g}{unit[0].upper()}" if period[unit] else "" for unit in UNITS]
    days, time = "".join(parts[:4]), "".join(parts[4:])
    return f"P{days}{'T' + time if time or not days else ''}{'' if time or days else '0S'}"
