"""`ciexplore config`: the settings in force."""

from __future__ import annotations

import re

import click

from backends import config as settings_file

# What stands before the last @ of an address, be it as badly written as it may.
_USER = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*:)?/*)[^/]*@")


@click.command()
@click.option("--show", is_flag=True, help="Show every setting (this is also what happens without it).")
def config(show: bool) -> None:
    """Show the settings in force, where each came from and how to set it; and what downloads files."""
    from backends.http.errors import redact_url
    from backends.http.pycurl_loader import describe_engine

    settings = settings_file.load()
    click.echo(f"# settings file: {settings_file.config_path()}")
    for name, env, toml in settings_file.setting_names():
        others = ", ".join(part for part in (toml, env) if part)
        # A password may have got into a URL: what is shown is pasted into reports.
        value = getattr(settings, name)
        shown = _USER.sub(r"\1…@", redact_url(value), count=1) if isinstance(value, str) else value
        click.echo(f"{name} = {shown!r}  # {settings.origins[name]}; set it by {others}")
    click.echo(f"# downloads over HTTP: {describe_engine()}")
