"""Functions as warm processes, and the HTTP API in front of them."""
