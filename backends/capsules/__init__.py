"""Capsules: one zip file with the responses, logs and artifacts behind lists, and how it is read without a server.

with Recorder() as recorder:                 # an interceptor of an `Http`
    ...                                      # lists are read through that `Http`
    write_capsule(path, recorder, lists, ...)
capsule = open_capsule(path)                 # an interceptor, too: it answers what was recorded
"""
