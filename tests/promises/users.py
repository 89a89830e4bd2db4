"""Other users of this host: what a process of theirs can do to a file, found by trying."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_TRIALS = """
import json, os, shutil, sys
folder, file, secrets = json.loads(sys.argv[1])
new = os.path.join(folder, "new")
trials = {
    "list": lambda: os.listdir(folder),
    "read": lambda: open(file, "rb").read(),
    "unlink": lambda: os.unlink(file),
    "rename": lambda: os.rename(file, file + "~"),
    "rename over": lambda: os.rename("/proc/self/cwd/mine", file),
    "truncate": lambda: os.truncate(file, 0),
    "overwrite": lambda: os.open(file, os.O_WRONLY),
    "append": lambda: os.open(file, os.O_WRONLY | os.O_APPEND),
    "replace": lambda: os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    "chmod": lambda: os.chmod(file, 0o777),
    "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
    "utime": lambda: os.utime(file),
    "setxattr": lambda: os.setxattr(file, "user.x", b"x"),
    "hard link": lambda: os.link(file, "/proc/self/cwd/linked"),
    "create": lambda: os.open(new, os.O_WRONLY | os.O_CREAT),
    "make a folder": lambda: os.mkdir(new),
    "make a link": lambda: os.symlink("/", new),
    "chmod the folder": lambda: os.chmod(folder, 0o777),
    "rename the folder": lambda: os.rename(folder, folder + "~"),
    "remove the folder": lambda: os.rmdir(folder),
    "remove everything": lambda: shutil.rmtree(folder),
}
trials |= {f"load {path}": lambda path=path: open(path).read() for path in secrets}
done = {}
for name, trial in trials.items():
    try:
        trial()
        done[name] = "done"
    except OSError as error:
        done[name] = error.strerror
print(json.dumps(done))
"""


@contextmanager
def open_ground() -> Iterator[Path]:
    """A temporary folder that other users can pass through, unlike pytest's own."""
    ground = Path(tempfile.mkdtemp(prefix="vault-p01-"))
    ground.chmod(0o711)
    try:
        yield ground
    finally:
        shutil.rmtree(ground)


def run_as(
    uid: int, words: Sequence[str], env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a program as another user, with no capability of ours left."""
    ids = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--bounding-set=-all"]
    return subprocess.run(
        ["setpriv", *ids, *words],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def skip_unless_others_can_run(uid: int, env: Mapping[str, str], cwd: Path) -> None:
    """Only root can be somebody else; and Python must lie where others may run it."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("becoming another user takes root and setpriv")
    if run_as(uid, [sys.executable, "-c", "import vault.cli"], env, cwd).returncode:
        pytest.skip(f"another user cannot run {sys.executable}")


def tried_as(
    uid: int, folder: Path, file: Path, *, secrets: Sequence[Path], env: Mapping[str, str]
) -> dict[str, str]:
    """What came of each file operation: `done`, or the system's words."""
    with open_ground() as own:
        (own / "mine").write_bytes(b"the attacker's own")
        os.chown(own, uid, uid)
        os.chown(own / "mine", uid, uid)
        asked = json.dumps([str(folder), str(file), [str(path) for path in secrets]])
        run = run_as(uid, [sys.executable, "-c", _TRIALS, asked], env, own)
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout)
    return found
