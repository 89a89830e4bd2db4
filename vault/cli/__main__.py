"""`python -m vault.cli`: the command line, where no script of its name is on PATH."""

from __future__ import annotations

from vault.cli import main

if __name__ == "__main__":
    main()
