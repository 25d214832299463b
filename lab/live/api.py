"""Raw answers of the Docker API: kept as evidence byte for byte, parsed elsewhere."""

from __future__ import annotations

import docker
import msgspec
import requests

from stamplab.lab.errors import LabError

_OK = 200
_NOT_FOUND = 404


def fetch(
    api: docker.APIClient, path: str, filters: dict[str, list[str]] | None = None
) -> bytes | None:
    """GET a path of the API, e.g. ``services/web``; return None where nothing is found.

    Raises LabError with the engine's words on any other answer.
    """
    params = {"filters": msgspec.json.encode(filters).decode()} if filters else None
    try:
        response = api.get(f"{api.base_url}/v{api.api_version}/{path}", params=params)
    except requests.RequestException as error:
        raise LabError(f"the engine does not answer for /{path}: {error}") from error
    if response.status_code == _NOT_FOUND:
        return None
    if response.status_code != _OK:
        raise LabError(f"the engine does not answer for /{path}: {response.text.strip()}")
    return bytes(response.content).strip()  # an inspect ends in a line break, a list item does not
