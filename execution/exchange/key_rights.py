"""What a key may do, by the exchange's own word, and what of it must not be: a trading key never withdraws. Asks once;
what follows from the answer is decided purely."""

import asyncio
from typing import Any

import msgspec

from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.vocabulary.exit_codes import ConfigError

ASKED_WITHIN_S = 1.0
NEVER = {
    "enableWithdrawals": "withdraw money",
    "enableInternalTransfer": "move money to other accounts",
    "permitsUniversalTransfer": "move money between wallets",
    "enableMargin": "borrow",
    "enableFutures": "trade futures",
    "enableVanillaOptions": "trade options",
}
NEEDED = {"enableReading": "read", "enableSpotAndMarginTrading": "trade spot"}


class Rights(msgspec.Struct, frozen=True):
    """The key's rights and the account's state. A right that the exchange doesn't name is one the key hasn't."""

    flags: dict[str, bool]
    ip_list: bool
    can_trade: bool
    account_type: str


async def ask_rights(client: VenueClient) -> Rights:
    """Ask the exchange. VenueError; BadReply when it answers something else."""
    flags = await client.call("sapiGetAccountApiRestrictions")
    account = await client.call("privateGetAccount", {"omitZeroBalances": "true"})
    return rights_of(flags, account)


def rights_of(flags: Any, account: Any) -> Rights:
    """The answer in our words. BadReply."""
    if not isinstance(flags, dict) or not isinstance(account, dict) or "enableWithdrawals" not in flags:
        raise BadReply("the venue's apiRestrictions can't be read")
    known = {name: value is True or value == "true" for name, value in flags.items() if name in {*NEVER, *NEEDED}}
    may_withdraw = known.get("enableWithdrawals", True)
    return Rights(
        flags=known | {"enableWithdrawals": may_withdraw},
        ip_list=flags.get("ipRestrict") is True,
        can_trade=account.get("canTrade") is True,
        account_type=str(account.get("accountType", "")),
    )


def refusals(rights: Rights, real: bool) -> list[str]:
    """Why this key must not be used; empty when it may. `real`: it is a real exchange's."""
    found = [
        f"the key may {what}: take that right away at the exchange"
        for name, what in NEVER.items()
        if rights.flags.get(name)
    ]
    found += [
        f"the key may not {what}: give it that right" for name, what in NEEDED.items() if not rights.flags.get(name)
    ]
    if not rights.can_trade:
        found.append("the account may not trade now: the exchange's own pages say why")
    if rights.account_type not in ("SPOT", ""):
        found.append(f"it is a {rights.account_type} account; a spot account would be right")
    if real and not rights.ip_list:
        found.append("the key works from any address: give it a list of IP addresses at the exchange")
    return found


async def refuse_dangerous_key(client: VenueClient) -> str:
    """ConfigError when the key may withdraw. '' when it may not; else why the exchange couldn't say in time: whoever
    has positions to look after doesn't wait for that. One cheap request."""
    try:
        async with asyncio.timeout(ASKED_WITHIN_S):
            flags = await client.call("sapiGetAccountApiRestrictions")
    except (VenueError, TimeoutError) as error:
        return str(error) or "no answer in time"
    if not isinstance(flags, dict) or "enableWithdrawals" not in flags:
        return "its answer can't be read"
    if flags["enableWithdrawals"] in (True, "true"):
        raise ConfigError("the exchange says that this key may withdraw money: take that right away, then start again")
    return ""
