"""The command line within the test's own process."""

from tests.commands.conftest import ciexplore, elsewhere

__all__ = ["ciexplore", "elsewhere"]
