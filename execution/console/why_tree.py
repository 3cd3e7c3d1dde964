"""A story of orders (ledger/story.py) as a tree for people: signal, condition, weighed, size, risk, intent, order,
fills, profit. It only words what the ledger and the trails say; what isn't known is left out."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from rich.text import Text
from rich.tree import Tree

from execution.console.output import SHOWN_DECIMALS, duration
from execution.ledger.story import Chapter, Story
from execution.runtime.clock import iso
from execution.vocabulary.money import text
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import STOPS, Fill, Purpose

Line = tuple[str, str]
MEANINGS = {
    OrderState.INTENT: "decided and durable; it may or may not have left",
    OrderState.SENT: "on its way, no answer yet",
    OrderState.UNKNOWN: "the answer was lost; its symbol waits until the venue tells",
    OrderState.OPEN: "stands in the venue's book",
    OrderState.PARTIALLY_FILLED: "a part is filled, the rest stands in the venue's book",
    OrderState.REJECTED: "never executed",
}


def tree(story: Story) -> Tree:
    """The whole story."""
    first = story.chapters[0].order
    root = Tree(_plain(f"{story.account} · {first.symbol} · {first.strategy}", "bold"))
    for chapter in story.chapters:
        order = chapter.order
        style = "bold cyan" if order.client_order_id == story.asked and len(story.chapters) > 1 else "bold"
        what = "protective stop" if order.type in STOPS else order.purpose.value
        title = f"{what}: {order.side.value} {text(order.quantity)}, order {order.client_order_id}"
        branch = root.add(_plain(title, style))
        for name, words in lines(chapter):
            branch.add(_labelled(name, words))
        fills = branch.add(_labelled("fills", f"{len(chapter.fills)}" if chapter.fills else "none"))
        for fill in chapter.fills:
            fills.add(_plain(fill_line(fill)))
    root.add(_labelled("P&L", profit(story)))
    for gap in story.gaps:
        root.add(_labelled("gap", gap))
    return root


def _plain(words: str, style: str = "") -> Text:
    return Text(words, style=style)


def _labelled(name: str, words: str) -> Text:
    return Text.assemble((f"{name:<10}", "green"), words)


def lines(chapter: Chapter) -> list[Line]:
    """What led to one order and what became of it, each as a name and a sentence."""
    decision, outcome = chapter.decision or {}, chapter.outcome or {}
    research = dict(chapter.research or {}, cause=decision.get("cause")) if chapter.research else None
    worded: list[tuple[str, Callable[[Mapping[str, Any]], str], Any]] = [
        ("research", _research, research),
        ("signal", _signal, decision.get("signal")),
        ("condition", _condition, decision.get("condition")),
        ("weighed", _weighed, decision.get("weighed")),
        ("size", _size, decision.get("sized")),
        ("shot", _shot, decision.get("shot")),
        ("exit", lambda told: _exit(str(decision.get("reason")), told), decision.get("exit")),
        ("risk", lambda told: _risk(chapter, told), outcome.get("checked")),
    ]
    return [(name, word(told)) for name, word, told in worded if told] + [
        ("intent", _intent(chapter)),
        ("order", _order(chapter)),
    ]


def _research(told: Mapping[str, Any]) -> str:
    armed = [row for row in told.get("armed") or [] if isinstance(row, dict)]
    score = next((row.get("score") for row in armed if row.get("id") == told.get("cause")), None)
    return (
        f"{told.get('process')} studied {told.get('bars')} bars at {_at(told.get('at'))}, regime {told.get('regime')}: "
        f"armed {len(armed)}, this one with score {score}"
    )


def _signal(told: Mapping[str, Any]) -> str:
    return f"{told.get('strategy')} said now on the bar of {_at(told.get('bar'))}, strength {told.get('strength')}"


def _condition(told: Mapping[str, Any]) -> str:
    params = ", ".join(f"{name} {value:g}" for name, value in (told.get("params") or {}).items())
    return (
        f"{told.get('id')}: armed by research since the bar of {_at(told.get('since'))} for {told.get('ttl_bars')} "
        f"bars, regime {told.get('regime')}, score {told.get('score')}; {params}"
    )


def _weighed(told: Mapping[str, Any]) -> str:
    return (
        f"bid {told.get('bid')}, ask {told.get('ask')}, spread {_share(told.get('spread'))} of at most "
        f"{_share(told.get('spread_max'))}; a round trip costs {_share(told.get('round_trip_cost'))}, needs "
        f"{_share(told.get('target_needed'))}, the target is {_share(told.get('target'))}; "
        f"regime {told.get('regime_now')}"
    )


def _size(told: Mapping[str, Any]) -> str:
    return (
        f"{told.get('quantity')} at {told.get('price')} = {told.get('value')}; {_usual(told)}; equity "
        f"{told.get('equity')}, free {told.get('free')}, exposure left {told.get('exposure_left')}, "
        f"{told.get('positions_left')} more positions allowed"
    )


def _usual(told: Mapping[str, Any]) -> str:
    """How much of the usual size, and what each side allowed of it."""
    shares, record = told.get("shares"), told.get("record") or {}
    if not shares:  # from before sizes had shares
        return f"{'a quarter of the usual' if told.get('exploratory') else 'usual'} {told.get('usual_value')}"
    allowed = ", ".join(f"{name} {share}" for name, share in shares.items())
    return (
        f"{_share(told.get('share'))} of the usual {_brief(told.get('usual_value'))}, limited by "
        f"{told.get('smallest') or 'nothing'} ({allowed}; "
        f"{record.get('wins')} of {record.get('trades')} trades won, a usual bar reaches "
        f"{_share(told.get('volatility'))}, tier {told.get('tier')})"
    )


def _shot(told: Mapping[str, Any]) -> str:
    return (
        f"taken by {told.get('by')} {told.get('waited_s')} s after its bar was judged, at an ask of {told.get('ask')}; "
        f"no more than {told.get('limit')} was worth it"
    )


def _exit(reason: str, told: Mapping[str, Any]) -> str:
    why = f" ({told['why']})" if told.get("why") else ""
    words = f"{reason} by {told.get('by')}{why}: bid {told.get('bid')}, paid {told.get('price_paid')}"
    if "stop" not in told:
        return words
    words += f", stop {told.get('stop')}"
    for name in ("trailing_stop", "peak", "target", "lowest", "highest", "regime"):
        if told.get(name) is not None:
            words += f", {name.replace('_', ' ')} {told[name]}"
    return f"{words}, held {told.get('bars_held')} of at most {told.get('time_exit_bars')} bars"


def _risk(chapter: Chapter, told: Mapping[str, Any]) -> str:
    if chapter.order.purpose is not Purpose.ENTRY:
        sold = f"{told.get('quantity')} of {told.get('held')} held, {told.get('selling')} being sold"
        return f"passed: it only reduces; {sold}"
    pairs = (
        ("order value", "order_value"),
        ("position before it", "position_value"),
        ("exposure before it", "exposure"),
        ("open positions", "open_positions"),
        ("orders in the last minute", "orders_last_minute"),
    )
    limits = {"orders_last_minute": "orders_per_minute_max"}
    held = [f"{name} {_brief(told.get(key))} of {told.get(limits.get(key, f'{key}_max'))}" for name, key in pairs]
    age = told.get("quote_age_s")
    return f"passed: {', '.join(held)}; quote {age} s old; account {told.get('trading_state')} and reconciled"


def _intent(chapter: Chapter) -> str:
    order = chapter.order
    price = order.limit_price or order.reference_price
    return (
        f"durable at {_at(iso(order.created_ms))} before anything left: {order.type.value} {order.side.value} "
        f"{text(order.quantity)} at about {_brief(price)}; {order.reason}"
    )


def _order(chapter: Chapter) -> str:
    order = chapter.order
    words = [f"{order.state.value}, {text(order.filled)} of {text(order.quantity)}"]
    words += [f"the venue's number {order.venue_order_id}"] if order.venue_order_id else []
    words += [MEANINGS[order.state]] if order.state in MEANINGS else []
    words += [order.note] if order.note else []
    return "; ".join([*words, f"last change {_at(iso(order.updated_ms))}"])


def fill_line(fill: Fill) -> str:
    """One fill."""
    return (
        f"{text(fill.quantity)} at {text(fill.price)}, fee {text(fill.fee)} {fill.fee_currency}, "
        f"trade {fill.trade_id}, {_at(iso(fill.executed_ms))}"
    )


def profit(story: Story) -> str:
    """What came of the trade, in the quote currency."""
    trade = story.trade
    if trade is None:
        filled = any(chapter.fills for chapter in story.chapters)
        return "none: it sold what was no position of ours" if filled else "none: nothing was filled"
    quote = trade.symbol.partition("/")[2]
    if (closed := trade.closed) is not None:
        return (
            f"{_brief(closed.pnl_quote, sign=True)} {quote} ({_share(closed.return_share, sign=True)}) after fees of "
            f"{_brief(closed.fees_quote)}: bought at {_brief(closed.entry_price)}, sold at {_brief(closed.exit_price)} "
            f"by {closed.exit_reason.value}, held {_lasted(closed.closed_ms - closed.opened_ms)}"
        )
    held = trade.position
    if held is None:
        return "open: what is left is dust, too little to sell"
    return (
        f"open: {text(held.quantity)} held since {_at(iso(held.opened_ms))}, cost {_brief(held.cost)} {quote}, "
        f"{_brief(held.entry_price)} each with fees; nae status shows what it is worth"
    )


def _lasted(for_ms: int) -> str:
    return duration(for_ms / 1000) if for_ms >= 1000 else "less than a second"


def _brief(value: Any, sign: bool = False) -> str:
    number = Decimal(str(value)) if value is not None else None
    if number is None:
        return "-"
    return ("+" if sign and number > 0 else "") + text(round(number, SHOWN_DECIMALS))


def _share(value: Any, sign: bool = False) -> str:
    """0.0021 as 0.21 %."""
    if value is None:
        return "-"
    number = Decimal(str(value)) * 100
    return ("+" if sign and number > 0 else "") + text(round(number, 4)) + " %"


def _at(stamp: Any) -> str:
    words = str(stamp)
    return f"{words[:10]} {words[11:23]}Z" if len(words) >= 23 else words
