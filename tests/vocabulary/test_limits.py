"""The limits fit together: each relation that the design leans on, asserted once."""

import math

from execution.autonomous.restart_policy import FORGET_AFTER_S, LET_RECOVER_S
from execution.autonomous.tuning import CLOSEST_S
from execution.autonomous.watched import QUIET_AFTER_S
from execution.runtime.codec import CONTAINER_MAX
from execution.runtime.guard import ORPHAN_DEADLINE_S
from execution.runtime.settings import OperationConfig
from execution.vocabulary import limits
from execution.vocabulary.limits import (
    AUDIT_MAX_BYTES,
    CLIENT_ORDER_ID_MAX,
    COMMAND_DEADLINE_S,
    COMMAND_MAX_BYTES,
    DISK_LOW_BYTES,
    DISK_START_BYTES,
    ENTRIES_OFF_AFTER_S,
    FIRST_HEARTBEAT_WITHIN_S,
    HEARTBEAT_PERIOD_S,
    JUDGE_LATE_AFTER_S,
    JUDGE_PERIOD_S,
    LOG_KEEP,
    LOG_MAX_BYTES,
    MESSAGE_MAX_BYTES,
    READ_LAG_MARGIN_MS,
    READY_WITHIN_S,
    RECV_WINDOW_MS,
    REQUEST_TIMEOUT_MOST_S,
    REQUEST_TIMEOUT_S,
    RESTART_FIRST_BACKOFF_S,
    RESTART_LAST_BACKOFF_S,
    RPC_TIMEOUT_S,
    SILENT_AFTER_S,
    SILENT_AND_BUSY_AFTER_S,
    SOCKET_PATH_MAX,
    STALE_FEED_S,
    STOP_ALL_WITHIN_S,
    STOP_FORCED_AFTER_S,
    TASK_OVERDUE_LEAST_S,
    WORKER_STOP_DEADLINE_S,
)
from execution.vocabulary.programs import PROGRAMS


def test_every_limit_is_a_positive_finite_number() -> None:
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert len(values) > 30
    wrong = {name: value for name, value in values.items() if not (math.isfinite(value) and value > 0)}
    assert not wrong


def test_every_limit_carries_its_unit_or_is_a_plain_count() -> None:
    units = (
        "_S",
        "_MS",
        "_BYTES",
        "_SHARE",
        "_PERIODS",
        "_PER_MINUTE",
        "_PER_SILENCE",
        "CRASHES_MAX",
        "MEMBERS_MAX",
        "NEW_MAX",
        "AT_ONCE_MAX",
        "DESCRIPTORS_MAX",
        "UNANSWERED_MIN",
    )
    counts = {
        "BUS_QUEUE_MAX",
        "SOCKET_PATH_MAX",
        "CLIENT_ORDER_ID_MAX",
        "LOG_KEEP",
        "BACKUPS_KEPT",
        "CHANGE_LOG_MAX_ENTRIES",
        "ADJUSTMENTS_MAX",
        "HEALING_CASES_MAX",
        "CHANGES_PER_HOUR_MAX",
        "EXITS_MAX",
    }
    unmarked = {name for name in vars(limits) if name.isupper() and not name.endswith(units)}
    assert unmarked <= counts, f"no unit in the name: {sorted(unmarked - counts)}"


def test_a_process_may_lose_one_heartbeat_and_isnt_called_silent() -> None:
    assert SILENT_AFTER_S > 2 * HEARTBEAT_PERIOD_S
    assert SILENT_AND_BUSY_AFTER_S > SILENT_AFTER_S


def test_the_judge_looks_at_least_as_often_as_a_silence_lasts() -> None:
    assert JUDGE_PERIOD_S + HEARTBEAT_PERIOD_S < SILENT_AFTER_S
    assert QUIET_AFTER_S + JUDGE_PERIOD_S <= SILENT_AFTER_S, "the judge needs two looks to call a process idle"
    assert JUDGE_LATE_AFTER_S >= JUDGE_PERIOD_S, "an ordinary tick would count as late"
    assert JUDGE_LATE_AFTER_S < SILENT_AFTER_S, "a judge could be late enough to miss beats and not know it"


def test_a_fresh_process_gets_its_first_heartbeat_out_before_the_start_is_given_up() -> None:
    assert SILENT_AND_BUSY_AFTER_S < FIRST_HEARTBEAT_WITHIN_S < READY_WITHIN_S
    assert TASK_OVERDUE_LEAST_S < READY_WITHIN_S
    assert TASK_OVERDUE_LEAST_S <= LET_RECOVER_S, "a restarted task would be overdue before it was let alone"


def test_everything_is_gone_before_stop_gives_up() -> None:
    groups = len({program.group for program in PROGRAMS})
    assert groups * WORKER_STOP_DEADLINE_S <= STOP_ALL_WITHIN_S, "groups stop one after the other"
    assert ORPHAN_DEADLINE_S < 2.0, "workers end within 2 s of supervisord"
    assert WORKER_STOP_DEADLINE_S < STOP_FORCED_AFTER_S < STOP_ALL_WITHIN_S, "by itself, by supervisord, by nae down"
    assert WORKER_STOP_DEADLINE_S > REQUEST_TIMEOUT_MOST_S, "a request on its way can end before its process"


def test_a_request_ends_inside_its_receive_window_and_its_proof_comes_after_it() -> None:
    assert REQUEST_TIMEOUT_S <= REQUEST_TIMEOUT_MOST_S, "and so may no setting of it be longer"
    assert REQUEST_TIMEOUT_MOST_S * 1000 < RECV_WINDOW_MS
    assert READ_LAG_MARGIN_MS > 0
    assert RECV_WINDOW_MS + READ_LAG_MARGIN_MS <= 6_000, "the fence that a takeover waits for is at most 6 s"
    assert CLIENT_ORDER_ID_MAX <= 36


def test_a_feed_is_called_stale_before_entries_are_off() -> None:
    assert STALE_FEED_S < ENTRIES_OFF_AFTER_S


def test_backoff_is_forgotten_only_after_its_longest_pause() -> None:
    assert RESTART_FIRST_BACKOFF_S < RESTART_LAST_BACKOFF_S < FORGET_AFTER_S


def test_commands_and_facts_fit_through_the_bus() -> None:
    assert COMMAND_MAX_BYTES < MESSAGE_MAX_BYTES
    assert CONTAINER_MAX <= MESSAGE_MAX_BYTES
    assert COMMAND_DEADLINE_S >= RPC_TIMEOUT_S


def test_a_socket_path_fits_on_every_system() -> None:
    assert SOCKET_PATH_MAX + 1 <= 104


def test_starting_takes_less_disk_than_what_is_called_low_and_the_logs_fit_in_it() -> None:
    assert DISK_START_BYTES < DISK_LOW_BYTES
    assert limits.DISK_RESERVE_FREED_BELOW_BYTES < limits.DISK_RESERVE_BYTES < limits.DISK_ENTRIES_OFF_BYTES
    assert LOG_MAX_BYTES * (LOG_KEEP + 1) < DISK_LOW_BYTES
    assert AUDIT_MAX_BYTES < DISK_LOW_BYTES


def test_tuning_never_samples_more_rarely_than_configured() -> None:
    assert OperationConfig().health_interval_s >= CLOSEST_S
