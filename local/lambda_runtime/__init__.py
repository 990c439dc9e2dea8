"""Lambda functions as warm processes, and the HTTP API that invokes them."""
