"""Set the project up and run it, on a machine that has only Python.

    python3 run.py demo  [ARGS]   the main job on the sample data   (nrm demo ARGS)
    python3 run.py test  [ARGS]   the tests                         (pytest ARGS)
    python3 run.py check          style, types and imports          (ruff, mypy, import-linter)
    python3 run.py wheels         the wheels of all platforms       (into dist)
    python3 run.py docs           the documentation as a site       (into site)

The first run makes the virtual environment .venv beside this file and installs the project and
what it needs into it; later runs start at once. Nothing else on the computer is changed, and
.venv may be deleted at any time.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

# The syntax, and all that runs up to here, suit Python 3.6 too: an old Python gets a sentence.
OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit(
        "run.py: this is Python {0}.{1}, and nrm-plugin needs {2}.{3} or newer. Install one (from "
        "python.org, or with the system's package manager) and start this file with it, "
        "for example: python{2}.{3} run.py demo".format(*sys.version_info[:2] + OLDEST)
    )

ROOT = Path(__file__).resolve().parent
KERNELS = ROOT / "nrm_plugin" / "kernels"
VENV = ROOT / ".venv"
STAMP = VENV / "nrm-run.json"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
NRM = BIN / ("nrm.exe" if os.name == "nt" else "nrm")
VERSION = "{}.{}".format(*sys.version_info)

# What `check` runs, and how Python is asked to run it.
CHECKS = {
    "ruff check .": ["-m", "ruff", "check", "."],
    "ruff format --check .": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command as lint; lint()"],
}

# A pattern in pip's output, and what it means to somebody who has never used pip.
REASONS = (
    (
        "CERTIFICATE_VERIFY_FAILED|SSLError",
        "the connection to the package index is not trusted: the network's proxy or the "
        "computer's clock and certificates are in the way",
    ),
    (
        "ConnectionError|NameResolution|name resolution|getaddrinfo|[Tt]imed out|ProxyError|"
        "unreachable|Connection refused",
        "pip cannot reach the package index. Is this computer online? Behind a proxy, set "
        "HTTPS_PROXY, then start this again",
    ),
    ("No space left", "the disk is full"),
    (
        "No matching distribution",
        f"a package has no fitting version for Python {VERSION} on this system (the last lines "
        "above name it); try another Python",
    ),
)


def main(arguments: list[str]) -> int:
    """Do what the command line asks for and return the exit code."""
    command = arguments[0] if arguments else ""
    if command in ("-h", "--help"):
        print(__doc__)
        return 0
    alone = command in ("check", "wheels", "docs")
    if command not in ("demo", "test", "check", "wheels", "docs") or (alone and len(arguments) > 1):
        print(__doc__, file=sys.stderr)
        return 2
    prepare({"demo": "", "docs": "docs"}.get(command, "test"))
    if command == "demo":
        hand_over([NRM, "demo", *arguments[1:]])
    if command == "test":
        os.chdir(ROOT)
        # One process per core and one more: recordings wait for their clock. Each takes a run of
        # tests (what a module shares is made once), and later some of those that others have left.
        # Threads of the linear algebra would only wait for one another.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        everything = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
        hand_over([PYTHON, "-m", "pytest", *(arguments[1:] or everything)])
    if command == "wheels":
        return make_wheels()
    if command == "docs":
        os.chdir(ROOT)
        # A warning (a link that leads nowhere, say) is an error.
        hand_over([PYTHON, "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "site"])
    failed = False
    for name, check in CHECKS.items():
        say(name)
        done = subprocess.run([PYTHON, *check], cwd=ROOT, env=environment(), check=False)
        failed = failed or done.returncode != 0
    return int(failed)


def prepare(extra: str) -> None:
    """Make sure that .venv is whole and holds the project as pyproject.toml describes it now."""
    try:
        with one_at_a_time():
            project = fingerprint()
            stamp = read_stamp()
            defect = find_defect(stamp)
            current = not defect and NRM.exists() and stamp.get("project") == project
            extras: list[str] = stamp.get("extras", []) if current else []
            if extra in extras:
                return
            if defect:
                make_environment(defect)
            install(extra)
            write_stamp("ready", project, sorted({"", extra, *extras}))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            stop(
                f"cannot write in {ROOT} ({error.strerror}). Copy the project to a folder of your "
                "own and start it there; or, if this is your own, close what uses its .venv."
            )
        stop(f"cannot set up {VENV}: {error}")


def make_wheels() -> int:
    """Make the source distribution and a wheel of every platform that the library is built for."""
    targets = runpy.run_path(str(KERNELS / "build.py"))["TARGETS"]
    jobs = [("the source distribution", ["--sdist"], "")]
    jobs += [(f"the wheel of {name}", ["--wheel"], name) for name in targets]
    for what, options, target in jobs:
        say(what)
        variables = environment()
        if target:
            variables["NRM_TARGET"] = target
        done = subprocess.run(
            [PYTHON, "-m", "build", *options], cwd=ROOT, env=variables, check=False
        )
        if done.returncode:
            return done.returncode
    return 0


def fingerprint() -> str:
    """Return a hash of what an installation depends on: settings, version, sources in C."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    built = [ROOT / "hatch_build.py", KERNELS / "build.py", *KERNELS.glob("*.[ch]")]
    for path in sorted(built):
        digest.update(path.read_bytes())
    source = (ROOT / "nrm_plugin" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r"^__version__.*$", source, re.MULTILINE)
    digest.update(version.group().encode() if version else b"")
    return digest.hexdigest()


