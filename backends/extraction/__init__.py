"""Safe extraction of zip and tar archives, plain or compressed with gzip, bzip2, xz or zstd.

>>> from backends.extraction.extractor import extract
>>> from backends.extraction.limits import is_archive
>>> if is_archive(path.name):
...     result = extract(path, path.with_suffix(""))
"""
