"""The script with DATA_PARALLEL: the chips in equal parts, a model on each, one server."""

import fake_card
from waiting import wait_until

T3K = {"chips": 8, "cluster": "T3K"}


def test_all_parts_answer_and_are_given_back(start_lesson):
    fake_card.calls.clear()
    fake_card.generators.clear()
    lesson = start_lesson(T3K, DATA_PARALLEL="4", MAX_BATCH_SIZE="8")
    gate, prompts = lesson.gate, [f"hello {number}" for number in range(8)]
    gate.shut()  # until all have come, so that one part cannot answer everybody
    answers = lesson.in_background(*(lambda it=it: lesson.chat(it) for it in prompts))
    wait_until(lambda: lesson.engine.health().queued + lesson.engine.health().running == 8)
    gate.open()
    assert [it.json["response"] for it in answers()] == [f"You said: {it}" for it in prompts]

    (generator,) = fake_card.generators
    rows = {row for call in generator.calls for row in call.slots}
    assert {row // 2 for row in rows} == {0, 1, 2, 3}
    assert lesson.health().json["max_batch_size"] == 8
    assert generator.num_blocks == 32_768 // 4 // 32 + 1
    lesson.engine.drain(10.0)
    assert lesson.engine.join(30)
    assert [(name, about) for name, about, _ in fake_card.calls] == [
        ("get_num_devices", None),
        ("set_fabric_config", "FABRIC_1D"),
        ("open_mesh_device", (1, 8)),
        ("create_submeshes", (1, 2)),
        *[("close_mesh_device", (1, 2))] * 4,
        ("close_mesh_device", (1, 8)),
        ("set_fabric_config", "DISABLED"),
    ]
    assert {thread for _, _, thread in fake_card.calls} == {"engine"}


def test_chips_that_cannot_be_divided_so_are_told_in_words(start_lesson):
    lesson = start_lesson(T3K, DATA_PARALLEL="3", MAX_BATCH_SIZE="3")
    assert lesson.health().status_code == 503
    note = lesson.health().json["note"]
    assert note.startswith(
        "The model could not be loaded: A mesh of shape (1, 8) cannot be divided"
    )
