from tradewind.config import load_config as load_config
from tradewind.coupled.run import CoupledRun as CoupledRun
from tradewind.couplers.assimilation import Control as Control
from tradewind.couplers.assimilation import Ensemble as Ensemble
from tradewind.couplers.assimilation import Filter as Filter
from tradewind.couplers.assimilation import ForwardModel as ForwardModel
from tradewind.couplers.assimilation import Observations as Observations
from tradewind.couplers.assimilation import Posterior as Posterior
from tradewind.couplers.assimilation import Solver as Solver
from tradewind.couplers.coupling.component import Component as Component
from tradewind.couplers.coupling.component import Interval as Interval
from tradewind.couplers.coupling.fields import Kind as Kind
from tradewind.couplers.coupling.fields import Spec as Spec
from tradewind.couplers.coupling.fields import State as State
from tradewind.couplers.coupling.fields import Variable as Variable
from tradewind.couplers.coupling.time.clock import Clock as Clock
from tradewind.couplers.grids import Grid as Grid
from tradewind.couplers.operators import Distributed as Distributed
from tradewind.couplers.operators import LinearOperator as LinearOperator
from tradewind.couplers.operators import Replicated as Replicated
from tradewind.couplers.operators import Space as Space
from tradewind.couplers.operators import dot_test as dot_test
from tradewind.couplers.ranks.layout import Layout as Layout
from tradewind.couplers.regrid.regridder import Regridder as Regridder
from tradewind.errors import TradewindError as TradewindError
from tradewind.execute import execute as run
from tradewind.markers import hookimpl as hookimpl
from tradewind.surrogates.surrogate import Surrogate as Surrogate

__version__: str
__all__ = [
    "Clock",
    "Component",
    "Control",
    "CoupledRun",
    "Distributed",
    "Ensemble",
    "Filter",
    "ForwardModel",
    "Grid",
    "Interval",
    "Kind",
    "Layout",
    "LinearOperator",
    "Observations",
    "Posterior",
    "Regridder",
    "Replicated",
    "Solver",
    "Space",
    "Spec",
    "State",
    "Surrogate",
    "TradewindError",
    "Variable",
    "dot_test",
    "hookimpl",
    "load_config",
    "run",
]
