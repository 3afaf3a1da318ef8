"""The evidence page of a release: what people look at before they sign."""
