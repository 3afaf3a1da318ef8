"""One declared project for the tests of jobs: two data pipelines, training, two environments, gates on both sides, people."""

from lockgate import approval, deploy_to, gates
from lockgate.forge.declared import Declared, Made
from lockgate.forge.jobs import job_graph
from lockgate.forge.settings import GitlabSettings
from lockgate.records.jobs import JobGraph

DECLARED = Declared(
    pipelines=(
        Made(name="sales", kind="data"),
        Made(name="weather", kind="data"),
        Made(name="shop", kind="training", needs=("sales", "weather")),
    ),
    delivers="shop",
    stages=(
        gates.enough_good_data(min_rows=10),
        gates.champion(metric="wape"),
        deploy_to("staging"),
        gates.integration(),
        approval("product-owner", valid_for="7d"),
        approval("risk-officer", valid_for="7d"),
        deploy_to("production"),
    ),
    unprotected=("staging",),
    says={"name": "shop-delivery"},
)


def everything(_: tuple[str, ...]) -> bool:
    """A Lockgate that has every command."""
    return True


def whole(declared: Declared = DECLARED, settings: GitlabSettings | None = None) -> JobGraph:
    return job_graph(declared, settings or GitlabSettings(publish=True), has=everything)
