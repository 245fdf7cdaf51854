"""
The schedules of Chronos: what ``R5/2030-01-01T00:00:00Z/PT24H`` means, and whether two of them mean the same. No module
itself: Salt's loader skips names that begin with ``_``.

Nothing is asked and nothing is known here but the time zones of the system. A minion may have none of those: then days are
taken for 24 hours, and a phase that is off by the hour of summer time counts as the same (``zone_known`` tells).
"""

import datetime
import re
from typing import NamedTuple

try:
    import zoneinfo
except ImportError:  # Python 3.6, which knows no zone by its name
    zoneinfo = None

MATCHES = ("equivalent", "period", "strict")
SECOND = 10**6
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LONGEST = 300000 * DAY  # beyond that a time would leave what a datetime can hold
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

_SCHEDULE = re.compile(r"R(\d*)/(.*)/(P.*)")
_START = re.compile(
    r"([1-8]\d{3})-(\d\d)-(\d\d)"
    r"(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?"
)
_PERIOD = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,6})0*)?S)?)?"
)
_FIXED_ZONE = re.compile(r"(?:UTC|UCT|GMT|Zulu|Universal|Etc/(?:UTC|GMT|UCT|Zulu|Universal))")
_OFFSET_ZONE = re.compile(r"(Etc/)?GMT([+-])(\d{1,2})(?::?(\d\d))?")


class Period(NamedTuple):
    """How long until the next run. Months and days are those of a calendar, the rest is exact."""

    months: int
    days: int
    micros: int


class Schedule(NamedTuple):
    """
    What a schedule says: how often (None: for ever), when first, and how long in between.

    ``start`` is the time on the clock as it is written, without a zone, or None for at once; ``offset`` is that of the
    zone as it is written.
    """

    repeat: "int | None"
    start: "datetime.datetime | None"
    offset: datetime.timezone
    period: Period


def parse(text):
    """Return the Schedule that a text means. Raises ValueError, in one line, for anything that Chronos does not take."""
    found = _SCHEDULE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no schedule. It looks like R/2030-01-01T00:00:00Z/PT24H")
    repeat, start, period = found.groups()
    local, offset = _start(start) if start else (None, datetime.timezone.utc)
    schedule = Schedule(int(repeat) if repeat else None, local, offset, parse_period(period))
    if schedule.repeat not in (0, 1) and not any(schedule.period):
        raise ValueError(f"{text!r} repeats without a pause in between")
    return schedule


def parse_period(text):
    """Return the Period that a text such as ``P1M`` or ``PT60S`` means. Raises ValueError, in one line, if it means none."""
    found = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no period. It looks like PT24H, P1D or P1M")
    *parts, fraction = found.groups()
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in parts)
    micros = (hours * 3600 + minutes * 60 + seconds) * SECOND + int((fraction or "").ljust(6, "0"))
    period = Period(12 * years + months, 7 * weeks + days, micros)
    if (period.months * 31 + period.days) * DAY + micros > LONGEST:
        raise ValueError(f"{text!r} is longer than centuries")
    return period


def _start(text):
    found = _START.fullmatch(text)
    try:
        year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
        micros = int((fraction or "").ljust(6, "0")[:6])
        local = datetime.datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            micros,
        )
        return local, _fixed(sign, hours, minutes)
    except (AttributeError, ValueError):
        raise ValueError(
            f"{text!r} is no time. It looks like 2030-01-01T00:00:00Z or 2030-01-01T00:00:00.000+01:00"
        ) from None


def _fixed(sign, hours, minutes):
    offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return datetime.timezone(-offset if sign == "-" else offset)


def _zone(name):
    """The time zone of a name, as Java understands it. Raises LookupError if there is none of that name."""
    if _FIXED_ZONE.fullmatch(name):
        return datetime.timezone.utc
    found = _OFFSET_ZONE.fullmatch(name)
    try:
        if found:
            posix, sign, hours, minutes = found.groups()
            return _fixed(
                {"+": "-", "-": "+"}[sign] if posix else sign, hours, minutes
            )  # Etc/GMT+1 lies in the west
        if zoneinfo:
            return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise LookupError(name)


def zone_known(name):
    """Whether there is a time zone of that name here; "" is none, and that is well known."""
    try:
        return not name or bool(_zone(name))
    except LookupError:
        return False


