"""How anything runs: capture, graph, code closures, fingerprint, plan, execute, explain.

Sees nodes (name, `module:qualname`, inputs, parameters); knows no stage, no approval, no deployment.
"""
