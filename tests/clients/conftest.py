"""Other people's clients hold keys of ours: while one of them runs, nothing may reach a machine but this one."""

from collections.abc import Iterator

import pytest

from tests.clients.loopback import loopback_only


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine() -> Iterator[None]:
    with loopback_only() as refused:
        yield
    assert not refused, f"a client tried to reach {refused}"
