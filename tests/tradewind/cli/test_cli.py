"""The command line: one clear message per failure, exit codes, and what goes to which stream."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import dataclass, field

import pytest

from tradewind import cli
from tradewind.commands.failure import Failure, failure_of
from tradewind.commands.session import spokesman
from tradewind.errors import ConfigError, DataError, RankError

FAULTS = (
    "permian.yaml:3: unknown key 'grud', did you mean 'grid'?",
    "permian.yaml:9: units 'kg' are no flux",
)


@dataclass
class Ended:
    code: int
    out: str
    err: str


@dataclass
class Command:
    """Runs the command line in this process, with stand-ins for the modules that do the work."""

    capsys: pytest.CaptureFixture
    monkeypatch: pytest.MonkeyPatch
    asked: list = field(default_factory=list)

    def __call__(self, *arguments: str) -> Ended:
        self.monkeypatch.setattr(sys, "argv", ["tradewind", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = self.capsys.readouterr()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 0, out, err)

    def stand_in(self, module: str, name: str, answer: object) -> None:
        def work(*arguments: object) -> object:
            self.asked.append(arguments)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        fake = types.ModuleType(f"tradewind.{module}")
        setattr(fake, name, work)
        self.monkeypatch.setitem(sys.modules, f"tradewind.{module}", fake)


@pytest.fixture
def command(capsys, monkeypatch):
    for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    return Command(capsys, monkeypatch)


class TestRun:
    def test_shows_a_table(self, command, result):
        command.stand_in("execute", "execute", result)
        ended = command("run", "permian.yaml")
        assert (ended.code, ended.err) == (0, "")
        assert "jacobian-emulator" in ended.out
        assert "\x1b" not in ended.out

    def test_prints_nothing_but_json(self, command, result):
        command.stand_in("execute", "execute", result)
        ended = command("run", "permian.yaml", "--json")
        assert json.loads(ended.out)["total_posterior"] == result.totals.posterior
        assert ended.err == ""

    def test_hands_over_what_was_asked(self, command, result):
        command.stand_in("execute", "execute", result)
        command("run", "permian.yaml", "--set", "a.b=c", "--set", "run.step=6h")
        path, overrides, comm, progress, begin = command.asked[0]
        assert (str(path), overrides, comm) == ("permian.yaml", ["a.b=c", "run.step=6h"], None)
        assert callable(progress("x", 1))
        assert begin == "anew"

    def test_goes_on_when_asked(self, command, result):
        command.stand_in("execute", "execute", result)
        command("run", "permian.yaml", "--resume")
        assert command.asked[0][-1] == "resume"


class TestFailures:
    def test_are_one_message_without_a_traceback(self, command):
        error = DataError("a NaN at (3, 4)", where="winds.nc", hint="cut to the complete columns")
        command.stand_in("execute", "execute", error)
        ended = command("run", "permian.yaml")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == "error: winds.nc: a NaN at (3, 4)\nhint: cut to the complete columns\n"

    def test_long_messages_are_not_broken(self, command):
        command.stand_in("execute", "execute", DataError("very " * 60 + "long"))
        assert command("run", "permian.yaml").err.count("\n") == 1

    def test_list_every_fault_of_a_config(self, command):
        error = ConfigError("2 faults")
        error.faults = FAULTS
        command.stand_in("execute", "execute", error)
        ended = command("run", "permian.yaml")
        assert ended.code == 2
        assert ended.err.splitlines() == ["error: 2 faults in the config", *(f"  {f}" for f in FAULTS)]

    def test_show_the_traceback_when_asked(self, command):
        command.stand_in("execute", "execute", DataError("a NaN"))
        ended = command("run", "permian.yaml", "--debug")
        assert ended.code == 2
        assert ended.err.startswith("Traceback (most recent call last)")
        assert ended.err.endswith("error: a NaN\n")

    def test_bugs_are_owned_up_to(self, command):
        command.stand_in("execute", "execute", ZeroDivisionError("division by zero\nsecond line"))
        ended = command("run", "permian.yaml")
        assert ended.code == 1
        assert ended.err.splitlines()[0] == "error: unexpected ZeroDivisionError: division by zero"
        assert "--debug" in ended.err
        assert "Traceback" not in ended.err

    def test_an_interruption_is_none_of_them(self, command):
        command.stand_in("execute", "execute", KeyboardInterrupt())
        ended = command("run", "permian.yaml")
        assert (ended.code, ended.err) == (130, "error: interrupted\n")

    def test_brackets_are_no_markup(self, command):
        command.stand_in("execute", "execute", DataError("units '[red]'", where="[/oops]"))
        assert command("run", "permian.yaml").err == "error: [/oops]: units '[red]'\n"

    def test_a_closed_pipe_is_met_with_silence(self):
        assert failure_of(BrokenPipeError(32, "Broken pipe")).message == ""

    def test_a_wrong_option_is_exit_code_2(self, command):
        ended = command("run", "permian.yaml", "--jsn")
        assert ended.code == 2
        assert "--json" in ended.err

    def test_a_launcher_without_mpi4py(self, command, monkeypatch):
        monkeypatch.setenv("PMI_RANK", "0")
        monkeypatch.setenv("PMI_SIZE", "2")
        monkeypatch.setitem(sys.modules, "mpi4py", None)
        ended = command("check", "permian.yaml")
        assert ended.code == 2
        assert ended.err.startswith("error: MPI: several ranks were launched, but mpi4py cannot be used")

    def test_of_all_ranks_are_told_by_the_first_process(self, command, monkeypatch):
        monkeypatch.setenv("PMI_RANK", "1")
        monkeypatch.setenv("PMI_SIZE", "2")
        monkeypatch.setitem(sys.modules, "mpi4py", None)
        ended = command("check", "permian.yaml")
        assert (ended.code, ended.out, ended.err) == (2, "", "")


class TestOtherCommands:
    def test_check_lists_faults(self, command):
        command.stand_in("check", "check", types.SimpleNamespace(faults=list(FAULTS), lines=["plan"]))
        ended = command("check", "permian.yaml")
        assert (ended.code, ended.out) == (2, "")
        assert all(fault in ended.err for fault in FAULTS)

    def test_check_shows_the_plan(self, command):
        command.stand_in("check", "check", types.SimpleNamespace(faults=(), lines=("run  six steps",)))
        ended = command("check", "permian.yaml")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == "run  six steps\npermian.yaml: no fault found\n"

    def test_bench_prints_its_figures(self, command):
        command.stand_in("bench", "run", {"params_compact": 1234, "rmse": 0.125})
        assert json.loads(command("bench", "permian", "--json").out) == {
            "params_compact": 1234,
            "rmse": 0.125,
        }
        assert command("bench", "permian").out.split() == ["params_compact", "1234", "rmse", "0.125"]

    def test_train_tells_what_it_wrote(self, command):
        header = types.SimpleNamespace(parameters=42, scores={"rmse": 0.5})
        command.stand_in(
            "learning.emulators", "run_training", types.SimpleNamespace(path="a.safetensors", header=header)
        )
        told = command("train", "train.yaml", "--set", "seed=3").out.split()
        assert told == ["checkpoint", "a.safetensors", "parameters", "42", "rmse", "0.5"]
        assert command.asked[0][1] == ["seed=3"]

    def test_schema_is_json(self, command):
        assert json.loads(command("schema").out)["title"] == "tradewind run config"

    def test_plugins_are_listed(self, command):
        listed = json.loads(command("plugins", "--json").out)
        found = {(row["role"], row["name"]) for row in listed}
        assert ("surrogate", "jacobian-emulator") in found
        assert "jacobian-emulator" in command("plugins").out

    def test_version(self, command):
        from importlib.metadata import version

        assert command("--version").out == f"tradewind {version('tradewind')}\n"

    @pytest.mark.parametrize("name", ["run", "check", "schema", "plugins", "train", "bench"])
    def test_help_names_every_command(self, command, name):
        assert f"  {name} " in command("--help").out


class TestWhoSpeaks:
    OWN, ECHO = Failure(2, "own"), failure_of(RankError("elsewhere"))

    @pytest.mark.parametrize(
        ("failures", "speaker"),
        [
            ([None, None], None),
            ([OWN, OWN], 0),
            ([ECHO, OWN, ECHO], 1),
            ([None, OWN], 1),
            ([None, ECHO, ECHO], 1),
        ],
    )
    def test_the_first_rank_with_a_fault_of_its_own(self, failures, speaker):
        assert spokesman(failures) == speaker
