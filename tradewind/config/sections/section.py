"""What all parts of a run config have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

Count = Annotated[int, Field(ge=1, strict=True)]


class Section(BaseModel):
    """A part of a run config: unknown keys are refused, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OneOrMany:
    """Marks a tuple of sections, for which a config may write one mapping alone, or none at all.

    What is wrong in a mapping that stands alone is reported without a number.

    Examples
    --------
    ``Annotated[tuple[ControlSection, ...], OneOrMany(ControlSection)] = ()``

    Parameters
    ----------
    section
        The sections' model.
    """

    def __init__(self, section: type[Section]) -> None:
        self.section = section

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._several, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many, {"type": "null"}]}

    def _several(self, value: object, info: ValidationInfo[Any]) -> object:
        if isinstance(value, Mapping):
            return (self.section.model_validate(value, context=info.context),)
        if value is None:
            return ()
        if isinstance(value, list | tuple):
            return value
        raise ValueError("write a mapping, or a list of these")
