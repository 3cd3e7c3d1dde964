"""The accounts' keys as a faulty venue knows them: one that has been revoked is nobody's. It only looks keys up."""

from collections.abc import Iterator, Mapping

from execution.venue.auth import ApiKey
from execution.venue.fault_kinds import Fault
from execution.venue.faults import Faults


class RevokedKeys(Mapping[str, ApiKey]):
    """Keys by their text, without those of accounts that a fault has taken theirs from."""

    def __init__(self, keys: Mapping[str, ApiKey], faults: Faults) -> None:
        self._keys = keys
        self._faults = faults

    def __getitem__(self, text: str) -> ApiKey:
        key = self._keys[text]
        if self._faults.standing(Fault.REVOKED_KEY, key.account) is not None:
            raise KeyError(text)
        return key

    def __iter__(self) -> Iterator[str]:
        return (text for text in self._keys if text in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
