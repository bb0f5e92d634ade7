"""Transfers: plan -> preview -> run -> manifest; parallel, resumable, verified downloads."""
