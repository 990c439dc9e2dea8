"""Services: they read, decide in the core, save on a condition, then act. Each Lambda function has one of its name."""
