"""The graph of a project with its state, freshness and cost: as a page, as text, as Mermaid."""
