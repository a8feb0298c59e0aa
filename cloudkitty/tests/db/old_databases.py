# SPDX-License-Identifier: Apache-2.0
"""Databases as CloudKitty 25.0.0 leaves them on each engine (contract sql-schema.md 2 and 3).

Written from the contract: names of constraints, nullability and types are those of real databases,
not of our models. :data:`STATES` are the states that one can be in; :mod:`.old_rows` fills them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cloudkitty import db
from cloudkitty.tests.storage.v1 import old as old_storage

#: State -> revision of hashmap and of pyscripts (None: there is none).
STATES: Final = {
    "head": ("8a591f85865f", "c6e4cda29654"),
    "half": ("4e0232ce", "75c205f6f1a2"),
    "half, no scripts": ("4e0232ce", None),
}
#: Which of them exist: the first one of each engine is what 25.0.0 itself ends at.
REAL: Final = (
    ("mysql", "head"),
    ("mysql", "half"),
    ("postgresql", "half"),
    ("sqlite", "half, no scripts"),
    ("sqlite", "half"),
    ("sqlite", "head"),
)

_WORDS: Final = {
    "sqlite": {
        "id": "id INTEGER NOT NULL", "date": "DATETIME", "blob": "BLOB", "text": "TEXT(256)",
        "bool": "BOOLEAN", "end": '"end"', "utf8": "", "lost": "NOT NULL",
        "map_type": "VARCHAR(4) NOT NULL", "level_type": "VARCHAR(4) NOT NULL",
        "mapping_checks": ", CONSTRAINT enum_map_type CHECK (map_type IN ('flat', 'rate'))" * 2
        + ", CONSTRAINT ck_hashmap_mappings_enum_map_type CHECK (map_type IN ('flat', 'rate'))",
        "uq_mapping": "uq_hashmap_mappings_mapping_id", "fk": "fk_hashmap_mappings",
    },
    "postgresql": {
        "id": "id SERIAL NOT NULL", "date": "TIMESTAMP", "blob": "BYTEA", "text": "TEXT",
        "bool": "BOOLEAN", "end": '"end"', "utf8": "", "lost": "NOT NULL",
        "map_type": "enum_map_type NOT NULL", "level_type": "enum_map_type NOT NULL",
        "mapping_checks": "",
        "uq_mapping": "uq_hashmap_maps_mapping_id", "fk": "fk_hashmap_maps",
    },
    "mysql": {
        "id": "id INTEGER NOT NULL AUTO_INCREMENT", "date": "DATETIME", "blob": "BLOB",
        "text": "TEXT", "bool": "TINYINT(1)", "end": "`end`",
        "utf8": " ENGINE=InnoDB DEFAULT CHARSET=utf8 {row_format}", "lost": "DEFAULT NULL",
        "map_type": "ENUM('flat','rate') NOT NULL", "level_type": "ENUM('flat','rate') NOT NULL",
        "mapping_checks": "",
        "uq_mapping": "uq_hashmap_mappings_mapping_id", "fk": "fk_hashmap_mappings",
    },
}  # fmt: skip

CORE: Final = """
CREATE TABLE states (name VARCHAR(255) NOT NULL, state BIGINT NOT NULL, s_metadata TEXT,
    PRIMARY KEY (name));
CREATE TABLE modules_state (name VARCHAR(255) NOT NULL, state {bool} NOT NULL, priority INTEGER,
    PRIMARY KEY (name));
CREATE TABLE service_to_collector_mappings (service VARCHAR(255) NOT NULL,
    collector VARCHAR(255) NOT NULL, PRIMARY KEY (service));
"""

HASHMAP: Final = """
CREATE TABLE hashmap_services ({id}, service_id VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL,
    CONSTRAINT pk_hashmap_services PRIMARY KEY (id),
    CONSTRAINT uq_hashmap_services_service_id UNIQUE (service_id),
    CONSTRAINT uq_hashmap_services_name UNIQUE (name)){utf8};
