"""The wall itself."""

import socket

import ccxt
import pytest

from tests.clients.loopback import NotHere, loopback_only, strangers
from tests.venue.support import ccxt_options, point_at


def test_a_socket_to_another_machine_is_refused_and_remembered() -> None:
    with loopback_only() as refused, socket.socket() as line:
        with pytest.raises(NotHere):
            line.connect(("192.0.2.1", 443))
        with pytest.raises(NotHere):
            socket.getaddrinfo("api.binance.com", 443)
        assert refused == ["192.0.2.1", "api.binance.com"]


def test_a_client_that_is_pointed_at_the_venue_by_half_would_have_left() -> None:
    with loopback_only() as refused:
        half = ccxt.binance({"apiKey": "k", "secret": "s", "urls": {"api": {"public": "http://127.0.0.1:9/api/v3"}}})
        assert strangers(half.urls["api"])
        with pytest.raises(ccxt.BaseError):
            half.load_markets()
        assert "api.binance.com" in refused


def test_a_client_that_is_pointed_at_the_venue_whole_knows_no_other_machine() -> None:
    client = point_at(ccxt.binance(ccxt_options(8080)), 8080)
    assert strangers(client.urls["api"]) == []
