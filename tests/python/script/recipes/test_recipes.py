"""Recipes in cases made for them: where code goes, what is refused and why, and taking it out."""

import textwrap

import pytest

from recipe_scripts import FIXTURES, RENDERED
from ttdirect import generator
from ttdirect.script.recipes import BY_ID, Edits, Refusal, apply, edits, removal
from ttdirect.script.recipes.catalogue import FIRST_LINES
from ttdirect.script.recipes.device import HOMES, TTNN_NAMES
from ttdirect.script.recipes.imports import NAMES, import_line
from ttdirect.script.recipes.model import Block
from ttdirect.script.render import ScriptSettings, default_model, render

APP = "from flask import Flask, request\n\napp = Flask(__name__)\n"


def added(recipe_id, source):
    changes = edits(recipe_id, source)
    assert isinstance(changes, Edits), changes
    return apply(source, changes)


def taken_out(recipe_id, source):
    changes = removal(recipe_id, source)
    assert isinstance(changes, Edits), changes
    return apply(source, changes)


def refused(recipe_id, source):
    refusal = edits(recipe_id, source)
    assert isinstance(refusal, Refusal)
    return refusal


def test_the_names_of_recipes_are_stable():
    """They stand in people's shell histories and in the editor."""
    assert list(BY_ID) == [
        "authentication",
        "rate-limiting",
        "request-logging",
        "cors",
        "streaming",
        "openai",
        "metrics",
        "timeout",
        "system-prompt",
        "tenstorrent",
        "cpu",
    ]


def test_an_unknown_recipe_is_the_caller_s_mistake():
    with pytest.raises(KeyError):
        edits("autentication", APP)
    with pytest.raises(KeyError):
        removal("autentication", APP)


@pytest.mark.parametrize("recipe", BY_ID.values(), ids=BY_ID)
def test_texts_for_people_are_sentences(recipe):
    assert not recipe.title.endswith(".")
    assert recipe.summary.endswith(".")
    assert recipe.note
    assert recipe.cannot == "" or recipe.cannot.endswith(".")
    for variant in recipe.variants:
        for piece in variant.pieces:
            assert piece.label.endswith(".")
            code = getattr(piece, "code", "")
            assert all(len(line) <= 96 for line in code.splitlines()), "too wide for a function"


def test_every_block_begins_with_a_comment_of_its_own():
    codes = [
        piece.code
        for recipe in BY_ID.values()
        for variant in recipe.variants
        for piece in variant.pieces
        if isinstance(piece, Block)
    ]
    assert len(FIRST_LINES) == len(codes)
    assert all(line.startswith("# ") and "$" not in line for line in FIRST_LINES)


def test_the_switch_gives_what_the_renderer_gives():
    scripts = {
        device: render(ScriptSettings(device, default_model(device))).rpartition("# ttdirect:")[0]
        for device in ("cpu", "cuda", "tenstorrent")
    }
    assert added("tenstorrent", scripts["cpu"]) == scripts["tenstorrent"]
    assert added("cpu", scripts["tenstorrent"]) == scripts["cpu"]
    assert added("tenstorrent", scripts["cuda"]) == scripts["tenstorrent"]
    assert refused("cpu", scripts["cuda"]).is_there


def test_a_model_of_the_user_s_own_stays_when_the_device_is_switched():
    own = render(ScriptSettings("cpu", "some/model"))
    assert 'or "some/model"' in added("tenstorrent", own)


def test_the_switch_finds_the_home_of_each_name():
    source = FIXTURES["hand_driven_on_cpu"]
    for_card = added("tenstorrent", source)
    assert "import ttnn\n" in for_card
    assert "from models.tt_transformers.tt.generator import Generator\n" in for_card
    assert "from ttdirect" not in for_card


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ttnn.from_torch(1)", "`ttnn.from_torch` has no counterpart on the CPU."),
        ("from ttnn import MeshShape", "Names of ttnn are imported one by one."),
        (
            "from models.tt_transformers.tt.common import copy_host_to_device",
            "`copy_host_to_device` has no counterpart on the CPU.",
        ),
    ],
)
def test_what_only_a_card_has_keeps_a_script_there(line, reason):
    refusal = refused("cpu", f"import ttnn\n{line}\n")
    assert (refusal.reason, refusal.line, refusal.is_there) == (reason, 2, False)


