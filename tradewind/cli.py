"""The command line."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradewind.commands.launch import Launch, Mpi
from tradewind.commands.options import AsJson, Debug, MapCheckOptions, Ranks, RegridOptions, spread
from tradewind.commands.session import Session

if TYPE_CHECKING:
    from tradewind.plugins.manager import PluginManager

app = typer.Typer(
    name="tradewind",
    help="Trained surrogates in place of expensive model calls inside data-assimilation loops.",
    epilog="Exit codes: 0 done; 1 a bug; 2 something to mend in the config, the data or the command; "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The run config, a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Replace a setting of the config; can be repeated."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the files of run.restart.")]


def _version(wanted: bool) -> None:
    if wanted:
        from tradewind.provenance import version

        typer.echo(f"tradewind {version()}")
        raise typer.Exit


@app.callback()
def tradewind(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Trained surrogates in place of expensive model calls inside data-assimilation loops."""


@app.command()
def run(
    config: Config,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: AsJson = False,
    debug: Debug = False,
    mpi: Ranks = Mpi.AUTO,
) -> None:
    """Run a config and show the result."""
    with Session(mpi, debug) as session:
        from tradewind.execute import execute
        from tradewind.simulation import Begin

        begin = Begin.RESUME if resume else Begin.ANEW
        result = execute(config, overrides or [], session.comm, session.progress, begin)
        if as_json:
            from tradewind.output.terminal.summary import summary

            session.write(_json(summary(result)))
        else:
            from tradewind.output.terminal.table import print_table

            print_table(result, session.out, session.rank)


@app.command()
def check(config: Config, overrides: Overrides = None, debug: Debug = False, mpi: Ranks = Mpi.AUTO) -> None:
    """List all faults of a config; start nothing."""
    with Session(mpi, debug) as session:
        from tradewind.check import check as checked

        report = checked(config, overrides or [], session.comm)
        if report.faults:
            raise _config_error(report.faults, config)
        session.write("\n".join([*report.lines, f"{config}: no fault found"]))


@app.command()
def preview(
    config: Config, overrides: Overrides = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Tell what an inversion can be expected to find and to cost; run no model."""
    with Session(debug=debug) as session:
        from tradewind.output.terminal.preview import preview_figures, preview_table
        from tradewind.preview import preview as previewed

        found = previewed(config, overrides or [])
        if as_json:
            session.write(_json(preview_figures(found)))
        else:
            session.out.print(preview_table(found), highlight=False)


def _config_error(faults: tuple[str, ...] | list[str], config: Path) -> Exception:
    from tradewind.errors import ConfigError

    error = ConfigError(f"{len(faults)} faults", where=str(config))
    error.faults = tuple(faults)
    return error


@app.command()
def verify(
    config: Config,
    overrides: Overrides = None,
    component: Annotated[
        str | None, typer.Option("--component", metavar="NAME", help="Only this component.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random perturbations.")] = 0,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Try what assimilation relies on with a config's own models: tangents, adjoints, members, and more."""
    with Session(debug=debug) as session:
        from tradewind.output.terminal.verification import verification_figures, verification_table
        from tradewind.verification.verify import verify as verified

        found = verified(config, overrides or [], component, seed)
        if as_json:
            session.write(_json(verification_figures(found)))
        else:
            session.out.print(verification_table(found), highlight=False)
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def schema(debug: Debug = False) -> None:
    """Print the JSON schema of run configs."""
    with Session(debug=debug) as session:
        from tradewind.config import json_schema

        session.write(_json(json_schema(_installed())))


def _installed() -> PluginManager:
    from tradewind.couplers.ranks.parallel import Serial
    from tradewind.plugins.discovery import installed
    from tradewind.plugins.manager import PluginManager

    return PluginManager.load([plugin.name for plugin in installed(Serial())])


@app.command()
def plugins(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the names that plugins bring."""
    with Session(debug=debug) as session:
        from tradewind.commands.listing import listing, rows

        manager = _installed()
        if as_json:
            session.write(_json(rows(manager)))
        else:
            session.out.print(listing(manager), highlight=False)


@app.command()
def train(config: Config, overrides: Overrides = None, debug: Debug = False) -> None:
    """Train a surrogate; write its checkpoint."""
    with Session(debug=debug) as session:
        from tradewind.learning.emulators import run_training

        trained = run_training(config, overrides or [], session.progress)
        header = trained.header
        _show(session, {"checkpoint": trained.path, "parameters": header.parameters, **header.scores})


@app.command()
def freeze(
    network: Annotated[Path, typer.Argument(metavar="NETWORK", help="The network, a .safetensors file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The package; by default NETWORK.pt2."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compile a network into a package that runs without Python."""
    with Session(debug=debug) as session:
        from tradewind.surrogates.freezing.package import freeze as frozen

        done = frozen(network, output or network.with_suffix(".pt2"))
        if as_json:
            session.write(_json(done.figures()))
        else:
            _show(session, done.figures())


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which benchmark, such as permian.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Recompute the figures of a benchmark."""
    with Session(debug=debug) as session:
        from tradewind.bench import run as benchmark

        figures = benchmark(name, session.progress)
        if as_json:
            session.write(_json(figures))
        else:
            _show(session, figures)


@app.command()
@spread(RegridOptions)
def regrid(asked: RegridOptions) -> None:
    """Put the fields of a file on another grid."""
    with Session(asked.mpi, asked.debug) as session:
        from tradewind.commands.regridding import regrid as regridded

        done = regridded(asked, session.comm, session.progress)
        session.write("\n".join(done.lines(asked.out)))


@app.command("map-check")
@spread(MapCheckOptions)
def map_check(asked: MapCheckOptions) -> None:
    """Look at a weight file: row sums, conservation, signs, coverage, misfits of standard functions."""
    with Session(debug=asked.debug) as session:
        from tradewind.commands import map_check as command

        found, made = command.checked(asked)
        if asked.as_json:
            session.write(_json(command.as_json(found, made)))
        else:
            for table in command.tables(found, made):
                session.out.print(table, highlight=False)
        command.refuse_failed(made, asked.path)


def _json(content: object) -> str:
    return json.dumps(content, indent=2, allow_nan=False, default=str)


def _show(session: Session, figures: Mapping[str, Any]) -> None:
    from tradewind.commands.listing import pairs

    session.out.print(pairs(figures), highlight=False)


def main() -> None:
    """Run the command line; on ranks above 0 nothing but a lone failure is heard."""
    with contextlib.ExitStack() as stack:
        if Launch.of(os.environ).rank > 0:
            silence = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
            stack.enter_context(contextlib.redirect_stderr(silence))
        app()
