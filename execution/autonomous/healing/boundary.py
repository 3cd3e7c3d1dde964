"""The boundary of a remedy: whatever it does wrong, and however long it takes, the healer goes on."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from execution.autonomous.healing.remedy import CannotHeal

log = logging.getLogger("nae.healing")
T = TypeVar("T")


async def attempted(work: Awaitable[T], deadline_s: float) -> tuple[str, T | None]:
    """Why it came to nothing, or what came of it."""
    try:
        async with asyncio.timeout(deadline_s):
            return "", await work
    except TimeoutError:
        return f"not done within {deadline_s:g} s", None
    except CannotHeal as reason:
        return str(reason) or "it can't be done", None
    except Exception as error:  # the boundary of a remedy: it has failed, and the next one is tried
        log.exception("a remedy failed")
        return f"{type(error).__name__}: {error}", None
