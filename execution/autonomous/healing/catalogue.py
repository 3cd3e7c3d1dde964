"""Every remedy there is, in the order in which they are tried while nothing is known yet: the gentlest first."""

from collections.abc import Sequence

import msgspec

from execution.autonomous.healing.choice import Fitting
from execution.autonomous.healing.remedies.add_import import ADD_IMPORT, REHEARSE_IMPORT
from execution.autonomous.healing.remedies.free_disk import FREE_DISK
from execution.autonomous.healing.remedies.raise_timeout import RAISE_TIMEOUT
from execution.autonomous.healing.remedies.restart import RESTART
from execution.autonomous.healing.remedies.restore_database import RESTORE_DATABASE
from execution.autonomous.healing.remedies.resync_lock import RESYNC_LOCK
from execution.autonomous.healing.remedies.suggest_get import SUGGEST_GET
from execution.autonomous.healing.remedies.trader_orders import TRADER_ORDERS
from execution.autonomous.healing.remedy import Remedy, Terms
from execution.vocabulary.issues import IssueType

REMEDIES: tuple[Remedy, ...] = (
    RESYNC_LOCK,
    ADD_IMPORT,
    REHEARSE_IMPORT,
    SUGGEST_GET,
    RAISE_TIMEOUT,
    FREE_DISK,
    RESTORE_DATABASE,
    *TRADER_ORDERS,
    RESTART,  # last: nothing gentler has helped
)


class Catalogue:
    """Remedies by name, and by what they fit. `pace`: times all waiting."""

    def __init__(self, remedies: Sequence[Remedy] = REMEDIES, pace: float = 1.0) -> None:
        self._named = {remedy.name: remedy for remedy in remedies}
        assert len(self._named) == len(remedies), "two remedies of one name"
        self._pace = pace
        self.fitting: Fitting = {kind: self._against(kind) for kind in IssueType}

    def _against(self, kind: IssueType) -> list[tuple[str, Terms]]:
        return [(remedy.name, self.terms(remedy.name, kind)) for remedy in self._named.values() if kind in remedy.fits]

    def named(self, name: str) -> Remedy | None:
        """The remedy of this name; None when this build has none (another build's record may tell of it)."""
        return self._named.get(name)

    def terms(self, name: str, kind: IssueType) -> Terms:
        """The terms on which it is used against `kind`."""
        remedy = self._named.get(name)
        terms = remedy.fits.get(kind, Terms()) if remedy else Terms()
        return msgspec.structs.replace(
            terms, quiet_for_s=terms.quiet_for_s * self._pace, cool_down_s=terms.cool_down_s * self._pace
        )
