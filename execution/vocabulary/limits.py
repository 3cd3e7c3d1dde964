"""Every limit of the system, with its unit in the name. A test asserts that they fit together."""

# heartbeats and judgement
HEARTBEAT_PERIOD_S = 1.0
HEARTBEAT_FIRST_PERIOD_S = 0.25  # until it runs: whoever waits for a start needn't wait for this too
SILENT_AFTER_S = 2.5  # no heartbeat, no CPU used and no pulse for this long: hung (by the pulse alone: hang_after_s)
SILENT_AND_BUSY_AFTER_S = 10.0  # no heartbeat though the process computes or waits for a core
FIRST_HEARTBEAT_WITHIN_S = 20.0  # imports and recovery of a fresh process
PULSES_PER_SILENCE = 5  # a process shows its pulse this often within the time after which it counts as hung
LOOKS_PER_SILENCE = 6  # ... and it is looked at this often
JUDGE_PERIOD_S = 1.0  # and at once when supervisord's plug-in has news
JUDGE_LATE_AFTER_S = 1.0  # a judge's tick this late judges nobody for one period
VITALS_PERIOD_S = 5.0
ERROR_WINDOW_S = 300.0
ERRORS_UNHEALTHY_PER_MINUTE = 30.0
TASK_OVERDUE_PERIODS = 3.0  # a task is overdue after this many periods without a finished run ...
TASK_OVERDUE_LEAST_S = 10.0  # ... but never before this long
HEALTH_SAID_PERIOD_S = 30.0  # how often a trader's health is a line in its log
STALE_FEED_S = 5.0
ENTRIES_OFF_AFTER_S = 10.0
COMMIT_SLOW_S = 0.1  # of a ledger, usually: it takes less than a thousandth of a second
DISK_LOW_BYTES = 500 * 1024 * 1024
DISK_START_BYTES = 50 * 1024 * 1024
DISK_ENTRIES_OFF_BYTES = 100 * 1024 * 1024  # less room than this, and nothing is bought
DISK_RESERVE_BYTES = 16 * 1024 * 1024  # kept for sales on a full disk ...
DISK_RESERVE_FREED_BELOW_BYTES = 8 * 1024 * 1024  # ... and let go when no more than this is free
MEMORY_LOW_SHARE = 0.05

# starting and stopping
READY_WITHIN_S = 60.0
WORKER_STOP_DEADLINE_S = 5.0
STOP_FORCED_AFTER_S = 6.0  # who was told to stop and couldn't even keep that deadline (it is stopped, hung) is killed
STOP_ALL_WITHIN_S = 15.0
RPC_TIMEOUT_S = 2.0
RESTART_FIRST_BACKOFF_S = 1.0
RESTART_LAST_BACKOFF_S = 300.0
QUARANTINE_CRASHES_MAX = 5  # so many crashes of its own ...
QUARANTINE_WINDOW_S = 300.0  # ... in such a stretch put a program into quarantine
LEAK_SAID_WITHIN_S = 3600.0  # growth that meets its ceiling within this is a leak
LEAK_RESTART_WITHIN_S = 600.0  # ... and within this the process is renewed
LEAK_RESTART_EVERY_S = 1800.0  # at most so often
SPIN_SHARE = 0.9  # of a core, for so long, with overdue tasks: it spins
SPIN_WITHIN_S = 10.0
MEMBERS_MAX = 20  # a worker that has become more processes than this is a fork bomb
MEMBERS_NEW_MAX = 4000  # so many threads more than at its start may their user have: a browser opens a thousand
DESCRIPTORS_MAX = 4096  # of one process
GUARD_HELD_AT_MOST_S = 5.0  # a program that guards an account, while no other one does
EXITS_MAX = 5  # without the manager's word a program is started no more often than this ...
EXITS_WINDOW_S = 60.0  # ... in any such stretch of time
HOLD_FORGOTTEN_AFTER_S = 5.0  # the manager says once a second whom it holds back; silent this long, it holds nobody
MANAGER_SILENT_AFTER_S = 15.0  # supervisord's plug-in hasn't heard the manager this long: hung
MANAGER_FIRST_WORD_WITHIN_S = 30.0
LOOP_LATE_AFTER_S = 2.0  # supervisord's loop goes round once a second: this late, it judges nobody
SUPERVISORD_SILENT_AFTER_S = 6.0  # a supervisord that is idle and owes answers this long ...
SUPERVISORD_UNANSWERED_MIN = 3  # ... and so many of them, hangs
ORPHANS_END_WITHIN_S = 0.5  # what a dead supervisord left ends by itself, or is killed after this
NAME_FREE_WITHIN_S = 3.0  # a process waits this long for a dying one of its name

# upgrading
BUILD_SETTLED_AFTER_S = 1.0  # a process on a new build counts as moved once it has been well this long ...
BUILD_TWIN_SETTLED_AFTER_S = 3.0  # ... and longer before the live account is handed to it
BUILD_EXCHANGED_WITHIN_S = 90.0  # for one process, from its turn until it is well: research is nice and compiles
BUILD_CRASHES_MAX = 2  # this many crashes on the new build: back to the old one
BUILD_CRITICAL_FOR_S = 5.0  # so is being CRITICAL this long

# bus
MESSAGE_MAX_BYTES = 1_000_000
COMMAND_MAX_BYTES = 64_000
BUS_QUEUE_MAX = 1000
FACTS_AT_ONCE_MAX = 50  # then a listener sees to its other work
FACTS_FLOOD_PER_S = 30.0  # more than any process has to say; few enough to be seen by a listener that is short of time
LOG_FLOOD_BYTES_PER_S = 100_000.0  # about a thousand lines
COMMAND_DEADLINE_S = 2.0
SOCKET_PATH_MAX = 100  # 104 bytes on macOS, less the terminating zero and some air

# orders
CLIENT_ORDER_ID_MAX = 36
RECV_WINDOW_MS = 5_000
READ_LAG_MARGIN_MS = 1_000  # "no such order" counts only this long after the receive window
REQUEST_TIMEOUT_S = 4.0
REQUEST_TIMEOUT_MOST_S = 4.8  # however it is set: within the receive window, and before its process must be gone

PROTECTED_WITHIN_S = 2.0  # what is held has its stop at the venue this soon

# files
BACKUP_EVERY_S = 86_400.0
BACKUP_LOOK_PERIOD_S = 600.0  # is it time for one?
BACKUPS_KEPT = 7
LOG_MAX_BYTES = 20 * 1024 * 1024
LOG_KEEP = 3
AUDIT_MAX_BYTES = 50 * 1024 * 1024
CHANGE_LOG_MAX_ENTRIES = 1_000

# healing
HEAL_PERIOD_S = 0.5
HEALING_CASES_MAX = 200
CHANGES_PER_HOUR_MAX = 30  # remedies, over the whole operation
FAULT_GONE_AFTER_S = 300.0  # a fault that nothing was done about counts as gone once it has stayed away so long
ADJUSTMENTS_MAX = 50
ADJUSTMENTS_MAX_BYTES = 64 * 1024
