"""What tradewind brings along, registered through the same hooks as any other plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.markers import hookimpl

if TYPE_CHECKING:
    from tradewind.plugins.registry import Register, RegisterPolicy, RegisterSurrogate


@hookimpl
def tradewind_register_component(register: Register) -> None:
    """Register the reference models."""
    register(
        "transport",
        factory="tradewind.plugins.transport.model:Transport",
        options="tradewind.plugins.transport.options:TransportOptions",
        summary="multi-layer flux-form transport of methane, driven by winds from a file",
    )
    register(
        "gridded-emissions",
        factory="tradewind.plugins.emissions.gridded:GriddedEmissions",
        options="tradewind.plugins.emissions.options:GriddedOptions",
        summary="an emission inventory on a grid of its own, constant in time",
    )
    register(
        "external",
        factory="tradewind.plugins.external.derivatives:external",
        options="tradewind.plugins.external.options:ExternalOptions",
        summary="a program of its own, driven through its run directory and netCDF files",
    )
    register(
        "dataset",
        factory="tradewind.plugins.prescribed.dataset:Dataset",
        options="tradewind.plugins.prescribed.options:DatasetOptions",
        summary="fields replayed from netCDF or Zarr, interpolated or averaged in time",
    )
    register(
        "constant",
        factory="tradewind.plugins.prescribed.constant:Constant",
        options="tradewind.plugins.prescribed.options:ConstantOptions",
        summary="fields that are one number each",
    )
    register(
        "function",
        factory="tradewind.plugins.prescribed.function:FunctionComponent",
        options="tradewind.plugins.prescribed.options:FunctionOptions",
        summary="a few lines of Python of the user's own",
    )
    register(
        "lorenz-96",
        factory="tradewind.plugins.idealised.lorenz96:Lorenz96",
        options="tradewind.plugins.idealised.options:Lorenz96Options",
        summary="the chaotic model of Lorenz (1996) on a circle",
    )
    register(
        "shift",
        factory="tradewind.plugins.idealised.shift:Shift",
        options="tradewind.plugins.idealised.options:ShiftOptions",
        summary="a field that moves by whole rows and columns at every step",
    )


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
    register(
        "analytical",
        factory="tradewind.plugins.solvers.analytical:Analytical",
        options="tradewind.plugins.solvers.options:AnalyticalOptions",
        summary="exact posterior of a linear model with normal errors",
    )
    register(
        "optimal-interpolation",
        factory="tradewind.plugins.solvers.variational.interpolation:OptimalInterpolation",
        options="tradewind.plugins.solvers.options:AnalyticalOptions",
        summary="exact analysis of fields that stand still through each window",
    )
    register(
        "3dvar",
        factory="tradewind.plugins.solvers.variational.incremental:ThreeDVar",
        options="tradewind.plugins.solvers.variational.options:ThreeDVarOptions",
        summary="minimum of the cost, fields standing still through each window",
    )
    register(
        "4dvar",
        factory="tradewind.plugins.solvers.variational.incremental:FourDVar",
        options="tradewind.plugins.solvers.variational.options:FourDVarOptions",
        summary="minimum of the cost by the model's adjoint: strong constraint, incremental",
    )
    register(
        "envar",
        factory="tradewind.plugins.solvers.variational.envar:EnVar",
        options="tradewind.plugins.solvers.variational.options:EnVarOptions",
        summary="as 4dvar, with a background covariance that members span, wholly or in part",
    )
    register(
        "es-mda",
        factory="tradewind.plugins.solvers.smoothers.esmda:ESMDA",
        options="tradewind.plugins.solvers.smoothers.options:ESMDAOptions",
        summary="ensemble smoother with multiple data assimilation, without derivatives",
    )
    register(
        "ies",
        factory="tradewind.plugins.solvers.smoothers.ies:IES",
        options="tradewind.plugins.solvers.smoothers.options:IESOptions",
        summary="iterative ensemble smoother: Gauss–Newton in the space of the members",
    )
    register(
        "mcmc",
        factory="tradewind.plugins.solvers.sampling.mcmc:MCMC",
        options="tradewind.plugins.solvers.sampling.options:MCMCOptions",
        summary="Markov chains: adaptive Metropolis, MALA, HMC; many sites at once",
    )


@hookimpl
def tradewind_register_filter(register: Register) -> None:
    """Register the filters."""
    register(
        "etkf",
        factory="tradewind.plugins.filters.transform.etkf:ETKF",
        options="tradewind.plugins.filters.options:ETKFOptions",
        summary="ensemble transform Kalman filter, deterministic, global",
    )
    register(
        "estkf",
        factory="tradewind.plugins.filters.transform.etkf:ESTKF",
        options="tradewind.plugins.filters.options:ESTKFOptions",
        summary="error-subspace transform Kalman filter, deterministic, global",
    )
    register(
        "letkf",
        factory="tradewind.plugins.filters.local.letkf:LETKF",
        options="tradewind.plugins.filters.options:LETKFOptions",
        summary="ensemble transform Kalman filter, an analysis for every place",
    )
    register(
        "lestkf",
        factory="tradewind.plugins.filters.local.letkf:LESTKF",
        options="tradewind.plugins.filters.options:LESTKFOptions",
        summary="error-subspace transform Kalman filter, an analysis for every place",
    )
    register(
        "enkf",
        factory="tradewind.plugins.filters.enkf:EnKF",
        options="tradewind.plugins.filters.options:EnKFOptions",
        summary="ensemble Kalman filter with perturbed observations, global or local",
    )
    register(
        "denkf",
        factory="tradewind.plugins.filters.denkf:DEnKF",
        options="tradewind.plugins.filters.options:DEnKFOptions",
        summary="deterministic ensemble Kalman filter, global or local",
    )
    register(
        "enkf-n",
        factory="tradewind.plugins.filters.transform.finite_size:EnKFN",
        options="tradewind.plugins.filters.options:FiniteSizeOptions",
        summary="finite-size ensemble Kalman filter without tuned inflation, global",
    )
    register(
        "eakf",
        factory="tradewind.plugins.filters.serial.eakf:EAKF",
        options="tradewind.plugins.filters.options:EAKFOptions",
        summary="ensemble adjustment Kalman filter, serial, global or local",
    )
    register(
        "particle",
        factory="tradewind.plugins.filters.particle:ParticleFilter",
        options="tradewind.plugins.filters.particle_options:ParticleOptions",
        summary="particle filter with systematic resampling, global, for small problems",
    )


@hookimpl
def tradewind_register_observation_operator(register: Register) -> None:
    """Register the observation operators."""
    register(
        "column",
        factory="tradewind.plugins.observations.column:ColumnOperator",
        options="tradewind.plugins.observations.options:ColumnOptions",
        summary="dry-air column averages, with averaging kernels where the observed variable has layers",
    )
    register(
        "point",
        factory="tradewind.plugins.observations.point:PointOperator",
        options="tradewind.plugins.observations.options:PointOptions",
        summary="a variable, or one level of it, read at places",
    )
    register(
        "profile",
        factory="tradewind.plugins.observations.profile:ProfileOperator",
        options="tradewind.plugins.observations.options:ProfileOptions",
        summary="a variable with levels, read at places and heights",
    )
    register(
        "area-mean",
        factory="tradewind.plugins.observations.area_mean:AreaMeanOperator",
        options="tradewind.plugins.observations.options:AreaMeanOptions",
        summary="means over cells around a place, or of a region, weighted by area",
    )
    register(
        "time-mean",
        factory="tradewind.plugins.observations.time_mean:TimeMeanOperator",
        options="tradewind.plugins.observations.options:TimeMeanOptions",
        summary="means over the steps before an observation",
    )
    register(
        "footprint",
        factory="tradewind.plugins.observations.footprint:FootprintOperator",
        options="tradewind.plugins.observations.options:FootprintOptions",
        summary="sensitivities of observations to a flux, read from a file",
    )
    register(
        "function",
        factory="tradewind.plugins.observations.function:FunctionOperator",
        options="tradewind.plugins.observations.options:FunctionOptions",
        summary="a few lines of Python of the user's own",
    )
    register(
        "digital-filter",
        factory="tradewind.plugins.observations.digital_filter:DigitalFilter",
        options="tradewind.plugins.observations.digital_filter_options:DigitalFilterOptions",
        summary="a penalty on oscillations within a window that are faster than a cut-off",
    )
