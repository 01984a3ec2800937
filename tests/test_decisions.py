"""Files of decisions: read, written, changed; which curves they are about."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin.curve_origins import CurveOrigins, NamedOrigin
from nrm_plugin.curve_runs import runs_of
from nrm_plugin.decisions import ContactByHand, Decision, Decisions
from nrm_plugin.decisions_file import length_text
from nrm_plugin.errors import InvalidInput, NrmError, RecipeError
from nrm_plugin.units import quantity
from nrm_plugin.variables import ACCEPTED, EXCLUDED, MOVED

HASH = "ab" * 32
HEAD = f'format = "nrm decisions 1"\n[[origin]]\nname = "a.spm"\nsha256 = "{HASH}"\n'


def origins(n: int = 20, name: str = "a.spm", sha256: str = HASH) -> CurveOrigins:
    return CurveOrigins.of([name], [sha256], {"source": np.zeros(n, int)}, n)


def read(tmp_path: Path, text: str, of: CurveOrigins | None = None) -> Decisions:
    path = tmp_path / "r.decisions.toml"
    path.write_text(text, encoding="utf-8")
    return Decisions.read(path, of or origins())


def none(tmp_path: Path, of: CurveOrigins | None = None) -> Decisions:
    return Decisions.read(tmp_path / "r.decisions.toml", of or origins())


def test_no_file_is_no_decision(tmp_path):
    found = none(tmp_path)
    assert len(found) == 0
    assert found.by_hand.tolist() == [0] * 20
    assert found.summary() == ""
    assert found.contacts == {}


def test_what_was_decided_is_read_again(tmp_path):
    when = datetime(2026, 11, 29, 10, tzinfo=UTC)
    contact = ContactByHand(123.4567890123e-9, 1.2e-9, 120e-9, 0.3e-9)
    reason = 'tip jumped </script>\n"\\ end'
    made = (
        none(tmp_path)
        .with_decision(Decision(decision="exclude", curves=[12, 3, 4, 5], reason=reason, time=when))
        .with_decision(Decision(decision="accept", curves=7, visible=(), time=when))
        .with_decision(
            Decision(
                decision="contact",
                curves=[8],
                direction="retract",
                contact=contact,
                visible=("moduli",),
            )
        )
    )
    made.write()
    found = none(tmp_path)
    for one in (made, found):
        assert one.excluded.tolist() == [3, 4, 5, 12]
        assert one.accepted.tolist() == [7]
        assert one.contacts == {(8, "retract"): contact}
        bits = {3: EXCLUDED, 4: EXCLUDED, 5: EXCLUDED, 12: EXCLUDED, 7: ACCEPTED, 8: MOVED}
        assert {i: b for i, b in enumerate(one.by_hand.tolist()) if b} == bits
        assert one.summary() == "4 curves excluded, 1 curve accepted, 1 contact set by hand"
        (first, holds), (second, _), (third, _) = one.listed()
        assert first.reason == reason
        assert first.time == when
        assert first.visible is None
        assert not first.blind
        assert second.blind
        assert third.visible == ("moduli",)
        assert holds.tolist() == [3, 4, 5, 12]
    assert 'curves = ["3-5", 12]' in made.text


def test_edits_and_comments_of_a_person_survive(tmp_path):
    text = (
        "# mine\r\n" + HEAD.replace("\n", "\r\n") + "\r\n# why: see the notebook\r\n"
        '[[decision]]\r\ndecision = "exclude"   # sure\r\ncurves = [1, "3-5"]  # tip\r\n'
        "\r\n# about the second\r\n"
        '[[decision]]\r\ndecision = "exclude"\r\ncurves = [\r\n  9,  # nine\r\n  10,\r\n]\r\n# end'
    )
    path = tmp_path / "r.decisions.toml"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = none(tmp_path)
    assert found.excluded.tolist() == [1, 3, 4, 5, 9, 10]
    found.with_decision(Decision(decision="accept", curves=[2])).without([4, 9], "exclude").write()
    after = path.read_bytes().decode("utf-8-sig")
    assert none(tmp_path).excluded.tolist() == [1, 3, 5, 10]
    assert after.count("\n") == after.count("\r\n")
    for comment in ("# mine", "# why: see the notebook", "# sure", "# tip", "# about", "# nine"):
        assert comment in after
    assert "# end" in after
    gone = none(tmp_path).without([1, 3, 5, 10], "exclude")
    assert gone.excluded.tolist() == []
    assert len(gone) == 1
    for comment in ("# mine", "# why: see the notebook", "# sure", "# tip", "# about", "# nine"):
        assert comment in gone.text


def test_the_later_decision_holds_and_it_is_said(tmp_path):
    text = HEAD + (
        '[[decision]]\ndecision = "accept"\ncurves = [1, 2]\ntime = 2026-11-29T12:00:00Z\n'
        '[[decision]]\ndecision = "exclude"\ncurves = [2, 3]\ntime = 2026-11-29T10:00:00Z\n'
        '[[decision]]\ndecision = "exclude"\ncurves = [3, 3, "3-3"]\n'
    )
    found = read(tmp_path, text)
    assert found.excluded.tolist() == [3]
    assert found.accepted.tolist() == [1, 2]
    assert found.notes == (
        "line 9 of r.decisions.toml: exclude is taken back for 1 curve by the later decision "
        "in line 5",
    )


def test_the_last_contact_of_a_direction_holds(tmp_path):
    found = none(tmp_path)
    for height, direction in ((1e-9, "approach"), (2e-9, "retract"), (3e-9, "approach")):
        found = found.with_decision(
            Decision(
                decision="contact", curves=[4], direction=direction, contact=ContactByHand(height)
            )
        )
    assert {key: c.height for key, c in found.contacts.items()} == {
        (4, "approach"): 3e-9,
        (4, "retract"): 2e-9,
    }
    assert "contact is taken back" in found.notes[0]
    back = found.without([4], "contact", "approach")
    assert {key: c.height for key, c in back.contacts.items()} == {(4, "retract"): 2e-9}


def test_curves_that_are_not_there_are_said(tmp_path):
    found = read(
        tmp_path,
        HEAD + '[[decision]]\ndecision = "exclude"\ncurves = [19, 20, "100-999999999999999"]\n',
    )
    assert found.excluded.tolist() == [19]
    assert "there are 20 curves of a.spm" in found.notes[0]
    assert found.without([19], "exclude").entries[0].runs.tolist() == [
        [20, 20],
        [100, 999999999999999],
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("curves = [-1]", "no number of a curve"),
        ("curves = [1.5]", "no number of a curve"),
        ("curves = [true]", "no number of a curve"),
        ("curves = ['1-x']", "no number of a curve"),
        ("curves = ['']", "no number of a curve"),
        ("curves = ['5-1']", "ends before it begins"),
        ("curves = [99999999999999999999]", "no number of a curve"),
        ("curve = [1]", "Did you mean curves?"),
        ("curves = [1]\ntime = 'noon'", "time is written"),
        ("curves = [1]\nvisible = 'all'", "visible is a list"),
        ("curves = [1]\nheight = '1 nm'", "no other decision has"),
        ("curves = [1]\nreason = 5", "reason is a text"),
        ("curves = [1]\ndirection = 'up'", "approach or retract"),
        ("curves = [1]\ndecision = 'x'", "is there twice"),
        ("curves = [[[[1]]]]", "no number of a curve"),
        ("curves = " + "[" * 5000, "nested too deeply"),
        ("curves = [" + "9" * 6000 + "]", "line"),
        ("curves = [1", "not TOML"),
        ("a" + ".a" * 3000 + " = 1", "many parts"),
    ],
)
def test_mistakes_are_named(tmp_path, text, word):
    with pytest.raises(RecipeError, match=r"r\.decisions\.toml") as error:
        read(tmp_path, HEAD + f'[[decision]]\ndecision = "exclude"\n{text}\n')
    assert word in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        'format = "nrm decisions 2"\n',
        "decision = 5\n",
        "[decision]\ncurves = [1]\n",
        "[[decisions]]\ncurves = [1]\n",
        '[[decision]]\ndecision = "contact"\ncurves = [1]\n',
        '[[decision]]\ndecision = "contact"\ncurves = [1]\nheight = "5 V"\n',
        '[[decision]]\ndecision = "contact"\ncurves = [1]\nheight = "5"\n',
        '[[decision]]\ndecision = "contact"\ncurves = [1]\nheight = 5e-9\n',
        '[[decision]]\ndecision = "contact"\ncurves = [1]\nheight = "inf nm"\n',
        '[[decision]]\ndecision = "contact"\ncurves = [1]\nheight = "1 nm"\nstderr = "-1 nm"\n',
        "\x00",
    ],
)
def test_other_files_are_refused(tmp_path, text):
    with pytest.raises(RecipeError):
        read(tmp_path, text)


def test_a_file_that_is_too_long_or_no_text(tmp_path):
    with pytest.raises(RecipeError, match="4096 kB"):
        read(tmp_path, "#" * (1 << 22) + "\n")
    (tmp_path / "r.decisions.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(NrmError):
        none(tmp_path)


def test_decisions_of_other_data_are_refused_by_name(tmp_path):
    text = HEAD + '[[decision]]\ndecision = "exclude"\ncurves = [1]\n'
    with pytest.raises(InvalidInput, match=r"r\.decisions\.toml.*a\.spm.*b\.spm"):
        read(tmp_path, text, origins(name="b.spm", sha256="cd" * 32))
    with pytest.raises(InvalidInput, match=r"'a\.spm' was another file then \(sha256 abababababab"):
        read(tmp_path, text, origins(sha256="cd" * 32))
    renamed = read(tmp_path, text, origins(name="b.spm"))  # the same bytes
    assert renamed.excluded.tolist() == [1]
    unknown = read(tmp_path, text, origins(sha256=""))  # the original was gone
    assert unknown.excluded.tolist() == [1]


def test_two_files_merged(tmp_path):
    both = CurveOrigins.of(
        ["a.spm", "b.spm"], [HASH, "cd" * 32], {"source": np.repeat([0, 1], 10)}, 20
    )
    made = none(tmp_path, both).with_decision(Decision(decision="exclude", curves=[3, 13, 14]))
    made.write()
    assert [(e.origin, e.runs.tolist()) for e in made.entries] == [
        ("a.spm", [[3, 3]]),
        ("b.spm", [[3, 4]]),
    ]
    swapped = CurveOrigins.of(
        ["b.spm", "a.spm"], ["cd" * 32, HASH], {"source": np.repeat([0, 1], 10)}, 20
    )
    assert none(tmp_path, both).excluded.tolist() == [3, 13, 14]
    assert none(tmp_path, swapped).excluded.tolist() == [3, 4, 13]
    alone = none(tmp_path, origins(10, "b.spm", "cd" * 32))
    assert alone.excluded.tolist() == [3, 4]
    assert "no longer applies: a.spm is not among the files" in alone.notes[0]
    without_origin = (tmp_path / "r.decisions.toml").read_text().replace('origin = "a.spm"\n', "")
    with pytest.raises(InvalidInput, match="say which"):
        read(tmp_path, without_origin, both)


def test_files_of_one_name(tmp_path):
    both = CurveOrigins.of(
        ["a.spm", "a.spm"], [HASH, "cd" * 32], {"source": np.repeat([0, 1], 10)}, 20
    )
    made = none(tmp_path, both).with_decision(Decision(decision="exclude", curves=[13]))
    made.write()
    assert made.entries[0].origin == "a.spm (cdcdcdcd)"
    assert none(tmp_path, both).excluded.tolist() == [13]


def test_one_file_given_twice_is_one_file(tmp_path):
    twice = CurveOrigins.of(["a.spm", "a.spm"], [HASH, HASH], {"source": np.repeat([0, 1], 10)}, 20)
    made = none(tmp_path, twice).with_decision(Decision(decision="exclude", curves=[3]))
    assert made.excluded.tolist() == [3, 13]


def test_parts_of_curves_know_their_numbers(samples, tmp_path):
    curves = nrm.open(samples.volume(rows=3, columns=4).path)
    part = curves[[2, 5, 9]]
    assert part.curve_table["source_curve"].tolist() == [2, 5, 9]
    assert part[1:].curve_table["source_curve"].tolist() == [5, 9]
    assert "source_curve" not in curves[:].curve_table
    part.save(tmp_path / "part.h5")
    again = nrm.open(tmp_path / "part.h5")
    assert again.curve_table["source_curve"].tolist() == [2, 5, 9]
    whole = CurveOrigins.of_curves(curves)
    made = Decisions.read(tmp_path / "r.decisions.toml", whole).with_decision(
        Decision(decision="exclude", curves=[5, 6])
    )
    made.write()
    found = none(tmp_path, CurveOrigins.of_curves(again))
    assert found.excluded.tolist() == [1]
    assert "1 of its 2 curves are not here" in found.notes[0]


def test_65536_curves_in_one_decision(tmp_path):
    n = 65536
    many = origins(n)
    chosen = np.random.default_rng(1).choice(n, n // 2, replace=False)
    decision = Decision(decision="exclude", curves=chosen, reason="half")
    none(tmp_path, many).with_decision(decision).write()
    path = tmp_path / "r.decisions.toml"
    assert path.stat().st_size < 200_000
    spent = []
    for _ in range(5):
        found = none(tmp_path, origins(n))
        begin = time.process_time()
        excluded = found.excluded
        spent.append(time.process_time() - begin)
    assert excluded.tolist() == sorted(chosen.tolist())
    assert min(spent) < 0.05
    none(tmp_path, many).without(np.arange(n), "exclude").write()
    everything = none(tmp_path, many).with_decision(
        Decision(decision="exclude", curves=np.arange(n))
    )
    assert 'curves = ["0-65535"]' in everything.text


@pytest.mark.parametrize(
    "decision",
    [
        Decision(decision="exclude", curves=[]),
        Decision(decision="exclude", curves=[20]),
        Decision(decision="exclude", curves=[-1]),
        Decision(decision="delete", curves=[1]),
        Decision(decision="contact", curves=[1]),
        Decision(decision="contact", curves=[1], contact=ContactByHand(np.nan)),
        Decision(decision="contact", curves=[1], contact=ContactByHand(1e-9), direction="up"),
    ],
)
def test_decisions_without_sense(tmp_path, decision):
    with pytest.raises(InvalidInput):
        none(tmp_path).with_decision(decision)


def test_very_many_decisions_about_everything_bear_little(tmp_path):
    n = 65536
    one = '[[decision]]\ndecision = "exclude"\ncurves = ["0-65535"]\nreason = "%s"\n'
    found = read(tmp_path, HEAD + (one % ("\U0001f50b" * 300)) * 300, origins(n))
    begin = time.process_time()
    assert len(found.excluded) == n
    assert found.notes == ()
    assert len(found.as_json().encode()) < 60_000
    assert time.process_time() - begin < 2.0
    back = found.with_decision(Decision(decision="accept", curves=np.arange(n)))
    assert len(back.notes) == 50
    overlapping = ", ".join(["0-65535"] * 100_000)
    found = read(tmp_path, HEAD + (one % "").replace("0-65535", overlapping), origins(n))
    assert len(found.excluded) == n


def test_ranges_that_overlap_or_touch_are_one():
    given = ["0-100", "5-6", 8, "50-120, 121", 123]
    assert runs_of(given).tolist() == [[0, 121], [123, 123]]
    assert runs_of([]).shape == (0, 2)


@pytest.mark.parametrize("value", [1e-9 / 3, 2.0**-24 / 3.0, -1.23456789012345678e-7, 0.0, 0.3])
def test_lengths_are_read_as_they_were_written(value):
    assert quantity(length_text(value), "m") == value


def test_a_decision_without_a_time_follows_the_one_above_it(tmp_path):
    text = HEAD + (
        '[[decision]]\ndecision = "exclude"\ncurves = [1, 2]\ntime = 2026-11-29T12:00:00Z\n'
        '[[decision]]\ndecision = "accept"\ncurves = [2]\n'
        '[[decision]]\ndecision = "accept"\ncurves = [1]\ntime = 2026-11-29T10:00:00Z\n'
    )
    found = read(tmp_path, text)
    assert (found.excluded.tolist(), found.accepted.tolist()) == ([1], [2])


def test_curves_that_are_here_twice_are_counted_once(tmp_path):
    table = {"source": np.zeros(4, int), "source_curve": np.array([0, 0, 1, 1])}
    twice = CurveOrigins.of(["a.spm"], [HASH], table, 4)
    found = read(tmp_path, HEAD + '[[decision]]\ndecision = "exclude"\ncurves = ["0-2"]\n', twice)
    assert found.excluded.tolist() == [0, 1, 2, 3]
    (note,) = found.notes
    assert "1 of its 3 curves are not here" in note


def test_only_decisions_that_hold_are_counted_as_blind(tmp_path):
    found = none(tmp_path)
    for kind, curves, visible in (("exclude", 1, ()), ("exclude", 2, ()), ("accept", 1, None)):
        found = found.with_decision(Decision(decision=kind, curves=curves, visible=visible))
    assert json.loads(found.as_json())["blind"] == 1


def test_several_files_of_one_name_without_a_hash_are_not_guessed():
    two = CurveOrigins.of(["a.spm", "a.spm"], [], {"source": np.array([0, 1])}, 2)
    with pytest.raises(InvalidInput, match=r"several files 'a\.spm'"):
        two.matching(NamedOrigin("a.spm", HASH))
    assert two.matching(NamedOrigin("a.spm (1)", "")) == 1
