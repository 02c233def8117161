"""What the forward model looks up in a run: spaces of ports, and runs of other numbers of members."""

from __future__ import annotations

import torch

from tradewind.coupled.model.names import SIZES, Companies, Names
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import Distributed, Replicated


def test_spaces_are_those_of_the_variables(make_chain, toys):
    run = make_chain()
    names, window = Names(run), Interval(toys.at(0), toys.at(1))
    space = Distributed(toys.Layout(toys.COARSE))
    assert names.space("tank.level") == names.space("tank.amount") == names.space("tank.inflow") == space
    given = names.given(["source.flux", "tank.rate"], window)
    assert given == {("source.flux", toys.at(0)): space, ("tank.rate", toys.at(0)): Replicated(1)}
    assert names.participant("tank.level").name == "tank"


def test_levels_are_part_of_a_space(toys):
    class Deep(toys.Source):
        def describe(self):
            depth = toys.Variable("depth", "m", self.grid, extra=(("level", 3),))
            return toys.Spec(state=(depth,))

        def initialize(self, spec, layouts, members):
            return toys.State({"depth": torch.zeros(members, 3, 4, dtype=torch.float64)})

    clock = toys.Clock(toys.START, toys.at(1), toys.HOUR)
    run = toys.CoupledRun(clock, [toys.participant("sea", Deep())], [])
    assert Names(run).space("sea.depth") == Distributed(toys.Layout(toys.COARSE), (3,))


def test_a_run_has_company_of_its_own_which_is_made_once(make_chain):
    companies, run, other = Companies(), make_chain(), make_chain()
    three = companies.of(run, 3)
    assert (three.members, companies.of(run, 3), companies.of(run, 1)) == (3, three, run)
    assert companies.of(other, 3) is not three


def test_the_eldest_company_makes_room(make_chain):
    companies, run = Companies(), make_chain()
    first = companies.of(run, 2)
    for members in range(3, 3 + SIZES):
        last = companies.of(run, members)
    assert companies.of(run, members) is last
    assert companies.of(run, 2) is not first
