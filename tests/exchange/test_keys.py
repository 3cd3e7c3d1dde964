"""A real account's key: where it may come from, what it may do, and who refuses it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.exchange.classify import BadReply
from execution.exchange.credentials import Credentials, refusal
from execution.exchange.key_provider import find_credentials, fingerprint_file, keep, own_file, refuse_key_of
from execution.exchange.key_rights import refusals, rights_of
from execution.runtime.home import Home
from execution.runtime.redaction import redact
from execution.vocabulary.exit_codes import ConfigError

KEY = Credentials("key-0123456789abcdef", "secret-0123456789abcdef")
FIT: dict[str, Any] = {"ipRestrict": True, "enableReading": True, "enableSpotAndMarginTrading": True}
FIT |= {"enableWithdrawals": False, "enableMargin": False, "enableFutures": False}
SPOT = {"canTrade": True, "accountType": "SPOT"}


def systemd(folder: Path, mode: int = 0o400) -> dict[str, str]:
    folder.mkdir()
    path = folder / "nae-live"
    path.write_text(json.dumps({"key": "from systemd", "secret": "0123456789"}))
    path.chmod(mode)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_the_first_place_that_has_a_key_gives_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(ConfigError, match="nae keys set live"):
        find_credentials(home, "live", {})
    keep(home, "live", KEY, replace=False)
    found = find_credentials(home, "live", {})
    assert found.credentials == KEY and found.source == str(own_file(home, "live"))
    assert find_credentials(home, "live", systemd(tmp_path / "given")).credentials.key == "from systemd"


def test_the_environment_is_no_place_for_a_key(tmp_path: Path) -> None:
    environment = {"NAE_KEY": KEY.key, "NAE_SECRET": KEY.secret, "BINANCE_API_KEY": KEY.key, "LIVE_KEY": KEY.key}
    with pytest.raises(ConfigError):
        find_credentials(Home(tmp_path), "live", environment)


def test_a_place_that_isnt_fit_is_an_error_and_no_reason_to_look_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep(home, "live", KEY, replace=False)
    with pytest.raises(ConfigError, match="others can read"):
        find_credentials(home, "live", systemd(tmp_path / "given", 0o444))
    own_file(home, "live").parent.chmod(0o750)
    with pytest.raises(ConfigError, match="chmod 700"):
        find_credentials(home, "live", {})
    own_file(home, "live").parent.chmod(0o700)
    own_file(home, "live").rename(tmp_path / "elsewhere")
    own_file(home, "live").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="plain file"):
        find_credentials(home, "live", {})


def test_a_key_is_kept_for_its_owner_alone_and_replaced_only_on_demand(tmp_path: Path) -> None:
    home = Home(tmp_path)
    old = os.umask(0)
    try:
        path = keep(home, "live", KEY, replace=False)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(ConfigError, match="--replace"):
        keep(home, "live", KEY, replace=False)
    keep(home, "live", Credentials("another key", "another secret"), replace=True)
    assert find_credentials(home, "live", {}).credentials.key == "another key"
    assert sorted(row.name for row in path.parent.iterdir()) == ["live.fingerprint", "live.json"]
    assert KEY.key not in fingerprint_file(home, "live").read_text()


@settings(deadline=None)
@given(st.integers(0, 0o777), st.sampled_from([0, 1000, 1001]), st.sampled_from([0, 1000]), st.booleans())
def test_only_its_owner_or_root_may_hold_it_and_nobody_else_read_it(
    mode: int, owner: int, group: int, by: bool
) -> None:
    status = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, group, 10, 0, 0, 0))
    refused = refusal(Path("key.json"), status, 1000, by_systemd=by)
    groups_to_read = mode & 0o040 and not (by and owner == 0 and group == 0)
    assert bool(refused) == bool(owner == 1001 or mode & 0o037 or groups_to_read)


def test_what_was_read_is_hidden_in_every_log_from_then_on(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep(home, "live", KEY, replace=False)
    find_credentials(home, "live", {})
    assert redact(f"{KEY.key} and {KEY.secret}") == "*** and ***"


def test_the_live_key_is_refused_where_another_is_due(tmp_path: Path) -> None:
    home = Home(tmp_path)
    refuse_key_of(home, "live", KEY)
    keep(home, "live", KEY, replace=False)
    with pytest.raises(ConfigError, match="live account's key"):
        refuse_key_of(home, "live", KEY)
    refuse_key_of(home, "live", Credentials("another", "one"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"enableWithdrawals": True}, "withdraw money"),
        ({"enableWithdrawals": "true"}, "withdraw money"),
        ({"enableFutures": True}, "futures"),
        ({"permitsUniversalTransfer": True}, "between wallets"),
        ({"enableSpotAndMarginTrading": False}, "may not trade spot"),
        ({"enableReading": False}, "may not read"),
        ({"ipRestrict": False}, "list of IP addresses"),
    ],
)
def test_a_key_may_read_and_trade_spot_from_its_addresses_and_nothing_else(changed: dict[str, Any], told: str) -> None:
    found = refusals(rights_of(FIT | changed, SPOT), real=True)
    assert bool(found) == bool(told) and told in "".join(found)


def test_an_account_that_may_not_trade_or_isnt_spot_is_said() -> None:
    found = refusals(rights_of(FIT, {"canTrade": False, "accountType": "MARGIN"}), real=False)
    assert len(found) == 2


@pytest.mark.parametrize("answer", [[], {}, None, "x", {"enableReading": True}])
def test_an_answer_that_doesnt_name_the_right_to_withdraw_is_no_answer(answer: object) -> None:
    with pytest.raises(BadReply):
        rights_of(answer, SPOT)
