"""Whether what a rule is meant for is there at all: a market or an account by its name, a door. A rule for something
else would be taken and never do anything. Requests and events aren't judged: a client may ask for anything."""

from collections.abc import Collection

from execution.venue.fault_kinds import ACCOUNT, DOOR, MEANINGS, SYMBOL, Fault
from execution.venue.faults import Rule

DOORS = ("streams", "ws-api")


def find_wrong_target(rule: Rule, symbols: Collection[str], accounts: Collection[str]) -> str | None:
    """What is wrong with `on`, and what would be right; None when the rule reaches something."""
    if rule.fault is Fault.BALANCE:  # paid to one account, in whichever asset
        account, _, asset = rule.on.partition("/")
        if account in accounts and asset:
            return None
        return _told(rule, [f"{name}/{asset or 'USDT'}" for name in sorted(accounts)])
    there = {SYMBOL: symbols, ACCOUNT: accounts, DOOR: DOORS}.get(MEANINGS[rule.fault].on)
    if there is None or any(rule.reaches(name) for name in there):
        return None
    return _told(rule, [*sorted(there), "*"])


def _told(rule: Rule, right: list[str]) -> str:
    return f"on = {rule.on[:80]!r} isn't there; {' or '.join(right)} would be right"
