"""Which processes run in which mode, as the design says."""

import pytest

from execution.vocabulary.modes import Account, OperationMode
from execution.vocabulary.programs import BY_NAME, MANAGER, MASTER, PROGRAMS, optimus_of, programs_of, standby_of


@pytest.mark.parametrize(
    ("mode", "missing"),
    [
        (OperationMode.DUAL, set()),
        (OperationMode.SANDBOX, {"live_optimus", "live_optimus_standby"}),
        (OperationMode.LIVE, {"sandbox_optimus"}),
    ],
)
def test_a_mode_runs_all_but_the_traders_it_has_no_account_for(mode: OperationMode, missing: set[str]) -> None:
    names = {program.name for program in programs_of(mode)}
    assert {program.name for program in PROGRAMS} - names == missing


def test_names_are_unique_and_every_account_has_a_trader_the_live_one_a_pair() -> None:
    assert len(BY_NAME) == len(PROGRAMS)
    assert {program.account for program in PROGRAMS if program.account} == set(Account)
    assert optimus_of(Account.LIVE) == "live_optimus" and optimus_of(Account.SANDBOX) == "sandbox_optimus"
    assert standby_of(Account.LIVE) == "live_optimus_standby" and standby_of(Account.SANDBOX) is None


def test_twins_name_each_other_and_a_small_machine_runs_the_first_alone() -> None:
    for program in PROGRAMS:
        if program.twin is not None:
            twin = BY_NAME[program.twin]
            assert twin.twin == program.name and twin.account == program.account and twin.modes == program.modes
    alone = {program.name for program in programs_of(OperationMode.DUAL, standby=False)}
    assert {program.name for program in PROGRAMS} - alone == {"live_optimus_standby"}


def test_the_watchers_run_in_every_mode() -> None:
    assert all({MANAGER, MASTER} <= {program.name for program in programs_of(mode)} for mode in OperationMode)
