"""The base subject of RFC 5256 2.1: a subject without "Re:", "Fwd:" and what else replies and forwards add to it."""

import re

from mailstore.mime.casemap import casemap

_white = re.compile(r"[ \t\r\n]+")
#: *subj-blob: texts in brackets at the beginning, such as the name of a mailing list.
_blobs = re.compile(r"(?:\[[^\[\]]*+\] *+)*+")
_last_blob = re.compile(r"\[[^\[\]]*+\] *+\Z")
#: subj-refwd.
_refwd = re.compile(r"(?:RE|FWD?) *+(?:\[[^\[\]]*+\] *+)?:")
#: What every subj-leader, subj-blob and subj-trailer has one of, beside white space.
_added = frozenset(":[)")
_FORWARDED, _FORWARD = "(FWD)", "[FWD:"


def base_subject(subject: str) -> tuple[str, bool]:
    """Return the base subject of a decoded Subject, casemapped, and whether the message is a reply or a forward.

    Time is linear: each step begins where the last one ended.
    """
    text = _white.sub(" ", casemap(subject))
    if _added.isdisjoint(text):
        return text.strip(" "), False
    start, end, derived = 0, len(text), False
    while True:
        end, forwarded = _without_trailers(text, start, end)
        start, replied = _without_leaders(text, start, end)
        derived = derived or forwarded or replied
        if not (text.startswith(_FORWARD, start, end) and text.endswith("]", start, end)):
            return text[start:end], derived
        start, end, derived = start + len(_FORWARD), end - 1, True


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    """Step 2: the end without subj-trailers, and whether one was "(fwd)"."""
    found = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text.endswith(_FORWARDED, start, end):
            end -= len(_FORWARDED)
            found = True
        else:
            break
    return end, found


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    """Steps 3 to 5: the start without subj-leaders and subj-blobs, and whether there was a subj-refwd.

    Blobs are removed together with the subj-refwd after them, else as far as they leave a base.
    """
    found = False
    while True:
        while start < end and text[start] == " ":
            start += 1
        blobs = _blobs.match(text, start, end)
        after = blobs.end() if blobs else start
        refwd = _refwd.match(text, after, end)
        if refwd is None:
            break
        start, found = refwd.end(), True
    if after < end:
        return after, found
    last = _last_blob.search(text, text.rfind("[", start, end), end) if after > start else None
    return (last.start() if last else start), found
