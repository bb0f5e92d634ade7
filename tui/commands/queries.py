"""`ciexplore sql` and `ciexplore pivot`: lists made of other lists, printed like any."""

from __future__ import annotations

from typing import Any

import click

from backends.errors import UsageError
from backends.queries.locators import AGGREGATES
from tui.commands.common import open_and_read, open_session
from tui.commands.options import connection_options, filter_option
from tui.commands.output import check_output, emit, output_options


@click.command()
@click.argument("query", metavar="QUERY")
@click.option(
    "--from", "sources", metavar="NAME=LOCATOR", multiple=True,
    help="A list under a name; repeatable. The query may also say list('LOCATOR').",
)  # fmt: skip
@filter_option
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@output_options
@connection_options
def sql(
    query: str, sources: tuple[str, ...], filter_text: str, root_url: str | None, mode: str | None, **output: Any
) -> None:
    """Run an SQL query over lists and print its rows.

    QUERY is a SELECT (or WITH ... SELECT) in polars' SQL; each list is a table with the columns that its CSV has. For
    example

        ciexplore sql "SELECT suite, count(*) AS n FROM tasks GROUP BY suite ORDER BY n DESC" --from tasks=GROUP
    """
    from backends.queries.locators import TABLE_NAME, Source, SqlQuery

    named = []
    for text in sources:
        name, equals, locator = text.partition("=")
        if not equals or not TABLE_NAME.fullmatch(name) or not locator:
            raise UsageError(f"--from {text[:80]} is not NAME=LOCATOR.", "For example: --from tasks=GROUP")
        named.append(Source(name, locator))
    with open_session(root_url, mode) as (session, cancel):
        resource, found = open_and_read(
            session,
            cancel,
            SqlQuery(query, tuple(named)),
            filter_text,
            lambda opened: check_output(opened.schema, output),
        )
        emit(found.frame, resource.schema, resource=resource, **output)


@click.command()
@click.argument("locator", metavar="LOCATOR")
@click.option("--rows", metavar="A,B,...", required=True, help="Columns whose values become rows.")
@click.option("--columns-of", "columns_of", metavar="C", default="", help="A column whose values become columns.")
@click.option("--value", metavar="V", default="", help="The column that is summed up; not needed for count and failed.")
@click.option(
    "--by", "aggregate", type=click.Choice(AGGREGATES), default="count", show_default=True,
    help="How; failed is the percentage of rows that failed or ended by an exception.",
)  # fmt: skip
@filter_option
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@output_options
@connection_options
def pivot(
    locator: str, rows: str, columns_of: str, value: str, aggregate: str, filter_text: str, root_url: str | None,
    mode: str | None, **output: Any,
) -> None:  # fmt: skip
    """Group the rows of a list by columns and sum a value up, one column for each value of another.

    For example the share of failed tasks by suite and platform:

        ciexplore pivot GROUP --rows suite --columns-of platform --by failed
    """
    from backends.queries.locators import PivotTable, Source

    names = tuple(name.strip() for name in rows.split(",") if name.strip())
    if value and aggregate in ("count", "failed"):
        raise UsageError(f"--value is summed up, and --by {aggregate} sums nothing up.", "Add e.g. --by sum.")
    with open_session(root_url, mode) as (session, cancel):
        text = session.parse(locator).text()
        wanted = PivotTable(names, columns_of, value, aggregate, (Source("rows", text, filter_text),))
        resource, found = open_and_read(session, cancel, wanted)
        emit(found.frame, resource.schema, resource=resource, **output)
