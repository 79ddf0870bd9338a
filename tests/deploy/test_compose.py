"""compose.yaml: read by Compose itself, and held to what it promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.image import ROOT
from visiongate.settings import PREFIX, Settings

COMPOSE = ROOT / "deploy" / "compose.yaml"


def tool() -> list[str]:
    """Return the command of Compose that this machine has."""
    docker = ["docker", "compose"]
    if shutil.which("docker"):
        found = subprocess.run([*docker, "version"], capture_output=True)
        if found.returncode == 0:
            return docker
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("needs Compose (Debian's package docker-compose)")


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    """The file as Compose reads it, variables put in and short forms written out."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    done = subprocess.run(
        [*tool(), "-f", str(COMPOSE), "config"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = yaml.safe_load(done.stdout)
    return document


def written() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return document


SERVICES = written()["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_shut_in_and_limited_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service.get("cpus") or service.get("cpuset")
    assert service["pids_limit"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"]["max-size"]
    assert not service.get("privileged")
    if name != "gateway":
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"])


def test_compose_reads_it(read: dict[str, Any]) -> None:
    assert set(read["services"]) >= {"gateway", "nginx"}
    gateway = read["services"]["gateway"]
    assert gateway["environment"]["VISIONGATE_TRUSTED_PROXIES"] == "1"
    assert "nginx" not in gateway.get("depends_on", {})


def test_settings_are_settings() -> None:
    names = SERVICES["gateway"]["environment"].keys()
    assert {name.removeprefix(PREFIX).lower() for name in names} <= Settings.model_fields.keys()


def test_only_nginx_is_open_to_others_and_the_gateway_reaches_nobody() -> None:
    published = {
        name: [str(port) for port in service.get("ports", [])] for name, service in SERVICES.items()
    }
    open_to_all = {n for n, ports in published.items() for p in ports if "127.0.0.1" not in p}
    assert open_to_all == {"nginx"}
    assert SERVICES["gateway"]["networks"] == ["inside"]
    assert written()["networks"]["inside"]["internal"] is True


def test_what_is_mounted_is_there_and_cannot_be_written() -> None:
    made = {"./config"}  # the operator's, and the secrets'
    for service in SERVICES.values():
        for volume in service["volumes"]:
            source, _, rest = volume.partition(":")
            if source.startswith("./"):
                assert rest.endswith(":ro")
                assert source in made or (COMPOSE.parent / source).exists()


def test_keys_are_secrets_and_never_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for secret in written()["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "/deploy/secrets/" in ignored
    assert not re.search("(?i)(password|secret|key): +[^{/]+$", json.dumps(SERVICES["gateway"]))


def test_the_proxys_certificates_are_where_its_configuration_looks() -> None:
    targets = {secret["target"] for secret in SERVICES["nginx"]["secrets"]}
    text = (ROOT / "deploy/nginx/visiongate.conf").read_text()
    named = set(re.findall(r"ssl_certificate(?:_key)? +(\S+);", text))
    assert targets == named
    upstreams = [
        (ROOT / "deploy" / "nginx" / name).read_text()
        for name in ("visiongate-upstream.conf", "visiongate-upstream.compose.conf")
    ]
    assert "server gateway:5000;" in upstreams[1]
    assert "server 127.0.0.1:5000;" in upstreams[0]
    assert upstreams[0].split("keepalive", 1)[1] == upstreams[1].split("keepalive", 1)[1]


@pytest.mark.parametrize("host", ["vision.example.com", "192.0.2.7", "2001:db8::7"])
def test_a_certificate_is_made_for_names_and_addresses(host: str, tmp_path: Path) -> None:
    command = [ROOT / "deploy" / "make-certificate", host, tmp_path / "tls"]
    first = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    key = tmp_path / "tls" / "privkey.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    check = ["openssl", "x509", "-in", tmp_path / "tls" / "fullchain.pem", "-noout"]
    option = "-checkhost" if host[0] == "v" else "-checkip"
    asked = subprocess.run([*check, option, host], capture_output=True, text=True)
    assert "does match" in asked.stdout
    before = key.read_bytes()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert key.read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["a/b"], ["a b"], ["x,DNS:y"], ["a", "b", "c"]])
def test_a_certificate_for_what_is_no_host_is_refused(arguments: list[str], tmp_path: Path) -> None:
    command = [ROOT / "deploy" / "make-certificate", *arguments]
    if len(arguments) == 1:
        command.append(tmp_path / "tls")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "make-certificate" in done.stderr
    assert not list(tmp_path.iterdir())
