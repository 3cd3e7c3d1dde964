"""Why nothing was bought: the newest decisions not to trade, from the cycles in the audit trails, same ones together.

Pure from lines to findings; only the command that calls it reads files.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from execution.vocabulary.reasons import NoTradeReason

SENTENCES = {
    NoTradeReason.EMPTY_UNIVERSE: "no symbol was fit to be traded",
    NoTradeReason.NO_CANDIDATES: "a bar closed, and no armed strategy said now",
    NoTradeReason.NO_PROPOSALS: "a strategy said now, and the rules dropped each signal",
    NoTradeReason.BLOCKED_BY_RISK: "there were proposals, and risk refused each",
    NoTradeReason.NO_ORDERS: "orders were approved, and none left",
    NoTradeReason.WAITING_FOR_PRICE: "entries were decided, and wait for the first tick at a price still worth it",
    NoTradeReason.STALE_DATA: "the market hasn't been heard for too long",
    NoTradeReason.NOT_RECONCILED: "our books and the venue don't agree, or haven't been compared",
    NoTradeReason.TRADING_PAUSED: "the account is paused; nae resume lifts it",
    NoTradeReason.TRADING_HALTED: "the account is halted; only a person's nae arm lifts it",
    NoTradeReason.REDUCE_ONLY: "the account may only reduce; nae resume lifts it",
    NoTradeReason.BUILDS_DIFFER: "the processes run different code; nae upgrade ends that",
    NoTradeReason.NO_NEW_BAR: "no bar has closed since the look before",
    NoTradeReason.NO_CONDITIONS: "a bar closed, and research has armed nothing on it",
    NoTradeReason.DRY_RUN: "decided, and by trading.trade_mode not sent",
    NoTradeReason.LEDGER_FAILING: "the ledger can't be written, or its disk is nearly full; nae doctor looks it over",
    NoTradeReason.BREAKER_OPEN: "the venue failed orders again and again: none is sent for a while",
}


class Finding(msgspec.Struct, frozen=True):
    """One reason over a stretch of cycles. `details` and `numbers` are of the newest."""

    account: str
    reason: str
    meaning: str
    since: str
    until: str
    cycles: int
    details: dict[str, str]
    numbers: dict[str, Any]


def findings(account: str, cycles: Iterable[Mapping[str, Any]], symbol: str = "") -> list[Finding]:
    """The decisions not to trade, newest first. A cycle that only found no new bar decided nothing: it is left out, as
    long as others are there. With `symbol`: only what concerns it."""
    told = [row for row in cycles if row.get("reason")]
    decided = [row for row in told if row["reason"] != NoTradeReason.NO_NEW_BAR] or told
    found: list[Finding] = []
    for row in reversed(decided):
        details = _details(row, symbol)
        reason = str(row["reason"])
        last = found[-1] if found else None
        if last is not None and (last.reason, last.details) == (reason, details):
            found[-1] = msgspec.structs.replace(last, since=str(row["at"]), cycles=last.cycles + 1)
            continue
        meaning = SENTENCES.get(reason, "a stage of the cycle failed: nae logs tells more")  # type: ignore[call-overload]
        numbers = _numbers(row, symbol)
        found.append(Finding(account, reason, meaning, str(row["at"]), str(row["at"]), 1, details, numbers))
    return found


def _details(row: Mapping[str, Any], symbol: str) -> dict[str, str]:
    """What each symbol or condition was left for."""
    told: dict[str, str] = {}
    numbers = row.get("numbers") or {}
    for stage in ("excluded", "dropped", "refused"):
        by_name = numbers.get(stage) or {}
        for name, reason in (row.get(stage) or {}).items():
            concerned = (by_name.get(name) or {}).get("symbol", name)
            if not symbol or symbol == concerned:
                told[f"{stage} {name}"] = str(reason)
    for line in row.get("entry_orders") or []:
        if not symbol or line.get("symbol") == symbol:
            told[f"order {line.get('symbol')}"] = str(line.get("outcome"))
    for line in row.get("shots") or []:
        if not symbol or line.get("symbol") == symbol:
            told[f"shot {line.get('symbol')}"] = str(line.get("waits_for"))
    for number, error in enumerate(row.get("errors") or []):
        told[f"error {number + 1}"] = str(error)
    return told


def _numbers(row: Mapping[str, Any], symbol: str) -> dict[str, Any]:
    """The numbers behind it: the cycle's own, and those of each symbol or condition that was left."""
    keys = ("universe", "new_bars", "armed", "triggers", "proposals", "approved", "orders", "positions", "equity")
    told: dict[str, Any] = {key: row[key] for key in keys if key in row}
    for stage, by_name in (row.get("numbers") or {}).items():
        if stage == "entries_off":
            told[stage] = by_name
            continue
        chosen = {name: values for name, values in by_name.items() if symbol in ("", values.get("symbol", name))}
        if chosen:
            told[stage] = chosen
    return told


def words(numbers: Mapping[str, Any]) -> str:
    """Numbers as a line: spread 0.003, spread_max 0.002."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in numbers.items() if value not in (None, [], ""))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
