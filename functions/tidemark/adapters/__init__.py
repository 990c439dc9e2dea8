"""The world through boto3: one module per service, each with only the calls that Tidemark needs."""
