"""Which components depend on which."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tradewind.coupled.derivatives.paths import between, leads, reached


def exchange(way, moving=None):
    """Return what `a>b` stands for, with a moving fraction from another component."""
    source, target = (SimpleNamespace(component=name) for name in way.split(">"))
    of = None if moving is None else SimpleNamespace(source=SimpleNamespace(component=moving), target=target)
    return SimpleNamespace(source=source, target=target, moving=of)


DIAMOND = [exchange(way) for way in ("a>b", "a>c", "b>d", "c>d", "d>e", "x>d")]


@pytest.mark.parametrize(("of", "found"), [("a", "abcde"), ("b", "bde"), ("x", "xde"), ("e", "e"), ("", "")])
def test_what_is_reached(of, found):
    assert reached(DIAMOND, of) == set(found)


@pytest.mark.parametrize(
    ("ends", "found"), [("ad", "abcd"), ("ae", "abcde"), ("bb", "b"), ("bc", ""), ("ea", ""), ("xd", "xd")]
)
def test_what_lies_between(ends, found):
    assert between(DIAMOND, *ends) == set(found)


def test_a_moving_fraction_leads_to_what_it_multiplies():
    exchanges = [exchange("a>b", moving="f")]
    assert list(leads(exchanges)) == [("a", "b"), ("f", "b")]
    assert between(exchanges, "f", "b") == {"f", "b"}


def test_circles_end():
    circle = [exchange(way) for way in ("a>b", "b>a", "b>c")]
    assert reached(circle, "a") == {"a", "b", "c"}
    assert between(circle, "a", "c") == {"a", "b", "c"}
    assert between(circle, "c", "a") == frozenset()
