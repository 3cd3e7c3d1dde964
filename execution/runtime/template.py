"""The shape of a message: what stays of it when numbers, ids, names, paths and secrets are taken out, so that the same
fault has the same words in every process and every time. Pure, text in and text out; it decides nothing.
"""

import re

from execution.runtime.redaction import HIDDEN, redact

TEMPLATE_MAX = 200
READ_MAX = 2_000  # of a message; the rest of a longer one says nothing new
WORD_MAX = 24  # a longer one is no word: a key, an id, a hash
NUMBER, NAME, PATH, ID = "<n>", "<name>", "<path>", "<id>"
_QUOTED = re.compile(r"""(?<!\w)(['"`])[^'"`]{0,200}\1(?!\w)""")
_STRAY_QUOTE = re.compile(r"""["`]|(?<!\w)'|'(?!\w)""")
_LIKE_A_PATH = re.compile(r"[/\\]")


def template_of(message: str) -> str:
    """The shape of `message`, at most TEMPLATE_MAX long; the shape of a shape is itself."""
    before, text = "", message
    for _ in range(4):  # what is taken out may bring together what was apart
        before, text = text, _taken_out(text)
        if text == before:
            return text
    return text if _taken_out(text) == text else "<text>"


def readable(message: str, most: int) -> str:
    """`message` for people: one line, nothing secret, nothing that a terminal obeys, at most `most` characters."""
    text = _bounded(message)
    return "".join(one if one.isprintable() else " " for one in redact(text))[:most].strip()


def _bounded(message: str) -> str:
    """Its beginning. A word that is cut in two goes: half a secret isn't recognised as one."""
    if len(message) <= READ_MAX:
        return message
    return message[:READ_MAX].rpartition(" ")[0]


def _taken_out(message: str) -> str:
    text = "".join(one if one.isprintable() else " " for one in redact(_bounded(message)))
    text = _STRAY_QUOTE.sub("", _QUOTED.sub(NAME, text))
    words = [_shape(word) for word in text.split()]
    short = redact(" ".join(words))
    return short if len(short) <= TEMPLATE_MAX else short[:TEMPLATE_MAX].rpartition(" ")[0]


def _shape(word: str) -> str:
    if _LIKE_A_PATH.search(word):
        return PATH
    if any(one.isnumeric() for one in word):
        return NUMBER
    return ID if len(word) > WORD_MAX and HIDDEN not in word else word