CREATE TABLE hashmap_fields ({id}, field_id VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL,
    service_id INTEGER NOT NULL, CONSTRAINT pk_hashmap_fields PRIMARY KEY (id),
    CONSTRAINT uq_hashmap_fields_field_id UNIQUE (field_id),
    CONSTRAINT uniq_field_per_service UNIQUE (service_id, name),
    CONSTRAINT fk_hashmap_fields_service_id_hashmap_services FOREIGN KEY (service_id)
        REFERENCES hashmap_services (id) ON DELETE CASCADE){utf8};
CREATE TABLE hashmap_groups ({id}, group_id VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL,
    CONSTRAINT pk_hashmap_groups PRIMARY KEY (id),
    CONSTRAINT uq_hashmap_groups_group_id UNIQUE (group_id),
    CONSTRAINT uq_hashmap_groups_name UNIQUE (name)){utf8};
CREATE TABLE hashmap_mappings ({id}, mapping_id VARCHAR(36) NOT NULL, value VARCHAR(255),
    cost NUMERIC(40, 28) {lost}, map_type {map_type}, service_id INTEGER, field_id INTEGER,
    group_id INTEGER, tenant_id VARCHAR(255){mapping_columns},
    CONSTRAINT pk_hashmap_mappings PRIMARY KEY (id), CONSTRAINT {uq_mapping} UNIQUE (mapping_id)
    {mapping_uniques}{mapping_checks},
    CONSTRAINT {fk}_service_id_hashmap_services FOREIGN KEY ({parent}_id)
        REFERENCES hashmap_{parent}s (id) ON DELETE CASCADE,
    CONSTRAINT {fk}_field_id_hashmap_fields FOREIGN KEY (field_id)
        REFERENCES hashmap_fields (id) ON DELETE CASCADE,
    CONSTRAINT {fk}_group_id_hashmap_groups FOREIGN KEY (group_id)
        REFERENCES hashmap_groups (id) ON DELETE SET NULL){utf8};
CREATE TABLE hashmap_thresholds ({id}, threshold_id VARCHAR(36) NOT NULL, level NUMERIC(20, 8),
    cost NUMERIC(40, 28) {lost}, map_type {level_type}, service_id INTEGER, field_id INTEGER,
    group_id INTEGER, tenant_id VARCHAR(255), CONSTRAINT pk_hashmap_thresholds PRIMARY KEY (id),
    CONSTRAINT uq_hashmap_thresholds_threshold_id UNIQUE (threshold_id),
    CONSTRAINT uniq_field_threshold UNIQUE (level, field_id, tenant_id),
    CONSTRAINT uniq_service_threshold UNIQUE (level, service_id, tenant_id),
    CONSTRAINT fk_hashmap_thresholds_service_id_hashmap_services FOREIGN KEY (service_id)
        REFERENCES hashmap_services (id) ON DELETE CASCADE,
    CONSTRAINT fk_hashmap_thresholds_field_id_hashmap_fields FOREIGN KEY (field_id)
        REFERENCES hashmap_fields (id) ON DELETE CASCADE,
    CONSTRAINT fk_hashmap_thresholds_group_id_hashmap_groups FOREIGN KEY (group_id)
        REFERENCES hashmap_groups (id) ON DELETE SET NULL){utf8};
"""
#: Columns that the last revisions of hashmap and pyscripts add.
WINDOW: Final = """created_at {date} NOT NULL DEFAULT CURRENT_TIMESTAMP,
    start {date} NOT NULL DEFAULT CURRENT_TIMESTAMP, {end} {date}, description {text},
    deleted {date}, created_by VARCHAR(32) NOT NULL, updated_by VARCHAR(32),
    deleted_by VARCHAR(32)"""
MAPPING_UNIQUES: Final = """,
    CONSTRAINT uniq_field_mapping UNIQUE (value, field_id, tenant_id),
    CONSTRAINT uniq_service_mapping UNIQUE (value, service_id, tenant_id)"""

SCRIPTS: Final = """
CREATE TABLE pyscripts_scripts ({id}, script_id VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL,
    data {blob} NOT NULL, checksum VARCHAR(128) {lost}{script_columns}, PRIMARY KEY (id),
    UNIQUE (script_id){script_uniques}){utf8};
