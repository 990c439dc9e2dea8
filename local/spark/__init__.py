"""Local Spark, which runs the jobs of the local EMR Serverless."""
