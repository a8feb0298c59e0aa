# SPDX-License-Identifier: Apache-2.0
"""How ``export`` and ``apply`` get to an API: a cloud of clouds.yaml, or a URL and credentials.

Passwords and tokens come from the environment, where other users of the host do not see them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from keystoneauth1 import adapter as ks_adapter
from keystoneauth1 import exceptions, loading, noauth, token_endpoint
from keystoneauth1.http_basic import HTTPBasicAuth

from cloudkitty import keystone, service

#: The name of the cloud that the environment describes.
ENVIRONMENT: Final = "envvars"
#: What the catalogue calls the service.
_SERVICE: Final = "rating"
_SECONDS: Final = 60.0
_SECTION: Final = "cloudkitty-rate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments about an API."""
    parser.add_argument(
        "--os-cloud",
        metavar="NAME",
        help=f"use the API of a cloud in clouds.yaml; {ENVIRONMENT!r} is the one that the "
        "variables OS_AUTH_URL and so on describe",
    )
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        help="use the API at this URL; with --os-cloud in place of the catalogue's",
    )
    parser.add_argument(
        "--auth",
        choices=["token", "basic", "none"],
        default="none",
        help="with --endpoint alone: a token (OS_TOKEN), a name and a password (OS_USERNAME, "
        "OS_PASSWORD), or nothing (the default)",
    )


def adapter(args: argparse.Namespace) -> ks_adapter.Adapter:
    """Give what sends requests to the API; raises Refused when it cannot be."""
    if args.os_cloud is None:
        session = _session(_endpoint_auth(args), verify=os.environ.get("OS_CACERT") or True)
        return _adapter(session, args.endpoint, {})
    cloud = _cloud(args.os_cloud)
    verify = cloud.get("cacert") or cloud.get("verify", True)
    session = _session(_plugin(args.os_cloud, cloud), verify=verify)
    return _adapter(session, args.endpoint, cloud)


def _session(auth: Any, *, verify: Any) -> keystone.Session:
    return keystone.Session(
        section=_SECTION, retries=1, pool=1, auth=auth, verify=verify, timeout=_SECONDS
    )


def _adapter(
    session: keystone.Session, endpoint: str | None, cloud: Mapping[str, Any]
) -> ks_adapter.Adapter:
    return keystone.adapter(
        session,
        service_type=_SERVICE,
        interface=str(cloud.get("interface") or "public"),
        region_name=cloud.get("region_name"),
        endpoint_override=endpoint or cloud.get("rating_endpoint_override"),
    )


def _endpoint_auth(args: argparse.Namespace) -> Any:
    if args.auth == "token":
        return token_endpoint.Token(args.endpoint, _variable("OS_TOKEN"))
    if args.auth == "basic":
        return HTTPBasicAuth(
            endpoint=args.endpoint,
            username=_variable("OS_USERNAME"),
            password=_variable("OS_PASSWORD"),
        )
    return noauth.NoAuth(args.endpoint)


def _variable(name: str) -> str:
    if not (value := os.environ.get(name)):
        raise service.Refused(f"the environment variable {name} is not set")
    return value


def _plugin(name: str, cloud: Mapping[str, Any]) -> Any:
    """Give the authentication plugin of a cloud."""
    kind = cloud.get("auth_type") or "password"
    known = {one.name for one in importlib.metadata.entry_points(group=loading.PLUGIN_NAMESPACE)}
    if kind not in known:
        there = ", ".join(sorted(known))
        raise service.Refused(f"cloud {name!r}: no auth_type {kind!r}; there are {there}")
    try:
        loader: Any = loading.get_plugin_loader(kind)
        given = dict(cloud.get("auth") or {})
        if name == ENVIRONMENT:
            options = (option.dest for option in loader.get_options())
            variables = {dest: f"OS_{dest.upper()}" for dest in options}
            given |= {d: os.environ[v] for d, v in variables.items() if v in os.environ}
        return loader.load_from_options(**given)
    except (exceptions.ClientException, TypeError) as exc:
        raise service.Refused(f"cloud {name!r}: {' '.join(str(exc).split())}") from exc


def _cloud(name: str) -> dict[str, Any]:
    if name == ENVIRONMENT:
        keys = ("auth_type", "region_name", "interface", "cacert")
        return {k: os.environ[v] for k in keys if (v := f"OS_{k.upper()}") in os.environ}
    looked: list[str] = []
    for path in _files("clouds.yaml", os.environ.get("OS_CLIENT_CONFIG_FILE")):
        looked.append(str(path))
        if path.is_file():
            found = _read(path).get(name)
            if found is None:
                raise service.Refused(f"{path} has no cloud {name!r}")
            for secret in _files("secure.yaml", os.environ.get("OS_CLIENT_SECURE_FILE")):
                if secret.is_file():
                    found = _merged(found, _read(secret).get(name) or {})
                    break
            return found
    raise service.Refused(f"there is no clouds.yaml: {', '.join(looked)}")


def _files(name: str, named: str | None) -> Iterator[Path]:
    """Yield where OpenStack's clients look for a file, in their order."""
    if named:
        yield Path(named)
    yield Path(name)
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "openstack" / name
    yield Path("/etc/openstack") / name


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(name): dict(cloud) for name, cloud in found["clouds"].items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise service.Refused(f"{path}: {' '.join(str(exc).split())}") from exc
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise service.Refused(f"{path}: it has no clouds") from exc


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        out[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return out
