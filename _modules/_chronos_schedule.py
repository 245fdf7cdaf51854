"""
Schedules of Chronos: parse ``R5/2030-01-01T00:00:00Z/PT24H``, and compare two of them. A helper of
the module chronos, not a module itself: Salt's loader skips names that begin with ``_``.

It sends no requests and uses only the time zones of the system. On a minion without time zone data
a day has 24 hours, and a start that is one hour off because of summer time counts as the same; see
``has_zone``.
"""

import datetime
import re
from typing import NamedTuple

try:
    import zoneinfo
except ImportError:  # Python 3.6 has no time zones by name.
    zoneinfo = None

MATCHES = ("equivalent", "period", "strict")
SECOND = 10**6
HOUR = 3600 * SECOND
DAY = 24 * HOUR
MAX_PERIOD = 300000 * DAY  # A longer one could exceed the range of a datetime.
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
    """The time between two runs. Months and days are calendar units, the rest is exact."""

    months: int
    days: int
    micros: int


class Schedule(NamedTuple):
    """
    A parsed schedule.

    ``repeat`` is the number of runs, None for an unlimited number. ``start`` is the local time of
    the first run as it is written, without a zone, or None to start at once; ``offset`` is the
    written UTC offset.
    """

    repeat: "int | None"
    start: "datetime.datetime | None"
    offset: datetime.timezone
    period: Period


# --- parsing ---


def parse(text):
    """Return a text as a Schedule. Raises ValueError, in one line, if Chronos would reject it."""
    match = _SCHEDULE.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a schedule. Example: R/2030-01-01T00:00:00Z/PT24H")
    repeat, start, period = match.groups()
    local, offset = _parse_start(start) if start else (None, datetime.timezone.utc)
    schedule = Schedule(int(repeat) if repeat else None, local, offset, parse_period(period))
    if schedule.repeat not in (0, 1) and not any(schedule.period):
        raise ValueError(f"{text!r} repeats with an empty period")
    return schedule


def parse_period(text):
    """Return a text such as ``P1M`` or ``PT60S`` as a Period. Raises ValueError, in one line."""
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a period. Examples: PT24H, P1D, P1M")
    *numbers, fraction = match.groups()
    years, months, weeks, days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    micros = (hours * 3600 + minutes * 60 + seconds) * SECOND + int((fraction or "").ljust(6, "0"))
    period = Period(12 * years + months, 7 * weeks + days, micros)
    if (period.months * 31 + period.days) * DAY + micros > MAX_PERIOD:
        raise ValueError(f"{text!r} is longer than {MAX_PERIOD // DAY} days")
    return period


def _parse_start(text):
    """Return the local time and the UTC offset of a start."""
    match = _START.fullmatch(text)
    try:
        year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
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
        return local, _fixed_zone(sign, hours, minutes)
    except (AttributeError, ValueError):
        raise ValueError(
            f"{text!r} is not a time. Examples: 2030-01-01T00:00:00Z, 2030-01-01T00:00:00.000+01:00"
        ) from None


# --- time zones ---


def _fixed_zone(sign, hours, minutes):
    offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return datetime.timezone(-offset if sign == "-" else offset)


def _zone(name):
    """Return the time zone that Java has under a name. Raises LookupError if there is none."""
    if _FIXED_ZONE.fullmatch(name):
        return datetime.timezone.utc
    match = _OFFSET_ZONE.fullmatch(name)
    try:
        if match:
            prefix, sign, hours, minutes = match.groups()
            if prefix:  # POSIX signs: Etc/GMT+1 is west of Greenwich.
                sign = "-" if sign == "+" else "+"
            return _fixed_zone(sign, hours, minutes)
        if zoneinfo:
            return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise LookupError(name)


def has_zone(name):
    """Return whether this minion has a time zone; True for "", which means none."""
    if not name:
        return True
    try:
        _zone(name)
    except LookupError:
        return False
    return True


def start_time(text, tz=""):
    """
    Return the start of a schedule as a datetime with its zone, None to start at once.

    ``tz`` takes precedence over the offset in the text.
    """
    schedule = parse(text)
    if schedule.start is None:
        return None
    try:
        zone = _zone(tz) if tz else schedule.offset
    except LookupError:
        zone = datetime.timezone.utc  # As Chronos does for unknown zones.
    return schedule.start.replace(tzinfo=zone)


# --- comparison ---


