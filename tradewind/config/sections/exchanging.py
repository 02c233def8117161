"""``exchanges:`` of a run config: from which export to which import, when, and what happens on the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tradewind.config.sections.levels import LevelsSection, levels_by_name
from tradewind.config.sections.regridding import RegridSection, by_name
from tradewind.config.sections.section import Section
from tradewind.config.sections.values import At, Duration, Endpoint, duration
from tradewind.couplers.coupling.how import Conserve, Merge, Side
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction
from tradewind.couplers.coupling.units import molar_mass
from tradewind.couplers.regrid.scheme import Norm
from tradewind.plugins.options import RelativePath

COVERED = "covered"
GLBPOS = (
    "glbpos multiplies by the ratio of the totals, which is not linear, and an exchange carries exact "
    "adjoints: use global"
)


def _number_or_file(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"value": value}
    if isinstance(value, str):
        raise ValueError(f"give a number or {{file: …, variable: …}}, not {value!r:.40}")
    return value


class InitialSection(Section):
    """What is given before the source has made anything, in the export's units."""

    value: FiniteFloat | None = None
    file: RelativePath | None = None
    variable: str | None = Field(default=None, description="On the export's grid.")

    @model_validator(mode="after")
    def _one(self) -> InitialSection:
        _refuse_other_than_one(self, "value", "file")
        return self


Initial = Annotated[InitialSection, BeforeValidator(_number_or_file)]


def _refuse_other_than_one(section: Section, *keys: str) -> None:
    given = [key for key in keys if getattr(section, key) is not None]
    if len(given) != 1:
        raise ValueError(f"give one of {', '.join(k.rstrip('_') for k in keys)}, not {len(given)}")
    for key, needed in (("file", "variable"), ("variable", "file")):
        if getattr(section, key) is not None and getattr(section, needed) is None:
            raise ValueError(f"`{key}` needs `{needed}`")


def _covered_or_export(value: object) -> str | Endpoint:
    return COVERED if value == COVERED else Endpoint.parse(value)