"""

STATE: Final = """
CREATE TABLE cloudkitty_storage_states ({id}, identifier VARCHAR(256) NOT NULL,
    scope_key VARCHAR(40), fetcher VARCHAR(40), collector VARCHAR(40),
    last_processed_timestamp {date} NOT NULL,
    scope_activation_toggle_date {date} NOT NULL DEFAULT CURRENT_TIMESTAMP, active {bool} NOT NULL,
    PRIMARY KEY (id), CONSTRAINT uq_cloudkitty_storage_states_identifier
        UNIQUE (identifier, scope_key, collector, fetcher));
CREATE TABLE storage_scope_reprocessing_schedule ({id}, identifier VARCHAR(256) NOT NULL,
    start_reprocess_time {date} NOT NULL, end_reprocess_time {date} NOT NULL,
    current_reprocess_time {date}, reason TEXT NOT NULL, PRIMARY KEY (id)){utf8};
"""

HYBRID: Final = """
CREATE TABLE hybrid_storage_states ({id}, tenant_id VARCHAR(32) NOT NULL, state {date} NOT NULL,
    PRIMARY KEY (id)){utf8};
"""


def build(state: str, *, crooked: bool = False, row_format: str = "") -> None:
    """Make the tables of a state in the present database, but for those of storages.

    `crooked`: with the foreign key that very old migrations put on the wrong column on PostgreSQL.
    `row_format`: of tables on MySQL.
    """
    hashmap, pyscripts = STATES[state]
    build_hashmap(hashmap, crooked=crooked, row_format=row_format)
    _run(CORE)
    _stamp("cloudkitty", "385e33fef139")
    if pyscripts:
        build_scripts(pyscripts)
    build_states()


def build_hashmap(revision: str, *, crooked: bool = False, row_format: str = "") -> None:
    """Make the tables of hashmap."""
    at_head = revision == STATES["head"][0]
    if _engine() == "postgresql":
        _run("CREATE TYPE enum_map_type AS ENUM ('flat', 'rate');")
    _run(
        HASHMAP,
        mapping_columns=f", name VARCHAR(32) NOT NULL, {_worded(WINDOW)}" if at_head else "",
        mapping_uniques="" if at_head else MAPPING_UNIQUES,
        parent="field" if crooked else "service",
        row_format=row_format,
    )
    _stamp("hashmap", revision)


def build_scripts(revision: str) -> None:
    """Make the table of pyscripts."""
    at_head = revision == STATES["head"][1]
    names = {"mysql": "UNIQUE KEY name (name)"}.get(_engine(), "UNIQUE (name)")
    # SQLite lets no constraint go, at the head neither.
    unique = not at_head or _engine() == "sqlite"
    _run(
        SCRIPTS,
        script_columns=f", {_worded(WINDOW)}" if at_head else "",
        script_uniques=f", {names}" if unique else "",
    )
    _stamp("pyscripts", revision)


def build_states() -> None:
    """Make the tables of scope states and schedules."""
    _run(STATE)
    _stamp("storage_states", "9feccd32")


def build_storages() -> None:
    """Make the tables of both storages of the first generation."""
    old_storage.create()
    _run(HYBRID)
    _stamp("storage_hybrid", "03da4bb002b9")


def _run(statements: str, **words: str) -> None:
    with db.get_engine().begin() as connection:
        for statement in _statements(_worded(statements, **words)):
            connection.exec_driver_sql(statement)


def _statements(text: str) -> Iterator[str]:
    return (statement for part in text.split(";") if (statement := part.strip()))


def _worded(text: str, **words: str) -> str:
    known = {**_WORDS[_engine()], **words}
    known["utf8"] = known["utf8"].format(row_format=known.get("row_format", ""))
    return text.format(**known)


def _stamp(tree: str, revision: str) -> None:
    _run(
        f"CREATE TABLE {tree}_alembic (version_num VARCHAR(32) NOT NULL, "
        f"CONSTRAINT {tree}_alembic_pkc PRIMARY KEY (version_num));"
        f"INSERT INTO {tree}_alembic VALUES ('{revision}');"
    )


def _engine() -> str:
    return db.get_engine().dialect.name
