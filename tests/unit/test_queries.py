"""The statements in `notistream/db/sql`: how they are loaded and called, and what they keep to."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from notistream.db.queries import SHARED, BadStatement, Query, blocks, load, parse, read

FOLDER = Path(str(files("notistream.db")))
STEMS = sorted(path.stem for path in (FOLDER / "sql").glob("*.sql"))
LONGEST = 40
"""Lines of a statement or a fragment."""


@dataclass(frozen=True)
class Turn:
    id: str
    seq: int


def query(body: str, fragments: str = "") -> Query:
    return parse("stem", f"{fragments}\n-- name: q\n{body};")["q"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT @a, @b, @a", "SELECT $1, $2, $1"),
        ("SELECT @a::text[]", "SELECT $1::text[]"),
        ("x=ANY(@a)", "x=ANY($1)"),
        ("data @> @a AND @b <@ data", "data @> $1 AND $2 <@ data"),
        ("ts @@ @a, @b @@ ts, p @? '$.a'", "ts @@ $1, $2 @@ ts, p @? '$.a'"),
        ("@ -5, @ x, box @-@ y", "@ -5, @ x, box @-@ y"),
        ("now() - @a::interval", "now() - $1::interval"),
        ("'a@b.c', '@a ''@a {{f}}', @a", "'a@b.c', '@a ''@a {{f}}', $1"),
        (r"E'it\'s @a', @a", r"E'it\'s @a', $1"),
        ('"@a""@a", @a', '"@a""@a", $1'),
        ("$$ @a $$, $tag$ @a $$ @a $tag$, @a", "$$ @a $$, $tag$ @a $$ @a $tag$, $1"),
        ("@a -- @b, it's\n, @c", "$1 \n, $2"),
        ("@a /* @b $9 */, @c", "$1 , $2"),
        ("a->>'k' = @a, a ? @b", "a->>'k' = $1, a ? $2"),
        ("@a_2, @a", "$1, $2"),
    ],
)
def test_parameters_are_numbered_and_nothing_else_is_touched(written: str, sent: str) -> None:
    assert query(written).text == sent


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("SELECT $1", "'$1'"),
        ("x =@a", "'=@a'"),
        ("x @@a", "'@@a'"),
        ("x <@a", "'<@a'"),
        ("SELECT @Name", "'@Name'"),
        ("SELECT {{nowhere}}", "nowhere is not defined"),
        ("FROM @a::records", "'@a::records'"),
        ("FROM @a::records AS r(id)", "`name type`"),
        ("FROM @a::records AS r(x int), @a::records AS s(x int)", "a stands twice"),
        ("WHERE @a FROM @a::records AS r(x int)", "a stands twice"),
        ("FROM @a::records AS r(x int) WHERE @a", "both a value and records"),
    ],
)
def test_a_statement_that_may_mean_something_else_is_refused(written: str, wrong: str) -> None:
    with pytest.raises(BadStatement, match=r"stem\.q: ") as refused:
        query(written)
    assert wrong in str(refused.value)


def test_records_become_one_array_for_each_column() -> None:
    found = query('FROM @turns::records AS m(id uuid, "offset" double precision) WHERE @owner')
    assert (
        found.text == 'FROM unnest($1::uuid[], $2::double precision[]) AS m(id, "offset") WHERE $3'
    )
    assert found.columns == {"turns": ["id", "offset"], "owner": None}


def test_a_call_puts_values_in_the_order_of_the_statement() -> None:
    claim = query("@owner, @turns::records AS m(id text, seq int), @lease")
    assert claim(lease=30, owner=1, turns=[Turn("a", 5), Turn("b", 6)]) == (
        claim.text,
        1,
        ["a", "b"],
        [5, 6],
        30,
    )
    keyed = [{"seq": 5, "id": "a"}, {"id": "b", "seq": 6}]
    assert claim(turns=keyed, owner=1, lease=30)[1:] == (1, ["a", "b"], [5, 6], 30)
    assert claim(turns=[], owner=1, lease=30)[1:] == (1, [], [], 30)


def test_a_call_with_other_names_is_refused() -> None:
    claim = query("@owner, @turns::records AS m(id text, seq int)")
    with pytest.raises(TypeError, match=r"stem\.q: turns is missing, ownr is unknown"):
        claim(owner=1, ownr=2)
    with pytest.raises(TypeError, match=r"stem\.q: turns has missing or unknown columns: seq"):
        claim(owner=1, turns=[{"id": "a", "seq": 1}, {"id": "b"}])
    with pytest.raises(TypeError, match=r"stem\.q: turns lacks a column: 'seq'"):
        claim(owner=1, turns=[{"id": "a", "gate": "g"}])
    with pytest.raises(TypeError, match=r"columns: gate"):
        claim(owner=1, turns=[{"id": "a", "seq": 1, "gate": "g"}])
    with pytest.raises(TypeError, match=r"stem\.q: turns lacks a column: .* 'id'"):
        claim(owner=1, turns=[Query("a", "b")])


def test_a_fragment_is_included_without_its_comment() -> None:
    fragments = "-- fragment: waits\n-- Why.\nstatus IN (@a, {{b}})\n-- fragment: b\n'b'\n"
    found = query("SELECT n.{{waits}} AND @c AND @a", fragments)
    assert found.text == "SELECT n.status IN ($1, 'b') AND $2 AND $1"
    assert list(parse("stem", fragments)) == []


def test_shared_fragments_yield_to_those_of_the_file() -> None:
    shared = "-- fragment: a\n'shared'\n-- fragment: b\n'b'"
    own = "-- fragment: a\n'own'\n-- name: q\n{{a}} {{b}}"
    assert parse("stem", own, shared)["q"].text == "'own' 'b'"


def test_a_fragment_that_includes_itself_is_refused() -> None:
    with pytest.raises(BadStatement, match="the fragment a includes itself"):
        query("{{a}}", "-- fragment: a\n{{b}}\n-- fragment: b\n{{a}}\n")


def test_the_files_keep_to_their_form() -> None:
    faults = [fault for stem in STEMS for fault in form_faults(stem)]
    assert not faults, "\n".join(faults)


def form_faults(stem: str) -> Iterator[str]:
    text = read(stem)
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 100:
            yield f"{stem}.sql:{number}: longer than 100 characters"
    everything = "".join(map(read, STEMS)) if stem == SHARED else text
    names = [name for _, name, _ in blocks(text)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{stem}.{name}: stands twice"
    for kind, name, body in blocks(text):
        lines = [line for line in body.splitlines() if not line.startswith("-- ")]
        if len(lines) > LONGEST:
            yield f"{stem}.{name}: {len(lines)} lines, at most {LONGEST}"
        if kind == "fragment" and not body.startswith("-- "):
            yield f"{stem}.{name}: a fragment says in a comment what it is for"
        if kind == "fragment" and "{{" + name + "}}" not in everything:
            yield f"{stem}.{name}: no statement includes it"
    for name in load(stem) if stem != SHARED else ():
        if f'"{name}"' not in "".join(path.read_text() for path in FOLDER.glob("*.py")):
            yield f"{stem}.{name}: nothing calls it"


def test_calls_name_what_their_statements_declare() -> None:
    faults = [fault for path in sorted(FOLDER.glob("*.py")) for fault in call_faults(path)]
    assert not faults, "\n".join(faults)


def call_faults(path: Path) -> Iterator[str]:
    """What can be read off the calls; names that come from `**` are left to the call itself."""
    tree = ast.parse(path.read_text())
    loaded = {
        node.targets[0].id: load(node.value.args[0].value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") == "load"
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Subscript(value=ast.Name(id=variable), slice=ast.Constant(value=name)),
                args=args,
                keywords=keywords,
            ) if variable in loaded:
                where = f"{path.name}:{node.lineno}: {name}"
                if name not in loaded[variable]:
                    yield f"{where} is no statement"
                    continue
                declared, given = set(loaded[variable][name].columns), {k.arg for k in keywords}
                if args:
                    yield f"{where} is called by position"
                if unknown := given - declared - {None}:
                    yield f"{where} does not declare {', '.join(sorted(unknown))}"
                if None not in given and (missing := declared - given):
                    yield f"{where} lacks {', '.join(sorted(missing))}"