def equivalent(desired, current, tz="", match="equivalent"):
    """
    Return whether the schedule of a server matches the desired one.

    desired, current
        Two schedules. With each run Chronos rewrites the current one: it moves the start, lowers
        the number of repetitions and may use another spelling.

    tz
        The name of the job's time zone, which applies to both; "": their own offsets apply.

    match
        ``equivalent``: the current one may be the desired one after some runs: the same period and
        phase, and unlimited or no more repetitions. ``period``: the start does not matter.
        ``strict``: the same start and number of repetitions.

    Raises ValueError for invalid schedules, or for an unknown ``match``.
    """
    if match not in MATCHES:
        raise ValueError(f"{match!r} is not one of {', '.join(MATCHES)}")
    desired, current = parse(desired), parse(current)
    tolerance = 0
    try:
        zone = _zone(tz) if tz else None
    except LookupError:
        zone, tolerance = datetime.timezone.utc, HOUR
    days_vary = zone is not None and not isinstance(zone, datetime.timezone)
    if not _same_repeat(desired.repeat, current.repeat, match):
        return False
    if not _same_period(desired.period, current.period, days_vary):
        return False
    if match == "period":
        return True
    if desired.start is None:
        return match == "equivalent" or current.start is None
    if current.start is None:
        return False
    start = current.start
    if zone is None:
        zone = desired.offset
        start = _to_local(_to_instant(start, current.offset), zone)
    if start == desired.start:
        return True
    if match == "strict":
        return False
    return _is_run(start, desired.start, desired.period, zone, tolerance)


def _same_repeat(desired, current, match):
    if desired is None or current is None or match == "strict":
        return desired == current
    return current <= desired


def _same_period(desired, current, days_vary):
    if days_vary:
        return desired == current
    desired_micros = desired.days * DAY + desired.micros
    current_micros = current.days * DAY + current.micros
    return desired.months == current.months and desired_micros == current_micros


def _to_instant(local, zone):
    """Return the microseconds since 1970 of a local time in a zone."""
    return (local.replace(tzinfo=zone) - EPOCH) // datetime.timedelta(microseconds=1)


def _to_local(instant, zone):
    return (EPOCH + datetime.timedelta(microseconds=instant)).astimezone(zone).replace(tzinfo=None)


def _add_periods(local, period, count, zone):
    """
    Return the instant that is some periods after a local time.

    Months are added first, then days, both in local time; then the exact part.
    """
    years, month_index = divmod(local.month - 1 + period.months * count, 12)
    year, month = local.year + years, month_index + 1
    next_month = datetime.date(year + month // 12, month % 12 + 1, 1)
    days_in_month = (next_month - datetime.timedelta(days=1)).day
    moved = local.replace(year=year, month=month, day=min(local.day, days_in_month))
    moved += datetime.timedelta(days=period.days * count)
    return _to_instant(moved, zone) + period.micros * count


def _is_run(local, start, period, zone, tolerance):
    """
    Return whether a local time is some periods after the start of a schedule.

    tolerance
        The only deviation that is allowed, in microseconds.
    """
    target, start_instant = _to_instant(local, zone), _to_instant(start, zone)
    if target < start_instant:
        return False
    if period.months:
        return _is_calendar_run(target, start, period, zone)
    length = period.days * DAY + period.micros
    nearest = (target - start_instant + length // 2) // length if length else 0
    deviations = [
        abs(_add_periods(start, period, count, zone) - target)
        for count in range(max(0, nearest - 1), nearest + 2)
    ]
    deviation = min(deviations)
    return deviation == 0 or (deviation == tolerance and bool(period.micros))


def _is_calendar_run(target, start, period, zone):
    # Chronos adds one period per run, but Chronos 3 adds all periods of missed runs at once. For
    # the 31st of a month the two differ.
    step, count = start, 0
    while _to_instant(step, zone) <= target:
        if target in (_to_instant(step, zone), _add_periods(start, period, count, zone)):
            return True
        step, count = _to_local(_add_periods(step, period, 1, zone), zone), count + 1
    return False


# --- missed runs ---


def without_missed_runs(text, now, tz=""):
    """
    Return a schedule whose start is after a time: the next one that its period leads to.

    text
        A schedule. One whose start is later is returned as it is.

    now
        A datetime with a zone.

    tz
        The name of the job's time zone; "": the offset in the text applies.

    The number of repetitions stays, as in Chronos 3 after missed runs. Returns None for a schedule
    without a period, whose only run was missed. Raises ValueError for invalid schedules.
    """
    schedule = parse(text)
    start = start_time(text, tz)
    if start is not None and start > now:
        return text
    if not any(schedule.period):
        return None
    if start is None:
        start = now
    zone = start.tzinfo
    local = start.replace(tzinfo=None)
    target = _to_instant(now.astimezone(zone).replace(tzinfo=None), zone)
    next_run = _to_local(_next_instant(local, schedule.period, zone, target), zone)
    repeat, _, period = text.split("/")
    moved = next_run.replace(tzinfo=zone).isoformat(timespec="milliseconds")
    return f"{repeat}/{moved.replace('+00:00', 'Z')}/{period}"


def _next_instant(start, period, zone, target):
    """Return the first instant after a target that is some periods after a local start."""
    days = period.months * 31 + period.days
    # A local day has 25 hours at most, so this is not too many periods.
    longest = days * (DAY + HOUR) + period.micros
    count = max(0, target - _to_instant(start, zone)) // longest
    while _add_periods(start, period, count, zone) <= target:
        count += 1
    return _add_periods(start, period, count, zone)
