"""Every recipe on every script: what has to hold whatever the recipe does."""

import ast
import io
import itertools
import tokenize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_scripts import FIXTURES, SCRIPTS
from ttdirect.script.recipes import BY_ID, RECIPES, Edits, Refusal, apply, edits, removal, survey
from ttdirect.script.recipes.lines import BOM

SWITCHES = {"cpu": "tenstorrent", "tenstorrent": "cpu"}
DECLINED = {"conditional_app", "star_import", "taken_names", "two_apps"}
ANY_APP = {"authentication", "rate-limiting", "request-logging", "cors"}
ENGINE = {"streaming", "openai", "timeout"}


def parsed(source):
    return ast.parse(source.removeprefix(BOM))


def comments(source):
    text = source.removeprefix(BOM).replace("\r\n", "\n").replace("\r", "\n")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def is_within(few, many):
    """Whether `few` are among `many`, in their order."""
    rest = iter(many)
    return all(it in rest for it in few)


def undone(recipe_id, source):
    """The script without a recipe; a switch is turned back by the other one."""
    other = SWITCHES.get(recipe_id)
    changes = edits(other, source) if other else removal(recipe_id, source)
    assert isinstance(changes, Edits), changes
    return apply(source, changes)


def done(recipe_id, source):
    """The script with a recipe, or as it was if the recipe does not go into it."""
    changes = edits(recipe_id, source)
    return source if isinstance(changes, Refusal) else apply(source, changes)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("recipe_id", BY_ID)
def test_a_recipe_changes_its_own_lines_alone_and_can_be_taken_out(name, recipe_id):
    before = SCRIPTS[name]
    changes = edits(recipe_id, before)
    if isinstance(changes, Refusal):
        assert changes.reason.endswith(".")
        assert changes.line is None or 1 <= changes.line <= before.count("\n") + before.count("\r")
        return
    after = apply(before, changes)
    parsed(after)
    again = edits(recipe_id, after)
    assert isinstance(again, Refusal)
    assert again.is_there, again
    if name != "rendered_cuda" or recipe_id not in SWITCHES:  # it comes back for the CPU
        assert undone(recipe_id, after) == before
    if recipe_id not in SWITCHES:
        assert all(edit.start == edit.end for edit in changes.edits), "only insertions"
        assert is_within(comments(before), comments(after))
    touched = {
        line
        for edit in changes.edits
        for line in range(before.count("\n", 0, edit.start), before.count("\n", 0, edit.end) + 1)
    }
    kept = [line for n, line in enumerate(before.split("\n")) if n not in touched]
    assert is_within(kept, after.split("\n"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_edits_are_sorted_and_say_what_they_are_for(name):
    for recipe in RECIPES:
        changes = edits(recipe.id, SCRIPTS[name])
        if isinstance(changes, Edits):
            assert changes.recipe_id == recipe.id
            assert changes.edits
            assert all(edit.label.endswith(".") for edit in changes.edits)
            for edit, following in itertools.pairwise(changes.edits):
                assert edit.start <= edit.end <= following.start


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_survey_for_menus_says_what_edits_say(name):
    for recipe_id, refusal in survey(SCRIPTS[name]).items():
        changes = edits(recipe_id, SCRIPTS[name])
        assert refusal == (changes if isinstance(changes, Refusal) else None)


def test_what_goes_into_which_script():
    """So that no recipe is refused everywhere, which all other tests would accept."""
    for name, source in FIXTURES.items():
        fits = {it for it, refusal in survey(source).items() if refusal is None}
        if name in DECLINED or name == "has_everything":
            assert not fits - SWITCHES.keys(), name
            continue
        assert fits >= ANY_APP | {"metrics"}, name
        assert bool(fits & ENGINE) == (
            name in {"engine_factory", "engine_plain", "large", "no_main"}
        ), name
        assert not fits & ENGINE or fits >= ENGINE | {"system-prompt"}, name
    for name in ("rendered_cpu", "rendered_cuda", "rendered_tenstorrent"):
        fits = {it for it, refusal in survey(SCRIPTS[name]).items() if refusal is None}
        assert fits >= ANY_APP | {"system-prompt"}
        assert len(fits & SWITCHES.keys()) == 1
        there = {
            it for it, refusal in survey(SCRIPTS[name]).items() if refusal and refusal.is_there
        }
        assert there == {"streaming", "openai", "metrics", "timeout", *SWITCHES} - fits


def test_a_script_that_has_it_all_is_told_where():
    there = survey(FIXTURES["has_everything"])
    assert {it for it, refusal in there.items() if refusal and refusal.is_there} == (
        BY_ID.keys() - SWITCHES.keys()
    )
    assert "flask_limiter is imported in line 10." in there["rate-limiting"].reason


# In the large script nothing is special but its length, and that takes minutes.
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "large"])
def test_every_ordered_pair_gives_the_same_lines_and_comes_apart_again(name):
    before = SCRIPTS[name]
    fits = [it for it, refusal in survey(before).items() if refusal is None]
    alone = {it: done(it, before) for it in fits}
    for first, second in itertools.permutations(fits, 2):
        if name == "rendered_cuda" and {first, second} & SWITCHES.keys():
            continue  # it comes back for the CPU
        both = done(second, alone[first])
        parsed(both)
        assert edits(first, both).is_there
        rest = undone(first, both)
        assert sorted(rest.split()) == sorted(alone[second].split())
        assert undone(second, rest) == before
        if first < second:
            other_way = done(first, alone[second])
            assert sorted(both.split("\n")) == sorted(other_way.split("\n"))


