"""The Helm chart: it renders, Kubernetes would accept it, and bad values are refused with a reason."""

import importlib.util
import pathlib

import pytest
import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "helm" / "spillway"
VALUES = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.36"
MINIMAL = CHART / "ci" / "minimal-values.yaml"
EVERYTHING = CHART / "ci" / "everything-values.yaml"


def template(tool, *arguments):
    # A helm built from source believes in a very old Kubernetes unless told.
    return tool("helm", "template", "demo", CHART, "--kube-version", KUBERNETES, *arguments)


def render(tool, values):
    """{(kind, name): object}"""
    code, output = template(tool, "-f", values)
    assert code == 0, output
    objects = [item for item in yaml.safe_load_all(output) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


@pytest.mark.parametrize("values", VALUES)
def test_lint(tool, values):
    code, output = tool("helm", "lint", "--strict", CHART, "--kube-version", KUBERNETES,
                        "-f", CHART / "ci" / values)
    assert code == 0, output


@pytest.mark.parametrize("values", VALUES)
def test_kubernetes_accepts_what_is_rendered(tool, values, tmp_path):
    if not importlib.util.find_spec("kubernetes_validate"):
        pytest.skip("kubernetes-validate is not installed: ./dev setup --all")
    code, output = template(tool, "-f", CHART / "ci" / values)
    assert code == 0, output
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(output, encoding="utf-8")
    code, output = tool("kubernetes-validate", "-k", KUBERNETES, "--strict", rendered)
    assert code == 0, output
    complaints = [line for line in output.splitlines() if not line.startswith("INFO")]
    # Kinds that are not Kubernetes' own have no schema here.
    assert all("monitoring.coreos.com" in line or "networking.istio.io" in line
               for line in complaints), complaints


def test_edge_has_the_resources_and_probes_that_were_asked_for(tool):
    deployment = render(tool, MINIMAL)["Deployment", "demo-spillway-edge"]["spec"]
    assert deployment["replicas"] == 3
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 30
    container = pod["containers"][0]
    assert container["resources"] == {"requests": {"cpu": "250m", "memory": "256Mi"},
                                      "limits": {"cpu": "500m", "memory": "512Mi"}}
    liveness, readiness = container["livenessProbe"], container["readinessProbe"]
    assert (liveness["httpGet"]["path"], liveness["periodSeconds"]) == ("/health", 10)
    assert (readiness["httpGet"]["path"], readiness["periodSeconds"]) == ("/ready", 5)


@pytest.mark.parametrize("tier", ["ingest", "edge"])
def test_the_binary_accepts_the_configuration(tool, check_config, tmp_path, tier):
    data = render(tool, MINIMAL)["ConfigMap", f"demo-spillway-{tier}"]["data"]
    for name, text in data.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    code, output = check_config(tier, tmp_path / "values.yaml", tmp_path / "chart.yaml",
                                env={"POD_NAME": "edge-0", "POD_IP": "10.0.0.7"})
    assert code == 0, output


def test_autoscaling_takes_the_place_of_replicas(tool):
    objects = render(tool, EVERYTHING)
    assert "replicas" not in objects["Deployment", "demo-spillway-edge"]["spec"]
    scaler = objects["HorizontalPodAutoscaler", "demo-spillway-edge"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert {metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"]
            for metric in scaler["metrics"]} == {"cpu": 70, "memory": 80}


def test_edges_find_ingests_by_a_headless_service(tool):
    objects = render(tool, MINIMAL)
    service = objects["Service", "demo-spillway-ingest"]["spec"]
    assert service["clusterIP"] == "None"
    config = yaml.safe_load(objects["ConfigMap", "demo-spillway-edge"]["data"]["chart.yaml"])
    assert config["edge"]["ingests"]["dns_name"] == "demo-spillway-ingest:9100"
    labels = objects["Deployment", "demo-spillway-ingest"]["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()


def test_optional_parts_are_absent_until_asked_for(tool):
    optional = {"ServiceMonitor", "NetworkPolicy", "VirtualService", "DestinationRule",
                "HorizontalPodAutoscaler", "Secret"}
    assert not optional & {kind for kind, _ in render(tool, MINIMAL)}
    everything = render(tool, EVERYTHING)
    assert optional <= {kind for kind, _ in everything}
    service = everything["VirtualService", "demo-spillway-edge"]
    assert service["spec"]["http"][0]["timeout"] == "3600s"
    assert everything["Service", "demo-spillway-edge"]["spec"]["sessionAffinity"] == "ClientIP"


def test_edges_need_no_key_where_keys_come_from_elsewhere(tool):
    def environment(*arguments):
        code, output = template(tool, "-f", MINIMAL, *arguments)
        assert code == 0, output
        edge = next(one for one in yaml.safe_load_all(output)
                    if one and one["kind"] == "Deployment" and one["metadata"]["name"].endswith("-edge"))
        return {one["name"] for one in edge["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert "JWT_SECRET" in environment()
    assert "JWT_SECRET" not in environment("--set", "jwt.enabled=false", "--set", "jwt.existingSecret=")


def test_clients_are_told_an_address_that_exists(tool):
    def addresses(*arguments):
        code, output = template(tool, "-f", MINIMAL, *arguments)
        assert code == 0, output
        data = next(one["data"] for one in yaml.safe_load_all(output)
                    if one and one["kind"] == "ConfigMap" and one["metadata"]["name"].endswith("-edge"))
        return [yaml.safe_load(data[name])["edge"].get("advertised_public_address") for name in ("values.yaml", "chart.yaml")]
    assert addresses() == [None, "${POD_IP}:8080"]
    own = ("--set", "edge.config.advertised_public_address=stream.example.com:443")
    assert addresses(*own) == ["stream.example.com:443", None]


@pytest.mark.parametrize("arguments, reason", [
    (["--set", "kafka.brokers="], "kafka.brokers is required"),
    (["--set", "jwt.existingSecret="], "jwt.existingSecret or jwt.secret is required"),
    (["--set", "ingest.config.routes=null"], "ingest.presets or ingest.config.routes is required"),
    (["--set", "edge.config.endpoints=null"], "edge.presets or edge.config.endpoints is required"),
    (["--set", "edge.replica=3"], "'replica' not allowed"),
    (["--set", "edge.replicas=many"], "got string, want integer"),
    (["--set", "edge.service.sessionAffinity=Cookie"], "'None', 'ClientIP'"),
])
def test_bad_values_are_refused_with_a_reason(tool, arguments, reason):
    code, output = template(tool, "-f", MINIMAL, *arguments)
    assert code != 0
    assert reason in output
