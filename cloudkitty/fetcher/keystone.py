# SPDX-License-Identifier: Apache-2.0
"""The fetcher that takes the projects of Keystone as scopes (contract collect.md 3.1).

By default those on which the service user itself has the role ``rating``: three requests for all of
them. The requests are plain GETs, so keystoneauth1 is enough.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import requests
from keystoneauth1 import discover, exceptions
from oslo_config import cfg
from oslo_log import log

from cloudkitty import keystone
from cloudkitty.conf.fetcher_keystone import GROUP
from cloudkitty.fetcher.base import BaseFetcher

LOG = log.getLogger(__name__)

#: Projects on which the service user has a role of this name are rated.
ROLE: Final = "rating"
_THREADS: Final = 8
# Keystone's pages are of the size that its operator has set; this many are not meant.
_MAX_PAGES: Final = 10_000

_Item = Mapping[str, Any]


class KeystoneFetcherError(Exception):
    """Keystone did not say which projects there are."""


class KeystoneFetcher(BaseFetcher):
    """Gives the ids of the projects on which the service user has the role ``rating``."""

    name = "keystone"

    def __init__(self) -> None:
        """Read the options and log in, if Keystone can be reached.

        Raises oslo_config.cfg.Error naming section and option, TypeError for a
        ``keystone_version`` that is none, and keystoneauth1's VersionNotAvailable for one that
        Keystone does not have.
        """
        super().__init__()
        options = self.conf[GROUP]
        self._version_text: str = options.keystone_version
        self._version = discover.normalize_version_number(self._version_text)
        if self._version[0] != 3:
            raise self._no_such_version()
        self._ignore_role: bool = options.ignore_rating_role
        self._ignore_disabled: bool = options.ignore_disabled_tenants
        self._session = keystone.session(self.conf, GROUP, pool=_THREADS)
        self._auth: Any = self._session.auth
        if not getattr(self._auth, "auth_url", None):
            section = self._session.section
            raise cfg.ConfigFileValueError(
                f"[{section}] auth_type = {self.conf[section].auth_type}: has no auth_url, which "
                f"fetcher '{self.name}' needs"
            )
        self._last: list[str] | None = None
        self._last_at = 0.0
        keystone.first_try(self._session, lambda: (self._base(), self._session.get_user_id()))

    def get_tenants(self) -> list[str]:
        """Give the ids of the projects to rate, as Keystone lists them.

        When Keystone fails, what it said last counts for one more period. Raises
        KeystoneFetcherError after that.
        """
        now = time.monotonic()
        try:
            found = [project["id"] for project in self._projects()]
        except keystone.Failure as exc:
            return self._last_known(now, keystone.explain(exc), exc)
        except (requests.JSONDecodeError, LookupError, TypeError, AttributeError) as exc:
            reason = f"an answer of Keystone is not what it must be: {keystone.explain(exc)}"
            return self._last_known(now, reason, exc)
        self._last, self._last_at = found, now
        return list(found)

    def _last_known(self, now: float, reason: str, exc: Exception) -> list[str]:
        """Give the last list if it is young enough; raises KeystoneFetcherError."""
        if self._last is None or now - self._last_at > self.conf.collect.period:
            raise KeystoneFetcherError(reason) from exc
        LOG.warning(
            "fetcher '%s': %s; going on with the %d projects of %d s ago",
            self.name,
            reason,
            len(self._last),
            now - self._last_at,
        )
        return list(self._last)

    def _projects(self) -> list[_Item]:
        """Give the projects to rate."""
        projects = self._list("projects")
        if self._ignore_disabled:
            projects = [project for project in projects if project.get("enabled", True)]
        if self._ignore_role or not projects:
            return projects
        try:
            rated = self._rated()
        except exceptions.Forbidden as exc:
            LOG.debug("asking project by project for the role: %s", keystone.explain(exc))
            return self._one_by_one(projects)
        return [project for project in projects if project["id"] in rated]

    def _rated(self) -> set[str]:
        """Give the ids of the projects on which the service user itself has the role.

        A role that belongs to a domain is another one, whatever its name: it is in no token.
        """
        roles = [role["id"] for role in self._list("roles", name=ROLE) if role["name"] == ROLE]
        if not roles:
            LOG.warning("Keystone has no role '%s': no project is rated", ROLE)
        user = self._session.get_user_id()
        return {
            assignment["scope"]["project"]["id"]
            for role in roles
            for assignment in self._list("role_assignments", **{"user.id": user, "role.id": role})
            # One that is handed down holds for the projects below only.
            if "project" in assignment["scope"]
            and "OS-INHERIT:inherited_to" not in assignment["scope"]
        }

    def _one_by_one(self, projects: list[_Item]) -> list[_Item]:
        """Give the projects with the role, asking for each: for who may not list assignments."""
        user = self._session.get_user_id()

        def rated(project: _Item) -> bool:
            path = f"projects/{project['id']}/users/{user}/roles"
            try:
                return any(role["name"] == ROLE for role in self._list(path, key="roles"))
            except exceptions.NotFound:
                LOG.debug("project %s was removed meanwhile", project["id"])
                return False

        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            return [
                one for one, kept in zip(projects, pool.map(rated, projects), strict=True) if kept
            ]

    def _list(self, path: str, key: str = "", **query: str | None) -> list[_Item]:
        """Give all items of a collection."""
        return [item for page in self._pages(path, query) for item in page[key or path]]

    def _pages(self, path: str, query: Mapping[str, str | None]) -> Iterator[_Item]:
        url, params = f"{self._base()}/{path}", dict(query)
        for _ in range(_MAX_PAGES):
            answer = self._session.get(url, params=params, headers={"Accept": "application/json"})
            body = answer.json()
            yield body
            following = body.get("links", {}).get("next")
            if not following:
                if body.get("truncated"):
                    LOG.warning(
                        "Keystone cuts its list of %s off (list_limit): the rest is not rated", path
                    )
                return
            url, params = following, {}
        raise keystone.Failure(f"{url}: more than {_MAX_PAGES} pages")

    def _base(self) -> str:
        """Give the URL of version 3 below ``auth_url``; the library remembers what it has found."""
        found: str | None = self._auth.get_discovery(self._session, self._auth.auth_url).url_for(
            self._version
        )
        if not found:
            raise self._no_such_version()
        return found.rstrip("/")

    def _no_such_version(self) -> Exception:
        return exceptions.VersionNotAvailable(
            f"Could not find a suitable endpoint for client version: {self._version_text} "
            f"([{GROUP}] keystone_version)"
        )
