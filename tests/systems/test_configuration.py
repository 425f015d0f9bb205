"""The command line of both binaries, as far as it concerns configuration. No Kafka."""

import pathlib

import pytest

BODIES = {
    "ingest": "ingest:\n",
    "edge": "edge:\n  ingests: {addresses: ['127.0.0.1:1']}\n  endpoints: [{auth: {required: false}}]\n",
}


@pytest.fixture(params=["ingest", "edge"])
def tier(request):
    return request.param


@pytest.fixture
def run(binaries, processes):
    """A function that runs a binary to its end: (exit code, output)."""
    def run_it(tier, *arguments):
        process = processes.start(tier, [getattr(binaries, tier), *arguments])
        process.expected = False
        return process.wait(20), process.log_text()
    return run_it


def config(folder, tier, *lines):
    path = pathlib.Path(folder) / f"{tier}.yaml"
    path.write_text(BODIES[tier] + "".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("check", [["--check-config"], []], ids=["check", "start"])
def test_a_misspelt_metric_is_an_error(run, tmp_path, tier, check):
    path = config(tmp_path, tier, "  metrics:", "    names:", f"      spillway_{tier}_linx: links")
    line = len(path.read_text().splitlines())
    code, output = run(tier, "--config", path, *check)
    assert code == 2, output
    assert (f"{path}:{line}: {tier}.metrics.names.spillway_{tier}_linx: there is no such metric; "
            f'did you mean "spillway_{tier}_links"? --print-metrics lists all') in output


def test_a_further_name_of_a_metric_is_good(run, tmp_path, tier):
    path = config(tmp_path, tier, f"  metrics: {{names: {{spillway_{tier}_links: links}}}}")
    assert run(tier, "--config", path, "--check-config") == (0, "the configuration is good\n")


@pytest.mark.parametrize("check", [["--check-config"], []], ids=["check", "start"])
@pytest.mark.parametrize("tier, section, key", [
    ("ingest", "  tls: {cert_file: /none.pem, key_file: /none.key}", "ingest.tls"),
    ("edge", "  admin: {tls: {cert_file: /none.pem, key_file: /none.key}}", "edge.admin.tls"),
])
def test_a_tls_file_that_is_missing_is_an_error(run, tmp_path, tier, section, key, check):
    path = config(tmp_path, tier, section)
    line = len(path.read_text().splitlines())
    code, output = run(tier, "--config", path, *check)
    assert code == 2, output
    assert (f"{path}:{line}: {key}: cannot read the TLS certificate file '/none.pem': "
            "No such file or directory") in output


def test_metrics_are_listed_without_a_configuration(run, tier):
    code, output = run(tier, "--print-metrics")
    assert code == 0
    assert f"| `spillway_{tier}_links` | gauge |" in output
    page = (pathlib.Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert output in page
