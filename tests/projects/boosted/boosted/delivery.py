from lockgate import Pipeline, deploy_to, gates
from boosted.pipelines import training

delivery = Pipeline(
    "boosted-delivery",
    kind="delivery",
    delivers=training,
    stages=[gates.enough_good_data(min_rows=10, per="band"), deploy_to("staging")],
)
