"""The command line: thin, without arithmetic; each command imports what it needs when it runs."""

from __future__ import annotations

import importlib
import io
import keyword
import os
import sys

import click

# One thread for BLAS: the systems are small, and more threads only wait for each other. Set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_COMMANDS = {
    "check": ("isoflop.cli.check", "What to doubt in a table of runs."),
    "cost": ("isoflop.cli.cost", "Parameters, FLOPs, hours and money of a model."),
    "import": ("isoflop.cli.importing", "Read run logs into a store of runs and curves."),
    "datasets": ("isoflop.cli.datasets", "Public run tables and the runs in the box."),
    "fit": ("isoflop.cli.fit", "Fit a law to runs: parameters, intervals, doubts."),
    "forecast": ("isoflop.cli.forecast", "The loss of a run nobody has trained."),
    "plan": ("isoflop.cli.plan", "How big a model, on how many tokens, for a budget."),
    "methods": ("isoflop.cli.methods", "Chinchilla's three methods, side by side."),
    "report": ("isoflop.cli.report", "The whole analysis as one file that opens offline."),
    "backtest": ("isoflop.cli.backtest", "What laws would have said of the largest runs."),
    "influence": ("isoflop.cli.influence", "Which runs carry the answer."),
    "sensitivity": ("isoflop.cli.sensitivity", "What small choices do to the answer."),
    "rank": ("isoflop.cli.rank", "Which laws forecast best here, and what they say together."),
    "repeat": ("isoflop.cli.repeat", "What tokens are worth that are seen again."),
    "reconcile": ("isoflop.cli.reconcile", "Kaplan against Chinchilla: what counting does to an exponent."),
    "downstream": ("isoflop.cli.downstream", "Scores of tasks, through their losses."),
    "app": ("isoflop.cli.app", "The local page: explore, fit, rank, plan."),
    "study": ("isoflop.cli.study", "One analysis, described in TOML, performed and kept."),
    "register": ("isoflop.cli.register", "Write a prediction down before the run is trained."),
    "score": ("isoflop.cli.score", "Registered predictions beside what was measured."),
    "finish": ("isoflop.cli.finish", "The last loss of a run under way."),
    "laws": ("isoflop.cli.laws", "The laws that have a name."),
    "sweep": ("isoflop.cli.sweep", "Train small models for evidence."),
}


class _Lazy(click.Group):
    """Commands that are imported when they are called; listing them reads only the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        # `import` can be no name in Python; its function is import_
        command: click.Command = getattr(module, f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isoflop")
def isoflop() -> None:
    """Scaling laws done carefully: from a table of training runs to a forecast that can be defended."""


def main() -> None:
    """Run the command line; bad input ends with one sentence on standard error and exit code 2."""
    from isoflop.errors import IsoflopError

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a pipe that knows no ≤ shows ?, and nothing breaks
    try:
        isoflop.main(prog_name="isoflop", standalone_mode=False)
    except IsoflopError as error:
        _end(str(error), 2)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        usage = f" ({error.ctx.command_path} --help shows how)" if error.ctx else ""
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


def _end(says: str, code: int) -> None:
    click.echo(f"Error: {says}", err=True)
    sys.exit(code)
