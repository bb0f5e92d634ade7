"""Lines of a log that no passing run of the same job has.

    passing = PassingLines([index_log(pieces) for pieces in logs_of_passing_runs])
    finder = NewLineFinder(passing)
    for piece in split_pieces(log):
        finder.add(piece)                  # rows of what is new in it: line, times

Lines are compared as signatures, with what varies blanked. A line is new when its signature is in no passing log,
unless

- passing logs have the same line with at least `VARIANTS` other paths or qualified names in its place, or
- a line of a passing log has nearly the same words: the Jaccard similarity of their sets is at least `SIMILAR`,

neither of which hides a line that names an error. Candidates for the second come from the prefix filter of
set-similarity joins (Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma, Srikant 2007): two sets of sizes a and b with
similarity >= s share one of the a - ceil(s a) + 1 rarest words of the one and the b - ceil(s b) + 1 rarest of the
other. `MAX_COMMON` and `MAX_SETS` bound that work: a known line may then be shown, a new one is never hidden by them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import polars as pl

from backends.failures.signatures import signatures
from backends.logs.matching import text_cell
from backends.logs.spool import LINE_CAP, NEWLINE

SIMILAR = 0.75
VARIANTS = 2
MIN_CHARACTERS = 4  # of a signature; shorter lines ("})", "OK") say nothing
MAX_SETS = 100_000  # distinct sets of words that are kept of a log, and of all: those with the smallest hashes
MAX_COMMON = 100  # sets that are looked at for one word
MAX_WORDS = 2_000  # characters of a line whose words are looked at
MAX_JUDGED = 1_000_000  # distinct lines of a log that passing ones do not have; later ones are left out
PIECE = 1 << 20  # bytes that are looked at together: a call of the regular expression engine costs 12 ms, and memory
FIRST_PIECE = 64 << 10
ERROR_WORDS = (
    r"(?i)\b(?:fail(?:ed|ure|s)?|error|fatal|exception|traceback|panic|abort(?:ed)?|denied|refused|timed out|killed|"
    r"crash(?:ed)?)\b|[a-z](?:Error|Exception)\b"
)
_PATH = r"(?:[\w.@~+#%:-]*[/\\])+[\w.@~+#%:\[\]-]*|\b\w+(?:(?:\.|::)\w+){2,}"
_WORD = "[A-Za-z]{2,}"
_SETS = pl.Schema({"key": pl.UInt64(), "words": pl.List(pl.UInt32)})
_FORMS = pl.Schema({"form": pl.UInt64(), "pattern": pl.UInt64()})
_PRIME = 4_294_967_291  # the largest below 2**32


def split_pieces(chunks: Iterable[bytes], size: int = PIECE) -> Iterator[bytes]:
    """Complete lines, the first few soon and later about `size` bytes at a time. Of a line longer than `LINE_CAP` only
    the beginning comes."""
    cutter, held, waiting, wanted = LineCutter(), list[bytes](), 0, FIRST_PIECE
    for chunk in chunks:
        held.append(cutter.cut(chunk))
        waiting += len(held[-1])
        if waiting >= wanted:
            yield b"".join(held)
            held, waiting, wanted = [], 0, min(2 * wanted, size)
    held.append(cutter.end())
    if rest := b"".join(held):
        yield rest


class LineCutter:
    """Cuts what streams by into complete lines of bounded length, the same whatever pieces it comes in."""

    def __init__(self) -> None:
        self._begun = b""  # of a line that has not ended

    def cut(self, chunk: bytes) -> bytes:
        """The lines that have ended by now."""
        end = chunk.rfind(NEWLINE) + 1
        if not end:
            self._begun = (self._begun + chunk[:LINE_CAP])[:LINE_CAP]
            return b""
        first = chunk.find(NEWLINE)
        lines = [(self._begun + chunk[:first])[:LINE_CAP], chunk[first : first + 1], *_cap(chunk, first + 1, end)]
        self._begun = chunk[end : end + LINE_CAP]
        return b"".join(lines)

    def end(self) -> bytes:
        """The last line, if it has no newline."""
        rest, self._begun = self._begun, b""
        return rest


def _cap(raw: bytes, start: int, end: int) -> Iterator[bytes]:
    """The complete lines from `start` to `end` with nothing behind `LINE_CAP` bytes of each."""
    begin = start
    while end - start > LINE_CAP:
        cut = raw.rfind(NEWLINE, start, start + LINE_CAP + 1)
        if cut >= 0:
            start = cut + 1
            continue
        yield raw[begin : start + LINE_CAP]
        begin = raw.find(NEWLINE, start + LINE_CAP)
        start = begin + 1
    yield raw[begin:end]


def signatures_of_lines(piece: bytes) -> pl.DataFrame:
    """Of each of a piece's lines: text (signature, String) and form (its hash, UInt64)."""
    lines = text_cell(piece, returns=b"\r" in piece).str.split("\n").explode()
    if b"\r" in piece:
        lines = lines.str.replace(r"^.*\r", "")
    texts = signatures(lines.alias("text"))
    return texts.to_frame().select(text=pl.col("text").str.strip_chars()).with_columns(form=pl.col("text").hash(seed=3))


