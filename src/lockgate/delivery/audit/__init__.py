"""`ledger bundle`: everything an auditor needs to check one decision without us, in one file."""
