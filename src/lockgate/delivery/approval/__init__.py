"""People decide: approve, reject, waive, revoke, break the glass; and whether everybody who must agree has."""
