"""What tradewind brings along, registered through the same hooks as any other plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tradewind.markers import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradewind.plugins.registry import Register, RegisterPolicy, RegisterSurrogate


class Brought(NamedTuple):
    """What a name stands for; paths begin at ``tradewind.plugins``."""

    name: str
    factory: str
    options: str
    summary: str


COMPONENTS = (
    Brought(
        "transport",
        "transport.model:Transport",
        "transport.options:TransportOptions",
        "multi-layer flux-form transport of methane, driven by winds from a file",
    ),
    Brought(
        "background",
        "background.model:Background",
        "background.options:BackgroundOptions",
        "air that enters through the sides of a transport model's box, and loss to OH by hemisphere",
    ),
    Brought(
        "gridded-emissions",
        "emissions.gridded:GriddedEmissions",
        "emissions.options:GriddedOptions",
        "an emission inventory on a grid of its own, constant in time",
    ),
    Brought(
        "external",
        "external.derivatives:external",
        "external.options:ExternalOptions",
        "a program of its own, driven through its run directory and netCDF files",
    ),
    Brought(
        "dataset",
        "prescribed.dataset:Dataset",
        "prescribed.options:DatasetOptions",
        "fields replayed from netCDF or Zarr, interpolated or averaged in time",
    ),
    Brought(
        "constant",
        "prescribed.constant:Constant",
        "prescribed.options:ConstantOptions",
        "fields that are one number each",
    ),
    Brought(
        "function",
        "prescribed.function:FunctionComponent",
        "prescribed.options:FunctionOptions",
        "a few lines of Python of the user's own",
    ),
    Brought(
        "host",
        "host.component:Host",
        "host.options:HostOptions",
        "what a host model puts and gets, or the step that it registers",
    ),
    Brought(
        "lorenz-96",
        "idealised.lorenz96:Lorenz96",
        "idealised.options:Lorenz96Options",
        "the chaotic model of Lorenz (1996) on a circle",
    ),
    Brought(
        "shift",
        "idealised.shift:Shift",
        "idealised.options:ShiftOptions",
        "a field that moves by whole rows and columns at every step",
    ),
    Brought(
        "network",
        "network.component:NetworkComponent",
        "network.options:NetworkOptions",
        "a column network, with no model behind it",
    ),
)
SOLVERS = (
    Brought(
        "analytical",
        "solvers.analytical:Analytical",
        "solvers.options:AnalyticalOptions",
        "exact posterior of a linear model with normal errors",
    ),
    Brought(
        "optimal-interpolation",
        "solvers.variational.interpolation:OptimalInterpolation",
        "solvers.options:InterpolationOptions",
        "exact analysis of fields that stand still through each window",
    ),
    Brought(
        "3dvar",
        "solvers.variational.incremental:ThreeDVar",
        "solvers.variational.options:ThreeDVarOptions",
        "minimum of the cost, fields standing still through each window",
    ),
    Brought(
        "4dvar",
        "solvers.variational.incremental:FourDVar",
        "solvers.variational.options:FourDVarOptions",
        "minimum of the cost by the model's adjoint: strong constraint, incremental",
    ),
    Brought(
        "envar",
        "solvers.variational.envar:EnVar",
        "solvers.variational.options:EnVarOptions",
        "as 4dvar, with a background covariance that members span, wholly or in part",
    ),
    Brought(
        "es-mda",
        "solvers.smoothers.esmda:ESMDA",
        "solvers.smoothers.options:ESMDAOptions",
        "ensemble smoother with multiple data assimilation, without derivatives",
    ),
    Brought(
        "ies",
        "solvers.smoothers.ies:IES",
        "solvers.smoothers.options:IESOptions",
        "iterative ensemble smoother: Gauss–Newton in the space of the members",
    ),
    Brought(
        "mcmc",
        "solvers.sampling.mcmc:MCMC",
        "solvers.sampling.options:MCMCOptions",
        "Markov chains: adaptive Metropolis, MALA, HMC; many sites at once",
    ),
)
FILTERS = (
    Brought(
        "etkf",
        "filters.transform.etkf:ETKF",
        "filters.options:ETKFOptions",
        "ensemble transform Kalman filter, deterministic, global",
    ),
    Brought(
        "estkf",
        "filters.transform.etkf:ESTKF",
        "filters.options:ESTKFOptions",
        "error-subspace transform Kalman filter, deterministic, global",
    ),
    Brought(
        "letkf",
        "filters.local.letkf:LETKF",
        "filters.options:LETKFOptions",
        "ensemble transform Kalman filter, an analysis for every place",
    ),
    Brought(
        "lestkf",
        "filters.local.letkf:LESTKF",
        "filters.options:LESTKFOptions",
        "error-subspace transform Kalman filter, an analysis for every place",
    ),
    Brought(
        "enkf",
        "filters.enkf:EnKF",
        "filters.options:EnKFOptions",
        "ensemble Kalman filter with perturbed observations, global or local",
    ),
    Brought(
        "denkf",
        "filters.denkf:DEnKF",
        "filters.options:DEnKFOptions",
        "deterministic ensemble Kalman filter, global or local",
    ),
    Brought(
        "enkf-n",
        "filters.transform.finite_size:EnKFN",
        "filters.options:FiniteSizeOptions",
        "finite-size ensemble Kalman filter without tuned inflation, global",
    ),
    Brought(
        "eakf",
        "filters.serial.eakf:EAKF",
        "filters.options:EAKFOptions",
        "ensemble adjustment Kalman filter, serial, global or local",
    ),
    Brought(
        "particle",
        "filters.particle:ParticleFilter",
        "filters.particle_options:ParticleOptions",
        "particle filter with systematic resampling, global, for small problems",
    ),
)
OBSERVATION_OPERATORS = (
    Brought(
        "column",
        "observations.column:ColumnOperator",
        "observations.options:ColumnOptions",
        "dry-air column averages, with averaging kernels where the observed variable has layers",
    ),
    Brought(
        "point",
        "observations.point:PointOperator",
        "observations.options:PointOptions",
        "a variable, or one level of it, read at places",
    ),
    Brought(
        "profile",
        "observations.profile:ProfileOperator",
        "observations.options:ProfileOptions",
        "a variable with levels, read at places and heights",
    ),
    Brought(
        "area-mean",
        "observations.area_mean:AreaMeanOperator",
        "observations.options:AreaMeanOptions",
        "means over cells around a place, or of a region, weighted by area",
    ),
    Brought(
        "time-mean",
        "observations.time_mean:TimeMeanOperator",
        "observations.options:TimeMeanOptions",
        "means over the steps before an observation",
    ),
    Brought(
        "footprint",
        "observations.footprint:FootprintOperator",
        "observations.options:FootprintOptions",
        "sensitivities of observations to a flux, read from a file",
    ),
    Brought(
        "function",
        "observations.function:FunctionOperator",
        "observations.options:FunctionOptions",
        "a few lines of Python of the user's own",
    ),
    Brought(
        "digital-filter",
        "observations.digital_filter:DigitalFilter",
        "observations.digital_filter_options:DigitalFilterOptions",
        "a penalty on oscillations within a window that are faster than a cut-off",
    ),
)


def _registered(register: Register, brought: Iterable[Brought]) -> None:
    for name, factory, options, summary in brought:
        paths = {"factory": f"tradewind.plugins.{factory}", "options": f"tradewind.plugins.{options}"}
        register(name, summary=summary, **paths)


@hookimpl
def tradewind_register_component(register: Register) -> None:
    """Register the reference models."""
    _registered(register, COMPONENTS)


@hookimpl
def tradewind_register_surrogate(register: RegisterSurrogate) -> None:
    """Register the surrogates."""
    register(
        "jacobian-emulator",
        factory="tradewind.plugins.jacobian_emulator.surrogate:JacobianEmulator",
        options="tradewind.plugins.jacobian_emulator.options:EmulatorOptions",
        stands_in_for="linearization",
        component="transport",
        summary="one network evaluation per column of the transport's Jacobian",
    )
    register(
        "stored-jacobian",
        factory="tradewind.plugins.stored_jacobian.surrogate:StoredJacobian",
        options="tradewind.plugins.stored_jacobian.options:StoredOptions",
        stands_in_for="linearization",
        component="*",
        summary="a Jacobian from a file in place of a component's linearization",
    )
    register(
        "network",
        factory="tradewind.plugins.network.surrogate:NetworkStandIn",
        options="tradewind.plugins.network.options:StandInOptions",
        stands_in_for="step",
        component="*",
        summary="a column network in place of a step",
    )


@hookimpl
def tradewind_register_policy(register: RegisterPolicy) -> None:
    """Register the policies."""
    register(
        "guard",
        factory="tradewind.plugins.policies.guard:Guard",
        order=10,
        summary="the surrogate answers inside its domain, the reference model elsewhere",
    )
    register(
        "shadow",
        factory="tradewind.plugins.policies.shadow:Shadow",
        order=20,
        summary="the reference model answers, the surrogate runs beside it and is compared",
    )


@hookimpl
def tradewind_register_solver(register: Register) -> None:
    """Register the solvers."""
    _registered(register, SOLVERS)


@hookimpl
def tradewind_register_filter(register: Register) -> None:
    """Register the filters."""
    _registered(register, FILTERS)


@hookimpl
def tradewind_register_observation_operator(register: Register) -> None:
    """Register the observation operators."""
    _registered(register, OBSERVATION_OPERATORS)
