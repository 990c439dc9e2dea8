"""Local Spark: what really runs a job of the local EMR Serverless."""
