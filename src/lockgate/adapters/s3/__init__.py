"""Any S3-compatible object store: store, results, leases and ledger under one bucket and prefix."""
