"""Schemes of regridding in the words of the command line."""

from __future__ import annotations

import pytest

from tradewind.commands.schemes import extrapolation_of, poles_of, scheme
from tradewind.couplers.regrid.scheme import (
    Creep,
    InverseDistance,
    Method,
    NearestSource,
    Norm,
    PoleKind,
    Poles,
    Scheme,
)
from tradewind.errors import ConfigError, SpecError


def test_nothing_said_is_the_default_of_the_library():
    assert scheme(None, None, None, None) == Scheme()


def test_everything_said():
    found = scheme(Method.BILINEAR, Norm.DSTAREA, "teeth", "creep:3")
    assert found == Scheme(Method.BILINEAR, Norm.DSTAREA, Poles(PoleKind.TEETH), Creep(3))


@pytest.mark.parametrize(
    ("text", "poles"),
    [
        ("none", Poles(PoleKind.NONE)),
        ("allavg", Poles(PoleKind.ALLAVG)),
        ("npntavg", Poles(PoleKind.NPNTAVG)),
        ("npntavg:4", Poles(PoleKind.NPNTAVG, 4)),
    ],
)
def test_poles(text, poles):
    assert poles_of(text) == poles


@pytest.mark.parametrize(
    ("text", "extrapolation"),
    [
        ("nearest", NearestSource()),
        ("inverse_distance", InverseDistance()),
        ("inverse_distance:4", InverseDistance(4)),
        ("inverse_distance:4:1.5", InverseDistance(4, 1.5)),
        ("creep", Creep()),
        ("creep:7", Creep(7)),
    ],
)
def test_extrapolations(text, extrapolation):
    assert extrapolation_of(text) == extrapolation


@pytest.mark.parametrize("text", ["south", "npntavg:x", "npntavg:0", "allavg:2", "npntavg:1:2"])
def test_poles_that_mean_nothing(text):
    with pytest.raises((ConfigError, SpecError)):
        poles_of(text)


@pytest.mark.parametrize(
    "text", ["far", "nearest:2", "creep:1:2", "creep:x", "creep:0", "inverse_distance:0"]
)
def test_extrapolations_that_mean_nothing(text):
    with pytest.raises((ConfigError, SpecError)):
        extrapolation_of(text)


def test_the_nearest_name_is_told():
    with pytest.raises(ConfigError, match="did you mean 'nearest'"):
        extrapolation_of("neerest")


def test_conservative_methods_do_not_extrapolate():
    with pytest.raises(SpecError, match="extrapolat"):
        scheme(Method.CONSERVATIVE, None, None, "nearest")
