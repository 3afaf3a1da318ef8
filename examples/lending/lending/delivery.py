"""How a release rises: what machines check, who decides, and where it goes. Limits stand in `policy.toml`."""

from lending.pipelines import lending
from lockgate import Pipeline, approval, deploy_to, gates

delivery = Pipeline(
    "lending-delivery",
    kind="delivery",
    delivers=lending,
    stages=[
        gates.enough_good_data(per="race"),
        gates.no_leak(),
        gates.beats_baseline(baseline="best_simple", metric="accuracy"),
        gates.champion(metric="accuracy"),
        gates.slices(metric="accuracy", by=["race", "sex", "age", "married"], worst_over_best=1.5, min_n=50),
        deploy_to("staging"),
        gates.integration(consumers="consumers"),
        approval("credit-officer", valid_for="7d"),
        approval("fair-lending-officer", valid_for="7d"),
        deploy_to("production"),
    ],
)