def read_stamp() -> dict[str, Any]:
    """Return what an earlier run noted in .venv; empty if there was none."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(state: str, project: str = "", extras: list[str] | None = None) -> None:
    """Note in .venv how far it is: "unfinished" until all is installed, then "ready"."""
    stamp = {"state": state, "root": str(ROOT), "project": project, "extras": extras or []}
    draft = STAMP.with_suffix(".part")
    draft.write_text(json.dumps(stamp), encoding="utf-8")
    draft.replace(STAMP)


def find_defect(stamp: dict[str, Any]) -> str:
    """Say why .venv cannot be used as it is; empty if it can."""
    if not VENV.exists():
        return "there is none yet"
    if stamp and stamp.get("state") != "ready":
        return "an earlier set-up was interrupted"
    if stamp and stamp.get("root") != str(ROOT):
        return "the folder was moved"
    probe = (
        "import sys, importlib.util as u;"
        "print('%d.%d' % sys.version_info[:2] if u.find_spec('pip') else 'nothing')"
    )
    try:
        answer = subprocess.run(
            [PYTHON, "-I", "-c", probe],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "the one that is there is broken"
    if answer == "nothing":
        return "the one that is there has no pip"
    return "" if answer == VERSION else f"the one that is there is for Python {answer}"


def make_environment(reason: str) -> None:
    """Make .venv anew."""
    if not find_spec("venv") or not find_spec("ensurepip"):
        stop(no_venv())
    say(f"making .venv with Python {VERSION} ({reason})")
    if VENV.is_dir() and not VENV.is_symlink():
        shutil.rmtree(VENV)
    else:
        VENV.unlink(missing_ok=True)
    VENV.mkdir()
    write_stamp("unfinished")
    # The interpreter itself, also where this runs inside a virtual environment.
    python = getattr(sys, "_base_executable", None) or sys.executable
    code, output = capture([python, "-m", "venv", VENV])
    if code:
        show(output)
        if "ensurepip is not" in output:
            stop(no_venv())
        stop(
            "Python could not make .venv; its last lines are above. Is the disk full, or is this "
            "Python's installation damaged?"
        )


def no_venv() -> str:
    """Return the sentence for a Python that was installed in parts."""
    sentence = f"{sys.executable} came without the modules venv and ensurepip. "
    if shutil.which("apt-get"):
        return sentence + (
            f"On Debian and Ubuntu they are a package: sudo apt install python{VERSION}-venv "
            "- then start this again."
        )
    return sentence + "Install them with the system's package manager, or a Python from python.org."


def install(extra: str) -> None:
    """Install the project into .venv in editable form, with its dependencies."""
    what = "the project with what its tests need" if extra else "the project"
    say(f"installing {what} into .venv; this takes a minute or two")
    write_stamp("unfinished")
    pip = ["pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar=off"]
    code, output = capture([PYTHON, "-m", *pip, "-e", f".[{extra}]" if extra else "."])
    if code:
        write_stamp("ready")  # pip gave up in good order: .venv is whole, only nothing is in it
        show(output)
        for pattern, reason in REASONS:
            if re.search(pattern, output):
                stop(f"the installation failed: {reason}.")
        stop("the installation failed; pip's last lines above say why.")


def capture(command: list[str | Path]) -> tuple[int, str]:
    """Run a slow step quietly; return its exit code and all that it said."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def hand_over(command: list[str | Path]) -> NoReturn:
    """Become the command, as far as the system allows it."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], [str(part) for part in command], environment())
    with subprocess.Popen(command, env=environment()) as process:
        while True:
            try:
                sys.exit(process.wait())
            except KeyboardInterrupt:  # the command got it too, and ends as it sees fit
                continue


def environment() -> dict[str, str]:
    """Return the environment variables of an activated .venv, free of other Pythons' settings."""
    variables = dict(os.environ)
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_TARGET", "__PYVENV_LAUNCHER__"):
        variables.pop(name, None)
    # The tests start hundreds of processes; without byte code each would compile the project.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    variables["PIP_USER"] = "0"
    variables["VIRTUAL_ENV"] = str(VENV)
    variables["PATH"] = f"{BIN}{os.pathsep}{variables.get('PATH', os.defpath)}"
    return variables


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other run of this file is setting up the same .venv."""
    with Path(__file__).open("rb") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # a locked byte cannot be read: take one behind the end
            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                except OSError as error:
                    if error.errno == errno.EDEADLOCK:  # it gives up after ten seconds
                        continue
                break
        else:
            import fcntl

            with contextlib.suppress(OSError):  # some network drives have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    """Tell what is being done."""
    print(f"run.py: {message}", file=sys.stderr, flush=True)


def show(output: str) -> None:
    """Print the last lines of what a failed step said."""
    for line in output.strip().splitlines()[-15:]:
        print(f"    {line}", file=sys.stderr)


def stop(message: str) -> NoReturn:
    """End with a sentence and exit code 1."""
    sys.exit(f"run.py: {message}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\nrun.py: interrupted; the next run takes care of what is half done.")
