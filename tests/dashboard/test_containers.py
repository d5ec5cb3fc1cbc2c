"""The container files, read but not run: docker is no part of the suite."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from honcho.environ import parse_procfile

from dashboard.up.command import NAMES

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
    assert set(re.findall(r"\$\{(\w*PASSWORD\w*)(:.)", text)) == {("POSTGRES_PASSWORD", ":?")}
    assert "ports" not in compose["services"]["postgres"]
    assert "ports" not in compose["services"]["redis"]


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
