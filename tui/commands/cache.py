"""`ciexplore cache`: what is stored, and how to be rid of it."""

from __future__ import annotations

import click

from backends import config


@click.group()
def cache() -> None:
    """The store of answers."""


@cache.command()
def info() -> None:
    """Show where the store is, how many answers it holds and how big it is."""
    from backends.frames.formats import format_bytes
    from backends.http.cache import cache_summary

    settings = config.load()
    entries, size = cache_summary(settings.cache_path)
    click.echo(f"directory  {settings.cache_path}")
    click.echo(f"entries    {entries:,}")
    click.echo(f"size       {format_bytes(size)} of at most {format_bytes(settings.cache_bytes)}")


@cache.command()
def clear() -> None:
    """Remove every stored answer. Downloads, settings and recent locators stay."""
    from backends.http.cache import clear as clear_cache

    settings = config.load()
    count = clear_cache(settings.cache_path)
    click.echo(f"Removed {count:,} stored answers from {settings.cache_path}.")
