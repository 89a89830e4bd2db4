"""The frame of every command: the options all share, its example, and the vault it works on."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec
import typer

from vault.cli.failure import report
from vault.cli.output import Output
from vault.cli.parameters import PlainCommand
from vault.errors import ExtraMissing, UsageError
from vault.settings import Settings, load_settings
from vault.settings import home as own_home

if TYPE_CHECKING:
    from vault.library import Vault

Why = Annotated[str, typer.Option(help="Why; it is entered, and those who agree read it.")]
Kit = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="VAULT_RECOVERY_KIT",
        help="The recovery kit's file.",
        show_default=False,
        readable=False,  # what is wrong with a place, the library says, in its own words
    ),
]
Store = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Read this store, with no vault set up here (needs --kit)."),
]
Profile = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The credential profile to read the store of --store with."),
]


class Away(msgspec.Struct, frozen=True):
    """A vault that is not set up here: its store, the kit, the profile to read with."""

    store: str | None = None
    kit: Path | None = None
    profile: str | None = None


class Call(msgspec.Struct, frozen=True):
    """One run of a command: where its answer goes and whose settings it uses."""

    output: Output
    config: Path | None

    @property
    def home(self) -> Path:
        """Where this host's vault lives: beside --config, in $VAULT_HOME, or the user's own."""
        return self.config.absolute().parent if self.config else own_home(os.environ)

    @property
    def settings(self) -> Settings:
        """What vault.toml says. Raises NotInitialised, SettingsError."""
        return load_settings(self.config or self.home / "vault.toml")

    def vault(self) -> Vault:
        """Open the vault of this host; a context manager.

        Where $VAULTD_URL names a daemon, its client: it has what can be done from afar.
        """
        if os.environ.get("VAULTD_URL"):
            return cast("Vault", _client().Client())
        return self.own()

    def own(
        self, role: Literal["writer", "purger", "collector"] = "writer", environment: str = ""
    ) -> Vault:
        """Open the vault of this host in a role (for one environment), whatever daemon is named.

        Processes do: they serve, and are nobody's client.
        """
        return facade().open(
            config=self.config, role=role, environment=environment, progress=self.output.progress
        )

    def reading(self, away: Away) -> Vault:
        """Open a vault to read: this host's, or one known only by its store and kit."""
        if away.store is None:
            return self.vault()
        if away.kit is None:
            raise UsageError("--store needs the recovery kit", hint="Add --kit FILE.")
        return facade().from_store(
            away.store, away.kit, profile=away.profile, progress=self.output.progress
        )


def _client() -> Any:
    try:
        return importlib.import_module("vault.client")
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"to speak to a daemon needs more than is installed: {error.name}",
            safe="Nothing was changed.",
            hint="Install it: pip install 'vault-softdelete[api]', or unset VAULTD_URL.",
        ) from None


def facade() -> type[Vault]:
    """The library's front, loaded only by commands that need it."""
    return cast("type[Vault]", importlib.import_module("vault.library").Vault)


def command(
    app: typer.Typer, *examples: str, name: str | None = None
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Make a function a command of `app`, with `--json` and `--config` added to its own words.

    The function gets a Call first and returns its exit status, None for 0.
    """

    def frame(function: Callable[..., int | None]) -> Callable[..., int | None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = list(inspect.signature(_shared, eval_str=True).parameters.values())

        def run(**words: Any) -> int | None:
            output = Output(as_json=words.pop("as_json"))
            try:
                status = function(Call(output, words.pop("config")), **words)
                sys.stdout.flush()
            except (BrokenPipeError, KeyboardInterrupt) as error:  # typer has ways of its own
                return report(error, as_json=output.as_json)
            return status

        run.__doc__ = _flowing(inspect.getdoc(function) or "")
        run.__name__ = function.__name__
        run.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
        run.__annotations__ = {part.name: part.annotation for part in own + shared}
        shown = "\n\n".join(f"Example: {example}" for example in examples)
        app.command(name or function.__name__, cls=PlainCommand, epilog=shown)(run)
        return function

    return frame


def _flowing(text: str) -> str:
    """The text with one line a paragraph, to be wrapped for the terminal at hand."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _shared(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer with one JSON object, for programs.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="VAULT_CONFIG", metavar="FILE", help="The vault.toml to use.", readable=False
        ),
    ] = None,
) -> None:
    """Hold the declaration of the options that every command has."""
