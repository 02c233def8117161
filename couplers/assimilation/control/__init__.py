"""Controls: what an assimilation may change, and how well that is known beforehand."""

from tradewind.couplers.assimilation.control.change import Add, Bounded, Change, Lognormal, Scale
from tradewind.couplers.assimilation.control.draws import perturbations, recentred, sample, sigma_of
from tradewind.couplers.assimilation.control.elements import Clustering, Per
from tradewind.couplers.assimilation.control.field import FieldControl, ScaledField
from tradewind.couplers.assimilation.control.joint import JointControl
from tradewind.couplers.assimilation.control.periodic import PeriodicControl
from tradewind.couplers.assimilation.control.prior import PriorError

__all__ = [
    "Add",
    "Bounded",
    "Change",
    "Clustering",
    "FieldControl",
    "JointControl",
    "Lognormal",
    "Per",
    "PeriodicControl",
    "PriorError",
    "Scale",
    "ScaledField",
    "perturbations",
    "recentred",
    "sample",
    "sigma_of",
]
