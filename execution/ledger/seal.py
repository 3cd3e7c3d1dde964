"""What all rows of one ledger come to, in one line: the heads of its chains, and digests over its orders and facts.

Written with every commit, so that a row changed, lost or put back as it once was doesn't agree with it. Fills and cash
flows only grow and are chained; orders and facts change, so each has a hash of its own, and the seal has what they come
to together, in whatever order. Pure: no I/O.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from execution.ledger.rows import CHAIN_START, LedgerDamaged

SEAL = "seal"  # its name among the facts
LETTERS = 32
encode = msgspec.msgpack.Encoder().encode
OrderValues = tuple[str | int | None, ...]


class Seal(msgspec.Struct, frozen=True):
    """How many commits there were, and what they left."""

    commits: int = 0
    orders: int = 0
    orders_digest: str = "0"
    fill_chain: str = CHAIN_START
    cash_chain: str = CHAIN_START
    facts_digest: str = "0"


def row_hash(values: OrderValues) -> str:
    """The hash of one order's values, or of one fact's name and value."""
    return hashlib.sha256(encode(values)).hexdigest()[:LETTERS]


class Digest:
    """What any number of hashes come to, whatever their order: one can be put in or taken out again."""

    def __init__(self, value: str = "0") -> None:
        self._value = int(value, 16)

    def turn(self, hashed: str) -> None:
        """Put a hash in; or, when it is in, take it out."""
        self._value ^= int(hashed, 16)

    @property
    def value(self) -> str:
        return f"{self._value:x}"


def facts_digest(facts: Mapping[str, str]) -> Digest:
    """Of all facts but the seal itself."""
    digest = Digest()
    for fact in facts.items():
        if fact[0] != SEAL:
            digest.turn(row_hash(fact))
    return digest


def seal_of(facts: Mapping[str, str]) -> Seal:
    """The seal among the facts. LedgerDamaged when it is gone, can't be read, or the facts aren't what it says."""
    try:
        seal = msgspec.json.decode(facts[SEAL], type=Seal)
    except KeyError:
        raise LedgerDamaged("its seal is gone") from None
    except msgspec.MsgspecError as error:
        raise LedgerDamaged(f"its seal can't be read: {error}") from error
    if facts_digest(facts).value != seal.facts_digest:
        raise LedgerDamaged(
            f"its facts ({', '.join(sorted(map(str, facts)))}) don't match the seal: one was changed or lost"
        )
    return seal


def check_order(values: OrderValues, stored: str | None, number: int) -> str:
    """The order's hash, when it is what its values give; LedgerDamaged names it otherwise."""
    expected = row_hash(values)
    if stored != expected:
        raise LedgerDamaged(f"order {number} ({values[0]}) doesn't match its hash: it was changed")
    return expected
