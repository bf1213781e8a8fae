"""The examples with several workers: their files have the form that is asked for, and what they describe works."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from waxbill.settings import Settings
from waxbill.testing import Receiver, ServerProcess

from .conftest import ROOT
from .postgres import Postgres
from .test_deploy import COMPOSE as SINGLE
from .test_deploy import conforms, settings_with
from .test_workers import Cluster, check_ownership, send, wait_for

COMPOSE = ROOT / "examples/workers/docker-compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
KUBERNETES = {
    (each["kind"], each["metadata"]["name"]): each
    for each in yaml.safe_load_all((ROOT / "examples/kubernetes/waxbill.yaml").read_text())
}
SET = KUBERNETES["StatefulSet", "waxbill"]["spec"]
POD = SET["template"]["spec"]
(CONTAINER,) = POD["containers"]
#: The oldest and the newest version that the schemas are asked of.
KUBERNETES_VERSIONS = ["1.29", "1.37"]


def filled(value: Any, **variables: str) -> str:
    """A value of compose's environment with its variables, as they were given or by default."""

    def of(match: re.Match[str]) -> str:
        given = variables.get(match["name"], match["default"] if match["kind"] == ":-" else None)
        assert given is not None, f"{match['name']} must be given"
        return given

    return re.sub(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<default>.*?)\}", of, str(value))


def worker_environment(name: str) -> dict[str, str]:
    return {key: filled(value, WAHA_API_KEY="key") for key, value in SERVICES[name]["environment"].items()}


