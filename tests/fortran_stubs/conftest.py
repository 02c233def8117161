"""Fixtures for Fortran and C hosts: the library built once, programs compiled strictly, ranks launched."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "fortran_stubs"
STRICT = (
    "-std=f2018",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fcheck=all",
    "-ffpe-trap=invalid,zero,overflow",
    "-finit-real=snan",
)
STRICT_C = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic")
SUFFIXES = {".map", ".f90", ".F90", ".inc", ".c", ".h", ".cpp", ".in", ".cmake", ".txt"}
PROGRAMS = {"bmi", "drivers", "misuse"}
"""Folders of hosts, which are not in the library."""
KEPT = 6

Compile = Callable[..., Path]
Launch = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Hosting:
    """An installed library, and the compilers and the launcher that go with it."""

    prefix: Path
    fortran: str
    c: str
    mpiexec: str | None

    @property
    def include(self) -> Path:
        return self.prefix / "include"

    @property
    def lib(self) -> Path:
        return self.prefix / "lib"

    @property
    def environment(self) -> dict[str, str]:
        """Return what a host is run with: this Python, one thread."""
        return dict(os.environ, TRADEWIND_PYTHON=sys.executable, OMP_NUM_THREADS="1")


def cache() -> Path:
    """Return a folder outside the checkout that is this user's own."""
    folder = Path(tempfile.gettempdir()) / f"tradewind-hosting-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold a lock among all processes of this user."""
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def said(*command: object) -> str:
    """Run a command; fail the test with what it printed if it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
    return done.stdout


def digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def content() -> str:
    """Return a digest of every source of the library."""
    files = sorted(p for p in SOURCES.rglob("*") if p.suffix in SUFFIXES and p.parent.name not in PROGRAMS)
    return digest(*(f"{p}{hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files))


def mpi_of_hosts() -> tuple[str, str, str | None]:
    """Return the Fortran and the C compiler, and the launcher of the same MPI (None without one)."""
    wrapper = shutil.which("mpifort")
    if wrapper is None:
        return "gfortran", "gcc", None
    beside = Path(wrapper).parent
    return wrapper, str(beside / "mpicc"), str(beside / "mpiexec")


def build(folder: Path, prefix: Path, *options: str) -> None:
    """Configure, build and install; what has not changed since the last time is not built again."""
    _, c, launcher = mpi_of_hosts()
    mpi = [f"-DMPI_C_COMPILER={c}"] if launcher else ["-DTRADEWIND_MPI=OFF"]
    own = [
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DCMAKE_INSTALL_LIBDIR=lib",
        f"-DTRADEWIND_PYTHON={sys.executable}",
    ]
    said("cmake", "-S", SOURCES, "-B", folder, "-DTRADEWIND_STRICT=ON", *mpi, *own, *options)
    said("cmake", "--build", folder, "-j2")
    said("cmake", "--install", folder)


def forget_old(kind: str) -> None:
    """Keep the newest few installations only."""
    for old in sorted(cache().glob(f"{kind}-*"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def installed(kind: str, *options: str) -> Hosting:
    """Return the library installed with these options, built by whoever comes first.

    TRADEWIND_HOSTING names one that is used instead, such as a build with sanitizers.
    """
    if given := os.environ.get("TRADEWIND_HOSTING"):
        return Hosting(Path(given), *mpi_of_hosts())
    for program in ("gfortran", "gcc", "cmake"):
        if shutil.which(program) is None:
            pytest.skip(f"Fortran hosts need {program}")
    compilers = mpi_of_hosts()
    prefix = cache() / f"{kind}-{digest(content(), compilers, sys.executable, options)}"
    with alone(kind):
        if not (prefix / "complete").exists():
            build(cache() / f"build{kind}-{digest(SOURCES, compilers, options)}", prefix, *options)
            (prefix / "complete").touch()
        forget_old(kind)
    return Hosting(prefix, *compilers)


@pytest.fixture(scope="session")
def hosting() -> Hosting:
    """Return the installed library and stub (without the parts that need libtorch or ESMF)."""
    return installed("plain", "-DTRADEWIND_FROZEN=OFF", "-DTRADEWIND_NUOPC=OFF")


@pytest.fixture(scope="session")
def installing() -> Callable[..., Hosting]:
    """Return a function that installs the library with other options: ``installing(kind, *options)``."""
    return installed


def compiled(hosting: Hosting, sources: list[Path], flags: tuple[str, ...], library: str) -> Path:
    """Compile and link strictly; the same program again is found in the cache."""
    texts = [p.read_text() for p in sources]
    program = hosting.prefix / "programs" / digest(*sources, *texts, *flags, library)
    if not program.exists():
        modules = program.with_suffix(f".{os.getpid()}")
        modules.mkdir(parents=True)
        c = sources[-1].suffix == ".c"
        compiler = [hosting.c, *STRICT_C] if c else [hosting.fortran, *STRICT, f"-J{modules}"]
        place = [f"-I{hosting.include}", f"-L{hosting.lib}", f"-Wl,-rpath,{hosting.lib}"]
        said(*compiler, *flags, *place, *sources, f"-l{library}", "-o", modules / "program")
        (modules / "program").replace(program)
    return program


@pytest.fixture
def compile_host(hosting: Hosting, tmp_path: Path) -> Compile:
    """Return a function that compiles a host: sources are files or text, flags begin with a dash.

    ``compile_host(source, *more_sources_and_flags, library="tradewind") -> Path``
    """

    def file_of(source: object) -> Path:
        if isinstance(source, Path):
            return source
        written = cache() / "sources" / f"{digest(source)}{'.c' if '#include' in str(source) else '.f90'}"
        written.parent.mkdir(exist_ok=True)
        written.write_text(str(source))
        return written

    def compile_(*given: object, library: str = "tradewind") -> Path:
        flags = tuple(g for g in given if isinstance(g, str) and g.startswith("-"))
        return compiled(hosting, [file_of(g) for g in given if g not in flags], flags, library)

    return compile_


@pytest.fixture
def launch(hosting: Hosting, tmp_path: Path) -> Launch:
    """Return a function that runs a host in `tmp_path`, alone or under ranks of the MPI it was linked with.

    ``launch(program, *arguments, ranks=0, check=True, env={}, timeout=120)``; 0 ranks: without a launcher.
    """

    def run(
        *command: object,
        ranks: int = 0,
        check: bool = True,
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        if ranks and hosting.mpiexec is None:
            pytest.skip("ranks need an MPI with Fortran: mpifort was not found")
        starter = [hosting.mpiexec, "-n", ranks] if ranks else []
        done = subprocess.run(
            list(map(str, [*starter, *command])),
            cwd=tmp_path,
            env=hosting.environment | (env or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{command[0]}, {ranks} ranks, exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run
