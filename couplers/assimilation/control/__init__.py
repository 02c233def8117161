"""Controls: what an assimilation may change, and how well that is known beforehand."""

from tradewind.couplers.assimilation.control.change import Add, Bounded, Change, Lognormal, Scale
from tradewind.couplers.assimilation.control.clusters import Clusters
from tradewind.couplers.assimilation.control.draws import perturbations, recentred, sample, sigma_of
from tradewind.couplers.assimilation.control.elements import Clustering, Per
from tradewind.couplers.assimilation.control.field import FieldControl, ScaledField
from tradewind.couplers.assimilation.control.joint import JointControl
from tradewind.couplers.assimilation.control.periodic import PeriodicControl
from tradewind.couplers.assimilation.control.prior import PriorError
from tradewind.couplers.assimilation.control.together import joint_covariance

__all__ = [
    "Add",
    "Bounded",
    "Change",
    "Clustering",
    "Clusters",
    "FieldControl",
    "JointControl",
    "Lognormal",
    "Per",
    "PeriodicControl",
    "PriorError",
    "Scale",
    "ScaledField",
    "joint_covariance",
    "perturbations",
    "recentred",
    "sample",
    "sigma_of",
]
