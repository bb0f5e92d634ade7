"""What went wrong, in a sentence for the person at the terminal, and what that person can do next."""

from __future__ import annotations


class AppError(Exception):
    """Base of every failure that a user is meant to read.

    `sentence` says what happened; `hint` says what to do next (may be empty). Neither ever holds a secret.
    `exit_code` is what a headless command ends with: 1 done with failures, 2 wrong usage, 3 server or network.
    """

    exit_code = 1

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


class UsageError(AppError):
    """The user asked for something that cannot be: a wrong filter, an unknown column, a bad setting."""

    exit_code = 2


class FileError(AppError):
    """A local file or directory cannot be read or written: disk full, no permission, invalid name."""


class OperationCancelledError(AppError):
    """The user stopped it. Not a failure: it is shown as cancelled and never retried."""

    exit_code = 130

    def __init__(self, sentence: str = "Cancelled.", hint: str = "") -> None:
        super().__init__(sentence, hint)
