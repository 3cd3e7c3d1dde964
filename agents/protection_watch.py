"""The master's own look at one account: has everything that is held a stop at the venue? Asked of the venue, not of the
trader. Only what the account was given (the ledger's cash flows) counts as nobody's to protect."""

import contextlib
import logging
from decimal import Decimal

from agents.embedded import wait_for_key
from agents.line_probe import LineProbe
from agents.process import Context, in_background
from agents.venue_access import budget_file, reach_embedded_venue, wait_for_rules
from execution.exchange.account_watch import AccountWatch, unprotected
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.endpoint import build_client, move_to
from execution.exchange.rate_budget import RateBudget
from execution.exchange.venue_reader import VenueReader
from execution.ledger.queries import cash_flows
from execution.runtime.sqlite import DatabaseError
from execution.runtime.tasks import Task
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import PROTECTED_WITHIN_S
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.modes import Account
from execution.vocabulary.money import ZERO, text

log = logging.getLogger("nae.master")
LOOK_PERIOD_S = 0.5
RULES_PERIOD_S = 60.0
FOLLOW_PERIOD_S = 2.0
AGAIN_AFTER_S = 5.0


class ProtectionWatch:
    """One account. `alerts()` is empty while all is well."""

    def __init__(self, context: Context, account: Account) -> None:
        self.account = account
        self._context = context
        self._watch: AccountWatch | None = None
        self._rules: dict[str, SymbolRules] = {}
        self._rules_at = 0.0
        self._bare: dict[str, tuple[float, Decimal]] = {}
        self._longest_s = 0.0

    async def run(self) -> None:
        """Never ends; waits as long as the account hasn't traded."""
        clock = self._context.clock
        while not self._context.home.ledger(self.account).exists():
            await clock.sleep(LOOK_PERIOD_S)
        while True:
            try:
                await self._keep_watching()
            except (VenueError, BadReply, ConfigError) as error:
                log.warning("the account can't be watched", extra={"fields": {"account": self.account, "error": error}})
            await clock.sleep(AGAIN_AFTER_S)

    async def _keep_watching(self) -> None:
        context = self._context
        credentials = await wait_for_key(context.home, self.account, context.clock)
        endpoint = await reach_embedded_venue(context.home, context.clock)
        budget = RateBudget(context.clock, budget_file(context.home, endpoint))
        timeout_s = context.config.operation.request_timeout_s
        clock = context.clock
        client = build_client(endpoint, credentials, clock, budget=budget, reads_only=True, timeout_s=timeout_s)
        context.parts[f"line {self.account}"] = client.line.get_health
        context.probe = LineProbe(client, clock)
        try:
            self._rules = await wait_for_rules(VenueReader(client).load_rules, context.clock)
            self._rules_at = context.clock.monotonic()
            watch = AccountWatch(client, context.clock)
            self._watch = watch
            await watch.run()
        finally:
            await client.close()

    @property
    def begun(self) -> bool:
        """Has the account a ledger and a venue?"""
        return self._watch is not None

    def start(self) -> None:
        """In the background of its process."""
        in_background(self._context, self.run(), f"protection {self.account}")

    def tasks(self) -> list[Task]:
        """What it does at intervals."""
        return [
            Task(f"protection_{self.account}", LOOK_PERIOD_S, self._look),
            Task(f"venue_port_{self.account}", FOLLOW_PERIOD_S, self._follow_venue),
        ]

    async def _follow_venue(self) -> None:
        if self._watch is None:
            return
        client, now = self._watch.client, self._context.clock.monotonic()
        endpoint = await reach_embedded_venue(self._context.home, self._context.clock)
        if endpoint.base_url is not None and endpoint.base_url != client.base_url:
            move_to(client, endpoint.base_url)
        if now - self._rules_at > RULES_PERIOD_S and client.spare():
            self._rules_at = now
            with contextlib.suppress(VenueError, BadReply):  # the old ones stay; the trader says what is wrong
                self._rules = await VenueReader(client).load_rules()

    async def _look(self) -> None:
        """Note since when what has had no stop. While the venue isn't heard, nothing is concluded."""
        watch = self._watch
        if watch is None or not watch.connected:
            self._bare = {}
            return
        bare = unprotected(watch.totals, watch.stops.values(), self._rules, self._context.config.trading.quote)
        if bare:
            bare = await self._worth_a_stop(watch, bare)
        now = self._context.clock.monotonic()
        self._bare = {symbol: (self._bare.get(symbol, (now, amount))[0], amount) for symbol, amount in bare.items()}
        self._longest_s = max([self._longest_s, *(now - since for since, _ in self._bare.values())])

    async def _worth_a_stop(self, watch: AccountWatch, bare: dict[str, Decimal]) -> dict[str, Decimal]:
        """Without what the account was given, and what is too little for the venue's least order."""
        try:
            given = cash_flows(self._context.home.ledger(self.account))
            quotes = await VenueReader(watch.client).fetch_quotes(sorted(bare))
        except (DatabaseError, FileNotFoundError, VenueError, BadReply) as error:
            log.warning("the stops can't be judged now", extra={"fields": {"account": self.account, "error": error}})
            return {symbol: amount for symbol, amount in bare.items() if symbol in self._bare}
        config, found = self._context.config.trading, dict[str, Decimal]()
        for symbol, amount in bare.items():
            left, quote = amount - given.get(symbol.partition("/")[0], ZERO), quotes.get(symbol)
            risen = (1 + config.profit_target) / (1 - self._rules[symbol].taker_fee) ** 2  # since the entry, at most
            lowest = (1 - config.stop_loss - config.protective_gap) / risen  # of the price now
            stop = ZERO if quote is None else quote.bid * lowest
            if left > 0 and left * stop >= self._rules[symbol].notional_min:
                found[symbol] = left
        return found

    def alerts(self) -> dict[str, str]:
        """What is wrong now, by subject."""
        now = self._context.clock.monotonic()
        late = {symbol: row for symbol, row in self._bare.items() if now - row[0] > PROTECTED_WITHIN_S}
        return {
            f"{self.account} {symbol}": f"{text(amount)} held without a stop at the venue for {now - since:.0f} s"
            for symbol, (since, amount) in late.items()
        }

    def get_health(self) -> ComponentHealth:
        """Starting until the venue has been heard; degraded while something is unprotected, or nothing is heard."""
        watch = self._watch
        if watch is None or watch.heard is None:
            return ComponentHealth(ComponentStatus.STARTING)
        well = watch.connected and not self.alerts()
        metrics = {"stops": len(watch.stops), "heard": watch.connected, "longest_without_s": round(self._longest_s, 2)}
        return ComponentHealth(ComponentStatus.HEALTHY if well else ComponentStatus.DEGRADED, metrics=metrics)