def begins(text, tz=""):
    """Return when a schedule begins, a datetime with its zone; None if at once. ``tz`` goes before the offset in the text."""
    schedule = parse(text)
    if schedule.start is None:
        return None
    try:
        return schedule.start.replace(tzinfo=_zone(tz) if tz else schedule.offset)
    except LookupError:
        return schedule.start.replace(
            tzinfo=datetime.timezone.utc
        )  # what Chronos does with names that it does not know


def difference(desired, current, tz="", match="equivalent"):
    """
    Return in a few words how a schedule of a server differs from the one that is wanted, "" where it does not.

    desired, current
        Two schedules. Chronos writes the current one anew with each run: a later start, a lower number, another spelling.

    tz
        The name of the job's time zone, in which both are meant; "": the offsets that stand in them count.

    match
        ``equivalent``: the current one may be the desired one after some runs: the same period, in the same phase, for ever
        or not more often. ``period``: the start does not matter. ``strict``: no run has changed it.

    Raises ValueError if one of them is none, or for an unknown ``match``.
    """
    if match not in MATCHES:
        raise ValueError(f"{match!r} is none of {', '.join(MATCHES)}")
    wanted, found = parse(desired), parse(current)
    slack = 0
    try:
        zone = _zone(tz) if tz else None
    except LookupError:
        zone, slack = datetime.timezone.utc, HOUR
    if not _same_repeat(wanted.repeat, found.repeat, match):
        return f"repeats {_often(found.repeat)} instead of {_often(wanted.repeat)}"
    if not _same_period(
        wanted.period, found.period, zone is not None and not isinstance(zone, datetime.timezone)
    ):
        return f"period {current.rpartition('/')[2]} instead of {desired.rpartition('/')[2]}"
    if match == "period" or (
        wanted.start is None and (match == "equivalent" or found.start is None)
    ):
        return ""
    if wanted.start is None or found.start is None:
        return "begins at once" if found.start is None else "does not begin at once"
    zone_there = zone or wanted.offset
    end = found.start if zone else _local(_instant(found.start, found.offset), zone_there)
    if end == wanted.start:
        return ""
    if match == "strict":
        return "begins at another time"
    return (
        ""
        if _reaches(wanted.start, end, wanted.period, zone_there, slack)
        else "runs at other times"
    )


def equivalent(desired, current, tz="", match="equivalent"):
    """Whether a schedule of a server is the one that is wanted; see ``difference``."""
    return not difference(desired, current, tz, match)


def _often(repeat):
    return "for ever" if repeat is None else f"{repeat} times"


def _same_repeat(wanted, found, match):
    if wanted is None or found is None or match == "strict":
        return wanted == found
    return found <= wanted


def _same_period(one, other, days_vary):
    if days_vary:
        return one == other
    return (one.months, one.days * DAY + one.micros) == (
        other.months,
        other.days * DAY + other.micros,
    )


def _instant(local, zone):
    """Microseconds since 1970 of a time on the clock of a zone."""
    return (local.replace(tzinfo=zone) - EPOCH) // datetime.timedelta(microseconds=1)


def _local(instant, zone):
    return (EPOCH + datetime.timedelta(microseconds=instant)).astimezone(zone).replace(tzinfo=None)


def _later(local, period, times, zone):
    """The instant that is so many periods after a time: first months, then days, on the clock; then the exact rest."""
    years, month = divmod(local.month - 1 + period.months * times, 12)
    year, month = local.year + years, month + 1
    following = datetime.date(year + month // 12, month % 12 + 1, 1)
    last = (following - datetime.timedelta(days=1)).day
    moved = local.replace(year=year, month=month, day=min(local.day, last)) + datetime.timedelta(
        days=period.days * times
    )
    return _instant(moved, zone) + period.micros * times


def _reaches(start, end, period, zone, slack):
    """Whether a time is so many periods after another one. ``slack``: how far it may be off, in microseconds."""
    goal, begin = _instant(end, zone), _instant(start, zone)
    if goal < begin:
        return False
    if not period.months:
        length = period.days * DAY + period.micros
        near = (goal - begin + length // 2) // length if length else 0
        off = [
            abs(_later(start, period, times, zone) - goal)
            for times in range(max(0, near - 1), near + 2)
        ]
        return min(off) == 0 or (min(off) == slack and bool(period.micros))
    # Chronos 3 skips missed runs by many periods at once, and goes on by one: the 31st of a month comes out differently.
    step, times = start, 0
    while _instant(step, zone) <= goal:
        if goal in (_instant(step, zone), _later(start, period, times, zone)):
            return True
        step, times = _local(_later(step, period, 1, zone), zone), times + 1
    return False