def _patterns(texts: pl.Series) -> pl.DataFrame:
    """pattern (UInt64): the hash of the signature without paths and qualified names, 0 where it has none; quiet
    (Boolean): it names no error."""
    blank = texts.str.replace_all(_PATH, "/")
    return pl.DataFrame({"text": texts, "blank": blank}).select(
        pattern=pl.when(pl.col("text") == pl.col("blank"))
        .then(0)
        .otherwise(pl.col("blank").str.replace_all(r"\s+", " ").hash(seed=5)),
        quiet=~pl.col("blank").str.contains(ERROR_WORDS),
    )


def _word_sets(texts: pl.Series) -> pl.DataFrame:
    """words (List(UInt32)): the sorted hashes of each line's distinct words, none for a line without words."""
    hashed = (pl.element().hash(seed=3) % _PRIME).cast(pl.UInt32)
    words = pl.col("words").str.slice(0, MAX_WORDS).str.extract_all(_WORD)
    return texts.alias("words").to_frame().select(words.list.eval(hashed.unique().sort()))


def _smallest_sets(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The same whatever order they come in."""
    return pl.concat(frames).unique("key").sort("key").head(MAX_SETS)


def _are_missing(values: pl.Series, among: pl.Series) -> pl.Series:
    """Boolean: whether a value is not in a rising series."""
    if not len(among):
        return pl.repeat(True, len(values), eager=True)
    places = among.search_sorted(values).clip(0, len(among) - 1)
    return among.gather(places) != values


class LogIndex:
    """What one log says: `forms` (form, pattern UInt64), its distinct lines, and `sets` (key UInt64, words
    List(UInt32))."""

    def __init__(self, forms: pl.DataFrame, sets: pl.DataFrame) -> None:
        self.forms, self.sets = forms, sets

    def pack(self) -> bytes:
        parts = []
        for frame in (self.forms, self.sets):
            stream = io.BytesIO()
            frame.write_ipc(stream, compression="zstd")
            parts.append(stream.getvalue())
        return len(parts[0]).to_bytes(8, "little") + b"".join(parts)

    @classmethod
    def unpack(cls, body: bytes) -> LogIndex | None:
        """None for what is damaged."""
        middle = 8 + int.from_bytes(body[:8], "little")
        try:
            forms, sets = (pl.read_ipc(io.BytesIO(part)) for part in (body[8:middle], body[middle:]))
        except (pl.exceptions.PolarsError, OSError, ValueError):
            return None
        if forms.schema != _FORMS or sets.schema != _SETS:
            return None
        return cls(forms, sets)


class LogIndexBuilder:
    """Memory grows with the log's distinct lines only."""

    def __init__(self) -> None:
        self._seen = pl.Series("form", [], dtype=pl.UInt64)  # rising: a set of as many numbers takes ten times the room
        self._forms = [pl.DataFrame(schema=_FORMS)]
        self._sets = [pl.DataFrame(schema=_SETS)]
        self._waiting = 0

    def add(self, piece: bytes) -> None:
        lines = signatures_of_lines(piece).unique("form")
        lines = lines.filter(_are_missing(lines["form"], self._seen))
        if not len(lines):
            return
        self._seen = pl.concat([self._seen, lines["form"]]).sort()
        self._forms.append(lines.select("form").with_columns(_patterns(lines["text"])["pattern"]))
        words = _word_sets(lines["text"]).filter(pl.col("words").list.len() > 0)
        sets = words.select(pl.col("words").hash(seed=3).alias("key"), "words")
        self._sets.append(sets)
        self._waiting += len(sets)
        if self._waiting > MAX_SETS:  # merged rarely: the cost stays linear
            self._settle()

    def _settle(self) -> None:
        self._sets, self._waiting = [_smallest_sets(self._sets)], 0

    def finish(self) -> LogIndex:
        self._settle()
        return LogIndex(pl.concat(self._forms).sort("form"), self._sets[0])


def index_log(pieces: Iterable[bytes]) -> LogIndex:
    """Of complete lines, such as `split_pieces` gives. Raises what `pieces` raise."""
    builder = LogIndexBuilder()
    for piece in pieces:
        builder.add(piece)
    return builder.finish()


class PassingLines:
    """What the logs of passing runs say together, in whatever order they are given."""

    def __init__(self, indexes: Iterable[LogIndex]) -> None:
        indexes = list(indexes)
        forms = pl.concat([pl.DataFrame(schema=_FORMS), *(index.forms for index in indexes)])
        self._forms = forms["form"].unique().sort()
        varied = forms.filter(pl.col("pattern") > 0).unique("form").group_by("pattern").len()
        patterns = varied.filter(pl.col("len") >= VARIANTS)
        self._varied = patterns["pattern"]
        self._sets = _smallest_sets([pl.DataFrame(schema=_SETS), *(index.sets for index in indexes)])
        self._prefixes: tuple[pl.DataFrame, pl.DataFrame] | None = None

    def unknown(self, forms: pl.Series) -> pl.Series:
        """Boolean, of hashes of signatures: no passing log has them."""
        return _are_missing(forms, self._forms)

    def are_new(self, texts: pl.Series) -> pl.Series:
        """Boolean, of signatures that no passing log has: whether nothing like them is in one."""
        found = _patterns(texts).select(
            new=~(pl.col("quiet") & pl.col("pattern").is_in(self._varied.implode())), quiet="quiet"
        )
        asked = found.with_row_index("row").filter("new", "quiet")["row"]
        if len(asked):
            alike = asked.filter(self._similar(texts.gather(asked)))
            return found["new"].scatter(alike, False)
        return found["new"]

    def _similar(self, texts: pl.Series) -> pl.Series:
        """Boolean: whether a line has nearly the words of one in a passing log."""
        rarity, prefixes = self._index()
        asked = _word_sets(texts).with_row_index("row")
        size, other = pl.col("size"), pl.col("other")
        pairs = (
            _rarest_words(asked, rarity, "row")
            .join(prefixes, on="word")
            .filter((size >= SIMILAR * other) & (other >= SIMILAR * size))
            .unique(["row", "set"])
        )
        both = pl.DataFrame({
            "mine": asked["words"].gather(pairs["row"]), "theirs": self._sets["words"].gather(pairs["set"]),
        })  # fmt: skip
        shared = both.select(pl.col("mine").list.set_intersection("theirs").list.len()).to_series()
        alike = pairs.filter(shared >= SIMILAR * (pairs["size"] + pairs["other"] - shared))["row"]
        return asked["row"].is_in(alike.unique().implode())

    def _index(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """(word, often) and (word, set, other): in which sets a word is one of the rarest, and how large they are."""
        if self._prefixes is None:
            words = self._sets.select(word="words").explode("word").group_by("word").agg(often=pl.len())
            rows = _rarest_words(self._sets.select("words").with_row_index("set"), words, "set")
            bounded = rows.sort("word", "set").group_by("word", maintain_order=True).head(MAX_COMMON)
            self._prefixes = words, bounded.select("word", "set", other="size")
        return self._prefixes


def _rarest_words(sets: pl.DataFrame, rarity: pl.DataFrame, row: str) -> pl.DataFrame:
    """row, word, size: of each set its rarest words, as many as the prefix filter needs."""
    return (
        sets.with_columns(size=pl.col("words").list.len().cast(pl.Int64))
        .explode("words")
        .rename({"words": "word"})
        .join(rarity, on="word", how="left")
        .with_columns(pl.col("often").fill_null(0))
        .sort(row, "often", "word")
        .with_columns(place=pl.int_range(pl.len()).over(row))
        .filter(pl.col("place") < pl.col("size") - (SIMILAR * pl.col("size") - 1e-9).ceil() + 1)
        .select(row, "word", "size")
    )


class NewLineFinder:
    """One log against the passing ones, piece by piece. `lines`: how many were looked at, `new`: how many of them are
    new, `distinct`: how many of those are not repeats. `capped`: there were too many to look at all."""

    def __init__(self, passing: PassingLines) -> None:
        self._passing = passing
        self._first: dict[int, int] = {}  # signature to the first line that has it; -1: not new
        self.lines = self.new = self.distinct = 0
        self.capped = False
        self.times: dict[int, int] = {}  # of a first line that has repeats: how often it comes

    def add(self, piece: bytes) -> list[int]:
        """The numbers (from 0, rising) of the lines that are new and no repeats of one given before."""
        if not piece:
            return []
        lines = signatures_of_lines(piece).with_row_index("line", self.lines)
        self.lines += len(lines)
        unknown = self._passing.unknown(lines["form"])
        lines = lines.filter(unknown, pl.col("text").str.len_chars() >= MIN_CHARACTERS)
        if not len(lines):
            return []
        counted = lines.group_by("form", maintain_order=True).agg(pl.len(), pl.col("text", "line").first())
        fresh = counted.filter(pl.Series([form not in self._first for form in counted["form"]], dtype=pl.Boolean))
        self.capped = self.capped or (len(fresh) > 0 and len(self._first) >= MAX_JUDGED)
        if len(fresh) and not self.capped:
            new = self._passing.are_new(fresh["text"])
            firsts = fresh.select(pl.when(new).then(pl.col("line").cast(pl.Int64)).otherwise(-1)).to_series()
            self._first.update(zip(fresh["form"].to_list(), firsts.to_list(), strict=True))
        found = []
        for form, count, line in counted.select("form", "len", "line").iter_rows():
            first = self._first.get(form, -1)
            if first < 0:
                continue
            self.new += count
            if first == line:
                self.distinct += 1
                found.append(line)
            if first != line or count > 1:
                self.times[first] = self.times.get(first, 0 if first == line else 1) + count
        return found
