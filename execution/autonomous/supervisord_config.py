"""supervisord's configuration for one mode, made from supervisor/*.conf and the table of programs. Pure but for reading
the two templates. Nothing secret may be in it: supervisord shows commands to whoever asks."""

from execution.runtime.home import CODE_ROOT
from execution.vocabulary.modes import OperationMode
from execution.vocabulary.programs import Program, programs_of

FOLDER = CODE_ROOT / "supervisor"
# supervisord starts low numbers first and stops high ones first, one group after the other
GROUP_PRIORITY = {"market": 10, "trade": 20, "watch": 30}


def render(mode: OperationMode, standby: bool = True) -> str:
    """The text of supervisord.conf for `mode`; `standby`: with the second of a pair of twins."""
    programs = programs_of(mode, standby)
    base = (FOLDER / "supervisord.conf").read_text()
    template = (FOLDER / "program.conf").read_text()
    sections = [_section(template, program) for program in programs]
    groups = [_group(name, programs) for name in GROUP_PRIORITY]
    return "\n".join([base, *sections, *groups])


def _section(template: str, program: Program) -> str:
    values = {
        "{name}": program.name,
        "{stepping_back}": f"/usr/bin/env nice -n {program.nice} " if program.nice > 0 else "",
        "{module}": program.module,
        "{arguments}": "".join(f" {word}" for word in program.arguments),
        "{priority}": str(GROUP_PRIORITY[program.group]),
    }
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template


def _group(name: str, programs: tuple[Program, ...]) -> str:
    members = ",".join(program.name for program in programs if program.group == name)
    return f"[group:{name}]\nprograms={members}\npriority={GROUP_PRIORITY[name]}\n"
