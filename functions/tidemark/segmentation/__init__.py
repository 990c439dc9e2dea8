"""The demo's domain: the customer segment model, its description in words, its storage and its predictions."""
