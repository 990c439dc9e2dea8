"""Adapters to AWS and Iceberg: one module per service, each with only the calls that Tidemark makes."""
