"""A botocore session that starts quickly: of hundreds of services it looks at the one it is for.

boto3 itself is not loaded: what it adds (resources, transfers in parts) is of no use here.
"""

from __future__ import annotations

import gzip
import os
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session


class _Files(JSONFileLoader):
    """Reads models with a faster decoder than the standard library's."""

    def load_file(self, file_path: str) -> Any:
        """The content of `file_path` with one of the endings of a model; None without such."""
        for path, opened in ((f"{file_path}.json", open), (f"{file_path}.json.gz", gzip.open)):
            if os.path.isfile(path):
                with opened(path, "rb") as file:
                    return msgspec.json.decode(file.read())
        return None


class _Models(Loader):
    """Finds models; what services there are it tells by the names of their folders alone."""

    FILE_LOADER_CLASS = _Files

    def list_available_services(self, type_name: str) -> list[str]:
        """Every name that a model could have, of whatever type."""
        del type_name
        found = (Path(place) for place in self.search_paths)
        return sorted({name for place in found if place.is_dir() for name in os.listdir(place)})


def open_session(profile: str | None) -> Session:
    """A session with the credentials of a profile, or with those of the environment for None."""
    session = Session(profile=profile)
    own = session.get_config_variable("data_path")
    own_places = own.split(os.pathsep) if own else []
    places = tuple(os.path.expandvars(os.path.expanduser(place)) for place in own_places)
    session.register_component("data_loader", _models(places))
    return session


@cache
def _models(places: tuple[str, ...]) -> _Models:
    """Those of every session of this process: nobody changes them, and to read them takes 0.2 s.

    A session's own would stay with it, 7 MiB in cycles, until a full collection of garbage.
    """
    return _Models(extra_search_paths=list(places))
