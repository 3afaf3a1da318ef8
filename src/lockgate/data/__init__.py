"""Tables and what they promise. `contracts` is plain records; `checks` does the work on Polars frames."""
