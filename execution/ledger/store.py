"""The ledger of one account: intents, orders, fills, cash flows and states, durable before anything relies on them.

One writer: whoever holds the account's lock. It decides nothing about trading. Positions, balances and closed trades
are a fold of the rows, kept in memory. Other processes read through ledger.queries, never through this class.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

from execution.ledger import rows
from execution.ledger.account_books import AccountBooks
from execution.ledger.books import Books
from execution.ledger.condition import CommitTimes, file_health
from execution.ledger.facts import Facts, ReconciliationFact
from execution.ledger.high_water import HighWater
from execution.ledger.journal import CashFlow, Journal
from execution.ledger.money_table import MoneyTable, with_owner
from execution.ledger.order_table import OrderTable
from execution.ledger.schema import bring_up_to_date
from execution.ledger.seal import Seal
from execution.ledger.states import AccountStates
from execution.runtime.clock import Clock
from execution.runtime.sqlite import DatabaseError, open_writer, transaction
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.limits import CLIENT_ORDER_ID_MAX
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Fill, OrderRequest, OrderRow


class WrongAccount(ValueError):
    """A sound ledger, and somebody else's."""


class Ledger(AccountStates, AccountBooks):
    """The books of `account`. What a writing method says is durable when it returns, unless it says otherwise."""

    def __init__(
        self,
        path: Path,
        account: str,
        clock: Clock,
        known: Books | None = None,
        before_writing: Callable[[], object] = lambda: None,
    ) -> None:
        """Open or create; the epoch goes up by one, and what an earlier epoch left unanswered becomes UNKNOWN.

        `known`: books of this file, kept by a follower. `before_writing` is asked before the first write, and may
        raise. Raises sqlite's DatabaseError (not a database, disk full), LedgerDamaged, LedgerFromLater, ValueError
        (another account's file), BooksDiffer (from what is `known`).
        """
        self.path, self.account, self._clock = path, account, clock
        self._high_water, self._journal = HighWater(path), Journal(path)
        self._connection, self._error_count, self._broken = open_writer(path, ""), 0, ""
        self._last_commit_ms: int | None = None
        self._times = CommitTimes()
        with ExitStack() as undo:
            undo.callback(self.close)
            bring_up_to_date(self._connection, path)
            self._load()
            self._money = MoneyTable(self._connection, self._facts.lot_steps(), known)
            self._money.check(self._facts.seal())
            before_writing()
            self._begin_epoch()
            undo.pop_all()

    def _load(self, before: OrderTable | None = None) -> None:
        self._facts = Facts(self._connection)
        seal = self._facts.seal()
        owner = self._facts.get("account") or self.account
        if owner != self.account:
            raise WrongAccount(f"it is the ledger of {owner}, not of {self.account}")
        self._commits, self._orders = seal.commits, OrderTable(self._connection, self._clock, seal, before)

    def _begin_epoch(self) -> None:
        before = int(self._facts.get("epoch") or 0)
        if lost := self._high_water.lost(*self._reached(before)):
            raise rows.LedgerDamaged(f"it is older than it was: {lost}")
        self.epoch, self._mine = before + 1, {self._facts.get("epoch"), str(before + 1)}  # around our first commit
        # the tag keeps ids apart from those given out before, should a ledger be begun anew or an old copy be put back
        known = self._facts.get("tag") if self._high_water.read() else None
        self._tag = known or "".join(secrets.choice(rows.DIGITS) for _ in range(4))
        self._journal.epoch(self.epoch)
        with self._writing("epoch"):
            for name, value in (("account", self.account), ("epoch", str(self.epoch)), ("tag", self._tag)):
                self._facts.put(name, value)
            self._facts.put_json("reconciliation", ReconciliationFact(differences=["not compared since the start"]))
            for order in self._orders.unanswered():
                self._orders.apply(order, OrderEvent.AMBIGUOUS, note=f"found unanswered by epoch {self.epoch}")

    @contextmanager
    def _writing(self, commit: str) -> Iterator[None]:
        """One commit. When it fails, memory goes back to what the disk holds, and the error goes on to the caller."""
        began = self._clock.monotonic()
        try:
            with transaction(self._connection, commit):
                self._facts.expect("epoch", self._mine)
                yield
                self._facts.put_seal(self._sealed())
        except BaseException as error:
            self._error_count += 1
            self._broken = f"{type(error).__name__}: {error}" if isinstance(error, DatabaseError) else self._broken
            self._load(self._orders)
            self._money.catch_up(self._facts.lot_steps())
            raise
        self._broken, self._last_commit_ms = "", self._clock.now_ms()
        self._times.add(self._clock.monotonic() - began)
        self._commits += 1
        self._high_water.reach(*self._reached(self.epoch))

    def _sealed(self) -> Seal:
        orders, money = self._orders, self._money
        return Seal(self._commits + 1, orders.count, orders.digest, money.fill_chain, money.cash_chain)

    def _reached(self, epoch: int) -> tuple[int, ...]:
        return epoch, self._orders.next_number - 1, self._money.fills_count, self._commits

    def _add_up(self) -> None:
        self._money.catch_up(self._facts.lot_steps())

    # orders

    def record_intent(self, request: OrderRequest, order_id: str | None = None, sent_ms: int | None = None) -> str:
        """Write the decision down; durable when this returns. Returns its client order id.

        `sent_ms`: the timestamp the request will carry, on the venue's clock (default: ours). It is part of the intent,
        so that whoever finds the intent later knows exactly until when the venue could still accept the request.
        """
        now, number = self._clock.now_ms(), self._orders.next_number
        client_order_id = order_id or f"{rows.base36(self.epoch)}-{rows.base36(number)}-{self._tag}"
        if len(client_order_id) > CLIENT_ORDER_ID_MAX:
            raise ValueError(f"client order id {client_order_id!r} is longer than {CLIENT_ORDER_ID_MAX} characters")
        order = rows.new_order(request, client_order_id, self.epoch, now, now if sent_ms is None else sent_ms)
        self._journal.intent(number, order)
        with self._writing("intent"):
            self._orders.insert(order)
        return client_order_id

    def mark(
        self, client_order_id: str, event: OrderEvent, venue_order_id: str | None = None, note: str = ""
    ) -> OrderRow:
        """Record what happened to an order; the order as it stands then.

        SENT alone stays in memory until the next write: an INTENT found by a later epoch is treated as sent anyway, and
        the disk isn't waited for twice on the way to the venue. KeyError: no such order. ValueError: impossible.
        """
        if event is OrderEvent.SENT:
            return self._orders.hold_sent(client_order_id)
        order = self._orders.get(client_order_id)
        with self._writing("order"):
            return self._orders.apply(order, event, venue_order_id, note)

    def order(self, client_order_id: str) -> OrderRow | None:
        """One order by our id, or None."""
        return self._orders.find(client_order_id)

    def order_by_venue_id(self, symbol: str, venue_order_id: str) -> OrderRow | None:
        """One order by the venue's id, or None."""
        return self._orders.find_by_venue_id(symbol, venue_order_id)

    def orders(self, states: Iterable[OrderState] | None = None, limit: int = 100) -> list[OrderRow]:
        """The newest orders first, of the given states only."""
        return self._orders.select(states, limit)

    def unsettled(self) -> list[OrderRow]:
        """Orders that may still change the account, oldest first."""
        return self._orders.unsettled()

    def reserved_exposure(self) -> Decimal:
        """What buys that may still be filled would cost in the quote currency, UNKNOWN ones in full."""
        return self._orders.reserved_exposure()

    # fills and cash

    def record_fill(self, fill: Fill) -> bool:
        """Book one trade and move its order on; False when it was known already."""
        return self.record_fills([fill]) == 1

    def record_fills(self, fills: Iterable[Fill], swept: Mapping[str, str] | None = None) -> int:
        """Book trades in one commit; how many were new. `swept`: per symbol, the trade id up to which all are known."""
        new = 0
        offered = list(fills)
        if not offered and not swept:
            return 0
        with self._writing("fills"):
            for fill in offered:
                owned = with_owner(fill, self._owner_of(fill))
                if self._money.insert_fill(owned):
                    self._orders.apply_fill(owned)
                    new += 1
            for symbol, trade_id in (swept or {}).items():
                self._facts.put(f"swept:{symbol}", trade_id)
        self._add_up()
        return new

    def _owner_of(self, fill: Fill) -> str | None:
        if fill.client_order_id and self._orders.find(fill.client_order_id):
            return fill.client_order_id
        order = self._orders.find_by_venue_id(fill.symbol, fill.venue_order_id)
        return order.client_order_id if order else None

    def last_trade_id(self, symbol: str) -> str | None:
        """The trade id up to which nothing is missing on this symbol; later ones may be known singly. None: never."""
        return self._facts.get(f"swept:{symbol}")

    def has_fill(self, symbol: str, trade_id: str) -> bool:
        """Is this trade booked?"""
        return self._money.has_fill(symbol, trade_id)

    @property
    def opened_ms(self) -> int | None:
        """When this account's books were opened, on the venue's clock; None before."""
        opened = self._facts.get("opened_ms")
        return None if opened is None else int(opened)

    def open_books(self, balances: Mapping[str, Decimal], swept: Mapping[str, str], opened_ms: int) -> None:
        """Book what the account holds at the very beginning, in one commit. Trades up to `swept` came before us.

        Raises ValueError when the books are open already.
        """
        if self.opened_ms is not None:
            raise ValueError(f"the books of {self.account} were opened at {self.opened_ms}")
        now = self._clock.now_ms()
        opening = [CashFlow(currency, total, "opening", "", now) for currency, total in balances.items()]
        with self._writing("opening"):
            booked = self._insert(opening)
            for symbol, trade_id in swept.items():
                self._facts.put(f"swept:{symbol}", trade_id)
            self._facts.put("opened_ms", str(opened_ms))
        self._journal.cash_flows(booked)
        self._journal.opened(opened_ms, swept)
        self._add_up()

    def record_cash_flow(self, currency: str, delta: Decimal, kind: str, note: str = "") -> None:
        """Book money that came or went without a trade: an opening balance, a deposit, a withdrawal."""
        self.record_cash_flows([(currency, delta)], kind, note)

    def record_cash_flows(self, flows: Iterable[tuple[str, Decimal]], kind: str, note: str = "") -> None:
        """Book several in one commit. ValueError when an amount isn't finite; then none is booked."""
        now = self._clock.now_ms()
        offered = [CashFlow(currency, delta, kind, note, now) for currency, delta in flows]
        if odd := [f"{flow.currency} {flow.delta}" for flow in offered if not flow.delta.is_finite()]:
            raise ValueError(f"a cash flow must be finite, not {', '.join(odd)}")
        with self._writing("cash_flows"):
            booked = self._insert(offered)
        self._journal.cash_flows(booked)
        self._add_up()

    def write_off(self, symbol: str, quantity: Decimal) -> None:
        """A person's word that so much of a position was sold by somebody else: it isn't ours to sell any more."""
        gone = rows.WriteOff(symbol, quantity, self._money.last_trade(symbol))
        self.record_cash_flow(symbol.partition("/")[0], Decimal(0), rows.WRITTEN_OFF, str(gone))

    def _insert(self, flows: Iterable[CashFlow]) -> dict[int, CashFlow]:
        return {self._money.insert_cash_flow(flow): flow for flow in flows}

    def set_lot_steps(self, steps: Mapping[str, Decimal]) -> None:
        """Remember the venue's lot steps, which decide what is dust."""
        known = self._facts.lot_steps()
        if all(known.get(symbol) == step for symbol, step in steps.items()):
            return
        with self._writing("lot_steps"):
            self._facts.put_lot_steps(known | dict(steps))
        self._add_up()

    # its own state

    @property
    def problem(self) -> str:
        """Why the last write failed, or ''."""
        return self._broken

    def get_health(self) -> ComponentHealth:
        """Writable, fast, not full? `metrics`: epoch, fills, unsettled orders, bytes, commits."""
        counts = {"epoch": self.epoch, "fills": self.fills_count, "unsettled": len(self.unsettled())}
        return file_health(
            self.path,
            broken=self._broken,
            times=self._times,
            last_commit_ms=self._last_commit_ms,
            error_count=self._error_count,
            counts=counts,
        )

    def begin_journal(self) -> None:
        """A backup has all that the journal holds: begin a new one, and keep the last."""
        self._journal.begin_anew()

    def close(self) -> None:
        """Let go of the file. Nothing needs saving: everything was durable already."""
        self._connection.close()
        self._journal.close()
