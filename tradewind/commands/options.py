"""Options of the commands that take many: one frozen dataclass each, spread over the command line."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from tradewind.commands.launch import Mpi
from tradewind.couplers.regrid.scheme import Method, Norm

Asked = TypeVar("Asked")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Ranks = Annotated[
    Mpi, typer.Option("--mpi", help="Run on the ranks of an MPI launcher; auto: where there are several.")
]


def spread(kind: type[Asked]) -> Callable[[Callable[[Asked], None]], Callable[..., None]]:
    """Give a command that takes one `kind` (a dataclass) an option or argument for each of its fields."""
    hints = get_type_hints(kind, include_extras=True)

    def decorate(command: Callable[[Asked], None]) -> Callable[..., None]:
        @functools.wraps(command)
        def spread_out(**given: Any) -> None:
            command(kind(**given))

        found = [_parameter(f, hints[f.name]) for f in fields(kind)]  # type: ignore[arg-type]
        spread_out.__signature__ = inspect.Signature(found)  # type: ignore[attr-defined]
        spread_out.__annotations__ = hints
        return spread_out

    return decorate


def _parameter(field: Any, hint: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


@dataclass(frozen=True)
class RegridOptions:
    """What ``tradewind regrid`` is asked."""

    source: Annotated[Path, typer.Argument(metavar="IN", help="The netCDF file with the fields.")]
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The netCDF file to write.")]
    to: Annotated[Path | None, typer.Option("--to", metavar="GRID", help="A file with the target grid.")] = (
        None
    )
    method: Annotated[
        Method | None, typer.Option("--method", help="How weights are made; conservative by default.")
    ] = None
    norm: Annotated[
        Norm | None,
        typer.Option("--norm", help="What conservative weights are divided by; fracarea by default."),
    ] = None
    poles: Annotated[
        str | None, typer.Option("--poles", metavar="KIND", help="default, none, allavg, npntavg:N or teeth.")
    ] = None
    extrapolate: Annotated[
        str | None,
        typer.Option("--extrapolate", metavar="KIND", help="nearest, inverse_distance:N:P or creep:N."),
    ] = None
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="MAP", help="Take the weights of this file.")
    ] = None
    save_weights: Annotated[
        Path | None, typer.Option("--save-weights", metavar="MAP", help="Write the weights to this file.")
    ] = None
    variables: Annotated[
        str | None, typer.Option("--variables", metavar="A,B", help="Only these; all on the grid by default.")
    ] = None
    vectors: Annotated[
        list[str] | None,
        typer.Option("--vectors", metavar="U,V", help="East and north parts of a vector; can be repeated."),
    ] = None
    backend: Annotated[
        str, typer.Option("--backend", metavar="NAME", help="Who makes the weights: auto, native or esmpy.")
    ] = "auto"
    threshold: Annotated[
        float, typer.Option("--threshold", help="Least part of a target that values must cover, 0 to 1.")
    ] = 0.0
    fill: Annotated[
        float, typer.Option("--fill", help="What targets without value hold; NaN by default.")
    ] = float("nan")
    integers: Annotated[bool, typer.Option("--integers-as-numbers", help="Average integers, too.")] = False
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep weights in this folder.")
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False
    debug: Debug = False
    mpi: Ranks = Mpi.AUTO


@dataclass(frozen=True)
class MapCheckOptions:
    """What ``tradewind map-check`` is asked; a limit of None is that of the method."""

    path: Annotated[Path, typer.Argument(metavar="MAP", help="A weight file: ESMF, SCRIP or OASIS.")]
    max_row_sum_error: Annotated[
        float | None, typer.Option("--max-row-sum-error", help="Largest error of the sum of a row.")
    ] = None
    max_conservation: Annotated[
        float | None, typer.Option("--max-conservation", help="Largest relative change of an integral.")
    ] = None
    max_misfit: Annotated[
        float | None, typer.Option("--max-misfit", help="Largest mean misfit of smooth standard functions.")
    ] = None
    min_coverage: Annotated[
        float, typer.Option("--min-coverage", help="Least part of the targets that is mapped, 0 to 1.")
    ] = 0.0
    allow_negative: Annotated[
        bool, typer.Option("--allow-negative", help="Let weights lie outside of 0 to 1.")
    ] = False
    as_json: AsJson = False
    debug: Debug = False
