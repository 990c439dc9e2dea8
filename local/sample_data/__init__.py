"""Sample data: raw files as Firehose writes them, generated from a seed."""
