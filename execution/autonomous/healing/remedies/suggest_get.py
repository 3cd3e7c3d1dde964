"""For a key or an attribute that isn't there: a suggestion to a person, with the exact place. Never applied."""

import asyncio

from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.autonomous.healing.source.import_fix import NoFix
from execution.autonomous.healing.source.source_code import root_of
from execution.autonomous.healing.source.suggestion import suggestion
from execution.vocabulary.issues import IssueType

NEVER = "a suggestion is for a person to apply: nae heal show says where and how"


class SuggestGet:
    """Its obstacle is the suggestion: so it stands in the record, and nothing can be done with it."""

    name = "suggest_get"
    what = "says where a key or an attribute was missing, and what a person could change there; changes nothing"

    def __init__(self) -> None:
        self.fits = {IssueType.KEY: Terms(), IssueType.ATTRIBUTE: Terms()}

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        """Never empty."""
        try:
            return str(await asyncio.to_thread(suggestion, issue, root_of(hands.home)))
        except NoFix as error:
            return f"nothing can be suggested: {error}"

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """Never."""
        raise CannotHeal(NEVER)

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """There is nothing to put back."""


SUGGEST_GET = SuggestGet()
