"""Checkpoints and reports of sessions: complete, or named."""

import json
from pathlib import Path

import numpy as np
import pytest

from tradewind.errors import CheckpointError, DataError
from tradewind.hosting.failing import CallError, Code, told

HOUR = 3600.0
MODEL = """
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}
components: {circle: {plugin: lorenz-96, options: {size: 12, changes: {0: 9.0}}}}
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(MODEL)
    return str(path)


def got(session, name="x", shape=12):
    out = np.empty(shape)
    session.component("circle").get(0, name, out)
    return out


class TestCheckpoint:
    def test_a_run_goes_on_with_the_same_bits(self, model, begun, tmp_path):
        whole, other = begun(model), begun(model)
        whole.component("circle").put(0, "forcing", np.array(9.0))
        whole.advance(12 * HOUR)
        whole.checkpoint(str(tmp_path / "half"))
        whole.advance(24 * HOUR)
        other.restore(str(tmp_path / "half"))
        assert other.times()[0] == 12 * HOUR
        other.advance(24 * HOUR)
        assert np.array_equal(got(whole), got(other))

    def test_a_handle_goes_on_with_the_same_bits(self, model, begun, tmp_path):
        found = []
        first, second = begun(model), begun(model)
        first.component("circle").put(0, "forcing", np.array(9.0))
        first.component("circle").run(0.0, 6 * HOUR)
        first.checkpoint(str(tmp_path / "one"))
        second.restore(str(tmp_path / "one"))
        for session in (first, second):
            before = got(session)
            session.component("circle").run(6 * HOUR, 6 * HOUR)
            found.append((before, got(session)))
        assert np.array_equal(found[0], found[1])

    def test_an_ensemble_goes_on_with_the_same_bits(self, filtered, begun, tmp_path):
        whole, other = begun(filtered), begun(filtered)
        whole.advance(6 * HOUR)
        whole.analyse()
        whole.checkpoint(str(tmp_path / "members"))
        other.restore(str(tmp_path / "members"))
        for session in (whole, other):
            session.advance(12 * HOUR)
            session.analyse()
        assert np.array_equal(got(whole, shape=(5, 12)), got(other, shape=(5, 12)))

    def test_a_posterior_is_gone_on_from(self, inverted, begun, tmp_path):
        whole, other = begun(inverted), begun(inverted)
        whole.solve()
        whole.checkpoint(str(tmp_path / "solved"))
        other.restore(str(tmp_path / "solved"))
        for session in (whole, other):
            session.advance(24 * HOUR)
        assert np.array_equal(got(whole), got(other))

    def test_a_missing_file(self, model, begun):
        with pytest.raises(CheckpointError, match="no such file") as caught:
            begun(model).restore("nowhere")
        assert told(caught.value)[0] == Code.CHECKPOINT

    @pytest.mark.parametrize("at", [3, 200, -5])
    def test_a_damaged_file(self, model, begun, tmp_path, at):
        session, file = begun(model), tmp_path / "half"
        session.advance(6 * HOUR)
        session.checkpoint(str(file))
        content = bytearray(file.read_bytes())
        content[at] ^= 0xFF
        file.write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            session.restore(str(file))
        assert told(caught.value)[0] == Code.CHECKPOINT

    def test_another_session(self, model, filtered, begun, tmp_path):
        session = begun(model)
        session.component("circle").describe()
        session.checkpoint(str(tmp_path / "one"))
        with pytest.raises(CheckpointError, match="members is '5' in this session, '1' in the file"):
            begun(filtered).restore(str(tmp_path / "one"))

    def test_a_full_disk_keeps_the_old_file(self, model, begun, tmp_path, monkeypatch):
        session, file = begun(model), tmp_path / "half"
        session.advance(6 * HOUR)
        session.checkpoint(str(file))
        before = file.read_bytes()

        def full(self, content):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="No space left") as caught:
            session.checkpoint(str(file))
        assert told(caught.value)[0] == Code.FILE
        assert file.read_bytes() == before


class TestReport:
    def test_of_calls_in_plain_text(self, model, begun, tmp_path):
        session = begun(model)
        session.component("circle").run(0.0, 6 * HOUR)
        session.advance(24 * HOUR)
        session.report(str(tmp_path / "report.txt"))
        line = next(
            each for each in (tmp_path / "report.txt").read_text().splitlines() if "lorenz-96" in each
        )
        assert "circle" in line
        assert " 5 " in line

    def test_of_calls_as_netcdf(self, model, begun, tmp_path):
        import xarray as xr

        session = begun(model)
        session.advance(24 * HOUR)
        session.report(str(tmp_path / "report.nc"))
        with xr.open_dataset(tmp_path / "report.nc") as file:
            assert "model" in json.dumps(dict(file.attrs), default=str)

    @pytest.mark.parametrize("ending", ["nc", pytest.param("html", marks=pytest.mark.slow), "txt"])
    def test_of_a_posterior(self, inverted, begun, tmp_path, ending):
        session = begun(inverted)
        session.solve()
        session.report(str(tmp_path / f"report.{ending}"))
        assert (tmp_path / f"report.{ending}").stat().st_size > 500

    def test_no_page_of_nothing(self, model, begun, tmp_path):
        with pytest.raises(CallError, match="there is no page") as caught:
            begun(model).report(str(tmp_path / "report.html"))
        assert caught.value.code is Code.ORDER

    def test_no_folder(self, model, begun, tmp_path):
        with pytest.raises(DataError, match="does not exist"):
            begun(model).report(str(tmp_path / "nowhere" / "report.txt"))