def _fraction(value: object) -> object:
    """Return a number, ``covered`` or ``component.export`` as a mapping."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"value": value}
    if not isinstance(value, str):
        return value
    if value != COVERED and "." not in value:
        what = f"a fraction is a number, {COVERED}, component.export or {{file: …, variable: …}}"
        raise ValueError(f"{what}, not {value!r:.40}")
    return {"from": value}


class FractionSection(Section):
    """Which part of each target cell an exchange answers for: one of value, file and from."""

    value: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    file: RelativePath | None = None
    variable: str | None = None
    on: Side = Field(default=Side.TARGET, description="Whose grid the file's variable lies on.")
    from_: Annotated[
        str | Endpoint | None,
        PlainValidator(_covered_or_export),
        WithJsonSchema({"type": "string", "pattern": r"^(covered|[^.]+\..+)$"}),
    ] = Field(default=None, alias="from", description="`covered`, or the export of a component.")
    initial: Initial | None = Field(
        default=None, description="Of an export that is given later than it is made: what comes before."
    )

    @model_validator(mode="after")
    def _one(self) -> FractionSection:
        _refuse_other_than_one(self, "value", "file", "from_")
        if self.initial is not None and self.export is None:
            raise ValueError("only the export of a component has an initial value")
        if "on" in self.model_fields_set and self.file is None:
            raise ValueError("`on` says whose grid a file's variable lies on, and there is no file")
        return self

    @property
    def is_covered(self) -> bool:
        """Whether it is the part that the source covers."""
        return self.from_ == COVERED

    @property
    def export(self) -> Endpoint | None:
        """The export that it is, None where it is fixed."""
        return self.from_ if isinstance(self.from_, Endpoint) else None


def _lag(value: object) -> object:
    """Return a whole number of periods, or a duration."""
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is no lag, write for example 6h, or 1 for one period")
    nothing = 0 if isinstance(value, int) else timedelta(0)
    found: Any = value if isinstance(value, int) else TypeAdapter(timedelta).validate_python(duration(value))
    if found < nothing:
        raise ValueError("a lag is not negative: nothing is given before it is made")
    return found


Lag = Annotated[
    int | timedelta,
    PlainValidator(_lag),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "examples": ["6h"]}]}),
]
"""A whole number of periods, or a duration that is one."""


def _conserve(value: object) -> object:
    if isinstance(value, str) and value.lower() == "glbpos":
        raise ValueError(GLBPOS)
    return value


def _molar_mass(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r:.40} is no molar mass, write 16.04 or 16.04 g mol-1")
    return molar_mass(value)


class ExchangeSection(Section):
    """A connection from an export to an import."""

    source: At = Field(alias="from")
    target: At = Field(alias="to")
    regrid: Annotated[RegridSection, BeforeValidator(by_name)] | None = Field(
        default=None, description="How; default: as the import's kind wants it."
    )
    norm: Norm | None = Field(
        default=None, description="Divisor of conservative weights; default: the import's kind chooses."
    )
    units: str | None = Field(default=None, description="Units that the import is expected to declare.")
    every: Duration | None = Field(
        default=None, description="Period; default: the least common multiple of both components' steps."
    )
    time: Reduction | None = Field(
        default=None,
        description="What is made of a period; default: mean for fluxes of several steps, else instant.",
    )
    lag: Lag = Field(default=0, description="How much later it is given than it was made: whole periods.")
    interpolate: Interpolation | None = Field(
        default=None, description="Between the values of two periods; default: not at all."
    )
    initial: Initial | None = Field(
        default=None, description="What is given before the source has made anything."
    )
    scale: FiniteFloat = Field(default=1.0, description="Factor, after the units are converted.")
    offset: FiniteFloat = Field(default=0.0, description="What is added, in the import's units.")
    molar_mass: Annotated[
        float | None,
        PlainValidator(_molar_mass),
        WithJsonSchema({"anyOf": [{"type": "number", "minimum": 1}, {"type": "string"}, {"type": "null"}]}),
    ] = Field(default=None, description="Of the species, g mol-1: mass then becomes amount of substance.")
    levels: Annotated[LevelsSection, BeforeValidator(levels_by_name)] | None = Field(
        default=None, description="From the export's levels to the import's; default: they are the same."
    )
    conserve: Annotated[Conserve, BeforeValidator(_conserve)] | None = Field(
        default=None, description="`global`: what the total lacks is spread over all active cells."
    )
    merge: Merge | None = Field(
        default=None, description="With other exchanges into the same import; default: by its fraction."
    )
    fraction: Annotated[FractionSection, BeforeValidator(_fraction)] | None = Field(
        default=None, description="The part of each target cell that it answers for."
    )
    tolerance: float | None = Field(
        default=None, gt=0, allow_inf_nan=False,
        description="Largest relative residual of its ledger; more stops the run.",
    )  # fmt: skip

    @field_validator("norm")
    @classmethod
    def _once(cls, norm: Norm | None, info: ValidationInfo) -> Norm | None:
        regrid = info.data.get("regrid")
        if norm is not None and regrid is not None and regrid.norm is not None:
            raise ValueError("the norm is given twice, remove this one or the one under regrid:")
        return norm

    @field_validator("initial")
    @classmethod
    def _of_use(cls, initial: InitialSection | None, info: ValidationInfo) -> InitialSection | None:
        known = {"lag", "interpolate"} <= info.data.keys()
        if initial is not None and known and not (info.data["lag"] or info.data["interpolate"]):
            raise ValueError("an initial value is of no use without a lag or an interpolation")
        return initial

    @field_validator("scale")
    @classmethod
    def _not_nothing(cls, scale: float) -> float:
        if scale == 0:
            raise ValueError("a scale of 0 leaves nothing, remove the exchange instead")
        return scale

    @model_validator(mode="after")
    def _has_fraction(self) -> ExchangeSection:
        if self.merge is Merge.FRACTIONS and self.fraction is None:
            raise ValueError("merge: fractions needs a `fraction`")
        return self

    @property
    def merges(self) -> bool:
        """Whether other exchanges may feed the same import."""
        return self.merge is not None or self.fraction is not None


def merges(written: Mapping[str, Any]) -> bool:
    """Return whether an exchange, as written, lets others feed the same import."""
    return any(written.get(key) is not None for key in ("merge", "fraction"))
