"""Finding the tools that validate what ships beside the binaries."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def find_tool(name):
    """The tool from .tools, .venv or the path; without it the test is skipped by name."""
    places = [ROOT / ".tools", ROOT / ".venv" / "bin", os.environ.get("PATH", os.defpath)]
    return shutil.which(name, path=os.pathsep.join(map(str, places)))


@pytest.fixture(scope="session")
def tool():
    """A function: tool("helm", "lint", ...) runs it and returns (exit code, its whole output)."""
    def run(name, *arguments, env=None, stdin=None):
        path = find_tool(name)
        if not path:
            pytest.skip(f"{name} is not installed: ./dev setup --all")
        done = subprocess.run(
            [path, *map(str, arguments)], cwd=ROOT, env={**os.environ, **(env or {})}, input=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.returncode, done.stdout
    return run


@pytest.fixture
def check_config():
    """A function: check_config("edge", FILE..., env={...}) -> (exit code, output) of the built binary."""
    def run(tier, *files, env=None, presets=()):
        build = pathlib.Path(os.environ.get("SPILLWAY_BUILD_DIR", ROOT / "build" / "dev"))
        binary = build / "services" / tier / f"spillway-{tier}"
        assert binary.exists(), f"{binary} is not built: ./dev build"
        arguments = [part for preset in presets for part in ("--preset", preset)]
        arguments += [part for path in files for part in ("--config", str(path))]
        done = subprocess.run(
            [binary, *arguments, "--check-config"], cwd=ROOT,
            env={"JWT_SECRET": "a-secret-of-at-least-32-characters!", **(env or {})}, timeout=30,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout
    return run
