"""scripts/rescue.py, run as a stranger would who has no vault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.promises.scenes import Scene
from vault.testing.trees import differences

_RESCUE = Path(__file__).parents[2] / "scripts" / "rescue.py"


def rescue(scene: Scene, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it with the reader's credential, where `vault` is a thing that cannot be imported."""
    (folder / "path").mkdir(exist_ok=True)
    (folder / "path" / "vault.py").write_text("raise ImportError('this is not to be used')")
    env = scene.environ("reader") | {"AWS_PROFILE": "reader", "PYTHONPATH": str(folder / "path")}
    return subprocess.run(
        (sys.executable, str(_RESCUE), "--store", scene.url, "--kit", str(scene.kit), *words),
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def unlike(tree: Path, back: Path) -> list[str]:
    """What differs; paths longer than the system takes in one piece are left out by rescue.py."""
    return [line[:200] for line in differences(tree, back) if not line.startswith("b'deep/")]
