"""Members that fail: named, and survived where the config says so."""

from __future__ import annotations

import pytest
import torch

from tradewind.assimilation import assimilate
from tradewind.assimilation.failing import mirrored
from tradewind.errors import ModelError

ROWS = [(1, 0, 0, 3.0, 1.0), (2, 0, 0, 3.0, 1.0)]
MEMBERS = [[-1.0, 0, 0, 0], [1.0, 0, 0, 0], [9.0, 0, 0, 0], [0.5, 0, 0, 0]]
"""The third is beyond what the models below can bear."""
RAISES = "if (state['x'] > 8).any(): raise ArithmeticError('it burns')"
BREAKS = "torch.where(state['x'] > 8, float('nan'), state['x'])"


@pytest.fixture(params=["raises", "breaks", "limits"])
def said(request, function_model) -> dict[str, str]:
    """Return a model that one member is too much for, in three ways."""
    if request.param == "raises":
        return {"model": function_model("state['x'] + 0.0", RAISES), "reason": "it burns"}
    if request.param == "breaks":
        return {"model": function_model(BREAKS), "reason": "model.x is nan"}
    limits = ", limits: {model.x: [null, 8]}"
    return {
        "model": function_model("state['x'] + 0.0"),
        "reason": r"model.x is 9, beyond \[-inf, 8\]",
        "limits": limits,
    }


def settings(said: dict[str, str], policy: str, more: str = "") -> dict[str, str]:
    own = f"{{members: 4, failure: {policy}{said.get('limits', '')}{more}}}"
    return {"model": said["model"], "ensemble": own, "hours": 2}  # type: ignore[dict-item]


def test_by_default_the_loop_stops_and_names_member_window_and_field(ensemble, said):
    with pytest.raises(
        ModelError, match=f"window 2000-01-01 00:00/2000-01-01 01:00: member 2: .*{said['reason']}"
    ):
        assimilate(ensemble(ROWS, MEMBERS, **settings(said, "stop")))


@pytest.mark.parametrize("more", ["", ", wave: 1", ", wave: 3"])
def test_a_member_is_given_up_and_the_others_are_as_if_it_had_never_been(ensemble, said, more):
    result = assimilate(ensemble(ROWS, MEMBERS, **settings(said, "drop", more)))
    without = assimilate(ensemble(ROWS, [MEMBERS[k] for k in (0, 1, 3)], hours=2, ensemble="{members: 3}"))
    assert torch.equal(result.members["model.x"], without.members["model.x"])
    assert [d.members for d in result.departures] == [3, 3]
    assert any("member 2 was given up" in note for note in result.notes)
    assert any("1 of 4 members were given up" in note for note in result.notes)


@pytest.mark.parametrize("more", ["", ", wave: 1", ", wave: 3"])
def test_a_member_is_replaced_by_the_mirror_image_of_the_next(ensemble, said, more):
    # the others: -1, 1, 1/2 of mean 1/6; the next is 1/2, its mirror image 2/6 - 1/2 = -1/6
    replaced = [*MEMBERS[:2], [-1 / 6, 0, 0, 0], MEMBERS[3]]
    result = assimilate(ensemble(ROWS, MEMBERS, **settings(said, "replace", more)))
    wanted = assimilate(ensemble(ROWS, replaced, hours=2, ensemble="{members: 4}"))
    assert torch.allclose(result.members["model.x"], wanted.members["model.x"], atol=1e-13)
    assert any("member 2 was replaced" in note for note in result.notes)


def test_fewer_than_two_members_are_no_ensemble(ensemble, function_model):
    model = function_model("state['x'] * float('nan')")
    with pytest.raises(ModelError, match="0 members are left"):
        assimilate(ensemble(ROWS, MEMBERS, model=model, ensemble="{members: 4, failure: drop}"))


def test_a_member_that_cannot_be_simulated_from_x_fails_too(ensemble, function_model):
    model = function_model(
        "state['x'] + parameters['b'][:, None]", "if (parameters['b'] > 1).any(): raise ValueError('b')"
    )
    said = {"model": model, "control": "{field: model.b, change: add, prior_error: 1.0}"}
    result = assimilate(ensemble(
        ROWS[:1], ensemble="{members: 20, begin: initial, failure: drop}", method="etkf", **said
    ))  # fmt: skip
    assert 2 <= result.departures[0].members < 20
    assert all("ValueError: b" in note for note in result.notes if "given up:" in note)


def test_a_mirror_image_leaves_the_mean_of_the_others_where_they_stand():
    field = torch.tensor([[1.0], [3.0], [3.0], [5.0]], dtype=torch.float64)
    assert mirrored(field, (1,))[:, 0].tolist() == [1.0, 3.0, 3.0, 5.0]
    assert mirrored(field, (2,))[:, 0].tolist() == [1.0, 3.0, 3.0, 5.0]
    assert mirrored(field, (3,))[3, 0] == pytest.approx(2 * 7 / 3 - 5)
    assert mirrored(field, ()) is field
