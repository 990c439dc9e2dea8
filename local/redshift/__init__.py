"""The Redshift Data API on the laptop: Redshift's SQL, carried out by DuckDB."""
