"""Run the tests with the oldest dependencies that pyproject.toml allows.

    python3 tests/oldest_dependencies.py FOLDER [ARGUMENTS OF pytest]

makes an environment in FOLDER where each dependency, those of the extras included, has its lowest
version, installs the project into it, and runs pytest there. pySPM asks for a newer numpy than the
core does, and stays out; its tests skip. Reference pictures were made by a newer matplotlib; their
tests are left out.
"""

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("daq", "dask", "excel", "polars", "tables")
#: Of the extra `test`: programs that only check the source, and what asks for newer packages.
LEFT_OUT = (
    "matplotlib",
    "mypy",
    "ngsolve",
    "NSFopen",
    "nrm-plugin",
    "ruff",
    "scipy-stubs",
    "types-tqdm",
)
#: Newer versions warn of what the oldest matplotlib does.
TOO_NEW = ("pyparsing<3.2",)


def main(arguments: list[str]) -> int:
    """Make the environment and return pytest's exit code."""
    if not arguments:
        sys.exit(__doc__)
    folder = Path(arguments[0]).resolve()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(d for extra in EXTRAS for d in extras[extra])]
    tools = [d for d in extras["test"] if re.split(r"[\[<>=;]", d)[0] not in LEFT_OUT]
    venv.create(folder, with_pip=True)
    constraints = folder / "oldest.txt"
    constraints.write_text("\n".join([*map(lowest, needed), *TOO_NEW]) + "\n", encoding="utf-8")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    project_with_extras = f"{ROOT}[{','.join(EXTRAS)}]"
    subprocess.run([*pip, "-c", constraints, "-e", project_with_extras, *tools], check=True)
    tests = [python, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not pictures", *arguments[1:]]
    return subprocess.run(tests, cwd=ROOT, check=False).returncode


def lowest(dependency: str) -> str:
    """``name==1.2`` of ``name[extra]>=1.2,<2; marker``."""
    name, version = re.match(r"([\w.-]+)(?:\[[^]]*\])?>=([\w.]+)", dependency).groups()
    return f"{name}=={version}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
