"""Build logs of any size: spooled to disk as they come, indexed, searched and sorted out while they grow.

    reading = LogReader(sources.from_path(Path("build-log.txt.gz")))   # threads start, nothing waits
    reading.spool.lines(0, 50)                                       # the first screen, as soon as there is one
    search = reading.search("channel error")                         # hits appear in search.hits
    reading.close()

Nothing is held in memory but an index: 8 bytes for each 64 KB of log, and 8 bytes for each line that was found.
"""
