"""What all reports share: templates, filters, and where a result comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from tradewind.output import words

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS = (words.units, words.number, words.signed, words.percent, words.seconds, words.whole)


def rendered(template: str, provenance: Mapping[str, Any], **shown: Any) -> str:
    """Return a page made from a template of this folder; whatever comes from the run is escaped.

    Parameters
    ----------
    shown
        What the template names, beside style, facts and config.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            style=_text("style.css"),
            facts=list(_facts(provenance)),
            config=str(provenance.get("config", "")),
            **shown,
        )
    )


def _text(name: str) -> str:
    return resources.files("tradewind.output.report").joinpath(name).read_text("utf-8")


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(_text),
    )  # fmt: skip
    environment.filters |= {f.__name__: f for f in FILTERS}
    environment.globals["with_error"] = words.with_error
    return environment


def _facts(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in provenance.items():
        if name == "config" or value in (None, "", {}, []):
            continue
        yield name.replace("_", " "), _told(value)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{k} {_told(v)}" for k, v in value.items())
    return json.dumps(value, default=str) if isinstance(value, list | tuple) else str(value)
