"""Parser of the Date field (RFC 5322 3.3 and 4.3)."""

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
#: Hours of obs-zone (RFC 5322 4.3); military and unknown zones are UTC.
_ZONES = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6, b"pst": -8, b"pdt": -7}
_date = re.compile(
    rb"(?<!\d)(\d{1,2})[ \t\r\n-]+([A-Za-z]{3})[a-z]*\.?,?[ \t\r\n-]+(\d{4}|\d{2,3})(?!\d)"
    rb"(?:[ \t\r\n]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:[.,]\d+)?[ \t\r\n]*(?:([+-])(\d{2}):?(\d{2})|([A-Za-z]{1,5}))?)?"
).search
#: Format of ctime, "Mon Jan 2 15:04:05 2006", from old senders.
_ctime = re.compile(
    rb"([A-Za-z]{3})[ \t]+(\d{1,2})[ \t]+(\d{1,2}):(\d{2})(?::(\d{2}))?[ \t]+(?:[A-Z]{3,4}[ \t]+)?(\d{4})"
).search
_MAX_FIELD = 256


def parse_date(value: bytes) -> datetime | None:
    """Parse a Date field, with the offset as written (UTC if there is none); None if malformed.

    `.date()` of the result is the date as written, which SENTBEFORE, SENTON and SENTSINCE compare (RFC 3501 6.4.4:
    disregarding time and timezone).
    """
    value = value[:_MAX_FIELD]
    if b"(" in value:
        value = re.sub(rb"\([^()]*\)", b" ", value)
    if match := _date(value):
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes, zone = match.groups()
    elif match := _ctime(value):
        month, day, hour, minute, second, year = match.groups()
        sign = zone_hours = zone_minutes = zone = None
    else:
        return None
    number = _MONTHS.get(month.lower())
    if number is None:
        return None
    try:
        return datetime(
            _year(year),
            number,
            int(day),
            int(hour or 0),
            int(minute or 0),
            # RFC 5322 3.3 allows a leap second; datetime does not.
            min(int(second or 0), 59),
            tzinfo=_zone(sign, zone_hours, zone_minutes, zone),
        )
    except (ValueError, OverflowError):
        return None


def as_utc(moment: datetime) -> datetime | None:
    """Return the same time in UTC; None if that is outside the range of `datetime`."""
    try:
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _year(text: bytes) -> int:
    """The year: two digits below 50 are 20xx, other years of two or three digits count from 1900 (RFC 5322 4.3)."""
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if len(text) == 2 and year < 50 else 1900)


def _zone(sign: bytes | None, hours: bytes | None, minutes: bytes | None, name: bytes | None) -> timezone:
    if sign is None or hours is None or minutes is None:
        named = _ZONES.get((name or b"").lower(), 0)
        return timezone(timedelta(hours=named)) if named else UTC
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset >= timedelta(hours=24) or not offset:
        return UTC
    return timezone(offset if sign == b"+" else -offset)
