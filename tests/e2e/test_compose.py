"""docker-compose.yml and what it mounts: valid, whole and consistent."""

import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def test_compose_accepts_it(tool):
    code, output = tool("docker-compose", "config", "-q", env={"JWT_SECRET": "x"})
    assert code == 0, output


def test_compose_asks_for_the_secret(tool):
    code, output = tool("docker-compose", "config", "-q", env={"JWT_SECRET": ""})
    assert code != 0
    assert "set JWT_SECRET" in output


def test_one_kafka_one_ingest_two_edges_each_after_the_other(compose):
    services = compose["services"]
    assert set(services) == {"kafka", "ingest", "edge-1", "edge-2"}
    assert services["kafka"]["image"] == "apache/kafka:4.3.1"
    assert services["ingest"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        if name.startswith("edge"):
            assert service["depends_on"] == {"ingest": {"condition": "service_healthy"}}


def test_what_it_builds_and_mounts_exists(compose):
    for name, service in compose["services"].items():
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file(), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file(), (name, source)
            else:
                assert source in compose["volumes"], (name, source)


def test_no_host_port_is_taken_twice(compose):
    ports = [mapping.split(":")[-2] for service in compose["services"].values()
             for mapping in service.get("ports", [])]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("tier", ["ingest", "edge"])
def test_the_image_runs_as_nobody_special_and_has_a_health_check(tier):
    lines = (ROOT / "services" / tier / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last_stage = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")):]
    assert "USER 10001:10001" in last_stage
    assert any(line.startswith("HEALTHCHECK") for line in last_stage)
    assert f'ENTRYPOINT ["spillway-{tier}"]' in last_stage


@pytest.mark.parametrize("tier", ["ingest", "edge"])
def test_the_binary_accepts_the_configuration(check_config, tier):
    code, output = check_config(tier, ROOT / "docker" / f"{tier}.yaml", env={"NODE_ID": "x"})
    assert code == 0, output
