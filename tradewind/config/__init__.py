"""The run config: one YAML file that says what runs, checked before anything starts."""

from tradewind.config.loading import load_config, open_config
from tradewind.config.schema import json_schema
from tradewind.config.sections.models import RunAs, RunConfig
from tradewind.config.source import ConfigSource

__all__ = ["ConfigSource", "RunAs", "RunConfig", "json_schema", "load_config", "open_config"]
