"""What must never be written down: keys and secrets that this process has read, and whatever looks like one. Every sink
of text (logs, audit trails, errors on a screen) passes through here; nobody has to remember it at the source.

Text in, text out; it knows no files. A signed URL can be replayed within its window, so a signature is a secret too.
"""

import re

HIDDEN = "***"
LEAST = 8  # shorter ones are no keys, and would hide ordinary words
_secrets: set[str] = set()
_exact: re.Pattern[str] | None = None
_LOOKS_LIKE_ONE = re.compile(
    r"""(?ix)
    ( \b (?: signature | x-mbx-apikey | api[-_]?key | apiKey | secret(?:[-_]?key)? | authorization | password
           | passphrase | listen[-_]?key ) ['"]? \s* [=:] \s* ['"]? (?: (?:bearer|basic) \s+ )? ) [^\s'"&,;)}\]]{6,}
    | ( \b [a-z][a-z0-9+.-]* :// ) [^\s/:@]+ : [^\s/@]+ (?=@)
    """
)


def hide(*secrets: str) -> None:
    """From now on these appear nowhere."""
    global _exact  # noqa: PLW0603 -- one process has one set of secrets, whoever reads them
    _secrets.update(secret for secret in secrets if len(secret) >= LEAST)
    _exact = re.compile("|".join(map(re.escape, sorted(_secrets, key=len, reverse=True)))) if _secrets else None


def redact(text: str) -> str:
    """`text` with nothing in it that could open anything."""
    return _LOOKS_LIKE_ONE.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", redact_exact(text))


def redact_exact(text: str) -> str:
    """Only what is known to be a secret; for text whose shape must stay."""
    return text if _exact is None else _exact.sub(HIDDEN, text)
