"""The shipped model in the user's script: with drafts and without, greedy text is the same."""

import sys

import pytest
import requests

from processes import running
from ttdirect.script.render import ScriptSettings, render

STORY = (
    "Mira repaired clocks in a town where nobody was ever on time. One evening a stranger brought "
    "her a watch without hands."
)
PROMPTS = (
    f"{STORY}\n\nWrite a creative story",
    f"Write a creative story\n\n{STORY}",
    "Write a creative story",
    "What is machine learning?",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[0.0, 0.7])
def temperature(request):
    return request.param


def answers_of(folder, *, drafts, temperature):
    """What the script answers, and how many drafted tokens were right."""
    text = render(ScriptSettings(device="cpu", model="demo"))
    line = "verifies_drafts=generator.verifies_drafts"
    assert line in text
    script = folder / f"server-{drafts}.py"
    script.write_text(text if drafts else text.replace(line, "verifies_drafts=False"))
    with running([sys.executable, str(script), "--port", "0"], folder) as process:
        server = process.wait_ready()
        answers = [
            server.chat(prompt, max_tokens=200, temperature=temperature, seed=1).json()
            for prompt in PROMPTS
        ]
        metrics = requests.get(f"{server.url}/metrics", timeout=10).text
    (accepted,) = [
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith("ttdirect:spec_decode_num_accepted_tokens_total{")
    ]
    return [(answer["response"], answer["finish_reason"]) for answer in answers], accepted


def test_no_answer_changes_and_steps_are_saved(tmp_path, temperature):
    drafted, accepted = answers_of(tmp_path, drafts=True, temperature=temperature)
    plain, none = answers_of(tmp_path, drafts=False, temperature=temperature)
    assert drafted == plain
    assert none == 0
    assert accepted > 20, drafted
