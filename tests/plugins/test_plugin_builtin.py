"""What tradewind brings along: every registered name leads somewhere, and checking it stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tradewind.plugins.manager import PluginManager
from tradewind.plugins.options import Options
from tradewind.plugins.registry import ANY, Descriptor, Role, resolve

BUILTIN = PluginManager.load().available()


def label(descriptor: Descriptor) -> str:
    return f"{descriptor.role}-{descriptor.name}"


@pytest.mark.parametrize("descriptor", BUILTIN, ids=label)
def test_a_factory_can_be_imported_and_called(descriptor: Descriptor) -> None:
    assert callable(resolve(descriptor.factory, descriptor.plugin))


@pytest.mark.parametrize("descriptor", BUILTIN, ids=label)
def test_options_refuse_unknown_keys(descriptor: Descriptor) -> None:
    model = descriptor.options_model()
    assert issubclass(model, Options)
    assert model.model_config["extra"] == "forbid"


@pytest.mark.parametrize("descriptor", BUILTIN, ids=label)
def test_a_summary_says_something(descriptor: Descriptor) -> None:
    assert len(descriptor.summary.split()) > 3


def test_surrogates_stand_in_for_components_that_exist() -> None:
    components = {d.name for d in BUILTIN if d.role is Role.COMPONENT}
    assert {d.component for d in BUILTIN if d.role is Role.SURROGATE} <= components | {ANY}


def test_no_two_policies_claim_the_same_place() -> None:
    orders = [d.order for d in BUILTIN if d.role is Role.POLICY]
    assert len(set(orders)) == len(orders)


def test_options_load_no_torch() -> None:
    code = (
        "import sys; from tradewind.plugins.manager import PluginManager;"
        "[d.options_model() for d in PluginManager.load().available()];"
        "print(sorted({'torch', 'esmpy', 'mpi4py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
