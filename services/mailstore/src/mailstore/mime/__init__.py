"""MIME scanner: what IMAP and SEARCH need of a body, computed once when it is filed (decision 7).

Pure functions of octets; none raises on any input, and time and memory are bounded by the limits in `structure`,
`headers` and `text`.
"""

from mailstore.mime import search
from mailstore.mime.headers import header_fields
from mailstore.mime.render import Rendered, render
from mailstore.mime.sections import SectionRanges, section
from mailstore.mime.text import body_text

__all__ = ["Rendered", "SectionRanges", "body_text", "header_fields", "render", "search", "section"]
