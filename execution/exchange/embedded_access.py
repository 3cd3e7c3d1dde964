"""Where the embedded venue leaves what its clients need: the port it listens on, and each account's key. Paths and one
look; who waits for them, and who writes them, is elsewhere."""

from pathlib import Path

from execution.runtime.home import Home


def port_file(home: Home) -> Path:
    """Where the venue says which port it has."""
    return home.data / "venue" / "port"


def read_port(home: Home) -> int:
    """The port of the last start, or 0."""
    try:
        return int(port_file(home).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def key_file(home: Home, account: str) -> Path:
    """The key of one account on the embedded venue."""
    return home.account(account) / "venue_key.json"
