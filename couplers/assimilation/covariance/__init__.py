"""Covariances of errors: what a prior, an observation or a surrogate is unsure of."""

from tradewind.couplers.assimilation.covariance.blocks import BlockCovariance
from tradewind.couplers.assimilation.covariance.contract import (
    Covariance,
    RootOperator,
    dense,
    square_root,
)
from tradewind.couplers.assimilation.covariance.diffusion import DiffusionCovariance
from tradewind.couplers.assimilation.covariance.elementary import DenseCovariance, DiagonalCovariance
from tradewind.couplers.assimilation.covariance.kernels import Correlation, Kernel, correlated, in_space
from tradewind.couplers.assimilation.covariance.kronecker import KroneckerCovariance

__all__ = [
    "BlockCovariance",
    "Correlation",
    "Covariance",
    "DenseCovariance",
    "DiagonalCovariance",
    "DiffusionCovariance",
    "Kernel",
    "KroneckerCovariance",
    "RootOperator",
    "correlated",
    "dense",
    "in_space",
    "square_root",
]