def test_compose_conforms_and_its_workers_are_limited_like_a_single_server() -> None:
    conforms("vendor.compose-spec", COMPOSE)
    for name in ("a", "b"):
        worker, environment = SERVICES[name], worker_environment(name)
        settings_with(environment)
        assert environment["WAHA_WORKER_ID"] == name
        assert environment["WAXBILL_WORKER_URL"] == f"http://{name}:3000"
        for member in ("restart", "init", "read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit"):
            assert worker[member] == SINGLE["services"]["waxbill"][member]
        assert worker["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert (COMPOSE.parent / worker["build"]["context"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
        assert (ROOT / "deploy" / f"{worker['build']['args']['PLUGINS']}.lock").is_file()
    database = SERVICES["postgres"]["environment"]
    assert worker_environment("a")["WAXBILL_STORE"] == (
        f"postgresql://{database['POSTGRES_USER']}:{filled(database['POSTGRES_PASSWORD'])}"
        f"@postgres/{database['POSTGRES_DB']}"
    )


@pytest.fixture
def composed(tmp_path: Path, postgres: Postgres, receiver: Receiver) -> Iterator[Cluster]:
    """The processes of the compose file with the environment that it gives them; its hosts are ports of this one."""
    postgres.ask(f"CREATE DATABASE {SERVICES['postgres']['environment']['POSTGRES_DB']}")
    found = Cluster(tmp_path, postgres, receiver)
    found.url = postgres.url(SERVICES["postgres"]["environment"]["POSTGRES_DB"])
    names = [name for name in SERVICES if "WAHA_WORKER_ID" in SERVICES[name].get("environment", {})]
    hosts = {"@postgres/": f"@127.0.0.1:{postgres.port}/"}
    with_ports: dict[str, str] = {}
    for name in names:
        with socket.create_server(("127.0.0.1", 0)) as free:
            with_ports[name] = str(free.getsockname()[1])
        hosts[f"//{name}:3000"] = f"//127.0.0.1:{with_ports[name]}"
    for name in names:
        environment = worker_environment(name)
        for host, here in hosts.items():
            environment = {key: value.replace(host, here) for key, value in environment.items()}
        (tmp_path / name).mkdir()
        worker = ServerProcess(
            tmp_path / name,
            key=environment.pop("WAHA_API_KEY"),
            PORT=with_ports[name],
            WAXBILL_MOCK_SCAN_SECONDS="0",
            **environment,
        )
        found.workers[name] = worker.start()
    yield found
    for worker in found.workers.values():
        worker.__exit__(None, None, None)
    postgres.ask(f"DROP DATABASE {SERVICES['postgres']['environment']['POSTGRES_DB']} WITH (FORCE)")


@pytest.mark.long
def test_what_compose_starts_shares_sessions_and_takes_over(composed: Cluster) -> None:
    a, b = composed.workers["a"], composed.workers["b"]
    names = [f"s{number}" for number in range(6)]
    composed.begin(a, *names)
    wait_for(lambda: composed.working(b, *names))
    for name in names:
        assert send(b, name, f"by b to {name}").status == 201
    victim = composed.busiest("ab")
    rest = b if victim == "a" else a
    composed.workers[victim].kill()
    wait_for(lambda: set(composed.owners().values()) == {"b" if victim == "a" else "a"})
    wait_for(lambda: composed.working(rest, *names))
    for name in names:
        wait_for(lambda name=name: send(rest, name, f"after that to {name}").status == 201)
    expected = {f"{what} to {name}" for what in ("by b", "after that") for name in names}
    wait_for(lambda: expected <= set(composed.bodies()))
    check_ownership(composed.journal(), {victim: 0})


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("which", KUBERNETES, ids=lambda which: f"{which[0]}-{which[1]}")
def test_a_kubernetes_object_conforms(which: tuple[str, str], version: str) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(KUBERNETES[which], version, strict=True)


def test_kubernetes_objects_belong_to_each_other() -> None:
    labels = SET["template"]["metadata"]["labels"]
    headless, service = KUBERNETES["Service", "waxbill-workers"]["spec"], KUBERNETES["Service", "waxbill"]["spec"]
    assert SET["selector"]["matchLabels"] == labels == headless["selector"] == service["selector"]
    assert KUBERNETES["PodDisruptionBudget", "waxbill"]["spec"]["selector"]["matchLabels"] == labels
    assert (SET["serviceName"], headless["clusterIP"]) == ("waxbill-workers", "None")
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    for each in (headless, service):
        assert [ports[port["targetPort"]] for port in each["ports"]] == [3000]
    mounted = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    claimed = {claim["metadata"]["name"] for claim in SET["volumeClaimTemplates"]}
    assert mounted == claimed | {volume["name"] for volume in POD["volumes"]}
    (configured,) = [each["configMapRef"]["name"] for each in CONTAINER["envFrom"]]
    assert ("ConfigMap", configured) in KUBERNETES


def pod_environment(pod: str) -> dict[str, str]:
    """What a pod gets, with its secrets by their keys; variables are put in as Kubernetes does it, in order."""
    found = dict(KUBERNETES["ConfigMap", "waxbill"]["data"])
    fields = {"metadata.name": pod}
    for variable in CONTAINER["env"]:
        source = variable.get("valueFrom", {})
        if "fieldRef" in source:
            found[variable["name"]] = fields[source["fieldRef"]["fieldPath"]]
        elif "secretKeyRef" in source:
            found[variable["name"]] = {"api-key": "key", "store": "postgresql://db/x"}[source["secretKeyRef"]["key"]]
        else:
            found[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda name: found[name[1]], variable["value"])
    return found


def test_a_pod_has_its_name_its_address_and_settings_that_exist() -> None:
    environment = pod_environment("waxbill-2")
    settings_with(environment)
    assert environment["WAHA_WORKER_ID"] == "waxbill-2"
    assert environment["WAXBILL_WORKER_URL"] == f"http://waxbill-2.{SET['serviceName']}:3000"
    plain = {variable["name"] for variable in CONTAINER["env"] if "value" in variable}
    assert not [name for name in (*plain, *KUBERNETES["ConfigMap", "waxbill"]["data"]) if "KEY" in name]


def test_a_pod_has_time_to_end_and_is_asked_where_no_key_is_needed() -> None:
    core = Settings(pod_environment("waxbill-0")).core
    (_, before) = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert POD["terminationGracePeriodSeconds"] >= int(before) + 2 * core.stop_seconds + 10
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert CONTAINER[name]["httpGet"] == {"path": "/ping", "port": "http"}
    single = SINGLE["services"]["waxbill"]
    assert CONTAINER["resources"]["limits"]["memory"] == single["mem_limit"].upper() + "i"
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is single["read_only"]
    assert POD["securityContext"]["runAsUser"] == POD["securityContext"]["fsGroup"] == 10001
