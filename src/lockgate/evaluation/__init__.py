"""The statistical core: metrics, intervals, comparisons, slices. Numpy and scipy only; arrays in, numbers out.

Read in this order: `scored` (the table), `metrics` (what is computed), `resampling` (how sure we are),
`comparison` (two answers), `slices` (many groups).
"""
