"""The command line: thin, without arithmetic; each command imports what it needs when it runs."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# One thread for BLAS: the systems are small, and more threads only wait for each other. Set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What is no question: servers, batches and training. Name → module, function, group, summary.
_COMMANDS = {
    "study": ("isoflop.cli.study", "study", "Share", "Many questions of one table, described in TOML and kept."),
    "app": ("isoflop.cli.app", "app", "Share", "The local page: explore, fit, rank, plan."),
    "schema": ("isoflop.cli.schema", "schema", "Share", "JSON schema of a question's options and of answers."),
    "sweep": ("isoflop.cli.sweep", "sweep", "Lab", "Train small models of your own."),
}
_GROUPS = ("Read", "Fit", "Ask", "Test", "Share", "Lab")
_BETWEEN_COLLECTIONS = 500_000  # objects made, some 30 MB: what a report with its pictures leaves behind


class _Lazy(click.Group):
    """Questions of the registry, and commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_told())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from isoflop.questions import listed, question

        if ctx.resilient_parsing and cmd_name in listed():
            from isoflop.cli.completion import outlined

            if (known := outlined(cmd_name)) is not None:
                return known
        found = question(cmd_name)
        if found is not None:
            from isoflop.cli.commands import command_of

            command = command_of(found)
            _collect_again()
            return command
        if cmd_name not in _COMMANDS:
            return None
        module, function, *_ = _COMMANDS[cmd_name]
        other: click.Command = getattr(importlib.import_module(module), function)
        _collect_again()
        return other

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest command for a slip of the finger."""
        if args and not args[0].startswith("-") and args[0] not in _told():
            import difflib

            near = difflib.get_close_matches(args[0], _told(), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"there is no command {args[0][:40]!r}{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click's, but without importing the commands that begin so."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=told) for name, (_, told) in _told().items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines: dict[str, list[tuple[str, str]]] = {group: [] for group in _GROUPS}
        for name, (group, summary) in _told().items():
            lines[group].append((name, summary))
        for group, commands in lines.items():
            if commands:
                with formatter.section(group):
                    formatter.write_dl(commands)


def _told() -> dict[str, tuple[str, str]]:
    """Group and summary of every command."""
    from isoflop.questions import listed

    found = {each.name: (each.group, each.summary) for each in listed().values()}
    for name, (_, _, group, summary) in _COMMANDS.items():
        found.setdefault(name, (group, summary))
    return found


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isoflop")
def isoflop() -> None:
    """Scaling laws done carefully: from a table of training runs to a forecast that can be defended."""


def main() -> None:
    """Run the command line: bad input ends with one sentence on standard error and exit code 2.

    What nobody foresaw ends with one sentence too, which says where its report is kept, and exit code 70.
    """
    gc.disable()  # while modules are loaded, which leave no garbage: looking for it takes an eighth of the start
    atexit.register(gc.freeze)  # nor is any sought at the end, which takes longer than importing NumPy
    from isoflop.errors import IsoflopError

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a pipe that knows no ≤ shows ?, and nothing breaks
    if not sys.warnoptions:  # what is to be doubted is a finding; a library's remarks are for who asks for them (-W)
        warnings.showwarning = _unsaid
    try:
        isoflop.main(prog_name="isoflop", standalone_mode=False)
    except IsoflopError as error:
        _end(str(error), 2)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        usage = f" ({error.ctx.command_path} --help lists the options)" if error.ctx else ""
        _end(f"{error.format_message()}{usage}", 2)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("stopped", 130)
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; keep the interpreter from complaining on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _end(f"{error.filename or 'a file'} cannot be used: {error.strerror}; check the path and its permissions", 2)
    except MemoryError:
        from isoflop.faults import no_memory

        _end(no_memory(), 2)
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  (the last boundary; a panic of Polars is no Exception)
        from isoflop.faults import EXIT_CODE, tell

        _end(tell(error, sys.argv), EXIT_CODE)


def _collect_again() -> None:
    """Collect garbage from here on, without looking again at what the modules made, and not at every 700th object."""
    gc.freeze()
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    gc.enable()


def _unsaid(*_: object, **__: object) -> None:
    """Where warnings go."""


def _end(message: str, code: int) -> NoReturn:
    from isoflop.errors import brief, brief_of

    told = brief(brief_of(message, sys.argv[1:]))
    click.echo("Stopped" if code == 130 else f"Error: {told}", err=True)
    sys.exit(code)
