"""The container files, read but not run: docker is no part of the suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from honcho.environ import parse_procfile

from dashboard.embedded.postgres import Postgres, binary
from dashboard.up.command import NAMES
from tests.servers import THROWAWAY

BASE = Path(__file__).resolve().parent.parent.parent
SERVERS = ("postgres", "redis")
ONCE = ("prepare",)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((BASE / "docker-compose.yml").read_text())
    return content


@pytest.fixture(scope="module")
def documented() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (BASE / ".env.example").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions by stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (BASE / "Dockerfile").read_text())
    found: list[list[tuple[str, str]]] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            if instruction == "FROM":
                found.append([])
            found[-1].append((instruction, rest))
    return found


def test_there_is_a_service_for_every_process_and_for_both_servers(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*NAMES, *SERVERS, *ONCE}


@pytest.mark.parametrize("name", NAMES)
def test_a_services_command_is_the_procfiles(compose: dict[str, Any], name: str) -> None:
    shell, flag, command = compose["services"][name]["command"]
    assert (shell, flag) == ("sh", "-c")
    # Compose takes a single dollar for itself.
    assert command.replace("$$", "$") == parse_procfile((BASE / "Procfile").read_text()).processes[name]


def test_every_variable_is_documented(compose: dict[str, Any], documented: set[str]) -> None:
    text = (BASE / "docker-compose.yml").read_text()
    asked_for = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
    given = {name for service in NAMES for name in compose["services"][service]["environment"]}
    assert asked_for | given <= documented


def test_every_variable_that_the_settings_read_is_documented(documented: set[str]) -> None:
    settings = (BASE / "dashboard" / "settings.py").read_text()
    gateway = (BASE / "traffic" / "gateway" / "environment.py").read_text()
    read = set(re.findall(r'env\.(?:text|flag|integer|secret)\("([A-Z_]+)"', settings))
    read |= set(re.findall(r'_text\("([A-Z_]+)"', gateway))
    assert {"DATABASE_URL", "EMAIL_URL", "BREAKEVEN_GATEWAY_TIMEOUT"} <= read
    assert read <= documented


def test_every_service_that_stays_has_a_health_check_and_is_started_again(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name not in ONCE:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name


def test_processes_wait_for_healthy_servers_and_the_prepared_database(compose: dict[str, Any]) -> None:
    for name in NAMES:
        waits = {service: how["condition"] for service, how in compose["services"][name]["depends_on"].items()}
        assert waits == {
            "postgres": "service_healthy",
            "redis": "service_healthy",
            "prepare": "service_completed_successfully",
        }


def test_no_password_has_a_default(compose: dict[str, Any]) -> None:
    text = (BASE / "docker-compose.yml").read_text()
    names = ("POSTGRES_PASSWORD", "DATABASE_PASSWORD", "DATABASE_OWNER_PASSWORD", "REDIS_PASSWORD")
    assert set(re.findall(r"\$\{(\w*PASSWORD\w*)(:.)", text)) == {(name, ":?") for name in names}


def test_each_server_is_reached_by_those_that_use_it_and_pages_by_this_machine_alone(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in SERVERS:
        assert "ports" not in services[name]
        assert all(compose["networks"][network]["internal"] for network in services[name]["networks"])
    on_queue = {name for name, service in services.items() if "queue" in service["networks"]}
    assert on_queue == {"redis", "web", "worker", "beat"}
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:8000:8000", "127.0.0.1:8001:8001"]


def test_the_owner_of_the_tables_is_known_to_prepare_alone(compose: dict[str, Any]) -> None:
    knows = [name for name, service in compose["services"].items() if "DATABASE_OWNER_URL" in service["environment"]]
    assert knows == ["prepare"]
    urls = {compose["services"][name]["environment"]["DATABASE_URL"] for name in NAMES}
    assert all(url.startswith("postgresql://breakeven:${DATABASE_PASSWORD:") for url in urls)


def test_images_of_others_are_pinned_to_a_minor_version(compose: dict[str, Any]) -> None:
    images = [compose["services"][name]["image"] for name in SERVERS]
    assert all(re.fullmatch(r"[\w/]+:\d+\.\d+(\.\d+)?(@sha256:\w+)?", image) for image in images), images


def test_the_image_contains_no_pip(stages: list[list[tuple[str, str]]]) -> None:
    assert ("RUN", "python -m venv --without-pip /venv") in stages[0]
    assert any(rest.startswith("python -m pip uninstall --yes") for _instruction, rest in stages[-1])


def test_the_script_of_the_compose_file_makes_the_roles(compose: dict[str, Any], tmp_path: Path) -> None:
    """Run as the image's entry point runs it, against a new cluster with its superuser alone."""
    server = Postgres(tmp_path / "postgres", THROWAWAY)
    server.start()
    try:
        with psycopg.connect(server._url("postgres", "postgres"), autocommit=True) as superuser:
            for statement in ("DROP DATABASE breakeven", "DROP ROLE breakeven", "DROP ROLE breakeven_owner"):
                superuser.execute(statement)
        script = compose["configs"]["roles"]["content"].replace("$$", "$")
        address = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": server._password("postgres")}
        passwords = {"DATABASE_PASSWORD": "of the application's own", "DATABASE_OWNER_PASSWORD": "o'wner"}
        path = f"{binary('psql').parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**address, **passwords, "POSTGRES_USER": "postgres", "PATH": path}
        subprocess.run(["sh", "-eu", "-c", script], env=environment, check=True, timeout=30)
        for role, password in zip(("breakeven", "breakeven_owner"), passwords.values(), strict=True):
            with psycopg.connect(server.url, user=role, password=password) as connection:
                may_make = connection.execute("SELECT has_schema_privilege('public', 'CREATE')").fetchone()
                assert may_make == (role == "breakeven_owner",)
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(server.url, user=role, password=password, dbname="postgres")
    finally:
        server.stop()


def test_data_is_on_volumes(compose: dict[str, Any]) -> None:
    assert compose["services"]["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    for name in NAMES:
        assert "data:/data" in compose["services"][name]["volumes"]
    assert set(compose["volumes"]) == {"postgres", "data"}


def test_the_image_has_two_stages_and_ends_as_a_plain_user(stages: list[list[tuple[str, str]]]) -> None:
    assert len(stages) == 2
    last = dict(stages[-1])
    assert last["USER"] == "breakeven"
    assert json.loads(last["CMD"]) == ["python", "manage.py", "help"]


def test_the_image_installs_the_lock_by_its_hashes(stages: list[list[tuple[str, str]]]) -> None:
    runs = " ".join(rest for instruction, rest in stages[0] if instruction == "RUN")
    assert "--require-hashes" in runs and "requirements/base.txt" in runs
    assert "--hash=sha256:" in (BASE / "requirements" / "base.txt").read_text()


def test_the_locks_agree_with_each_other_and_name_no_package_index() -> None:
    def pins(name: str) -> set[str]:
        text = (BASE / "requirements" / f"{name}.txt").read_text()
        assert "index-url" not in text and "://" not in text
        return set(re.findall(r"^([\w.\[\]-]+==[^ \\]+)", text, re.MULTILINE))

    assert pins("base") < pins("demo") < pins("dev")