def test_names_with_several_homes_keep_a_script_on_the_cpu():
    source = "from ttdirect.generator import Generator, DecodersPrecision\n"
    assert "several homes" in refused("tenstorrent", source).reason


def test_every_name_of_the_switch_is_one_of_the_generator():
    assert HOMES.keys() | TTNN_NAMES <= set(generator.__all__)


def test_imports_stand_in_the_order_of_the_alphabet_with_a_reason():
    source = f"import argparse\nimport os\nimport sys\n\n{APP}"
    after = added("authentication", source)
    assert after.startswith(
        f"import argparse\n{import_line('hmac')}\nimport os\n{import_line('secrets')}\nimport sys\n"
    )


def test_imports_of_other_packages_stand_in_the_block_that_guards_theirs():
    source = textwrap.dedent("""\
        import sys

        try:
            from flask import Flask
        except ImportError:
            sys.exit("Install Flask.")

        app = Flask(__name__)
        """)
    after = added("cors", source)
    assert f"    from flask import Flask\n    {import_line('flask.request')}\nexcept" in after
    assert taken_out("cors", after) == source


def test_what_is_imported_under_another_name_is_called_by_it():
    after = added("rate-limiting", FIXTURES["aliases"])
    assert "t.monotonic()" in after
    assert "import time\n" not in after
    assert "@web.before_request" in after
    assert "req.remote_addr" in after


def test_imports_stand_above_the_first_line_that_needs_them():
    source = textwrap.dedent("""\
        import os
        from flask import Flask, request
        from ttdirect.engine import Engine

        engine = Engine(print)
        import sys

        app = Flask(__name__)
        """)
    after = added("system-prompt", source)
    assert after.startswith(f"{import_line('functools')}\nimport os\n")
    late = source.replace("import sys", "import functools")
    assert refused("system-prompt", late).reason == (
        "`functools` is imported too late for this, in line 6."
    )


def test_a_module_that_may_be_missing_is_not_relied_on():
    source = f"try:\n    import hmac\nexcept ImportError:\n    hmac = None\n{APP}"
    refusal = refused("authentication", source)
    assert "`hmac`" in refusal.reason
    assert refusal.line == 2


@pytest.mark.parametrize(
    "taken",
    [
        "def limit_requests(): ...\n",
        "class limit_requests: ...\n",
        "for limit_requests in []: ...\n",
        "if (limit_requests := 1): ...\n",
        "from os import path as limit_requests\n",
        "with open('x') as limit_requests: ...\n",
        "try: ...\nexcept OSError as limit_requests: ...\n",
        "match 1:\n    case limit_requests: ...\n",
        "def f():\n    global limit_requests\n    limit_requests = 1\n",
    ],
)
def test_a_name_that_is_taken_is_left_to_its_owner(taken):
    assert "`limit_requests`" in refused("rate-limiting", APP + "\n" + taken).reason


def test_a_local_name_of_another_function_takes_nothing():
    after = added("rate-limiting", f"{APP}\n\ndef f(time, limit_requests=1):\n    secrets = time\n")
    assert "import time" in after


def test_a_parameter_that_hides_an_import_is_noticed():
    source = textwrap.dedent("""\
        import time

        from flask import Flask, request


        def make(time):
            app = Flask(__name__)
            return app
        """)
    assert "`time`" in refused("request-logging", source).reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("print('hello')\n", "No line of this script makes a Flask app."),
        ("from flask import Flask\nclass A:\n    app = Flask('a')\n", "no plain assignment"),
        ("from flask import Flask\nif 1:\n    app = Flask('a')\n", "no plain assignment"),
        ("from flask import Flask\na = b = Flask('a')\n", "no plain assignment"),
        ("from flask import Flask\nprint(app := Flask('a'))\n", "no plain assignment"),
        ("from flask import Flask\napp = Flask('a')\napp = None\n", "gets another value in line 3"),
        ("from flask import Flask\napp = Flask('a'); import os\n", "Several statements"),
        ("from flask import Flask\napp = Flask('a'\n", "Python cannot read this script"),
        ("from flask import Flask\napp = Flask('\0')\n", "Python cannot read this script"),
        ("from flask import Flask\nreturn\napp = Flask('a')\n", "Python cannot read this script"),
        ("from flask import *\napp = Flask('a')\n", "`import *`"),
    ],
)
def test_scripts_that_a_program_must_not_change_are_refused(source, reason):
    for recipe_id in ("authentication", "cors", "metrics"):
        assert reason in refused(recipe_id, source).reason


