"""The command `nae`: words to functions, errors to exit codes. What the commands do stands in the modules beside."""

import sys

import typer
from typer.exceptions import Exit, TyperException

from execution.console import (
    account_commands,
    ledger_commands,
    log_commands,
    operation_commands,
    process_commands,
    upgrade_commands,
)
from execution.console.arm_command import arm
from execution.console.audit_commands import audit
from execution.console.errors_command import errors
from execution.console.heal_command import heal
from execution.console.keys_commands import keys
from execution.console.kill_command import kill
from execution.console.knowledge_command import knowledge
from execution.console.learn_command import learn
from execution.console.liquidate_command import liquidate
from execution.console.output import complain, crashed
from execution.console.quarantine_command import quarantine
from execution.console.reconcile_command import reconcile
from execution.console.service_commands import service
from execution.console.venue_commands import venue
from execution.console.watch_command import watch
from execution.console.why_command import why
from execution.ledger.rows import LedgerDamaged
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode

app = typer.Typer(
    pretty_exceptions_enable=False,
    help="NAE: an autonomous trading operation. Start with: nae up",
    epilog="Exit codes: 0 done · 1 failed · 64 wrong words · 69 not running · 71 disk or rights · 75 held · 78 config",
)
PANELS = {
    "Run it": (operation_commands.up, operation_commands.down, upgrade_commands.upgrade),
    "Look": (operation_commands.status, watch, log_commands.logs, operation_commands.verify, operation_commands.doctor),
    "The accounts": (
        account_commands.positions,
        account_commands.orders,
        account_commands.fills,
        why,
        knowledge,
        account_commands.pause,
        account_commands.resume,
        quarantine,
        kill,
        arm,
        liquidate,
        reconcile,
    ),
    "The records": (ledger_commands.backup, ledger_commands.restore),
    "One process": (
        process_commands.start,
        process_commands.stop,
        process_commands.restart,
        process_commands.handover,
    ),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(errors, name="errors", rich_help_panel="Look")
app.add_typer(heal, name="heal", rich_help_panel="Look")
app.add_typer(learn, name="learn", rich_help_panel="Look")
app.add_typer(service, name="service", rich_help_panel="Run it")
app.add_typer(audit, name="audit", rich_help_panel="The records")
app.add_typer(keys, name="keys", rich_help_panel="The accounts")
app.add_typer(venue, name="venue", rich_help_panel="The exchange by itself")


def main() -> None:
    """Run one command and end with its exit code."""
    sys.excepthook = crashed
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """The exit code of one command line; without words, the help."""
    try:
        code = app(words or ["--help"], prog_name="nae", standalone_mode=False)
    except Exit as end:
        return end.exit_code
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "nae"
        if wrong := error.format_message():  # none where a group without a word has shown its help
            complain(f"{wrong} ({command} --help lists what there is)")
        return ExitCode.USAGE
    except ConfigError as error:
        complain(str(error))
        return ExitCode.CONFIG
    except BusyError as error:
        complain(str(error))
        return ExitCode.BUSY
    except (LedgerDamaged, DatabaseError) as error:
        complain(f"a ledger can't be read: {error}; nae status names the account")
        return ExitCode.FAILED
    except OSError as error:  # a home of somebody else's, a drive gone: nothing a command can mend
        complain(f"{error.filename or Home.find().root}: {error.strerror or error}; give rights or room there")
        return ExitCode.OS_ERROR
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else ExitCode.OK


if __name__ == "__main__":
    main()
