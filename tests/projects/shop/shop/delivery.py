from lockgate import Pipeline, approval, deploy_to, gates
from shop.pipelines import training

delivery = Pipeline(
    "shop-delivery",
    kind="delivery",
    delivers=training,
    stages=[
        gates.enough_good_data(min_rows=10, per="band"),
        gates.no_leak(),
        gates.beats_baseline(baseline="best_simple", metric="wape"),
        gates.champion(metric="wape", margin=0.5),
        gates.slices(metric="wape", by=["band"], worst_over_best=10, min_n=10),
        deploy_to("staging"),
        gates.integration(),
        approval("product-owner", valid_for="7d"),
        deploy_to("production"),
    ],
)