def test_a_hook_goes_below_the_lines_that_set_the_app_up():
    source = f"{APP}# limits\napp.config['A'] = 1  # one\n\n\ndef f(): ...\n"
    after = added("cors", source)
    assert "app.config['A'] = 1  # one\n\n\n# CORS" in after
    assert after.endswith("    return response\n\n\ndef f(): ...\n")


def test_nothing_is_set_up_below_the_line_that_serves():
    source = f"{APP}app.run()\n"
    after = added("cors", source)
    assert after.index("def allow_origins") < after.index("app.run()")
    assert taken_out("cors", after) == source


def test_blocks_stand_in_one_order_whichever_was_added_first():
    for source in (APP, APP + "@app.route('/')\ndef f(): ...\n", FIXTURES["tabs"]):
        one = added("cors", added("rate-limiting", source))
        other = added("rate-limiting", added("cors", source))
        assert one == other
        assert one.index("# Rate limiting") < one.index("# CORS")


def test_a_recipe_that_was_changed_is_left_to_the_user():
    after = added("rate-limiting", APP).replace(
        "REQUESTS_PER_MINUTE = 60", "REQUESTS_PER_MINUTE = 5"
    )
    refusal = removal("rate-limiting", after)
    assert isinstance(refusal, Refusal)
    assert "yours to take out" in refusal.reason
    assert refusal.line


def test_a_recipe_that_others_use_is_not_taken_away_from_them():
    after = added("cors", APP) + "print(ALLOWED_ORIGINS)\n"
    assert "use `ALLOWED_ORIGINS`" in removal("cors", after).reason


def test_what_is_not_there_cannot_be_taken_out():
    assert "does not have this" in removal("cors", APP).reason
    assert "switch" in removal("cpu", RENDERED["rendered_cpu"]).reason


def test_an_import_stays_while_another_recipe_needs_it():
    both = added("request-logging", added("rate-limiting", APP))
    logging_alone = taken_out("rate-limiting", both)
    assert import_line("time") in logging_alone
    assert import_line("threading") not in logging_alone
    assert logging_alone == added("request-logging", APP)


def test_an_import_of_the_user_s_own_stays():
    source = f"import time\n\n{APP}"
    assert taken_out("request-logging", added("request-logging", source)) == source


def test_a_recipe_stays_removable_while_its_surroundings_change():
    after = added("cors", APP)
    edited = after.replace("app = Flask(__name__)", "import os\n\napp = Flask('chat')  # ours")
    assert taken_out("cors", edited) == APP.replace(
        "app = Flask(__name__)", "import os\n\napp = Flask('chat')  # ours"
    )


def test_an_engine_whose_arguments_are_hidden_is_left_alone():
    source = FIXTURES["engine_plain"].replace("    num_blocks=257,\n)", "    **sizes,\n)")
    assert "hidden behind `**`" in refused("timeout", source).reason


def test_a_system_prompt_goes_into_the_only_list_of_messages():
    source = FIXTURES["lesson_2025"]
    after = added("system-prompt", source)
    assert (
        '[{"role": "system", "content": "You are a helpful assistant."}, {"role": "user"' in after
    )
    twice = source + '\nOTHER = [{"role": "user", "content": "?"}]\n'
    assert "not clear which" in refused("system-prompt", twice).reason


def test_every_name_that_recipes_import_is_known_by_its_last_part():
    assert len(NAMES) == len({import_line(dotted) for dotted in NAMES.values()})
