"""Where everything is kept: the lake of Parquet files, the state and the published lineage."""
