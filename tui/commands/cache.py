"""`ciexplore cache`: shows or clears the cache."""

from __future__ import annotations

import click

from backends import config


@click.group()
def cache() -> None:
    """Show or clear the cache."""


@cache.command()
def info() -> None:
    """Show the cache directory, and the number and size of its responses and source archives."""
    from backends.archives.engine import archive_store
    from backends.frames.formats import format_bytes
    from backends.http.cache import cache_summary

    settings = config.load()
    entries, size = cache_summary(settings.cache_path)
    click.echo(f"directory  {settings.cache_path}")
    click.echo(f"entries    {entries:,}")
    most = format_bytes(settings.cache_bytes)
    click.echo(f"size       {format_bytes(size)} of at most {most}")
    archives, size = archive_store(settings).summary()
    click.echo(f"archives   {archives:,}, {format_bytes(size)} of at most {most}")


@cache.command()
def clear() -> None:
    """Remove all cached responses and source archives. Downloads, settings and recent locators stay."""
    from backends.archives.engine import archive_store
    from backends.http.cache import clear as clear_cache

    settings = config.load()
    count = clear_cache(settings.cache_path)
    archives = archive_store(settings).clear()
    many = f" and {archives:,} {'archive' if archives == 1 else 'archives'}" if archives else ""
    click.echo(f"Removed {count:,} cached responses{many} from {settings.cache_path}.")
