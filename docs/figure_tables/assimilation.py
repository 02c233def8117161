"""Tables of the assimilation loops."""

from __future__ import annotations

from figure_tables.rows import ABSENT, RUN_AS, Figures, Tables, number, table


def assimilation(found: Figures) -> str:
    """Return the table of what other systems publish, and of what must agree."""
    identical = {1: "yes", 0: "no"}.get(found.get("rank_identical"), ABSENT)
    measures = (
        ("PDAF: worst difference of any mean or member", "pdaf_error_max", ".1e", "1e-12"),
        ("DAPPER: worst difference of a member, single analyses", "dapper_member_error", ".1e", "1e-12"),
        ("OOPS: worst difference of forward runs", "oops_forward_error", ".1e", "1e-13"),
        ("OOPS: 3D-Var, cost at the exact minimum, relative", "oops_3dvar_cost_error", ".1e", "1e-9"),
        ("OOPS: 3D-Var, cost after two outer loops, relative", "oops_3dvar_loop_2_j_error", ".1e", "1e-10"),
        ("adjoint of 48 h: worst dot test", "oops_adjoint_error", ".1e", "1e-14"),
        ("tangent of 48 h: best agreement with differences", "oops_tangent_error", ".1e", "1e-7"),
        ("linear and Gaussian: worst difference of methods", "equivalence_error_max", ".1e", "1e-10"),
        ("DAPPER's time per cycle over ours, LETKF, N = 7", "dapper_speedup_letkf", ".1f", "10"),
    )
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table(
        "measure | figure | aim", [*rows, ("the same bits on 1, 2, 3 and 4 ranks", identical, "yes")]
    )


def scores(found: Figures) -> str:
    """Return the table of DAPPER's twin: scores of both sides."""
    rows = []
    filters = (
        ("letkf", "LETKF, N = 7"), ("sqrt", "ETKF, N = 24, inflation learnt"),
        ("sqrt_plain", "ETKF, N = 24, inflation 1.013 alone"), ("enkf", "EnKF, N = 40"),
    )  # fmt: skip
    for key, text in filters:
        cells = (number(found, f"dapper_{what}_{key}", ".4f") for what in ("rmse", "spread"))
        theirs = number(found, f"dapper_rmse_{key}_theirs", ".4f")
        rows.append((text, *cells, theirs, number(found, f"dapper_z_{key}", "+.2f")))
    return table("filter | RMSE | spread | DAPPER's RMSE | z (at most 1)", rows)


def swap(found: Figures) -> str:
    """Return the table of two methods with the model and with its surrogate."""
    measures = (
        ("error of the factors, RMS", "rmse", ".3f"), ("spread", "spread", ".3f"),
        ("cost, prior", "cost_prior", ".1f"), ("cost, observations", "cost_observations", ".0f"),
        ("seconds", "seconds", ".1f"),
    )  # fmt: skip
    rows = []
    for name, text in (("letkf", "LETKF"), ("4dvar", "4D-Var")):
        for what, key, form in measures:
            cells = [number(found, f"swap_{name}_{key}_{side}", form) for side in RUN_AS[:2]]
            if cells != [ABSENT, ABSENT]:
                rows.append((f"{text}: {what}", *cells))
        gap = number(found, f"swap_{name}_gap", ".3f")
        rows.append((f"{text}: RMS difference of the two answers", gap, ""))
    return table("`run_as:` | reference | surrogate", rows)


def scaling(found: Figures) -> str:
    """Return the table of a million variables, measured and extrapolated."""
    measures = (
        ("seconds on one rank", "letkf_1m_seconds_1", ".1f"), ("seconds on two", "letkf_1m_seconds_2", ".1f"),
        ("parallel efficiency on two", "parallel_efficiency_2", ".2f"),
        ("peak memory, all ranks, GiB (aim: 4)", "letkf_1m_peak_gib", ".2f"),
        ("error of the mean before", "letkf_1m_rmse_before", ".3f"),
        ("error of the mean after", "letkf_1m_rmse_after", ".3f"),
        ("observations sent on two ranks, bytes", "letkf_1m_bytes_2", ",d"),
        ("model of 1000 ranks: most work of a rank over the mean", "model_work_max_over_mean", ".2f"),
        ("model: messages of a rank", "model_messages", ",d"),
        ("model: bytes to a rank", "model_bytes", ",.0f"),
        ("model: latency measured here, microseconds", "model_latency_us", ".1f"),
        ("model: bandwidth measured here, GB/s", "model_bandwidth_gb_s", ".1f"),
        ("model: seconds of analysis", "model_compute_seconds", ".3f"),
        ("model: seconds of exchange", "model_exchange_seconds", ".4f"),
        ("model: efficiency", "model_efficiency", ".2f"),
    )  # fmt: skip
    return table("LETKF | figure", [(text, number(found, key, form)) for text, key, form in measures])


TABLES: Tables = {"assimilation": assimilation, "scores": scores, "swap": swap, "scaling": scaling}
