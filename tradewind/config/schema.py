"""The JSON schema of run configs, for editors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tradewind.config.sections.models import RunConfig
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.registry import Descriptor, Role

Schema = dict[str, Any]
PLACES = (
    # section of the schema, key of the name, key of the settings, roles
    ("ComponentSection", "plugin", "options", (Role.COMPONENT,)),
    ("ComponentSection", "surrogate", "surrogate_options", (Role.SURROGATE,)),
    ("PolicySection", "policy", "options", (Role.POLICY,)),
    ("ObservationsSection", "operator", "options", (Role.OBSERVATION_OPERATOR,)),
    ("SolveSection", "method", "options", (Role.SOLVER, Role.FILTER)),
)
SHORT = (
    # section of the schema, key, what may stand there instead of a mapping
    ("ExchangeSection", "regrid", {"$ref": "#/$defs/Regrid"}),
    ("ExchangeSection", "initial", {"type": "number"}),
    ("ExchangeSection", "fraction", {"type": ["number", "string"]}),
    ("ExchangeSection", "levels", {"enum": ["interpolate", "layers", "sum"]}),
    ("FractionSection", "initial", {"type": "number"}),
    ("ControlSection", "prior", {"type": "number"}),
    ("LevelsSection", "select", {"type": "integer"}),
    ("RegridSection", "extrapolate", {"enum": ["nearest", "inverse_distance", "creep"]}),
)


def json_schema(manager: PluginManager) -> Schema:
    """Return the JSON schema (draft 2020-12) of run configs, with the options of the loaded plugins.

    Raises
    ------
    PluginError
        When the options model of a plugin cannot be imported.
    """
    schema = RunConfig.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tradewind run config"
    definitions = schema["$defs"]
    policies = definitions["ComponentSection"]["properties"]["policies"]
    policies["items"] = {"anyOf": [{"type": "string"}, policies["items"]]}
    for section, key, short in SHORT:
        definitions[section]["properties"][key]["anyOf"].insert(0, short)
    for section, name_key, options_key, roles in PLACES:
        described = [d for role in roles for d in manager.available(role)]
        definitions.update((_key(d), _options(d)) for d in described)
        rules = definitions[section].setdefault("allOf", [])
        rules.extend(_rules(described, name_key, options_key))
    return schema


def _key(descriptor: Descriptor) -> str:
    return f"{descriptor.role.name.lower()}.{descriptor.name}"


def _options(descriptor: Descriptor) -> Schema:
    inside = f"#/$defs/{_key(descriptor)}/$defs/{{model}}"
    return descriptor.options_model().model_json_schema(by_alias=True, ref_template=inside)


def _rules(described: Iterable[Descriptor], name_key: str, options_key: str) -> list[Schema]:
    """Return, for each name, that its settings obey its own schema."""
    return [
        {
            "if": {"properties": {name_key: {"const": d.name}}, "required": [name_key]},
            "then": {
                "properties": {
                    name_key: {"description": d.summary},
                    options_key: {"$ref": f"#/$defs/{_key(d)}"},
                }
            },
        }
        for d in described
    ]
