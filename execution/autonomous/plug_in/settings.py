"""The plug-in's settings, as they stand in its section of supervisord's configuration. An operation sets none; tests
and benchmarks do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from execution.autonomous.plug_in.exit_record import ExitLimit
from execution.autonomous.plug_in.manager_watch import Patience
from execution.vocabulary.limits import EXITS_MAX, MANAGER_FIRST_WORD_WITHIN_S, MANAGER_SILENT_AFTER_S
from execution.vocabulary.programs import MANAGER


@dataclass(frozen=True)
class Settings:
    """`news`: the path of the manager's datagram socket; empty: nobody is told."""

    limit: ExitLimit
    patience: Patience
    manager: str
    news: str


def read_settings(said: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """exits_max, manager_silent_s, manager, news. Raises ValueError, which supervisord shows and refuses to start."""
    unknown = set(said) - {"exits_max", "manager_silent_s", "manager", "news"}
    if unknown:
        raise ValueError(f"[rpcinterface:nae] knows no {', '.join(sorted(unknown))}")
    run = environment.get("NAE_RUN", "")
    silent_s = _number(said, "manager_silent_s", MANAGER_SILENT_AFTER_S)
    first_word_s = silent_s * MANAGER_FIRST_WORD_WITHIN_S / MANAGER_SILENT_AFTER_S
    return Settings(
        limit=ExitLimit(int(_number(said, "exits_max", EXITS_MAX))),
        patience=Patience(silent_s, first_word_s),
        manager=said.get("manager", MANAGER),
        news=said.get("news", f"{run}/manager.news" if run else ""),
    )


def _number(said: Mapping[str, str], key: str, otherwise: float) -> float:
    text = said.get(key)
    if text is None:
        return otherwise
    if not (text.isdecimal() and text.isascii() and int(text) > 0):
        raise ValueError(f"[rpcinterface:nae] {key} = {text}: a whole number from 1 on would be right")
    return float(text)
