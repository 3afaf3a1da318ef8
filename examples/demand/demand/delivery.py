"""How a release rises: what machines check, what a person decides, and where it goes.

Limits that the business owns stand in `policy.toml`.
"""

from demand.pipelines import demand
from lockgate import Pipeline, approval, deploy_to, gates

delivery = Pipeline(
    "demand-delivery",
    kind="delivery",
    delivers=demand,
    stages=[
        gates.enough_good_data(min_rows=1_000, per="volume_band"),
        gates.no_leak(),
        gates.beats_baseline(baseline="best_simple", metric="wape"),
        gates.champion(metric="wape"),
        gates.slices(metric="wape", by=["volume_band", "price_band", "new", "seasonal"], min_n=200),
        gates.interval_coverage(nominal=0.8),
        deploy_to("staging"),
        gates.integration(consumers="consumers"),
        approval("product-owner", valid_for="7d"),
        deploy_to("production"),
    ],
)
