"""How a release rises: what machines check, who decides, and where it goes. Limits stand in `policy.toml`."""

from lending.pipelines import lending
from lockgate import Pipeline, approval, deploy_to, gates

WHITE = {"race": "white"}  # whom each race is compared with
# Shares among the very 1,989 applications that are split into those that are learned from and those that judge. So
# `representation` checks the split, and not whether these rows stand for Boston, whose applications nobody here has counted.
SHARES = {"black": 0.0990, "hispanic": 0.0558, "white": 0.8452}
FEWEST = 50

delivery = Pipeline(
    "lending-delivery",
    kind="delivery",
    delivers=lending,
    stages=[
        gates.enough_good_data(per="race"),
        gates.no_leak(),
        gates.representation(by="race", reference=SHARES, rows="holdout"),
        gates.beats_baseline(baseline="best_simple", metric="accuracy"),
        gates.champion(metric="accuracy"),
        gates.fairness("selection_rate", by=["race"], on="ratio", against=WHITE, min_n=FEWEST, name="four_fifths"),
        gates.fairness("fnr", by=["race"], against=WHITE, min_n=FEWEST, name="error_gap"),
        deploy_to("staging"),
        gates.integration(consumers="consumers"),
        approval("credit-officer", valid_for="7d"),
        approval("fair-lending-officer", valid_for="7d"),
        deploy_to("production"),
    ],
)