INTO_THE_SCRIPT = st.sampled_from(["# a note", "", "\f", "ANSWER = 42  # why not", "\t", "    "])


@settings(max_examples=60)
@given(
    name=st.sampled_from(
        sorted(SCRIPTS.keys() - DECLINED - {"large", "has_everything", "rendered_cuda"})
    ),
    recipes=st.lists(st.sampled_from(sorted(BY_ID)), min_size=3, max_size=3, unique=True),
    order=st.permutations(range(3)),
    extra=st.lists(st.tuples(st.floats(0, 1), INTO_THE_SCRIPT), max_size=3),
    newline=st.sampled_from([None, "\r\n", "\r"]),
)
def test_three_recipes_on_a_script_that_somebody_changed(name, recipes, order, extra, newline):
    before = changed(SCRIPTS[name], extra, newline)
    after, added = before, []
    for recipe_id in recipes:
        if isinstance(edits(recipe_id, after), Edits):
            after = done(recipe_id, after)
            added.append(recipe_id)
            parsed(after)
    for recipe_id in added:
        last = recipe_id not in SWITCHES or SWITCHES[recipe_id] not in added
        assert not last or edits(recipe_id, after).is_there
    if len(SWITCHES.keys() & set(added)) == 2:
        return  # turned there and back: that is tested by itself
    for number in order:
        if number < len(added):
            after = undone(added[number], after)
    assert after == before


def changed(source, extra, newline):
    """The script with more lines, or other line ends, as far as it is one afterwards."""
    if "\r" not in source:
        lines = source.split("\n")
        for place, line in extra:
            candidate = lines.copy()
            candidate.insert(1 + int(place * (len(lines) - 1)), line)
            try:
                parsed("\n".join(candidate))
            except SyntaxError:
                continue
            lines = candidate
        source = "\n".join(lines)
        if newline and not source.startswith(BOM):
            source = source.replace("\n", newline)
    return source


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(FIXTURES.keys() - {"large"})),
    cut=st.floats(0, 1),
    length=st.integers(0, 40),
    recipe_id=st.sampled_from(sorted(BY_ID)),
)
def test_broken_scripts_are_refused_and_never_an_error(name, cut, length, recipe_id):
    source = FIXTURES[name]
    place = int(cut * len(source))
    source = source[:place] + source[place + length :]
    for changes in (edits(recipe_id, source), removal(recipe_id, source)):
        if isinstance(changes, Edits):
            parsed(apply(source, changes))
        else:
            assert changes.reason
