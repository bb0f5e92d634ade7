"""Safe extraction of zip and tar archives, plain or compressed with gzip, bzip2, xz or zstd."""
