"""The tables of one account's ledger. Money is TEXT, exact; fills and cash flows are append-only and hash-chained."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY,
    client_order_id TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    type TEXT NOT NULL,
    quantity TEXT NOT NULL,
    filled TEXT NOT NULL,
    reference_price TEXT NOT NULL,
    limit_price TEXT,
    purpose TEXT NOT NULL,
    strategy TEXT NOT NULL,
    reason TEXT NOT NULL,
    signal_bar_ms INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    state TEXT NOT NULL,
    venue_order_id TEXT,
    created_ms INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_state ON orders (state);
CREATE INDEX IF NOT EXISTS orders_by_venue_id ON orders (symbol, venue_order_id);

CREATE TABLE IF NOT EXISTS fills (
    number INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    venue_order_id TEXT NOT NULL,
    client_order_id TEXT,
    side TEXT NOT NULL,
    price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_currency TEXT NOT NULL,
    executed_ms INTEGER NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (symbol, trade_id)
);

CREATE TABLE IF NOT EXISTS cash_flows (
    number INTEGER PRIMARY KEY,
    currency TEXT NOT NULL,
    delta TEXT NOT NULL,
    kind TEXT NOT NULL,
    note TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    hash TEXT NOT NULL
);
"""
