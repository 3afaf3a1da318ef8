"""A branch of a git remote that holds a ledger."""
