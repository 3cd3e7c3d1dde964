"""How a command gets an account into its hands: its lock when nobody holds it; else the holder's obedience; and where
the holder doesn't answer, its end, by identity, and then the lock. Never two writers: the kernel's lock decides."""

from collections.abc import Callable
from dataclasses import dataclass, field

from execution.autonomous.family import Family
from execution.ledger.account_lock import AccountLock, account_lock, holder_of
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import Clock, block
from execution.runtime.home import Home
from execution.runtime.locks import holder_pid
from execution.vocabulary.exit_codes import BusyError
from execution.vocabulary.programs import BY_NAME

ANSWER_WITHIN_S = 1.0
AGAIN_S = 0.02
CUT_OFF = ("nae_liquidate",)  # commands that obey nobody, and go on another time where they were ended


class OutOfReach(Exception):
    """The account couldn't be had in time; the message says who held it."""


@dataclass
class Hand:
    """Either the lock, ours, or the name of the trader that obeys. `killed`: those who didn't answer."""

    lock: AccountLock | None = None
    holder: str = ""
    killed: list[int] = field(default_factory=list)

    def ended(self, pids: list[int]) -> None:
        """These were killed. One that takes a while to die is told of once."""
        self.killed += [pid for pid in pids if pid not in self.killed]

    def release(self) -> None:
        """Let the account go."""
        if self.lock is not None:
            self.lock.release()


def take_in_hand(
    home: Home, account: str, name: str, *, clock: Clock, deadline: float, obey: Callable[[str], None]
) -> Hand:
    """`obey` asks a holder to do what is wanted, by its name; it raises NoAnswer or Refused. OutOfReach in the end."""
    lock, hand = account_lock(home, account), Hand()
    told = ""
    while True:
        try:
            lock.acquire(name)
        except BusyError:
            holder = holder_of(home, account)
        else:
            hand.lock = lock
            return hand
        if holder in BY_NAME:
            try:
                obey(holder)
            except Refused as refusal:  # it isn't the holder any more, or not yet ready to be told
                told = str(refusal)
            except NoAnswer as silence:
                told = str(silence)
                hand.ended(_end(lock, holder))
            else:
                hand.holder = holder
                return hand
        elif holder in CUT_OFF:
            hand.ended(_end(lock, holder))
        if clock.monotonic() >= deadline:
            raise OutOfReach(f"{holder or 'somebody'} holds the {account} account; {told or 'it has no name'}")
        block(AGAIN_S)


def _end(lock: AccountLock, holder: str) -> list[int]:
    """SIGKILL to the process that holds the lock and says nothing: known by its id, its start and the lock it holds."""
    pid = holder_pid(lock.path)
    if pid is None:
        return []
    family = Family(pid)  # from here on a stranger of the same number isn't meant
    still = holder_pid(lock.path) == pid and lock.path.read_text().startswith(holder)
    return list(family.kill()) if still else []


def ask_holder(home: Home, verb: str, clock: Clock, **arguments: object) -> Callable[[str], None]:
    """What `take_in_hand` asks a holder: one verb, within a second."""

    def obey(holder: str) -> None:
        ask(home.run, holder, verb, clock, deadline_s=ANSWER_WITHIN_S, **arguments)

    return obey
