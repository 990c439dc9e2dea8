"""Sample data: raw files as Firehose lands them, invented from a seed."""
